"""Commands, options and exit codes of wrong usage."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from chart_releaser import __version__
from tests.cli.runner import OLD_SCRIPT, SCRIPT, config, environment, run, snapshot, source, upstream

COMMANDS = ("update", "export", "fetch-latest-versions", "verify", "schema")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A configuration with one source that has two releases."""
    upstream(tmp_path / "weather.git", ["v1.0.0", "v1.1.0"])
    folder = tmp_path / "work"
    folder.mkdir()
    config(folder, source("weather", "../weather.git", version="v1.0.0"))
    return folder


@pytest.mark.parametrize("environ", [{}, {"GITHUB_ACTIONS": "true"}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}])
def test_the_help_names_every_command_and_no_hidden_one(tmp_path: Path, environ: dict[str, str]) -> None:
    shown = run("--help", cwd=tmp_path, env=environ, ok=True)
    assert all(command in shown.out for command in COMMANDS)
    assert "fetchLatestVersions" not in shown.out


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_a_help_without_the_hidden_option(tmp_path: Path, command: str) -> None:
    shown = run(command, "-h", cwd=tmp_path, env={"GITHUB_ACTIONS": "true", "FORCE_COLOR": "1"}, ok=True)
    assert "--targetDir" not in shown.out


@pytest.mark.parametrize("words", [["--version"], ["-v", "--version"]])
def test_the_version(tmp_path: Path, words: list[str]) -> None:
    assert run(*words, cwd=tmp_path, ok=True).out == f"chart-releaser {__version__}\n"
    assert run(*words, cwd=tmp_path, script=OLD_SCRIPT, ok=True).out == f"chart-releaser {__version__}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        # Those that end in --help are the parser's own words, which differ from version to version.
        ([], "Missing command; see chart-releaser --help"),
        (["-q"], "Missing command; see chart-releaser --help"),
        (["-c", "other.yaml"], "Missing command; see chart-releaser --help"),
        (["updat"], "No such command 'updat'.; see chart-releaser --help"),
        (["--dry-run", "update"], "No such option: --dry-run; see chart-releaser --help"),
        (["update", "--dryrun"], "No such option: --dryrun; see chart-releaser update --help"),
        (["update", "--limit", "0"], "'--limit'; see chart-releaser update --help"),
        (["update", "--limit"], "--limit; see chart-releaser update --help"),
        (["update", "extra"], "extra; see chart-releaser update --help"),
        (["--config"], "Missing command; see chart-releaser --help"),
        (
            ["update", "--max-wait", "soon"],
            "--max-wait soon is not a duration; write seconds, or a number with s, m or h: 5m",
        ),
        (["update", "-q", "-v"], "--verbose and --quiet exclude each other; give one of them"),
        (["update", "-s", "wether"], "--source wether: there is no such source; did you mean weather?"),
        (["update", "-s", "eath"], "--source eath: there is no such source; did you mean weather?"),
        (["update", "-s", "zzz"], "--source zzz: there is no such source; the configuration has weather"),
    ],
)
def test_wrong_usage_ends_with_2_and_one_line(work: Path, words: list[str], message: str) -> None:
    before = snapshot(work)
    ran = run(*words, cwd=work)
    assert (ran.code, ran.out, len(ran.messages)) == (2, "", 1)
    what, parsed, advice = message.partition("; see ")
    if parsed:
        assert what.strip("'.").casefold() in ran.errors[0].casefold()
        assert ran.errors[0].endswith(f"; see {advice}")
    else:
        assert ran.errors == [message]
    assert snapshot(work) == before


def test_the_old_names_still_work(work: Path) -> None:
    before = (work / "config.yaml").read_text()
    assert run("export", "--targetDir", "old", cwd=work, script=OLD_SCRIPT, ok=True).out == "old/weather\n"
    assert run("--targetDir", "before", "export", cwd=work, script=OLD_SCRIPT, ok=True).out == "before/weather\n"
    run("update", "--targetDir", "nowhere", cwd=work, script=OLD_SCRIPT, ok=True)
    assert (work / "public/index.yaml").exists()
    assert not (work / "nowhere").exists()
    run("fetchLatestVersions", "--targetDir=x", cwd=work, script=OLD_SCRIPT, ok=True)
    assert (work / "config.yaml").read_text() == before.replace("v1.0.0", "v1.1.0")


@pytest.mark.parametrize(
    "words",
    [
        ["-c", "work/config.yaml", "-s", "weather", "-j", "1", "export", "-t", "x"],
        ["-cwork/config.yaml", "--source=weather", "-vv", "export", "-t", "x"],
        ["export", "--config", "work/config.yaml", "--source", "weather", "--jobs", "1", "-t", "x"],
        ["--config=work/config.yaml", "-q", "export", "--cache-dir", "c", "--target-dir", "x"],
    ],
)
def test_common_options_may_stand_before_and_after_the_command(work: Path, words: list[str]) -> None:
    ran = run(*words, cwd=work.parent, ok=True)
    assert ran.out == "x/weather\n"
    assert (work.parent / "x/weather/Chart.yaml").exists()


