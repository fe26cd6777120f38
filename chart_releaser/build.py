"""From releases to finished charts, repository by repository: fetching and building run ahead of whoever takes them."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from chart_releaser.assemble import REGISTRATION, Origin, Registration, assemble
from chart_releaser.chart import Chart
from chart_releaser.errors import ChartError, ChartReleaserError, SnapshotError
from chart_releaser.registration import ASSET, PATHS

if TYPE_CHECKING:
    from chart_releaser.plan import Item
    from chart_releaser.snapshot import Repository, Snapshot
    from chart_releaser.upstream import Upstream

T = TypeVar("T")

_AHEAD = 4  # finished builds of one repository that wait to be taken; bounds memory
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Job:
    """What is to be built from one repository. `open` and `upstream` are called in the thread that builds."""

    items: tuple[Item, ...]
    web_url: str | None
    open: Callable[[], Repository]
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
) -> Generator[Built[T], None, None]:
    """Yield what became of every item, in the order of `jobs` and their items, whatever finishes first.

    `make` turns a finished chart into what is wanted of it, in the building thread. At most `threads` repositories
    are worked on at a time. Closing the iterator, or setting `stop`, ends it: what has not been built by then is left.
    """
    closed = threading.Event()
    lanes: list[_Lane[T]] = []
    waiting = list(jobs)
    try:
        while lanes or waiting:
            while waiting and len(lanes) < threads:
                lanes.append(_Lane(waiting.pop(0), make, closed))
            yield from lanes.pop(0).results(stop)
            if stop.is_set():
                return
    finally:
        closed.set()


class _Lane(Generic[T]):
    """One repository's builds, made by a thread of its own."""

    def __init__(self, job: Job, make: Callable[[Item, Chart, Snapshot], T], closed: threading.Event) -> None:
        self._job = job
        self._make = make
        self._closed = closed
        self._done: queue.Queue[Built[T] | None] = queue.Queue(_AHEAD)
        threading.Thread(target=self._run, daemon=True).start()

    def results(self, stop: threading.Event) -> Iterator[Built[T]]:
        while not stop.is_set():
            with contextlib.suppress(queue.Empty):
                built = self._done.get(timeout=_POLL_SECONDS)
                if built is None:
                    return
                yield built

    def _put(self, built: Built[T] | None) -> None:
        while not self._closed.is_set():
            with contextlib.suppress(queue.Full):
                self._done.put(built, timeout=_POLL_SECONDS)
                return

    def _run(self) -> None:
        left = list(self._job.items)
        try:
            upstream = self._job.upstream()
            tags = list(dict.fromkeys(item.release.tag for item in left))
            with self._job.open().snapshots(tags, _wanted(left)) as snapshots:
                while left and not self._closed.is_set():
                    item = left[0]
                    built = self._build(item, snapshots[item.release.tag], upstream)
                    left.pop(0)
                    self._put(built)
        except Exception as error:  # whatever it is, each item must be accounted for
            for item in left:
                self._put(Built(item, error=error))
        finally:
            self._put(None)

    def _build(self, item: Item, snapshot: Snapshot | SnapshotError, upstream: Upstream) -> Built[T]:
        try:
            if isinstance(snapshot, SnapshotError):
                raise snapshot
            chart = assemble(
                item.source.name,
                item.paths,
                snapshot,
                _origin(item, snapshot, self._job.web_url),
                lambda: find_registration(item, snapshot, upstream),
            )
            return Built(item, self._make(item, chart, snapshot))
        except ChartReleaserError as error:
            return Built(item, error=error)
        except Exception as error:  # a bug met in one release must not keep the others back
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


def find_registration(item: Item, snapshot: Snapshot, upstream: Upstream) -> Registration:
    """Return the controller-registration of a release: from the tree at one of the known paths, else from its assets.

    Raises ChartError naming where it was looked for.
    """
    for path in PATHS:
        if snapshot.kind(path) == "file":
            return Registration(_decode(snapshot.read(path), path), path)
    for asset in item.release.assets:
        if asset.name == ASSET:
            return Registration(_decode(upstream.read_asset(asset), ASSET), f"asset {ASSET}")
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
