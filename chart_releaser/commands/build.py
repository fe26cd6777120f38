"""Fetches and builds the charts of many releases in threads, one per repository, ahead of the consumer."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from chart_releaser.budget import Budget
from chart_releaser.charts.chart import Chart
from chart_releaser.commands.assembly import assemble_release, paths_to_fetch
from chart_releaser.commands.run import Reporter, Run
from chart_releaser.errors import SnapshotError
from chart_releaser.upstream.repositories import Repositories, web_url

if TYPE_CHECKING:
    from chart_releaser.git.snapshot import Snapshot
    from chart_releaser.location import Location
    from chart_releaser.upstream.plan import Item
    from chart_releaser.upstream.releases import Upstream

T = TypeVar("T")

_AHEAD = 4  # finished builds that one repository may have waiting, which bounds memory
_POLL_SECONDS = 0.2
_SLOW_SECONDS = 30.0
"""A repository without a result for this long no longer counts against the number of threads."""
_MOST_AT_A_TIME = 4
"""The most repositories at a time, slow ones included, as a multiple of the number of threads."""


@dataclass(frozen=True)
class BuildSuccess(Generic[T]):
    """A release whose chart was built, and the result of processing it."""

    item: Item
    result: T
    notes: tuple[str, ...] = ()
    """What looks wrong in the chart, though it can be published."""


@dataclass(frozen=True)
class BuildFailure:
    """A release whose chart could not be built, and the error."""

    item: Item
    error: Exception


ProcessChart = Callable[["Item", Chart, "Snapshot"], T]
"""Turns a finished chart into the result that the caller wants, in the thread that built it."""


def build_all(
    run: Run,
    items: Sequence[Item],
    process: ProcessChart[T],
    activity: str,
    on_idle: Callable[[float], None] = lambda _seconds: None,
) -> Generator[BuildSuccess[T] | BuildFailure, None, None]:
    """Build the charts of `items` and yield the outcome of each.

    The items of one repository keep their order. Repositories with results take turns, so that neither a slow one nor
    one with many releases holds up the others. As many repositories are worked on at a time as the run has threads,
    not counting slow ones.

    `process` is applied to each finished chart. `activity` is the verb for the progress display while the caller
    handles an outcome. `on_idle` is called repeatedly while no result is ready, with the seconds since the last one.
    Closing the iterator, or setting the run's `stop`, ends the work; the remaining items are not built.
    """
    closed = threading.Event()
    ready = threading.Semaphore(0)
    lanes: list[_Lane[T]] = []
    waiting = _by_repository(items)
    progress = _Progress(run.reporter, items, activity)
    asked = time.monotonic()
    try:
        while (lanes or waiting) and not run.stop.is_set():
            while waiting and _has_room(lanes, run.threads):
                lanes.append(_Lane(run.repositories, *waiting.pop(0), process, closed, ready))
            if not ready.acquire(timeout=_POLL_SECONDS):
                on_idle(time.monotonic() - asked)
                continue
            lane = next(lane for lane in lanes if lane.has_result)
            outcome = lane.take()
            lanes.remove(lane)
            if outcome is not None:
                lanes.append(lane)  # at the end, so that every repository gets its turn
                with progress.while_handling(outcome.item):
                    yield outcome
            asked = time.monotonic()
    finally:
        closed.set()
        progress.end()


def _by_repository(items: Sequence[Item]) -> list[tuple[Location, list[Item]]]:
    """Return the items of each repository, in order of first appearance."""
    groups: dict[Location, list[Item]] = {}
    for item in items:
        groups.setdefault(item.source.location, []).append(item)
    return list(groups.items())


def _has_room(lanes: Sequence[_Lane[T]], threads: int) -> bool:
    brisk = sum(not lane.is_slow for lane in lanes)
    return brisk < threads and len(lanes) < threads * _MOST_AT_A_TIME


class _Progress:
    """Reports how many items are done, and which one is being worked on."""

    def __init__(self, reporter: Reporter, items: Sequence[Item], activity: str) -> None:
        self._reporter = reporter
        self._activity = activity
        self._left = dict.fromkeys(item.title for item in items)
        self._total = len(items)
        self._tell(f"building {next(iter(self._left), '')}")

    @contextmanager
    def while_handling(self, item: Item) -> Iterator[None]:
        """Report `item` as being handled while the body runs, and as done after it."""
        self._tell(f"{self._activity} {item.title}")
        yield
        self._left.pop(item.title, None)
        self._tell(f"building {next(iter(self._left), '')}")

    def end(self) -> None:
        """Report that everything is done."""
        self._reporter.progress(self._activity, self._total, self._total)

    def _tell(self, what: str) -> None:
        self._reporter.progress(what, self._total - len(self._left), self._total)


class _Lane(Generic[T]):
    """Builds the items of one repository in a thread of its own; `ready` counts the waiting results of all lanes."""

    def __init__(
        self,
        repositories: Repositories,
        location: Location,
        items: Sequence[Item],
        process: ProcessChart[T],
        closed: threading.Event,
        ready: threading.Semaphore,
    ) -> None:
        self._repositories = repositories
        self._location = location
        self._items = items
        self._process = process
        self._closed = closed
        self._ready = ready
        self._room = threading.Semaphore(_AHEAD)
        self._done: queue.SimpleQueue[BuildSuccess[T] | BuildFailure | None] = queue.SimpleQueue()
        self._last_taken = time.monotonic()
        self._spent = dict.fromkeys((item.source.name for item in items), 0.0)
        threading.Thread(target=self._run, daemon=True).start()

    @property
    def has_result(self) -> bool:
        """Whether `take` returns without waiting."""
        return not self._done.empty()

    @property
    def is_slow(self) -> bool:
        """Whether it has worked for a long time without a result."""
        return not self.has_result and time.monotonic() - self._last_taken > _SLOW_SECONDS

    def take(self) -> BuildSuccess[T] | BuildFailure | None:
        """Return the next result, None after the last one."""
        self._last_taken = time.monotonic()
        self._room.release()
        return self._done.get()

    def _put(self, outcome: BuildSuccess[T] | BuildFailure | None) -> None:
        while not self._closed.is_set():
            if self._room.acquire(timeout=_POLL_SECONDS):
                self._done.put(outcome)
                self._ready.release()
                return

    def _run(self) -> None:
        left = list(self._items)
        try:
            upstream = self._repositories.upstream(self._location)
            tags = list(dict.fromkeys(item.release.tag for item in left))
            most_seconds = max(item.source.limits.source_time for item in left)
            repository = self._repositories.open(self._location, most_seconds)
            with repository.snapshots(tags, paths_to_fetch(left)) as snapshots:
                self._spent = dict.fromkeys(self._spent, repository.seconds_spent)
                while left and not self._closed.is_set():
                    item = left[0]
                    with self._budget(item).spending() as budget:
                        outcome = self._build(item, snapshots[item.release.tag], upstream, budget)
                        self._spent[item.source.name] += budget.spent
                        left.pop(0)
                        self._put(outcome)
                        while budget.is_large and self.has_result and not self._closed.is_set():
                            time.sleep(_POLL_SECONDS / 4)  # one large result at a time, or memory runs out
        except Exception as error:  # a bug, too: otherwise the items left would vanish from the report
            for item in left:
                self._put(BuildFailure(item, error))
        finally:
            self._put(None)

    def _budget(self, item: Item) -> Budget:
        """Return the release's budget, which is smaller if little is left of the source's time."""
        limits = item.source.limits
        left = limits.source_time - self._spent[item.source.name]
        if left < limits.release_time:
            return Budget(left, limits.memory, limits.source_time)
        return Budget(limits.release_time, limits.memory)

    def _build(
        self, item: Item, snapshot: Snapshot | SnapshotError, upstream: Upstream, budget: Budget
    ) -> BuildSuccess[T] | BuildFailure:
        try:
            if isinstance(snapshot, SnapshotError):
                raise snapshot
            assembled = assemble_release(item, snapshot, upstream, web_url(self._location), budget)
            return BuildSuccess(item, self._process(item, assembled.chart, snapshot), assembled.notes)
        except Exception as error:  # whatever it is, it must not keep the others back
            return BuildFailure(item, error)
