"""The clock is wrong, or set while the program runs: nothing crashes, nothing is skipped, and no wait is for ever."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from tests.cli.runner import snapshot
from tests.helm import Helm
from tests.hub import Fault, GitDir, Hub, Server, create, on, running
from tests.lacking import lacking
from tests.machine import Machine, machine
from tests.machine.scene import CONFIG, Scene, normal

YEARS = (1970, 2100, 1999, 2026)


class Clock:
    """The time of day of a machine: what is in a file is added to the true one, by `tests/machine/clock.c`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.set(2026)

    def set(self, year: int) -> None:
        """Have it be the second day of that year, and go on from there."""
        now = datetime(year, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()
        staged = self.path.with_name("staged")
        staged.write_text(f"{int(now - time.time())}\n")
        staged.replace(self.path)


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Clock:
    """A clock that can be set."""
    return Clock(tmp_path_factory.mktemp("clock") / "now")


@pytest.fixture(scope="module")
def host_of_clock(clock: Clock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine with that clock."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        lacking("a clock that is set: there is no C compiler; install gcc and libc6-dev", "REQUIRE_COMPILER")
    folder = tmp_path_factory.mktemp("host")
    library = folder / "clock.so"
    source = Path(__file__).parent.parent / "machine/clock.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source], check=True)
    with machine(folder, preload=str(library), env={"CLOCK_FILE": str(clock.path)}) as host:
        yield host


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A GitHub whose clock is right."""
    with running(Hub()) as server:
        yield server


@pytest.fixture(scope="module")
def scene(host_of_clock: Machine, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Upstreams that are read through the cache."""
    return Scene(host_of_clock, tmp_path_factory.mktemp("scene"), server)


def created(public: Path) -> list[str]:
    index = yaml.safe_load((public / "index.yaml").read_text())
    entries = [entry for listed in index["entries"].values() for entry in listed]
    return [index["generated"], *(entry["created"] for entry in entries)]


def check_same(scene: Scene, work: Path) -> None:
    """The packages and the index are as ever; the page is sorted by the times in it."""
    found = normal(snapshot(work / "public"))
    assert found.keys() == scene.after["public"].keys()
    assert [name for name, data in found.items() if data != scene.after["public"][name]] in ([], ["index.html"])


def test_any_year_and_back(clock: Clock, scene: Scene, helm: Helm) -> None:
    """Runs in many years, one after the other, over one cache: each does what there is to do, with the same bytes."""
    cache = scene.folder / "cache"
    for year in YEARS:
        clock.set(year)
        work = scene.work("out")
        for command in ("update", "export", "verify", "update"):
            scene.run(*command.split(), "--cache-dir", cache, cwd=work, ok=True)
        check_same(scene, work)
        scene.check_charts(work / "charts", at_end=True)
        times = created(work / "public")
        assert {text[:4] for text in times} <= {str(year), "2026"}, "the year now, or of the earlier run"
        assert all(datetime.fromisoformat(text.replace("Z", "+00:00")) for text in times)
        assert helm("show", "chart", (work / "public/weather-1.2.0.tgz").as_posix()).stdout
        versions = scene.work("versions", version=False)
        scene.run("fetch-latest-versions", "--cache-dir", cache, cwd=versions, ok=True)
        assert "v1.2.0" in (versions / CONFIG).read_text()


@pytest.mark.parametrize(("begins", "becomes"), [(2026, 1970), (2026, 2100), (2100, 1970)])
def test_set_during_a_run(clock: Clock, scene: Scene, begins: int, becomes: int) -> None:
    """Publishing to GitHub, whose requests are paced: a clock set in between makes no wait."""
    assert scene.server is not None
    hub = scene.server.hub
    slug = f"acme/charts-{begins}-{becomes}"
    git = GitDir(create(scene.folder / f"{begins}-{becomes}.git"))
    git.commit("main", {"README.md": b"# Charts\n"}, time=1_600_000_000)
    hub.add_repository(slug, git.path)
    work = scene.work("out")
    text = (work / CONFIG).read_text()
    (work / CONFIG).write_text(text.replace("{directory: public}", f"{{owner: acme, repo: {slug[5:]}}}"))
    clock.set(begins)
    jump = hub.add_fault(Fault(on("POST", "/releases"), "callback", nth=2, action=lambda: clock.set(becomes)))
    # A limit that is used up for two seconds, by the server's clock.
    reset = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 4)}
    limit = hub.add_fault(Fault(on("POST", "/releases"), "refuse", nth=3, status=403, headers=reset, message="limit"))
    begun = time.monotonic()
    ran = scene.run("update", cwd=work, ok=True)
    assert time.monotonic() - begun < 40
    hub.faults.clear()
    assert (jump.fired, limit.fired) == (1, 1)
    assert "waiting " in ran.err
    index = yaml.safe_load(git.read("refs/heads/gh-pages", "index.yaml") or b"")
    assert {name: len(listed) for name, listed in index["entries"].items()} == {"weather": 3, "lake": 2}


def test_a_lock_does_not_wait_for_the_clock(clock: Clock, scene: Scene) -> None:
    """Two runs over one directory and one cache while the clock goes to and fro."""
    work = scene.work("out")
    clock.set(2026)
    over = threading.Event()

    def swing() -> None:
        while not over.wait(0.02):
            clock.set(1971)
            clock.set(2099)

    thread = threading.Thread(target=swing)
    thread.start()
    try:
        commands = ("update", "update", "export")
        runs = [scene.start(command, "--cache-dir", work / "cache", cwd=work) for command in commands]
        assert [run.end(30).code for run in runs] == [0, 0, 0]
    finally:
        over.set()
        thread.join()
        clock.set(2026)
    check_same(scene, work)
