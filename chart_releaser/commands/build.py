"""From releases to finished charts, repository by repository: fetching and building run ahead of whoever takes them."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from chart_releaser.budget import Budget
from chart_releaser.charts.assemble import REGISTRATION, Origin, Registration, assemble
from chart_releaser.charts.chart import Chart
from chart_releaser.charts.registration import ASSET, PATHS
from chart_releaser.errors import ChartError, SnapshotError

if TYPE_CHECKING:
    from chart_releaser.git.snapshot import Repository, Snapshot
    from chart_releaser.upstream.plan import Item
    from chart_releaser.upstream.releases import Upstream

T = TypeVar("T")

_AHEAD = 4  # finished builds of one repository that wait to be taken; bounds memory
_POLL_SECONDS = 0.2
_SLOW_SECONDS = 30.0
"""A repository that has given no result for so long does not keep the next one waiting any more."""
_MOST_AT_A_TIME = 4
"""How many times as many repositories as threads are worked on at most, the slow ones included."""


@dataclass(frozen=True)
class Job:
    """What is to be built from one repository.

    `open`, given the seconds that fetching may take, and `upstream` are called by the thread that builds.
    """

    items: tuple[Item, ...]
    web_url: str | None
    open: Callable[[float], Repository]
    upstream: Callable[[], Upstream]


@dataclass(frozen=True)
class Built(Generic[T]):
    """What became of one item: `result`, or the `error` that tells why there is none."""

    item: Item
    result: T | None = None
    error: Exception | None = None


def build_all(
    jobs: Sequence[Job],
    make: Callable[[Item, Chart, Snapshot], T],
    *,
    threads: int,
    stop: threading.Event,
    on_idle: Callable[[float], None] = lambda _seconds: None,
) -> Generator[Built[T], None, None]:
    """Yield what became of every item: those of one repository in their order, repositories in turn as they get done.

    Those that have results take turns, so that neither a slow one nor one with many releases holds up the others.
    `make` turns a finished chart into what is wanted of it, in the building thread. At most `threads` repositories are
    worked on at a time, apart from slow ones. `on_idle` is called now and then while there is no result, with the
    seconds for which there has been none. Closing the iterator, or setting `stop`, ends it: what has not been built
    by then is left.
    """
    closed = threading.Event()
    ready = threading.Semaphore(0)
    lanes: list[_Lane[T]] = []
    waiting = list(jobs)
    asked = time.monotonic()
    try:
        while (lanes or waiting) and not stop.is_set():
            while waiting and _has_room(lanes, threads):
                lanes.append(_Lane(waiting.pop(0), make, closed, ready))
            if not ready.acquire(timeout=_POLL_SECONDS):
                on_idle(time.monotonic() - asked)
                continue
            lane = next(lane for lane in lanes if lane.has_result)
            built = lane.take()
            lanes.remove(lane)
            if built is not None:
                lanes.append(lane)  # behind the others: none of them waits for a source with many releases
                yield built
            asked = time.monotonic()
    finally:
        closed.set()


def _has_room(lanes: Sequence[_Lane[T]], threads: int) -> bool:
    brisk = sum(not lane.is_slow for lane in lanes)
    return brisk < threads and len(lanes) < threads * _MOST_AT_A_TIME


class _Lane(Generic[T]):
    """One repository's builds, made by a thread of its own; `ready` counts the results of all lanes."""

    def __init__(
        self,
        job: Job,
        make: Callable[[Item, Chart, Snapshot], T],
        closed: threading.Event,
        ready: threading.Semaphore,
    ) -> None:
        self._job = job
        self._make = make
        self._closed = closed
        self._ready = ready
        self._room = threading.Semaphore(_AHEAD)
        self._done: queue.SimpleQueue[Built[T] | None] = queue.SimpleQueue()
        self._stirred = time.monotonic()
        self._spent = dict.fromkeys((item.source.name for item in job.items), 0.0)
        threading.Thread(target=self._run, daemon=True).start()

    @property
    def has_result(self) -> bool:
        """Whether `take` returns at once."""
        return not self._done.empty()

    @property
    def is_slow(self) -> bool:
        """Whether it has been at work for long without a result."""
        return not self.has_result and time.monotonic() - self._stirred > _SLOW_SECONDS

    def take(self) -> Built[T] | None:
        """Return the next result, None after the last one."""
        self._stirred = time.monotonic()
        self._room.release()
        return self._done.get()

    def _put(self, built: Built[T] | None) -> None:
        while not self._closed.is_set():
            if self._room.acquire(timeout=_POLL_SECONDS):
                self._done.put(built)
                self._ready.release()
                return

    def _run(self) -> None:
        left = list(self._job.items)
        try:
            upstream = self._job.upstream()
            tags = list(dict.fromkeys(item.release.tag for item in left))
            repository = self._job.open(max(item.source.limits.source_time for item in left))
            with repository.snapshots(tags, _wanted(left)) as snapshots:
                self._spent = dict.fromkeys(self._spent, repository.seconds_spent)
                while left and not self._closed.is_set():
                    item = left[0]
                    with self._budget(item).spending() as budget:
                        built = self._build(item, snapshots[item.release.tag], upstream, budget)
                        self._spent[item.source.name] += budget.spent
                        left.pop(0)
                        self._put(built)
                        while budget.is_large and self.has_result and not self._closed.is_set():
                            time.sleep(_POLL_SECONDS / 4)  # the next large one has to wait until this one is taken
        except Exception as error:  # whatever it is, each item must be accounted for
            for item in left:
                self._put(Built(item, error=error))
        finally:
            self._put(None)

    def _budget(self, item: Item) -> Budget:
        limits = item.source.limits
        left = limits.source_time - self._spent[item.source.name]
        if left < limits.release_time:
            return Budget(left, limits.memory, limits.source_time)
        return Budget(limits.release_time, limits.memory)

    def _build(self, item: Item, snapshot: Snapshot | SnapshotError, upstream: Upstream, budget: Budget) -> Built[T]:
        try:
            if isinstance(snapshot, SnapshotError):
                raise snapshot
            budget.check_time(item.release.tag)
            chart = assemble(
                item.source.name,
                item.paths,
                snapshot,
                _origin(item, snapshot, self._job.web_url),
                lambda: find_registration(item, snapshot, upstream, budget),
                budget,
            )
            return Built(item, self._make(item, chart, snapshot))
        except Exception as error:  # whatever it is, it must not keep the others back
            return Built(item, error=error)


