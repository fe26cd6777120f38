"""What editors and shells get: a schema that a modeline finds, and completion."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
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


@pytest.mark.parametrize("script", [SCRIPT, OLD_SCRIPT], ids=lambda script: script.name)
def test_bash_completes_commands_and_options(script: Path, tmp_path: Path) -> None:
    name = script.name
    variable = f"_{name.replace('-', '_').upper()}_COMPLETE"
    asks = """
        eval "$(%s=source_bash %s)"
        for words in "%s fet" "%s update --dry"; do
          COMP_WORDS=($words); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
          "$(complete -p %s | sed -E 's/.*-F ([^ ]+).*/\\1/')" %s
          echo "${COMPREPLY[*]}"
        done
    """ % (variable, name, name, name, name, name)  # noqa: UP031 - braces are the shell's
    env = environment({"PATH": f"{script.parent}:/usr/bin:/bin"})
    done = subprocess.run(["bash", "-euc", asks], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["fetch-latest-versions", "--dry-run"], done.stderr


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """The folder in which README's commands have written a script for each shell."""
    [commands] = [block.text for block in blocks(ROOT / "README.md") if "=source_zsh" in block.text]
    env = environment({"PATH": f"{SCRIPT.parent}:/usr/bin:/bin"})
    subprocess.run(["bash", "-euo", "pipefail", "-c", commands], cwd=tmp_path, env=env, check=True)
    return tmp_path


@pytest.mark.parametrize(
    ("shell", "asks", "answer"),
    [
        ("bash", "source chart-releaser.bash; complete -p chart-releaser", "complete -o default -F _chart_releaser"),
        ("zsh", "fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D; print $_comps[chart-releaser]", "_chart"),
        ("fish", "source chart-releaser.fish; complete -C 'chart-releaser verify --re'", "--repair\tPut right"),
    ],
    ids=["bash", "zsh", "fish"],
)
def test_the_shell_takes_the_documented_script(scripts: Path, shell: str, asks: str, answer: str) -> None:
    if shutil.which(shell) is None:
        lacking(f"completion: there is no {shell}; install it", "REQUIRE_SHELLS")
    env = environment({"PATH": f"{SCRIPT.parent}:/usr/bin:/bin", "HOME": str(scripts)})
    done = subprocess.run([shell, "-c", asks], cwd=scripts, env=env, capture_output=True, text=True, check=False)
    assert done.stdout.startswith(answer), done.stderr
