"""What editors and shells get: a schema that a modeline finds, and completion."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
import yaml

from examples import upstreams
from tests.cli.runner import OLD_SCRIPT, SCRIPT, environment
from tests.documents import ROOT, blocks
from tests.lacking import lacking

MODELINE = re.compile(r"# yaml-language-server: \$schema=(\S+)")


def schema_of(text: str, place: Path) -> Path:
    """The schema that a file's first comment names, as a YAML language server finds it: relative to the file."""
    comments = [line for line in text.splitlines() if line.startswith("#")]
    [found] = [match for line in comments if (match := MODELINE.fullmatch(line))]
    return (place.parent / found[1]).resolve()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ((ROOT / "config.yaml").read_text(), ROOT / "config.yaml"),
        (upstreams.CONFIG, ROOT / "demo/config.yaml"),
    ],
    ids=["config.yaml", "demo"],
)
def test_the_modeline_names_the_schema_in_the_package(text: str, place: Path) -> None:
    schema = schema_of(text, place)
    assert schema.read_text() == files("chart_releaser").joinpath("config.schema.json").read_text()
    jsonschema.validate(yaml.safe_load(text), json.loads(schema.read_text()))


def test_the_documented_modeline_names_the_file_that_the_documented_command_writes() -> None:
    page = list(blocks(ROOT / "docs/configuration.md"))
    [text] = [block.text for block in page if "$schema" in block.text]
    [command] = [block.text.strip() for block in page if block.language == "sh"]
    assert command == f"chart-releaser schema > {schema_of(text, ROOT / 'config.yaml').name}"
    assert f"`# yaml-language-server: $schema={command.split()[-1]}`" in (ROOT / "README.md").read_text()


NAMES = [SCRIPT.name, OLD_SCRIPT.name]
SOURCES = """
x-names: [&one provider-aws]
sources:
  - {name: *one}
  - {name: provider-azure, repo: 1}
  - name: weather
  - {name: "$(touch ran)"}
  - {repo: nameless}
  - 3
"""


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """What the program is called."""
    return str(request.param)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which README's commands have written a script for each shell and name of the program."""
    folder = tmp_path_factory.mktemp("scripts")
    [documented] = [block.text for block in blocks(ROOT / "README.md") if "=source_zsh" in block.text]
    for name in NAMES:
        commands = documented
        for old, new in (("chart-releaser", name), ("_CHART_RELEASER_", variable(name))):
            commands = commands.replace(old, new)
        env = environment({"PATH": f"{SCRIPT.parent}:/usr/bin:/bin"})
        subprocess.run(["bash", "-euo", "pipefail", "-c", commands], cwd=folder, env=env, check=True)
    return folder


@pytest.fixture
def scripts(tmp_path: Path, written: Path) -> Path:
    """The test's own copy of the scripts."""
    return Path(shutil.copytree(written, tmp_path, dirs_exist_ok=True))


def variable(name: str) -> str:
    """How the variable begins by which a shell asks a program of this name."""
    return f"_{name.replace('-', '_').upper()}_"


def shell(script: str, name: str, cwd: Path, *, program: str = "bash") -> str:
    """What a script prints in a shell, in which NAME is the program's name; nothing may be written to stderr."""
    if shutil.which(program) is None:
        lacking(f"completion: there is no {program}; install it", "REQUIRE_SHELLS")
    env = environment({"PATH": f"{SCRIPT.parent}:/usr/bin:/bin", "HOME": str(cwd)})
    words = [program, "-c", script.replace("NAME", name)]
    done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert not done.stderr
    return done.stdout


def offered(words: str, name: str, cwd: Path) -> list[str]:
    """What bash offers at the end of a command line."""
    ask = """
        source NAME.bash
        IFS=' ' read -ra COMP_WORDS <<<'NAME TYPED'; [[ 'TYPED' != *' ' ]] || COMP_WORDS+=("")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
        "$(complete -p NAME | sed -E 's/.*-F ([^ ]+).*/\\1/')" NAME
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    return shell(ask.replace("TYPED", words), name, cwd).split()


def test_bash_completes_commands_and_options(scripts: Path, name: str) -> None:
    assert offered("fet", name, scripts) == ["fetch-latest-versions"]
    assert offered("update --dry", name, scripts) == ["--dry-run"]
    assert offered("-c x.yaml ver", name, scripts) == ["verify"]


@pytest.mark.parametrize(
    ("program", "asks", "answer"),
    [
        ("bash", "source NAME.bash; complete -p NAME", "complete -o default -F _"),
        ("zsh", "fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D; print $_comps[NAME]", "_NAME\n"),
        ("fish", "source NAME.fish; complete -C 'NAME verify --re'", "--repair\tFix what"),
    ],
    ids=["bash", "zsh", "fish"],
)
def test_the_shell_takes_the_documented_script(scripts: Path, name: str, program: str, asks: str, answer: str) -> None:
    assert shell(asks, name, scripts, program=program).startswith(answer.replace("NAME", name))


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("update --source ", ["provider-aws", "provider-azure", "weather"]),
        ("export -s provider-", ["provider-aws", "provider-azure"]),
        ("verify -s weather -s ", ["provider-aws", "provider-azure"]),
        ("-c config.yaml update -s w", ["weather"]),
        ("update -c ~/other.yaml -s ", ["other"]),
        ("update -c none.yaml -s ", []),
        ("update -c broken.yaml -s ", []),
        ("update -c list.yaml -s ", []),
        ("update -c . -s ", []),
    ],
)
def test_bash_completes_the_names_of_sources(scripts: Path, name: str, words: str, names: list[str]) -> None:
    (scripts / "config.yaml").write_text(SOURCES)
    (scripts / "other.yaml").write_text("sources: [{name: other}]")
    (scripts / "broken.yaml").write_text("sources: [{name: other}")
    (scripts / "list.yaml").write_text("[sources]")
    assert offered(words, name, scripts) == names


def test_zsh_and_fish_complete_the_names_of_sources(scripts: Path, name: str) -> None:
    (scripts / "config.yaml").write_text(SOURCES)
    ask = "source NAME.fish; complete -C 'NAME update -s provider-a'"
    assert shell(ask, name, scripts, program="fish").split() == ["provider-aws", "provider-azure"]
    # What zsh evaluates goes to a function of zsh's own.
    ask = """
        compdef() { :; }; _arguments() { print -r -- "$*"; }
        source ./_NAME
        words=(NAME update -s ""); CURRENT=4
        COMPLETION
    """
    ask = ask.replace("COMPLETION", f"_{name.replace('-', '_')}_completion")
    shown = shell(ask, name, scripts, program="zsh")
    assert re.findall(r"[a-z-]{3,}", shown) == ["provider-aws", "provider-azure", "weather"]
    assert not (scripts / "ran").exists()


def test_completion_imports_no_more_than_it_needs(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(SOURCES)
    env = {"COMP_WORDS": "chart-releaser update -s ", "COMP_CWORD": "3", "_CHART_RELEASER_COMPLETE": "complete_bash"}
    words = [sys.executable, "-X", "importtime", str(SCRIPT)]
    done = subprocess.run(words, cwd=tmp_path, env=environment(env), capture_output=True, text=True, check=True)
    assert "weather" in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "yaml" in imported
    assert not imported & {"chart_releaser.config.model", "github", "git", "requests", "rich"}
