"""Publishes finished packages one by one, and adds them to the index however the run ends."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chart_releaser.charts.chart import Chart
from chart_releaser.charts.package import Package, build_package
from chart_releaser.commands.build import BuildFailure, BuildSuccess
from chart_releaser.commands.report import ReleaseRow, UpdateReport, make_row
from chart_releaser.commands.run import Run, record_failure
from chart_releaser.errors import ConflictError, DestinationError, DestinationUnusableError, RateLimitError
from chart_releaser.index.room import Room
from chart_releaser.upstream.plan import Item, SourcePlan
from chart_releaser.versions import helm_sort_key

if TYPE_CHECKING:
    from chart_releaser.destinations import Destination, Listing, Published
    from chart_releaser.git.snapshot import Snapshot


_IDLE_SECONDS = 30.0
# GitHub builds a Pages site at most ten times an hour:
# https://docs.github.com/pages/getting-started-with-github-pages/github-pages-limits
_BETWEEN_SECONDS = 600.0


@dataclass(frozen=True)
class PackedRelease:
    """A package, ready to be published, with the notes of its release."""

    package: Package
    notes: str


class Publisher:
    """Publishes packages as they are built, and adds them to the index later."""

    def __init__(
        self,
        run: Run,
        destination: Destination,
        index: Listing,
        plans: Sequence[SourcePlan],
        limit: int | None,
        report: UpdateReport,
    ) -> None:
        self._run = run
        self._destination = destination
        self._report = report
        self._limit = limit
        self._latest_item = _latest_item(run, plans)
        self._room = Room(index)
        self._remaining = sum(len(plan.missing) for plan in plans)
        self._not_indexed: list[tuple[Item, Published]] = []
        self._next_time = 0.0
        self.count = 0
        """The number of published releases."""

    def pack(self, item: Item, chart: Chart, snapshot: Snapshot) -> PackedRelease:
        """Return the package of a finished chart for `publish`; called in the thread that built the chart."""
        notes = item.release.notes if item.release.notes is not None else snapshot.message
        packed = build_package(chart, snapshot.time)
        return PackedRelease(packed if self._run.signer is None else self._run.signer.sign_package(packed), notes)

    def publish(self, outcome: BuildSuccess[PackedRelease] | BuildFailure) -> None:
        """Publish the package of one release, or record its failure.

        Raises RateLimitError or DestinationUnusableError if no other release can be published either.
        """
        self._remaining -= 1
        item = outcome.item
        if isinstance(outcome, BuildFailure):
            record_failure(self._run, self._report, make_row(item), outcome.error)
            return
        ready = outcome.result
        try:
            self._room.take(ready.package, item.source.limits.index_size)
            self._publish(item, ready)
        except (RateLimitError, DestinationUnusableError):
            raise
        except Exception as error:
            record_failure(self._run, self._report, make_row(item), error)
            return
        self.count += 1
        self._report.add_notes(item, outcome.notes)
        if self.limit_reached and self._remaining:
            self._report.stopped_early = (
                f"--limit {self._limit} is reached; {self._remaining} more wait for the next run"
            )

    def _publish(self, item: Item, ready: PackedRelease) -> None:
        published = self._destination.publish(ready.package, ready.notes, latest=item is self._latest_item)
        self._not_indexed.append((item, published))
        self._run.reporter.success(f"published {item.source.name} {item.version}")

    @property
    def limit_reached(self) -> bool:
        """Whether this run has published as many releases as `limit` allows."""
        return self._limit is not None and self.count >= self._limit

    def index_when_idle(self, seconds: float) -> None:
        """Add what is published so far to the index, if no release has been built for `seconds`, which is long.

        This happens at most every ten minutes. An error is ignored here, because it is tried again at the end.
        """
        if self._not_indexed and seconds > _IDLE_SECONDS and time.monotonic() > self._next_time:
            self._next_time = time.monotonic() + _BETWEEN_SECONDS
            with contextlib.suppress(DestinationError, RateLimitError):
                self._update_index()

    def index_rest(self) -> None:
        """Add the remaining packages to the index. If that fails, they stay published and the next run adds them."""
        try:
            self._update_index()
        except (DestinationError, RateLimitError) as error:
            for item, _ in self._not_indexed:
                self._report.fail(make_row(item), error)
            self._run.reporter.failure(f"{self._destination.title}: {error.full_message}")

    def _update_index(self) -> None:
        try:
            self._destination.finish([published for _, published in self._not_indexed])
        except ConflictError as error:
            self._run.reporter.failure(self._report.fail(ReleaseRow(self._destination.title), error))
        self._report.published += [
            make_row(item, url=published.url, digest=published.digest) for item, published in self._not_indexed
        ]
        self._not_indexed.clear()


class Rehearsal(Publisher):
    """Stands in for a `Publisher` in a dry run: it publishes nothing, but records what would fail."""

    def pack(self, item: Item, chart: Chart, snapshot: Snapshot) -> PackedRelease:  # noqa: ARG002
        """Return the package that would be published, without a signature."""
        return PackedRelease(build_package(chart, snapshot.time), "")

    def index_when_idle(self, seconds: float) -> None:
        """Do nothing, because nothing was published."""

    def _publish(self, item: Item, ready: PackedRelease) -> None:
        self._run.reporter.detail(f"built {item.source.name} {item.version}, {len(ready.package.data):,} bytes")


@contextlib.contextmanager
def open_rehearsal(
    run: Run,
    destination: Destination,
    index: Listing,
    plans: Sequence[SourcePlan],
    limit: int | None,
    report: UpdateReport,
) -> Iterator[Rehearsal]:
    """Give a rehearsal for the body, in place of `open_publisher`. A rate limit ends the body and is recorded."""
    try:
        yield Rehearsal(run, destination, index, plans, limit, report)
    except RateLimitError as error:
        report.stopped_early = report.stopped_early or str(error)
    finally:
        report.sort([item for plan in plans for item in plan.missing])


@contextlib.contextmanager
def open_publisher(
    run: Run,
    destination: Destination,
    index: Listing,
    plans: Sequence[SourcePlan],
    limit: int | None,
    report: UpdateReport,
) -> Iterator[Publisher]:
    """Give a publisher for the body, and add what it published to the index when the body ends, however that happens.

    `index` is what the destination lists so far. A rate limit, an interrupt, or a destination that becomes unusable
    ends the body and is recorded in `report`. Raises ChartReleaserError only before anything was published.
    """
    items = [item for plan in plans for item in plan.missing]
    if run.signer is not None:
        run.signer.check()
    destination.prepare([f"{item.source.name}-{item.version}" for item in items])
    publisher = Publisher(run, destination, index, plans, limit, report)
    try:
        yield publisher
    except RateLimitError as error:
        report.stopped_early = report.stopped_early or str(error)
    except DestinationUnusableError as error:
        if not publisher.count:
            raise
        run.reporter.failure(report.fail(ReleaseRow(destination.title), error))
    except KeyboardInterrupt:
        report.interrupted = True
    finally:
        publisher.index_rest()
        report.sort(items)
    report.interrupted = report.interrupted or run.stop.is_set()


def _latest_item(run: Run, plans: Sequence[SourcePlan]) -> Item | None:
    """Return the item to mark as GitHub's latest release: the newest of the source `marks_latest`, if it is set."""
    for plan in plans:
        if plan.source is run.marks_latest:
            newest_items = [*plan.missing[:1], *plan.present[:1]]
            return min(newest_items, key=lambda item: helm_sort_key(item.version), default=None)
    return None
