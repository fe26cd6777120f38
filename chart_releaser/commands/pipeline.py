"""The story of each command: config, releases, plan, charts, packages, destination."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from chart_releaser.charts.chart import Chart
from chart_releaser.charts.package import chart_files, package
from chart_releaser.commands.build import Built
from chart_releaser.commands.exporting import ExportDirectory
from chart_releaser.commands.publishing import publish_all
from chart_releaser.commands.report import Bump, ExportReport, Note, PassedOver, Row, UpdateReport, item_row
from chart_releaser.commands.run import Run, ask_each, asking, build_each, not_done
from chart_releaser.commands.threads import until
from chart_releaser.destinations.namesakes import PackageNames
from chart_releaser.errors import (
    ChartReleaserError,
    ConflictError,
    RateLimitError,
    UpstreamError,
)
from chart_releaser.index.entry import digest_and_url
from chart_releaser.upstream.plan import (
    Item,
    SourcePlan,
    enough_for,
    enough_for_newest,
    in_form_of,
    in_range,
    is_lower,
    item_of,
    newest,
    plan_source,
    tag_candidates,
    why_nothing,
)
from chart_releaser.versions import parse_tag

if TYPE_CHECKING:
    from chart_releaser.config.parse import Source
    from chart_releaser.destinations import Destination, Listing
    from chart_releaser.git.snapshot import Snapshot
    from chart_releaser.location import Location
    from chart_releaser.upstream.releases import Release, Upstream


@dataclass(frozen=True)
class _Exported:
    """What `export` writes under `name`: a package's bytes, or a chart's files."""

    name: str
    content: bytes | Sequence[tuple[str, bytes]]


def update(run: Run, destination: Destination, *, limit: int | None = None, dry_run: bool = False) -> UpdateReport:
    """Publish the tracked releases that the destination lacks, and return what was done.

    `limit` ends the run after so many releases. `dry_run` plans only. Raises DestinationError if the destination can't
    be used, before anything was done; whatever fails later is in the report.
    """
    report = UpdateReport()
    try:
        _update(run, destination, limit, dry_run, report)
    except RateLimitError as error:  # before anything was published
        report.early = str(error)
    report.retried = run.repositories.attempts.list()
    return report


def _update(run: Run, destination: Destination, limit: int | None, dry_run: bool, report: UpdateReport) -> None:
    # Neither needs the other, and both mostly wait for the network.
    with asking(run, run.sources, partial(_list_releases, run)) as answers:
        index = until(run.stop, destination.open)
        plans = _plan(run, _confirmed(run, answers(), index), index, report)
    for plan in plans:
        _explain(run, plan, report)
        report.planned += map(item_row, plan.missing)
        for item in plan.present:
            digest, url = digest_and_url(index.entry(item.source.name, item.version) or {})
            report.skipped.append(item_row(item, url=url, digest=digest))
    if not dry_run:
        publish_all(run, destination, index, plans, limit, report)


def _explain(run: Run, plan: SourcePlan, report: UpdateReport) -> None:
    name = plan.source.name
    report.sources.append(name)
    run.reporter.detail(f"{name}: {len(plan.present)} up to date, {len(plan.missing)} to publish")
    for tag, reason in plan.passed_over:
        report.passed_over.append(PassedOver(name, tag, reason))
        run.reporter.detail(f"{name} {tag}: not tracked: {reason}")


@dataclass(frozen=True)
class _Listed:
    """The releases of a repository; `from_cache` if an earlier run kept them, and the server said that they are so."""

    releases: list[Release]
    from_cache: bool


def _list_releases(run: Run, location: Location, sources: Sequence[Source], *, fresh: bool = False) -> _Listed:
    upstream = run.repositories.upstream(location)
    releases = upstream.releases(lambda releases: enough_for(sources, releases), fresh=fresh)
    return _Listed(releases, upstream.from_cache)


def _confirmed(
    run: Run, listed: Iterable[tuple[Source, _Listed | Exception]], index: Listing
) -> Iterable[tuple[Source, list[Release] | Exception]]:
    """Return the releases of each source, asked for anew where something that an earlier run kept is to be published.

    What is kept may say that there is nothing new. What gets published is decided by what the server says now.
    """
    first = list(listed)
    doubtful = [
        source
        for source, outcome in first
        if isinstance(outcome, _Listed)
        and outcome.from_cache
        and plan_source(source, outcome.releases, index.versions(source.name)).missing
    ]
    asked = ask_each(run, doubtful, partial(_list_releases, run, fresh=True)) if doubtful else ()
    again = {source.name: outcome for source, outcome in asked}
    for source, kept in first:
        outcome = again.get(source.name, kept)
        yield source, outcome.releases if isinstance(outcome, _Listed) else outcome


def _plan(
    run: Run, listed: Iterable[tuple[Source, list[Release] | Exception]], index: Listing, report: UpdateReport
) -> list[SourcePlan]:
    """Plan every source whose releases could be listed, in the order of the configuration."""
    plans = []
    names = PackageNames(index)
    for source, outcome in listed:
        if isinstance(outcome, Exception):
            not_done(run, report, Row(source.name), outcome)
        else:
            plan = plan_source(source, outcome, index.versions(source.name))
            if note := why_nothing(plan, outcome):
                report.notes.append(Note(source.name, note))
            plans.append(replace(plan, missing=tuple(_with_own_names(run, plan.missing, names, report))))
    return plans


def _with_own_names(run: Run, items: Iterable[Item], names: PackageNames, report: UpdateReport) -> list[Item]:
    """Return the items whose package names no other chart has; the others have failed."""
    found = []
    for item in items:
        try:
            names.claim(item.source.name, item.version)
        except ConflictError as error:
            not_done(run, report, item_row(item), error)
        else:
            found.append(item)
    return found


def export(run: Run, directory: ExportDirectory, *, packaged: bool) -> ExportReport:
    """Write the chart of each source at its configured version, or the newest, into `directory`."""
    report = ExportReport()

    def make(_item: Item, chart: Chart, snapshot: Snapshot) -> _Exported:
        if packaged:
            packed = package(chart, snapshot.time)
            return _Exported(packed.filename, packed.data)
        return _Exported(chart.name, chart_files(chart))

    with directory:
        items = _choose(run, report.failures)
        if packaged:
            items = _with_own_names(run, items, PackageNames(), report.failures)
        for built in build_each(run, items, make, "writing"):
            _export_one(run, directory, built, report)
    report.sort(items)
    report.failures.interrupted = run.stop.is_set()
    report.failures.retried = run.repositories.attempts.list()
    return report


def _choose(run: Run, failures: UpdateReport) -> list[Item]:
    """Find the release of each source that `export` takes."""

    def find_releases(location: Location, sources: Sequence[Source]) -> dict[str, Release | Exception]:
        upstream = run.repositories.upstream(location)
        known: dict[tuple[str, ...], Release | Exception] = {}
        for source in sources:
            if _what(source) not in known:
                known[_what(source)] = _release_of(upstream, source)
        return {source.name: known[_what(source)] for source in sources}

    items = []
    for source, outcome in ask_each(run, run.sources, find_releases):
        release = outcome if isinstance(outcome, Exception) else outcome[source.name]
        if isinstance(release, Exception):
            not_done(run, failures, Row(source.name, source.version or ""), release)
        elif not (item := item_of(source, release)).paths:
            error = ChartReleaserError("none of its chart paths is for this version; check their versions: ranges")
            not_done(run, failures, item_row(item), error)
        else:
            items.append(item)
    return items


def _what(source: Source) -> tuple[str, ...]:
    """What `export` asks a repository for: equal for sources that take the same release."""
    return source.version or "", source.tag_prefix, str(source.versions) if source.version is None else ""


def _export_one(run: Run, directory: ExportDirectory, built: Built[_Exported], report: ExportReport) -> None:
    item = built.item
    try:
        if built.error is not None or built.result is None:
            raise built.error or AssertionError("neither files nor an error")
        name, content = built.result.name, built.result.content
        if isinstance(content, bytes):
            outcome = directory.write_package(name, content)
        else:
            outcome = directory.write_chart(name, content)
    except Exception as error:
        not_done(run, report.failures, item_row(item), error)
        return
    row = item_row(item, url=str(directory.path / name))
    (report.written if outcome == "written" else report.unchanged).append(row)
    run.reporter.step(f"{outcome} {row.url}")


def _release_of(upstream: Upstream, source: Source) -> Release | Exception:
    """Return the release that `export` takes; errors as values, since other sources of the repository may do."""
    try:
        if source.version is not None:
            release = upstream.release(tag_candidates(source.version, source.tag_prefix))
            if parse_tag(release.tag, source.tag_prefix) is None:
                raise UpstreamError(
                    f"the tag {release.tag} is no semantic version; a chart needs one, set version: to it"
                )
            return release
        found = newest(source, upstream.releases(lambda releases: enough_for_newest([source], releases)))
        if found is None:
            raise UpstreamError("no release is a stable version in its range; set version: or widen versions:")
        return found
    except Exception as error:
        return error


def latest(run: Run, report: UpdateReport) -> list[Bump]:
    """Return the highest stable version of each source that has a `version:`; failures go into `report`."""

    def list_releases(location: Location, sources: Sequence[Source]) -> list[Release]:
        upstream = run.repositories.upstream(location)
        return upstream.releases(lambda releases: enough_for_newest(sources, releases))

    bumps = []
    for source, outcome in ask_each(
        run, [source for source in run.sources if source.version is not None], list_releases
    ):
        version = source.version or ""
        release = outcome if isinstance(outcome, Exception) else newest(source, outcome)
        if release is None:
            release = UpstreamError(
                "no release is a stable version in its range; the version stays as it is, check versions:"
            )
        if isinstance(release, Exception):
            not_done(run, report, Row(source.name, version), release)
        else:
            new = in_form_of(release.tag, version, source.tag_prefix)
            bumps.append(_bump(source, version, new, report, lower=is_lower(release.tag, version, source.tag_prefix)))
    report.retried = run.repositories.attempts.list()
    return bumps


def _bump(source: Source, old: str, new: str, report: UpdateReport, *, lower: bool) -> Bump:
    """Return the step from `old` to `new`, with a note where it goes down: nobody expects that of a bump."""
    if lower:
        why = (
            "is higher than the newest stable release"
            if in_range(source)
            else f"is outside versions: {source.versions}"
        )
        report.notes.append(Note(source.name, f"{old} {why}, so the version goes down to {new}"))
    return Bump(source.name, old, new)
