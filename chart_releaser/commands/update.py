"""The `update` command: build and publish the tracked releases that the destination lacks."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from chart_releaser.commands.build import build_all
from chart_releaser.commands.planning import confirm_releases, list_releases, note_rejections, plan_all
from chart_releaser.commands.publishing import open_publisher, open_rehearsal
from chart_releaser.commands.report import UpdateReport
from chart_releaser.commands.run import Run, ask_in_background
from chart_releaser.commands.threads import call_unless_stopped
from chart_releaser.errors import RateLimitError

if TYPE_CHECKING:
    from chart_releaser.destinations import Destination


def update(run: Run, destination: Destination, *, limit: int | None = None, dry_run: bool = False) -> UpdateReport:
    """Publish the tracked releases that the destination lacks, and return the report.

    At most `limit` releases are published. With `dry_run`, the planned releases are built and none is published. Raises
    DestinationError if the destination can't be used, before anything was done; later failures are in the report.
    """
    report = UpdateReport()
    try:
        # Both mostly wait for the network, so the index is read while the releases are listed.
        with ask_in_background(run, run.sources, partial(list_releases, run)) as answers:
            index = call_unless_stopped(run.stop, destination.open)
            listed = confirm_releases(run, answers(), index)
        report.notes += note_rejections(destination.title, index)
        plans = plan_all(run, listed, index, report)
        missing = [item for plan in plans for item in plan.missing]
        if missing:
            stage, doing = (open_rehearsal, "building") if dry_run else (open_publisher, "publishing")
            with (
                stage(run, destination, index, plans, limit, report) as publisher,
                closing(build_all(run, missing, publisher.pack, doing, publisher.index_when_idle)) as outcomes,
            ):
                for outcome in outcomes:
                    publisher.publish(outcome)
                    if publisher.limit_reached:
                        break
    except RateLimitError as error:  # before anything was published
        report.stopped_early = str(error)
    report.retried = run.repositories.attempts.list()
    return report
