"""A run is killed, or asked to stop, at any of its writes: what is visible is whole, and the next run completes it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml

from tests.cli.runner import snapshot
from tests.helm import Helm
from tests.hub import Fault, Hub, on, running
from tests.machine import Fate, Machine, wait_for
from tests.machine.scene import CONFIG, STEP, Scene, no_leftovers, normal, points
from tests.serving import served

MADE = {"update": "public", "export": "charts", "export --packaged -t packed": "packed"}
MOMENTS = ("before", "half", "after")


@pytest.fixture(scope="module")
def scene(host: Machine, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Upstreams that are read in place."""
    return Scene(host, tmp_path_factory.mktemp("scene"))


@pytest.fixture(scope="module")
def far(host: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Upstreams that are read through the cache."""
    with running(Hub()) as server:
        yield Scene(host, tmp_path_factory.mktemp("far"), server)


def changes(scene: Scene, command: str, *, copied: bool, version: bool = True) -> int:
    """How often an undisturbed run changes what is below its folder."""
    work = scene.work("counted", copied=copied, version=version)
    journal = scene.folder / "journal"
    journal.unlink(missing_ok=True)
    scene.run(*command.split(), cwd=work, fate=Fate([work], journal), ok=True)
    return len(journal.read_text().splitlines())


def moments(number: int) -> tuple[str, ...]:
    """Each of them at each point when there is time, else in turn."""
    return MOMENTS if STEP else (MOMENTS[number % len(MOMENTS)],)


def recovers(scene: Scene, command: str, work: Path) -> None:
    """The next run ends as an undisturbed one, and in no time: nothing blocks it."""
    begun = time.monotonic()
    scene.run(*command.split(), cwd=work, ok=True)
    assert time.monotonic() - begun < 30
    made = MADE[command]
    if made == "public":
        assert normal(snapshot(work / made)) == scene.after[made]
    else:
        scene.check_charts(work / made, made, at_end=True)


@pytest.mark.parametrize("copied", [True, False])
@pytest.mark.parametrize("command", MADE)
def test_killed_at_any_write(scene: Scene, command: str, copied: bool) -> None:
    last = changes(scene, command, copied=copied)
    survived = leftovers = 0
    for number, at in enumerate(points(last, 5 if copied else 3)):
        for moment in moments(number):
            work = scene.work("out", copied=copied)
            fate = Fate([work], scene.folder / "journal", at, moment)
            ran = scene.run(*command.split(), cwd=work, fate=fate)
            assert ran.code == -signal.SIGKILL
            scene.check_public(work / "public", leftovers=True)
            scene.check_charts(work / "charts", leftovers=True)
            scene.check_charts(work / "packed", "packed", leftovers=True)
            leftovers += not no_leftovers(snapshot(work))
            recovers(scene, command, work)
            survived += 1
    print(f"{command}: killed {survived} times at {last} changes; {leftovers} left temporary files")
    assert survived >= 3


def test_helm_can_use_what_a_killed_run_left(scene: Scene, helm: Helm) -> None:
    last = changes(scene, "update", copied=True)
    for at in (last // 2, last - 4, last - 1):
        work = scene.work("out")
        scene.run("update", cwd=work, fate=Fate([work], scene.folder / "journal", at, "half"))
        index = yaml.safe_load((work / "public/index.yaml").read_text())
        with served(work / "public") as url:
            for name, entries in index["entries"].items():
                shown = helm("show", "chart", name, "--repo", url).stdout
                assert yaml.safe_load(shown)["version"] == entries[0]["version"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", MADE)
def test_asked_to_stop_at_any_write(scene: Scene, command: str, number: signal.Signals) -> None:
    """What was begun is finished, and listed."""
    last = changes(scene, command, copied=True)
    for at in points(last, 3):
        work = scene.work("out")
        fate = Fate([work], scene.folder / "journal", at, "before", number)
        ran = scene.run(*command.split(), cwd=work, fate=fate)
        assert ran.code == 130, f"{at} of {last}: {ran.code} {ran.err}"
        assert f"{number.name}: finishing what is under way" in ran.err
        scene.check_public(work / "public")
        scene.check_charts(work / "charts")
        if command == "update":
            index = yaml.safe_load((work / "public/index.yaml").read_text())
            listed = {entry["urls"][0] for entries in index["entries"].values() for entry in entries}
            assert listed == {path.name for path in (work / "public").glob("*.tgz")}, "something is not listed"
        recovers(scene, command, work)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_the_configuration_is_the_old_or_the_new_one(scene: Scene, number: signal.Signals) -> None:
    last = changes(scene, "fetch-latest-versions", copied=False, version=False)
    for at in range(1, last + 1):
        for moment in MOMENTS if number == signal.SIGKILL else ("before",):
            work = scene.work("out", version=False, copied=False)
            old = (work / CONFIG).read_bytes()
            new = old.replace(b"v1.0.0", b"v1.2.0").replace(b"v0.1.0", b"v0.2.0")
            fate = Fate([work], scene.folder / "journal", at, moment, number)
            ran = scene.run("fetch-latest-versions", cwd=work, fate=fate)
            if number == signal.SIGKILL:
                assert ran.code == -number
                assert (work / CONFIG).read_bytes() in (old, new)
                scene.run("fetch-latest-versions", cwd=work, ok=True)
            else:
                assert ran.code == 130, ran.err
            assert (work / CONFIG).read_bytes() == new
            if ran.code == 130:
                assert snapshot(work).keys() == {CONFIG}


def _held_or_over(fault: Fault, pid: int) -> bool:
    return bool(fault.fired) or "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()


def test_killed_while_it_fetches(far: Scene) -> None:
    """Neither a lock nor a git that goes on by itself is in the way of the next run."""
    assert far.server is not None
    hub = far.server.hub
    requests = 8
    for nth in points(requests, 3):
        work = far.work("out")
        go_on = threading.Event()

        def hold(go_on: threading.Event = go_on) -> None:
            go_on.wait(20)

        fault = hub.add_fault(Fault(on("*", "/o/lake"), "callback", nth=nth, action=hold))
        started = far.start("update", "--cache-dir", work / "cache", cwd=work)
        wait_for(partial(_held_or_over, fault, started.pid))
        if not fault.fired:
            assert started.end().code == 0
            assert nth > 4
            break
        started.kill(signal.SIGKILL)
        assert started.end().code == -signal.SIGKILL
        hub.faults.clear()
        far.check_public(work / "public", leftovers=True)
        threading.Timer(1, go_on.set).start()
        far.run("update", "--cache-dir", work / "cache", cwd=work, ok=True)
        assert normal(snapshot(work / "public")) == far.after["public"]
    assert nth > 2


def test_all_at_once(scene: Scene) -> None:
    """Three runs at once over one directory, one of them killed, are as one."""
    last = changes(scene, "update", copied=True)
    for at in points(last, 2):
        work = scene.work("out")
        fate = Fate([work], scene.folder / "journal", at, "half")
        runs = [
            scene.start("update", cwd=work, fate=fate),
            *(scene.start(*words.split(), cwd=work) for words in ("update", "update", "export", "export")),
        ]
        codes = [run.end().code for run in runs]
        assert codes[1:] == [0, 0, 0, 0]
        assert normal(snapshot(work / "public")) == scene.after["public"]
        scene.check_charts(work / "charts", at_end=True)