def test_sources_can_be_chosen(tmp_path: Path) -> None:
    upstream(tmp_path / "weather.git", ["v1.0.0"])
    config(tmp_path, *(source(name, "./weather.git") for name in ("a", "b", "c")))
    ran = run("export", "-s", "c", "-s", "a", cwd=tmp_path, ok=True)
    assert ran.out.split() == ["charts/a", "charts/c"]


def test_quiet_and_verbose(work: Path) -> None:
    quiet = run("update", "-q", cwd=work, ok=True)
    assert quiet.err == ""
    assert quiet.out.split() == [
        *("published", "weather", "1.1.0", "weather-1.1.0.tgz"),
        *("published", "weather", "1.0.0", "weather-1.0.0.tgz"),
    ]
    plain = run("update", cwd=work, ok=True)
    assert plain.messages == [f"directory {work / 'public'}: 0 published, 2 up to date, 0 failed"]
    verbose = run("update", "-v", cwd=work, ok=True)
    assert "weather: 2 up to date, 0 to publish" in verbose.messages


def test_quiet_still_says_what_went_wrong(work: Path) -> None:
    config(work, source("weather", "../weather.git", charts="[charts/none]", version="v1.0.0"))
    ran = run("export", "--quiet", cwd=work)
    assert ran.code == 1
    assert len(ran.errors) == len(ran.messages) == 1
    stopped = run("update", "--quiet", "--limit", "1", cwd=_good(work))
    assert stopped.code == 3
    assert stopped.messages == ["warning: --limit 1 is reached; 1 more wait for the next run"]


def _good(work: Path) -> Path:
    config(work, source("weather", "../weather.git"))
    return work


def test_the_schema_is_one_json_document_and_needs_no_configuration(tmp_path: Path) -> None:
    shown = run("schema", cwd=tmp_path, ok=True)
    assert "sources" in json.loads(shown.out)["properties"]
    assert shown.err == ""


def test_a_full_disk_behind_stdout_is_no_success(tmp_path: Path) -> None:

    with Path("/dev/full").open("w") as full:
        done = subprocess.run([SCRIPT, "schema"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    what = "the results can't be written: No space left on device"
    assert done.stderr == f"error: {what}; make room, or write them elsewhere\n"


def test_a_reader_that_goes_away_is_no_bug(tmp_path: Path) -> None:

    command = ["sh", "-c", '"$0" schema | true', str(SCRIPT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_a_terminal_without_a_character_gets_it_escaped(work: Path) -> None:
    config(work, source("weather", "../wetter-ü.git"))
    ran = run("update", cwd=work, env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert ran.code == 1
    assert "wetter-\\xfc.git" in ran.errors[0]


def test_a_source_that_nothing_resembles_gets_the_first_of_many(tmp_path: Path) -> None:
    config(tmp_path, *(source(f"chart-{number}", "./weather.git") for number in range(1, 14)))
    ran = run("update", "-s", "zzz", cwd=tmp_path)
    assert ran.errors[0].endswith("chart-9, chart-10 and 3 more")


def test_it_runs_as_a_module(tmp_path: Path) -> None:
    """The current directory, which Python puts first, is no place to look for libraries."""
    (tmp_path / "typer.py").write_text("raise SystemExit(99)\n")
    expected = (0, f"chart-releaser {__version__}\n", "")
    for command in ([sys.executable, "-m", "chart_releaser"], [str(SCRIPT)]):
        for path in ("", ":", ".", f"{tmp_path}"):
            env = {**os.environ, "PYTHONPATH": path}
            done = subprocess.run([*command, "--version"], cwd=tmp_path, env=env, capture_output=True, check=False)
            assert (done.returncode, done.stdout.decode(), done.stderr.decode()) == expected


def imported(*words: str, cwd: Path, environ: Mapping[str, str] | None = None) -> set[str]:
    """The modules that a run imports."""
    command = [sys.executable, "-X", "importtime", str(SCRIPT), *words]
    done = subprocess.run(command, cwd=cwd, env=environment(environ), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-1000:]
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["update", "--help"], ["schema"]], ids=" ".join)
def test_nothing_heavy_is_imported_for_a_text(tmp_path: Path, words: list[str]) -> None:
    modules = imported(*words, cwd=tmp_path, environ={"GITHUB_ACTIONS": "true"})
    assert "typer" in modules
    assert not modules & {"github", "git", "requests", "rich", "ruamel.yaml", "jsonschema", "jinja2"}


@pytest.mark.parametrize("words", ["update --dry-run", "update", "export", "verify", "fetch-latest-versions"], ids=str)
def test_local_sources_and_a_directory_need_no_client_of_a_server(work: Path, words: str) -> None:
    if words == "verify":
        run("update", cwd=work, ok=True)
    modules = imported(*words.split(), cwd=work, environ={"GITHUB_ACTIONS": "true"})
    assert not modules & {"github", "requests", "urllib3", "rich"}
