"""A run is killed, loses an answer, is refused or broken at every mutating request in turn: one more run mends it all.

At no time does the index name what can't be downloaded with the listed digest. `NETWORK_FAULTS=1` tries every request;
else those of the first release, of the last one, and the push.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from chart_releaser.errors import ChartReleaserError
from tests.hub import Fault, Hub, Server, mutating, on, running
from tests.publishing import SLUG, TAGS, Watch, in_process, new_hub, state, update

RELEASES = len(TAGS)
POINTS = range(1, 3 * RELEASES + 2)
"""Three writing requests a release and one push."""
EDGES = [1, 2, 3, 10, 11, 12, 13]
"""Of the first release, of the last one, and the push: to two runs at once the ones in between are no different."""
EXHAUSTIVE = os.environ.get("NETWORK_FAULTS") == "1"
TRIED = POINTS if EXHAUSTIVE else EDGES
TRIED_RELEASES = range(1, RELEASES + 1) if EXHAUSTIVE else (1, RELEASES)
READS = range(1, 12)
TRIED_READS = READS if EXHAUSTIVE else (1, 2, 3, 5, 8, 11)
UPLOADS = on("POST", r"^/api/uploads/")
PUSHES = on("POST", r"/git-receive-pack$")
ONCE: dict[str, dict[str, Any]] = {
    "lost request": {"kind": "drop-before"},
    "lost answer": {"kind": "drop-after"},
    "502": {"kind": "refuse", "status": 502},
    "truncated answer": {"kind": "truncate"},
}


@dataclass
class Scene:
    """A hub that is watched after every mutating request."""

    hub: Hub
    server: Server
    folder: Path
    watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self.watch = Watch(self.hub)

    def fault(self, **rule: Any) -> Fault:
        """Put the fault in force, and then the watch, which looks after the fault had its way."""
        rule.setdefault("match", mutating)
        return self.hub.add_fault(Fault(**rule))

    def heal(self) -> None:
        """No more faults."""
        self.hub.faults.clear()
        self.hub.add_fault(Fault(mutating, "callback", times=None, after=self.watch))

    def update(self, cache: str = "cache", text: str = "as built") -> int:
        """Run to the end and return the exit code."""
        try:
            return update(self.server.url, self.folder / cache, text).exit_code
        except ChartReleaserError as error:
            return error.exit_code
        finally:
            self.watch()

    def killed(self) -> Callable[[], None]:
        """What kills the run that `run_to_death` starts."""

        def kill() -> None:
            self._process.kill()

        return kill

    def run_to_death(self) -> None:
        """Run in another process, which the fault kills."""
        self._process: Any = in_process(self.server.url, self.folder / "cache")
        self._process.join(60)
        assert self._process.exitcode == -9, self._process.exitcode
        self.watch()


@contextmanager
def scene(**options: Any) -> Iterator[Scene]:
    with tempfile.TemporaryDirectory() as name:
        hub = new_hub(Path(name), **options)
        with running(hub) as server:
            found = Scene(hub, server, Path(name))
            found.heal()
            yield found
            assert not found.watch.problems
            assert found.watch.calls > 1


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, Any]:
    with scene() as it:
        assert it.update() == 0
        assert len(it.hub.journal.mutations()) == POINTS[-1]
        return state(it.hub)


def assert_settled(it: Scene, undisturbed: dict[str, Any]) -> None:
    """One more run has come to the end of it, and yet another has nothing to write."""
    assert state(it.hub) == undisturbed
    it.hub.journal.clear()
    assert it.update() == 0
    assert it.hub.journal.mutations() == []
    assert state(it.hub) == undisturbed


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("nth", TRIED)
def test_killed(undisturbed: dict[str, Any], nth: int, moment: str) -> None:
    with scene() as it:
        if moment == "before":
            fault = it.fault(kind="drop-before", nth=nth, action=it.killed())
        else:
            fault = it.fault(kind="drop-after", nth=nth, after=it.killed())
        it.run_to_death()
        assert fault.fired == 1
        it.heal()
        assert it.update() == 0
        assert_settled(it, undisturbed)


@pytest.mark.parametrize("what", ONCE)
@pytest.mark.parametrize("nth", TRIED)
def test_once(undisturbed: dict[str, Any], nth: int, what: str) -> None:
    """What happens once is overcome at once."""
    with scene() as it:
        fault = it.fault(nth=nth, **ONCE[what])
        assert it.update() == 0
        assert fault.fired == 1
        assert_settled(it, undisturbed)


@pytest.mark.parametrize("status", [0, 502])
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("nth", TRIED_RELEASES)
def test_broken_upload(undisturbed: dict[str, Any], nth: int, times: int, status: int) -> None:
    with scene() as it:
        fault = it.fault(match=UPLOADS, kind="broken-upload", nth=nth, times=times, status=status)
        assert it.update() == 0
        assert fault.fired == times
        assert_settled(it, undisturbed)


@pytest.mark.parametrize("kind", ["refuse", "truncate"])
@pytest.mark.parametrize("nth", TRIED_READS)
def test_reading_fails_once(undisturbed: dict[str, Any], nth: int, kind: Any) -> None:
    with scene() as it:
        fault = it.fault(match=lambda method, path: not mutating(method, path), kind=kind, nth=nth)
        assert it.update() == 0
        assert fault.fired == 1
        assert_settled(it, undisturbed)


@pytest.mark.parametrize("kind", ["drop-before", "refuse", "truncate"])
def test_reading_fails_for_good(kind: Any) -> None:
    with scene() as it:
        it.fault(match=on("GET", r"^/api/"), kind=kind, times=None)
        assert it.update() == 1
        assert len(it.hub.journal) <= 5
        it.watch()


@pytest.mark.parametrize("nth", TRIED)
def test_refused_for_good(undisturbed: dict[str, Any], nth: int) -> None:
    """From some request on nothing works any more; the next run, with another cache, finds GitHub well again."""
    with scene() as it:
        it.fault(kind="refuse", nth=nth, times=None)
        assert it.update() == 1
        it.heal()
        assert it.update("another cache") == 0
        assert_settled(it, undisturbed)


def test_every_answer_lost(undisturbed: dict[str, Any]) -> None:
    """What was done is looked up each time, so that even this run comes to its end."""
    with scene() as it:
        fault = it.fault(kind="drop-after", times=None)
        assert it.update() == 0
        assert fault.fired > POINTS[-1], "the push was sent twice"
        it.heal()
        assert_settled(it, undisturbed)


@pytest.mark.parametrize("nth", TRIED_RELEASES)
def test_uploads_broken_for_good(undisturbed: dict[str, Any], nth: int) -> None:
    with scene() as it:
        it.fault(match=UPLOADS, kind="broken-upload", nth=nth, times=None)
        assert it.update() == 1
        it.heal()
        assert it.update() == 0
        assert_settled(it, undisturbed)


@pytest.mark.parametrize("times", [1, 3])
def test_somebody_pushes_first(undisturbed: dict[str, Any], times: int) -> None:
    """A commit that comes between reading and pushing stays, with its files and entries."""
    with scene() as it:
        git = it.hub.at(SLUG).git
        assert git is not None
        commits = iter(range(times))

        def person() -> None:
            git.commit("gh-pages", {f"by-hand-{next(commits)}.txt": b"mine\n"})

        it.fault(match=PUSHES, kind="reject-push", times=times, action=person)
        assert it.update() == 0
        found = state(it.hub)
        assert [found["files"].pop(f"by-hand-{number}.txt") for number in range(times)] == [b"mine\n"] * times
        assert found == undisturbed


SET_UP: dict[str, dict[str, Any]] = {
    **ONCE,
    "killed before": {"kind": "drop-before"},
    "killed after": {"kind": "drop-after"},
}


@pytest.mark.parametrize("what", SET_UP)
@pytest.mark.parametrize("commit", [True, False], ids=["no branch", "empty repository"])
def test_set_up(commit: bool, what: str) -> None:
    """The branch is missing, and making it goes wrong."""
    with scene(branch=None, commit=commit) as it:
        assert it.update() == 0
        wanted = state(it.hub)
        assert wanted["files"][".nojekyll"] == b""
        assert [release[0] for release in wanted["releases"]] == sorted(TAGS)
    with scene(branch=None, commit=commit) as it:
        rule = dict(SET_UP[what])
        if what.startswith("killed"):
            rule["action" if what.endswith("before") else "after"] = it.killed()
            it.fault(**rule)
            it.run_to_death()
            it.heal()
        else:
            it.fault(**rule)
        assert it.update() == 0
        assert_settled(it, wanted)


@pytest.mark.parametrize("caches", [["a", "b", "c"], ["a", "a", "a"]], ids=["three caches", "one cache"])
def test_three_runs_at_once(undisturbed: dict[str, Any], caches: list[str]) -> None:
    with scene() as it:
        runs = [in_process(it.server.url, it.folder / cache) for cache in caches]
        for run in runs:
            run.join(60)
        assert [run.exitcode for run in runs] == [0, 0, 0]
        assert_settled(it, undisturbed)


@pytest.mark.parametrize("moment", ["action", "after"])
@pytest.mark.parametrize("nth", EDGES)
def test_another_run_in_between(undisturbed: dict[str, Any], nth: int, moment: str) -> None:
    """At any mutating request of one run another one does all its work: nothing is lost or doubled."""
    with scene() as it:
        codes = []
        it.fault(kind="callback", nth=nth, **{moment: lambda: codes.append(it.update("another cache"))})
        codes.append(it.update())
        assert codes == [0, 0]
        assert_settled(it, undisturbed)


@pytest.mark.parametrize("nth", EDGES)
def test_another_run_with_other_packages_in_between(nth: int) -> None:
    """What one of them published first stays as it is, whichever it was, and the other one reports the conflict."""
    with scene() as it:
        codes = []
        first: dict[str, str | None] = {}

        def published() -> dict[str, str | None]:
            return {
                release.tag: release.assets[0].digest
                for release in it.hub.at(SLUG).releases.values()
                if not release.draft
            }

        def other() -> None:
            first.update(published())
            codes.append(it.update("another cache", "another build"))
            for tag, digest in published().items():
                first.setdefault(tag, digest)

        it.fault(kind="callback", nth=nth, action=other)
        codes.append(it.update())
        assert set(codes) <= {0, 1}
        assert set(codes) != {0}, "at least one of them met a conflict"
        assert published() == first
        it.update()
        found = state(it.hub)
        assert sorted(release[0] for release in found["releases"]) == sorted(TAGS)
        assert not any(release[1] for release in found["releases"]), "drafts are left"
