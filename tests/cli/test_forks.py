"""Runs in forks are as runs of the script: otherwise most tests of the command line would show nothing."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cli.runner import SCRIPT, config, environment, run, snapshot, source, upstream
from tests.forks import Forks
from tests.hub import Fault, Hub, everything, running


@pytest.fixture
def forks() -> Iterator[Forks]:
    """A process of this test's own."""
    forks = Forks(SCRIPT, environment())
    yield forks
    forks.close()


@pytest.mark.parametrize(
    "words",
    [
        ["--version"],
        ["--help"],
        ["update", "--help"],
        ["schema"],
        [],
        ["updat"],
        ["update", "-c", "ü\udcff"],
        ["update", "-v"],
        ["update", "--json"],
        ["export"],
        ["fetch-latest-versions"],
        ["verify"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("env", [{}, {"GITHUB_ACTIONS": "true", "NO_COLOR": "1"}], ids=["", "actions"])
def test_a_fork_does_what_the_script_does(tmp_path: Path, words: list[str], env: dict[str, str]) -> None:
    upstream(tmp_path / "weather.git", ["v1.0.0", "v1.1.0"])
    work = tmp_path / "work"
    found = []
    for script in (SCRIPT, None):
        work.mkdir()
        config(work, source("weather", "../weather.git", version="v1.0.0"))
        ran = run(*words, cwd=work, env=env, script=script)
        kept = {name: data for name, data in snapshot(work).items() if not name.endswith("index.yaml")}
        found.append((ran.code, ran.out, ran.messages, kept))
        work.rename(tmp_path / f"work-{len(found)}")
    assert found[0] == found[1]


def test_each_has_its_own_environment_directory_and_umask(tmp_path: Path) -> None:
    upstream(tmp_path / "weather.git", ["v1.0.0"])
    modes = []
    for mask in (0o077, 0o022):
        work = tmp_path / f"work{mask}"
        work.mkdir()
        config(work, source("weather", "../weather.git"))
        before = os.umask(mask)
        try:
            run("update", cwd=work, env={"TMPDIR": str(work), "CHART_RELEASER_CACHE": str(work / "cache")}, ok=True)
        finally:
            os.umask(before)
        modes.append((work / "public").stat().st_mode & 0o777)
    assert modes == [0o700, 0o755]


def test_many_at_once(tmp_path: Path, forks: Forks) -> None:
    def shown(number: int) -> bytes:
        words = [str(SCRIPT), "update", "-c", f"gone-{number}"]
        return forks.run(words, tmp_path, environment(), 60).stderr

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(shown, range(24)))
    assert all(f"gone-{number} ".encode() in text for number, text in enumerate(found))


def test_one_that_takes_too_long_is_killed(tmp_path: Path, forks: Forks) -> None:
    hub = Hub()
    hub.add_fault(Fault(everything, "slow", times=None, seconds=4))
    with running(hub) as server:
        env = environment({"GITHUB_SERVER_URL": server.url, "GITHUB_API_URL": server.api_url})
        config(tmp_path, source("weather", "up/weather"))
        forks.run([str(SCRIPT), "--version"], tmp_path, env, 60)  # it has loaded everything now
        with pytest.raises(subprocess.TimeoutExpired):
            forks.run([str(SCRIPT), "update"], tmp_path, env, 1)
        pids = [path.name for path in Path("/proc").iterdir() if path.name.isdigit()]
        assert not [pid for pid in pids if f"{tmp_path}".encode() in _directory(pid)]
    assert forks.run([str(SCRIPT), "--version"], tmp_path, environment(), 60).returncode == 0


def _directory(pid: str) -> bytes:
    try:
        return os.fsencode(os.readlink(f"/proc/{pid}/cwd"))  # noqa: PTH115 - may be gone
    except OSError:
        return b""


def test_a_signal_that_ended_it_is_told(tmp_path: Path, forks: Forks) -> None:
    words = [str(SCRIPT), "update"]
    config(tmp_path, source("weather", "up/weather"))
    hub = Hub()

    def kill() -> None:
        for path in Path("/proc").iterdir():
            if path.name.isdigit() and _directory(path.name) == os.fsencode(tmp_path):
                os.kill(int(path.name), signal.SIGKILL)

    hub.add_fault(Fault(everything, "callback", action=kill))
    with running(hub) as server:
        env = environment({"GITHUB_SERVER_URL": server.url, "GITHUB_API_URL": server.api_url})
        assert forks.run(words, tmp_path, env, 60).returncode == -signal.SIGKILL


def test_what_takes_effect_at_the_start_of_python_needs_the_script(tmp_path: Path) -> None:
    """A fork would not notice."""
    assert run("--version", cwd=tmp_path, env={"PYTHONHOME": "/gone"}).code != 0
