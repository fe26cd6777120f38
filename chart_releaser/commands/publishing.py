"""Build and publish what is missing, and list in the index what was published, however the run ended."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chart_releaser.charts.chart import Chart
from chart_releaser.charts.package import Package, package
from chart_releaser.commands.build import Built
from chart_releaser.commands.report import Row, UpdateReport, describe, item_row
from chart_releaser.commands.run import Run, build_each, not_done
from chart_releaser.errors import ConflictError, DestinationError, DestinationUnusableError, RateLimitError
from chart_releaser.index.room import Room
from chart_releaser.upstream.plan import Item, SourcePlan
from chart_releaser.versions import helm_order

if TYPE_CHECKING:
    from chart_releaser.destinations import Destination, Listing, Published
    from chart_releaser.git.snapshot import Snapshot


_IDLE_SECONDS = 30.0
_BETWEEN_SECONDS = 600.0


@dataclass(frozen=True)
class _Ready:
    """A package with the notes that go with it."""

    package: Package
    notes: str


class _Done:
    """What was published, and has to be listed in the index."""

    def __init__(self, run: Run, destination: Destination, report: UpdateReport) -> None:
        self._run = run
        self._destination = destination
        self._report = report
        self._unlisted: list[tuple[Item, Published]] = []
        self._next_time = 0.0
        self.count = 0

    def add(self, item: Item, published: Published) -> None:
        """Take what is to be listed."""
        self.count += 1
        self._unlisted.append((item, published))

    def list_while_idle(self, seconds: float) -> None:
        """List what is published so far, if a slow upstream has kept it waiting for `seconds`.

        Not too often: GitHub builds a Pages site at most ten times an hour. What fails is tried again at the end.
        """
        if self._unlisted and seconds > _IDLE_SECONDS and time.monotonic() > self._next_time:
            self._next_time = time.monotonic() + _BETWEEN_SECONDS
            with contextlib.suppress(DestinationError, RateLimitError):
                self._list()

    def list_all(self) -> None:
        """List the rest. Where that fails the packages are there all the same, and the next run lists them."""
        try:
            self._list()
        except (DestinationError, RateLimitError) as error:
            for item, _ in self._unlisted:
                self._report.fail(item_row(item), error)
            self._run.reporter.failure(f"{self._destination.title}: {describe(error)}")

    def _list(self) -> None:
        try:
            self._destination.finish([published for _, published in self._unlisted])
        except ConflictError as error:
            self._run.reporter.failure(self._report.fail(Row(self._destination.title), error))
        self._report.published += [
            item_row(item, url=published.url, digest=published.digest) for item, published in self._unlisted
        ]
        self._unlisted.clear()


def publish_all(
    run: Run,
    destination: Destination,
    index: Listing,
    plans: Sequence[SourcePlan],
    limit: int | None,
    report: UpdateReport,
) -> None:
    """Build and publish what is missing, then list in the index what was published, however it ended.

    `index` is what the destination lists by now.
    """
    items = [item for plan in plans for item in plan.missing]
    latest = _latest(run, plans)

    def make(item: Item, chart: Chart, snapshot: Snapshot) -> _Ready:
        notes = item.release.notes if item.release.notes is not None else snapshot.message
        packed = package(chart, snapshot.time)
        return _Ready(packed if run.signer is None else run.signer.signed(packed), notes)

    if not items:
        return
    if run.signer is not None:
        run.signer.check()
    done = _Done(run, destination, report)
    destination.prepare([f"{item.source.name}-{item.version}" for item in items])
    room = Room(index)
    builds = build_each(run, items, make, "publishing", done.list_while_idle)
    try:
        for handled, built in enumerate(builds, 1):
            _publish_one(run, destination, built, latest, room, done, report)
            if limit is not None and done.count >= limit and handled < len(items):
                report.early = f"--limit {limit} is reached; {len(items) - handled} more wait for the next run"
                break
    except RateLimitError as error:
        report.early = report.early or str(error)
    except DestinationUnusableError as error:
        if not done.count:
            raise
        run.reporter.failure(report.fail(Row(destination.title), error))
    except KeyboardInterrupt:
        report.interrupted = True
    finally:
        builds.close()
        done.list_all()
        report.sort(items)
    report.interrupted = report.interrupted or run.stop.is_set()


def _latest(run: Run, plans: Sequence[SourcePlan]) -> Item | None:
    """Return the item that GitHub shall call the latest release: the newest of one source, if the user asks for it."""
    for plan in plans:
        if plan.source is run.marks_latest:
            newest_items = [*plan.missing[:1], *plan.present[:1]]
            return min(newest_items, key=lambda item: helm_order(item.version), default=None)
    return None


def _publish_one(
    run: Run,
    destination: Destination,
    built: Built[_Ready],
    latest: Item | None,
    room: Room,
    done: _Done,
    report: UpdateReport,
) -> None:
    item = built.item
    if built.error is not None or built.result is None:
        not_done(run, report, item_row(item), built.error or AssertionError("neither a package nor an error"))
        return
    try:
        room.take(built.result.package, item.source.limits.index_size)
        published = destination.publish(built.result.package, built.result.notes, latest=item is latest)
    except (RateLimitError, DestinationUnusableError):
        raise
    except Exception as error:
        not_done(run, report, item_row(item), error)
        return
    done.add(item, published)
    run.reporter.step(f"published {item.source.name} {item.version}")