def _wanted(items: Sequence[Item]) -> list[str]:
    paths = dict.fromkeys(path for item in items for path in item.paths)
    if REGISTRATION in paths:
        del paths[REGISTRATION]
        paths.update(dict.fromkeys(PATHS))
    return list(paths)


def _origin(item: Item, snapshot: Snapshot, web_url: str | None) -> Origin:
    notes = item.release.notes if item.release.notes is not None else snapshot.message
    return Origin(
        tag=item.release.tag,
        version=item.version,
        commit=snapshot.commit,
        notes=notes,
        repository=web_url,
    )


def find_registration(item: Item, snapshot: Snapshot, upstream: Upstream, budget: Budget) -> Registration:
    """Return the controller-registration of a release: from the tree at one of the known paths, else from its assets.

    Raises ChartError naming where it was looked for.
    """
    for path in PATHS:
        if snapshot.kind(path) == "file":
            return Registration(_decode(snapshot.read(path), path), path)
    for asset in item.release.assets:
        if asset.name == ASSET:
            return Registration(_decode(upstream.read_asset(asset, budget.left), ASSET), f"asset {ASSET}")
    elsewhere = snapshot.find("", ASSET)
    hint = (
        f"; one is in {elsewhere[0]}, where none is expected, so name a chart's path under charts: in its place"
        if elsewhere
        else "; name a chart's path under charts:, or leave the release out with versions:"
    )
    raise ChartError(
        f"there is no controller-registration, neither in {', '.join(PATHS)} nor among the release's assets{hint}"
    )


def _decode(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ChartError(f"{where} is not UTF-8: {error.reason} at byte {error.start}") from error
