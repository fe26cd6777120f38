"""How a run behaves from outside: terminals, jobs in Actions, interrupts, bugs, and where the token goes."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from chart_releaser.charts import package
from tests.cli.runner import (
    SCRIPT,
    TOKEN,
    begin,
    called,
    config,
    environment,
    run,
    server_env,
    source,
    upstream,
)
from tests.gitrepo import GitRepo
from tests.hub import Fault, Hub, Server, on, running


@pytest.fixture
def weather(tmp_path: Path) -> GitRepo:
    """A repository with three versions."""
    return upstream(tmp_path / "weather.git", ["v1.0.0", "v1.1.0", "v1.2.0"])


@pytest.fixture
def hub(weather: GitRepo) -> Hub:
    """A GitHub with that repository as o/weather."""
    hub = Hub()
    hub.add_repository("o/weather", weather.path)
    hub.releases_from_tags("o/weather")
    return hub


@pytest.fixture
def server(hub: Hub) -> Iterator[Server]:
    """The hub, answering."""
    with running(hub) as server:
        yield server


# --- terminals


def _on_terminal(*words: str, cwd: Path, columns: int = 80, env: Mapping[str, str] | None = None) -> str:
    """What a user sees on a terminal."""
    leader, follower = pty.openpty()
    kept = {key: value for key, value in environment().items() if key != "COLUMNS"}
    process = subprocess.Popen(
        [SCRIPT, *words],
        cwd=cwd,
        env={**kept, "TERM": "xterm", "COLUMNS": str(columns), **(env or {})},
        stdin=follower,
        stdout=follower,
        stderr=follower,
        close_fds=True,
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            part = os.read(leader, 4096)
        except OSError:  # the program has ended
            break
        if not part:
            break
        shown += part
    os.close(leader)
    process.wait()
    return shown.decode()


def test_a_terminal_gets_colours_and_progress_that_goes_away(tmp_path: Path, weather: GitRepo) -> None:
    config(tmp_path, source("weather", "./weather.git"), source("gone", "./gone"))
    shown = _on_terminal("update", cwd=tmp_path)
    assert "\x1b[31merror: gone: " in shown
    assert re.search(r"━.*━\x1b\[0m 1/3, 2 left: publishing weather v1\.1\.0", shown)
    assert "\x1b[32mpublished weather 1.1.0\x1b[0m" in shown
    end = shown.rstrip().rpartition("\r\x1b[K")[2].replace("\r\n", "\n")
    assert " left: " not in end
    assert end.startswith(
        "source   published  up to date  failed\n"
        "weather  \x1b[32m        3\x1b[0m           0       0\n"
        "gone             0           0  \x1b[31m     1\x1b[0m\n"
        "\x1b[31mfailed: gone\x1b[0m\n  "
    )
    assert max(len(line) for line in re.sub(r"\x1b\[\d*m", "", end).splitlines()[:4]) <= 80
    assert end.splitlines()[-1].startswith("directory public: 3 published")


@pytest.mark.parametrize("columns", [80, 40])
def test_a_terminal_gets_a_reason_in_full_once_however_many_releases_it_fails(
    tmp_path: Path, weather: GitRepo, columns: int
) -> None:
    config(tmp_path, source("weather", "./weather.git", charts="[charts/wether]"))
    shown = re.sub(r"\x1b\[\d*m", "", _on_terminal("update", cwd=tmp_path, columns=columns)).replace("\r\n", "\n")
    assert " ".join(shown.split()).count("charts that look like it: charts/weather") == 1
    lines = [line.rpartition("\x1b[K")[2] for line in shown.splitlines()]
    passing = [line for line in lines if line.startswith("error: weather v1.")]
    assert len(passing) == 3
    assert max(map(len, passing)) <= columns


def test_a_terminal_gets_the_reason_of_a_single_failure(tmp_path: Path) -> None:
    config(tmp_path, source("gone", "./gone"))
    shown = " ".join(_on_terminal("update", cwd=tmp_path, columns=40, env={"NO_COLOR": "1"}).split())
    assert "failed: gone gone is not a directory -> name a git repository" in shown


def test_a_wait_for_a_limit_counts_down_on_a_terminal(tmp_path: Path, hub: Hub, server: Server) -> None:
    fault = Fault(on("GET", "/repos/o/weather/releases"), "refuse", status=429, headers={"Retry-After": "3"})
    hub.add_fault(fault)
    config(tmp_path, source("weather", "o/weather"))
    shown = _on_terminal("update", "--dry-run", cwd=tmp_path, env=server_env(server))
    found = re.findall(r"\r\x1b\[Kwaiting (\d) s: the rate limit of", shown)
    assert found[:3] == ["3", "2", "1"]
    assert "\nwaiting" not in shown


@pytest.mark.parametrize(("environ", "progress"), [({"NO_COLOR": "1"}, True), ({"TERM": "dumb"}, False)])
def test_colours_can_be_switched_off(tmp_path: Path, weather: GitRepo, environ: dict[str, str], progress: bool) -> None:
    config(tmp_path, source("weather", "./weather.git"), source("gone", "./gone"))
    shown = _on_terminal("update", cwd=tmp_path, env=environ)
    assert not re.search(r"\x1b\[\d*m", shown)
    assert (" left: publishing " in shown) is progress
    assert " left: " not in _on_terminal("update", "-q", cwd=tmp_path, env=environ)


def test_control_characters_do_not_reach_a_terminal(tmp_path: Path, weather: GitRepo) -> None:
    weather.release(
        "v1.3.0", {"charts/weather/Chart.yaml": None, "charts/\x1b]0;owned\x07/Chart.yaml": "name: weather"}
    )
    config(tmp_path, source("weather", "./weather.git"))
    shown = _on_terminal("update", "-v", cwd=tmp_path)
    assert "\x1b]0" not in shown
    assert "\x07" not in shown


# --- GitHub Actions


def test_a_job_gets_annotations_a_group_a_summary_and_outputs(tmp_path: Path, weather: GitRepo) -> None:
    config(
        tmp_path,
        source("weather", "./weather.git", minors=1),
        source("gone", "./gone-100%"),
        source("pipe", "'./a|b`c<d>'"),
    )
    environ = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
    }
    (tmp_path / "summary").write_text("from another step\n")
    ran = run("update", cwd=tmp_path, env=environ)
    assert ran.code == 1
    assert ran.messages[0] == f"::group::update directory {tmp_path}/public"
    errors = [line for line in ran.messages if line.startswith("::error::")]
    assert errors[0].startswith(f"::error::gone: {tmp_path}/gone-100%25 is not")
    assert len(errors) == 2
    end = ran.messages[ran.messages.index("::endgroup::") + 1 :]
    assert [line.split()[0] for line in end] == ["source", "weather", "gone", "pipe", "failed:", "failed:", "directory"]
    assert end[-1] == f"directory {tmp_path}/public: 1 published, 0 up to date, 2 failed"
    lines = (tmp_path / "summary").read_text().splitlines()
    assert lines[0] == "from another step"
    assert "| published | `weather` | `1.2.0` | `weather-1.2.0.tgz` |" in lines
    assert any("a\\|b`c<d>" in line and line.endswith("`` |") for line in lines)
    outputs = dict(line.split("=", 1) for line in (tmp_path / "output").read_text().splitlines())
    assert (outputs["published"], outputs["skipped"], outputs["failed"]) == ("1", "0", "2")
    assert yaml.safe_load(outputs["released"]) == [
        {"name": "weather", "version": "1.2.0", "tag": "weather-1.2.0", "url": "weather-1.2.0.tgz"}
    ]


def test_a_summary_that_cannot_be_written_fails_nothing(tmp_path: Path, weather: GitRepo) -> None:
    config(tmp_path, source("weather", "./weather.git", minors=1))
    environ = {"GITHUB_STEP_SUMMARY": str(tmp_path / "no/summary"), "GITHUB_OUTPUT": str(tmp_path / "no/output")}
    ran = run("update", cwd=tmp_path, env=environ, ok=True)
    assert len([line for line in ran.messages if line.startswith("warning: ")]) == 5


# --- interrupts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_indexes_what_was_published(tmp_path: Path, hub: Hub, server: Server, number: signal.Signals) -> None:
    for name in ("a", "b"):
        repo = upstream(tmp_path / f"{name}.git", ["v1.0.0", "v1.1.0"])
        hub.add_repository(f"o/{name}", repo.path)
        hub.releases_from_tags(f"o/{name}")
    hub.add_fault(Fault(on("*", "o/b.git"), "slow", times=None, seconds=3))
    config(tmp_path, source("a", "o/a"), source("b", "o/b"))
    process = begin("update", "--json", "-j", "1", cwd=tmp_path, env=server_env(server))
    assert process.stderr is not None
    assert process.stdout is not None
    for line in process.stderr:
        if line.startswith("published a 1.0.0"):
            break
    begun = time.monotonic()
    process.send_signal(number)
    with process:
        err, out = process.stderr.read(), process.stdout.read()
    assert process.returncode == 130
    assert time.monotonic() - begun < 2.5  # it did not wait for the slow server
    assert err.startswith(f"{number.name}: finishing what is under way; once more ends at once\n")
    assert "Traceback" not in err
    index = yaml.safe_load((tmp_path / "public/index.yaml").read_text())
    assert [entry["version"] for entry in index["entries"]["a"]] == ["1.1.0", "1.0.0"]
    assert '"published": [{"source": "a", "version": "1.1.0"' in out
    hub.faults.clear()
    again = run("update", cwd=tmp_path, env=server_env(server), ok=True)
    assert [line.split()[1] for line in again.out.splitlines()] == ["b", "b"]


@pytest.mark.parametrize("command", ["update", "fetch-latest-versions", "export"])
def test_a_stop_while_repositories_are_asked_changes_nothing(
    tmp_path: Path, hub: Hub, server: Server, command: str
) -> None:
    asked = threading.Event()
    hub.add_fault(Fault(on("GET", "/releases"), "callback", times=None, action=asked.set))
    hub.add_fault(Fault(on("GET", "/releases"), "slow", times=None, seconds=2))
    path = config(tmp_path, source("weather", "o/weather", version="v1.0.0"))
    before = path.read_text()
    process = begin(command, cwd=tmp_path, env=server_env(server))
    assert asked.wait(20)
    process.terminate()
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "error: interrupted; what was done is kept, the next run continues from there"
    assert path.read_text() == before
    assert not (tmp_path / "public").exists()
    assert not (tmp_path / "charts").exists()


@pytest.mark.parametrize("closed", ["2>&-", "<&- >&- 2>&-"])
def test_streams_that_the_caller_has_closed(tmp_path: Path, weather: GitRepo, closed: str) -> None:
    """No file of the repository takes the place of such a stream, and what would be said there stops nothing."""
    config(tmp_path, source("weather", "./weather.git"))
    command = ["sh", "-c", f'exec "$0" update {closed}', str(SCRIPT)]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), check=False, timeout=60)
    assert done.returncode == 0
    assert run("verify", cwd=tmp_path, ok=True).messages[-1].endswith("3 entries, 3 packages, nothing is wrong")


# --- bugs


def test_a_bug_gives_a_short_report_with_nothing_of_the_users(
    tmp_path: Path, weather: GitRepo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    monkeypatch.chdir(tmp_path)
    config(tmp_path, source("weather", "./weather.git"))

    def broken(*_values: object, **_more: object) -> None:
        raise RuntimeError(f"no {tmp_path}/secret in {TOKEN}\nat https://me:pw@example.org/x\x1b[31m ~/x")

    monkeypatch.setattr("chart_releaser.commands.update.update", broken)
    ran = called("--config", str(tmp_path / "config.yaml"), "update", capsys=capsys)
    assert ran.code == 70
    assert ran.out == ""
    assert ran.messages[0] == "error: this is a bug in chart-releaser; please report it with these lines:"
    assert re.search(r", git \d+\.\d+", ran.messages[1])
    assert ran.messages[3] == "command: update"
    assert ran.messages[4] == "RuntimeError: no <path> in *** at <address> <path>"
    assert re.fullmatch(r"  at test_runs\.py:\d+ broken", ran.messages[-1])
    assert len(ran.messages) < 14
    assert str(tmp_path) not in ran.err


def test_a_bug_in_one_release_keeps_no_other_back(
    tmp_path: Path, weather: GitRepo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    config(tmp_path, source("weather", "./weather.git"))
    honest = package.build_package

    def broken(chart: object, when: int) -> object:
        if "1.1.0" in repr(chart):
            raise KeyError("oops")
        return honest(chart, when)  # type: ignore[arg-type]

    monkeypatch.setattr("chart_releaser.commands.publishing.build_package", broken)
    ran = called("update", capsys=capsys)
    assert ran.code == 70
    assert ran.errors[0] == "weather v1.1.0: internal error: KeyError: 'oops'"
    assert (tmp_path / "public/weather-1.2.0.tgz").exists()
    assert (tmp_path / "public/weather-1.0.0.tgz").exists()
    assert "KeyError: 'oops'" in ran.messages


# --- the token


def _seen_in_processes(process: subprocess.Popen[str]) -> set[str]:
    """Arguments of every process on the machine, looked at until this one ends."""
    seen: set[str] = set()
    while process.poll() is None:
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    seen.add((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        time.sleep(0.01)
    return seen


def test_the_token_goes_to_its_server_by_header_and_nowhere_else(tmp_path: Path, hub: Hub, server: Server) -> None:
    foreign = Hub()
    foreign.add_repository("o/weather", tmp_path / "weather.git")
    hub.add_token(TOKEN)
    hub.at("o/weather").private = True
    hub.add_fault(Fault(on("*", "/git-upload-pack|/info/refs"), "slow", times=None, seconds=0.2))  # time to look
    with running(foreign) as other:
        config(
            tmp_path,
            source("mine", "o/weather"),
            source("theirs", f"{other.url}/o/weather.git"),
            source("full", f"{server.url}/o/weather"),
        )
        process = begin("update", "-v", cwd=tmp_path, env=server_env(server, TOKEN))
        arguments = _seen_in_processes(process)
        out, err = process.communicate()
    assert process.returncode == 0, err
    assert any("git" in argument and "fetch" in argument for argument in arguments)
    assert TOKEN not in "".join(arguments) + out + err
    assert {record.token for record in foreign.journal} == {None}
    assert {record.token for record in hub.journal} <= {"installation", None}
    assert {record.token for record in hub.journal if record.rest} == {"installation"}
    assert not [record for record in hub.journal if record.token_in_url]
    home = Path(os.environ["CHART_RELEASER_CACHE"]).parent
    files = [path for folder in (tmp_path, home) for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert not [path for path in files if TOKEN.encode() in path.read_bytes()]


@pytest.mark.parametrize(("path", "code"), [("/api/v3/repos/o/weather/releases", 1), ("/o/weather.git/info/refs", 0)])
def test_a_redirect_to_another_host_gets_no_token(
    tmp_path: Path, hub: Hub, server: Server, path: str, code: int
) -> None:
    foreign = Hub()
    foreign.add_repository("o/weather", tmp_path / "weather.git")
    hub.add_token(TOKEN)
    config(tmp_path, source("weather", "o/weather"))
    with running(foreign) as other:
        elsewhere = f"{other.url}{path}?service=git-upload-pack"
        hub.add_fault(Fault(on("GET", f"{path}$"), "redirect", times=None, location=elsewhere))
        ran = run("update", cwd=tmp_path, env=server_env(server, TOKEN))
    assert ran.code == code, ran.err
    assert len(foreign.journal) > 0 or code == 1
    assert {record.token for record in foreign.journal} <= {None}


def test_github_com_is_not_given_another_servers_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from chart_releaser.location import GitHubRepository, Server, parse_location
    from chart_releaser.upstream.repositories import Repositories

    ours = Server("https://ghe.example.org", "https://ghe.example.org/api/v3")
    repositories = Repositories(ours, TOKEN, tmp_path, lambda _text: None)
    theirs = parse_location("https://github.com/o/x", base=tmp_path, server=ours)
    assert isinstance(theirs, GitHubRepository)
    assert not repositories.api(theirs.server).has_token
    assert repositories.api(ours).has_token
