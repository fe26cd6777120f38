"""What `update` is going to do: the releases of each source, listed and compared with what the destination has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from chart_releaser.commands.report import Note, PassedOver, ReleaseRow, UpdateReport, make_row
from chart_releaser.commands.run import Run, ask_each, record_failure
from chart_releaser.destinations.namesakes import PackageNames
from chart_releaser.errors import ConflictError
from chart_releaser.index.entry import digest_and_url
from chart_releaser.upstream.plan import Item, SourcePlan, explain_empty_plan, has_all_tracked, plan_source

if TYPE_CHECKING:
    from chart_releaser.config.parse import Source
    from chart_releaser.destinations import Listing
    from chart_releaser.location import Location
    from chart_releaser.upstream.releases import Release


@dataclass(frozen=True)
class ListedReleases:
    """The releases of a repository; `from_cache` if an earlier run kept them, and the server said that they are so."""

    releases: list[Release]
    from_cache: bool


def list_releases(run: Run, location: Location, sources: Sequence[Source], *, fresh: bool = False) -> ListedReleases:
    """Return the releases at `location`, as many as `sources` need; with `fresh` nothing that an earlier run kept."""
    upstream = run.repositories.upstream(location)
    releases = upstream.releases(lambda releases: has_all_tracked(sources, releases), fresh=fresh)
    return ListedReleases(releases, upstream.from_cache)


def confirm_releases(
    run: Run, listed: Iterable[tuple[Source, ListedReleases | Exception]], index: Listing
) -> list[tuple[Source, list[Release] | Exception]]:
    """Return the releases of each source, asked for anew where something that an earlier run kept is to be published.

    What is kept may say that there is nothing new. What gets published is decided by what the server says now.
    """
    first = list(listed)
    doubtful = [
        source
        for source, outcome in first
        if isinstance(outcome, ListedReleases)
        and outcome.from_cache
        and plan_source(source, outcome.releases, index.versions(source.name)).missing
    ]
    asked = ask_each(run, doubtful, partial(list_releases, run, fresh=True)) if doubtful else ()
    again = {source.name: outcome for source, outcome in asked}
    outcomes = [(source, again.get(source.name, outcome)) for source, outcome in first]
    return [(source, one.releases if isinstance(one, ListedReleases) else one) for source, one in outcomes]


def plan_all(
    run: Run, listed: Iterable[tuple[Source, list[Release] | Exception]], index: Listing, report: UpdateReport
) -> list[SourcePlan]:
    """Plan every source whose releases could be listed, in the order of the configuration; the others have failed."""
    plans = []
    names = PackageNames(index)
    for source, outcome in listed:
        if isinstance(outcome, Exception):
            record_failure(run, report, ReleaseRow(source.name), outcome)
        else:
            plan = plan_source(source, outcome, index.versions(source.name))
            if note := explain_empty_plan(plan, outcome):
                report.notes.append(Note(source.name, note))
            plans.append(replace(plan, missing=tuple(claim_package_names(run, plan.missing, names, report))))
    for plan in plans:
        _record_plan(run, plan, index, report)
    return plans


def claim_package_names(run: Run, items: Iterable[Item], names: PackageNames, report: UpdateReport) -> list[Item]:
    """Return the items whose package names no other chart has; the others have failed."""
    found = []
    for item in items:
        try:
            names.claim(item.source.name, item.version)
        except ConflictError as error:
            record_failure(run, report, make_row(item), error)
        else:
            found.append(item)
    return found


def _record_plan(run: Run, plan: SourcePlan, index: Listing, report: UpdateReport) -> None:
    """Tell what is planned for a source: in the report, and to those who ask for more."""
    name = plan.source.name
    report.sources.append(name)
    run.reporter.detail(f"{name}: {len(plan.present)} up to date, {len(plan.missing)} to publish")
    for tag, reason in plan.passed_over:
        report.passed_over.append(PassedOver(name, tag, reason))
        run.reporter.detail(f"{name} {tag}: not tracked: {reason}")
    report.planned += map(make_row, plan.missing)
    for item in plan.present:
        digest, url = digest_and_url(index.entry(name, item.version) or {})
        report.skipped.append(make_row(item, url=url, digest=digest))
