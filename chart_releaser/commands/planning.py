"""Plans an `update`: lists the releases of each source and compares them with the destination's index."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from chart_releaser.commands.report import Note, ReleaseRow, UpdateReport, make_row
from chart_releaser.commands.run import Run, ask_each, record_failure
from chart_releaser.destinations.namesakes import PackageNames
from chart_releaser.errors import ConflictError, UpstreamError
from chart_releaser.index.entry import digest_and_url
from chart_releaser.location import GitHubRepository
from chart_releaser.upstream.advice import explain_nothing
from chart_releaser.upstream.plan import (
    Candidate,
    Item,
    Planner,
    SourcePlan,
    has_all_tracked,
    newest_candidate,
    reasons_without_newest,
)
from chart_releaser.versions import parse_tag

if TYPE_CHECKING:
    from chart_releaser.config.parse import Source
    from chart_releaser.destinations import Listing
    from chart_releaser.location import Location
    from chart_releaser.upstream.passed_over import Reason
    from chart_releaser.upstream.releases import Release


_NAMED = 3  # reasons before the rest is counted


@dataclass(frozen=True)
class ListedReleases:
    """The releases of a repository. `from_cache` if an earlier run kept some, which the server called unchanged."""

    releases: list[Release]
    from_cache: bool


def list_releases(run: Run, location: Location, sources: Sequence[Source], *, fresh: bool = False) -> ListedReleases:
    """Return the releases at `location` that `sources` need; with `fresh`, without using what an earlier run kept."""
    upstream = run.repositories.upstream(location)
    releases = upstream.releases(lambda releases: has_all_tracked(sources, releases), fresh=fresh)
    return ListedReleases(releases, upstream.from_cache)


def confirm_releases(
    run: Run, listed: Iterable[tuple[Source, ListedReleases | Exception]], index: Listing
) -> list[tuple[Source, list[Release] | Exception]]:
    """Return the releases of each source, listed again where a kept answer would cause something to be published.

    A kept answer may show that there is nothing new, but only a fresh one decides what gets published.
    """
    first, planner = list(listed), Planner()
    to_confirm = [
        source
        for source, outcome in first
        if isinstance(outcome, ListedReleases)
        and outcome.from_cache
        and planner.plan(source, outcome.releases, index.versions(source.name)).missing
    ]
    answers = ask_each(run, to_confirm, partial(list_releases, run, fresh=True)) if to_confirm else ()
    fresh = {source.name: outcome for source, outcome in answers}
    outcomes = [(source, fresh.get(source.name, outcome)) for source, outcome in first]
    return [(source, one.releases if isinstance(one, ListedReleases) else one) for source, one in outcomes]


def plan_all(
    run: Run, listed: Iterable[tuple[Source, list[Release] | Exception]], index: Listing, report: UpdateReport
) -> list[SourcePlan]:
    """Return the plans of all sources, in order; a source whose releases could not be listed is recorded as failed."""
    plans, planner = [], Planner()
    names = PackageNames(index)
    for source, outcome in listed:
        if isinstance(outcome, Exception):
            record_failure(run, report, ReleaseRow(source.name), outcome)
        else:
            plan = planner.plan(source, outcome, index.versions(source.name))
            if not plan.missing and not plan.present:
                what, remedy = explain_source(run, source, outcome, plan.passed_over)
                report.notes.append(Note(source.name, f"nothing is tracked{what}; {remedy}", warns=True))
            plans.append(replace(plan, missing=tuple(claim_package_names(run, plan.missing, names, report))))
    for plan in plans:
        _record_plan(run, plan, index, report)
    return plans


def note_rejections(title: str, index: Listing) -> list[Note]:
    """Return a note if Helm refuses the index of the destination called `title`; publishing goes on all the same."""
    reasons = index.rejections
    if not reasons:
        return []
    more = f" and {len(reasons) - _NAMED} more reasons" if len(reasons) > _NAMED else ""
    what = f"Helm refuses the index: {', '.join(reasons[:_NAMED])}{more}"
    return [Note(title, f"{what}; run verify --repair, which puts right what it can", warns=True)]


def explain_source(
    run: Run, source: Source, releases: Sequence[Release], reasons: Sequence[tuple[str, Reason]]
) -> tuple[str, str]:
    """Return why a source takes none of its `releases`, to go on after `nothing is tracked`, and what to do.

    Not an error: upstream may have no releases yet. More often a setting excludes too much.
    """
    only_tags = False
    if not releases and isinstance(source.location, GitHubRepository) and not source.location.follows_tags:
        with contextlib.suppress(UpstreamError):  # the note is a hint, and comes without this one then
            only_tags = any(parse_tag(tag, source.tag_prefix) for tag in run.repositories.tags(source.location))
    what, remedy = explain_nothing(source, [release.tag for release in releases], reasons, only_tags=only_tags)
    return (f" {what}" if what.startswith("of ") else f": {what}"), remedy


def find_newest(run: Run, source: Source, releases: Sequence[Release]) -> Candidate | UpstreamError:
    """Return the release with the highest stable version that the source takes, or the error that says why none is."""
    candidate = newest_candidate(source, releases)
    if candidate is not None:
        return candidate
    what, remedy = explain_source(run, source, releases, reasons_without_newest(source, releases))
    comma = "," if what.startswith(" of") else ""
    return UpstreamError(f"no release is a stable version in its range{comma}{what}", remedy=remedy)


def claim_package_names(run: Run, items: Iterable[Item], names: PackageNames, report: UpdateReport) -> list[Item]:
    """Claim the package name of each item and return those that got it; the others are recorded as failed."""
    claimed = []
    for item in items:
        try:
            names.claim(item.source.name, item.version)
        except ConflictError as error:
            record_failure(run, report, make_row(item), error)
        else:
            claimed.append(item)
    return claimed


def _record_plan(run: Run, plan: SourcePlan, index: Listing, report: UpdateReport) -> None:
    """Record the plan of a source in the report, and show it with --verbose."""
    name = plan.source.name
    report.sources.append(name)
    run.reporter.detail(f"{name}: {len(plan.present)} up to date, {len(plan.missing)} to publish")
    report.passed_over[name] = plan.passed_over
    run.reporter.detail_each(f"{name} {tag}: not tracked: {reason}" for tag, reason in plan.passed_over)
    report.planned += map(make_row, plan.missing)
    for item in plan.present:
        digest, url = digest_and_url(index.entry(name, item.version) or {})
        report.skipped.append(make_row(item, url=url, digest=digest))
