"""The `export` command: write the chart of each source, at its configured or newest version, to a directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chart_releaser.charts.chart import Chart
from chart_releaser.charts.package import build_package, chart_files
from chart_releaser.commands.build import BuildFailure, BuildSuccess, build_all
from chart_releaser.commands.export_directory import ExportDirectory
from chart_releaser.commands.planning import claim_package_names, find_newest
from chart_releaser.commands.report import ExportReport, ReleaseRow, UpdateReport, make_row
from chart_releaser.commands.run import Run, ask_each, record_failure
from chart_releaser.destinations.namesakes import PackageNames
from chart_releaser.errors import ChartReleaserError, UpstreamError
from chart_releaser.upstream.plan import (
    Candidate,
    Item,
    has_newest,
    make_candidate,
    make_item,
    possible_tags,
)

if TYPE_CHECKING:
    from chart_releaser.config.parse import Source
    from chart_releaser.git.snapshot import Snapshot
    from chart_releaser.location import Location
    from chart_releaser.upstream.releases import Upstream


@dataclass(frozen=True)
class _Output:
    """What to write under `name`: the bytes of a package, or the files of a chart."""

    name: str
    content: bytes | Sequence[tuple[str, bytes]]


def export(run: Run, directory: ExportDirectory, *, packaged: bool) -> ExportReport:
    """Write the chart of each source to `directory`, as a package if `packaged`, else as a directory.

    Returns the report, which holds the failures of sources. Raises ExportError or UsageError if the directory can't be
    used.
    """
    report = ExportReport()
    with directory:
        items = _choose_releases(run, report.failures)
        if packaged:
            items = claim_package_names(run, items, PackageNames(), report.failures)
        for outcome in build_all(run, items, _package if packaged else _files, "writing"):
            _write(run, directory, outcome, report)
    report.sort(items)
    report.failures.interrupted = run.stop.is_set()
    report.failures.retried = run.repositories.attempts.list()
    return report


def _package(_item: Item, chart: Chart, snapshot: Snapshot) -> _Output:
    packed = build_package(chart, snapshot.time)
    return _Output(packed.filename, packed.data)


def _files(_item: Item, chart: Chart, _snapshot: Snapshot) -> _Output:
    return _Output(chart.name, chart_files(chart))


def _write(
    run: Run, directory: ExportDirectory, outcome: BuildSuccess[_Output] | BuildFailure, report: ExportReport
) -> None:
    item = outcome.item
    if isinstance(outcome, BuildFailure):
        record_failure(run, report.failures, make_row(item), outcome.error)
        return
    name, content = outcome.result.name, outcome.result.content
    try:
        if isinstance(content, bytes):
            done = directory.write_package(name, content)
        else:
            done = directory.write_chart(name, content)
    except Exception as error:
        record_failure(run, report.failures, make_row(item), error)
        return
    report.failures.add_notes(item, outcome.notes)
    row = make_row(item, url=str(directory.path / name))
    (report.written if done == "written" else report.unchanged).append(row)
    run.reporter.step(f"{done} {row.url}")


def _choose_releases(run: Run, failures: UpdateReport) -> list[Item]:
    """Return the release of each source that is to be exported, and record the sources that have none."""

    def find_releases(location: Location, sources: Sequence[Source]) -> dict[str, Candidate | Exception]:
        upstream = run.repositories.upstream(location)
        known: dict[tuple[str, ...], Candidate | Exception] = {}
        for source in sources:
            if _request_key(source) not in known:
                known[_request_key(source)] = _release_of(run, upstream, source)
        return {source.name: known[_request_key(source)] for source in sources}

    items = []
    for source, outcome in ask_each(run, run.sources, find_releases):
        chosen = outcome if isinstance(outcome, Exception) else outcome[source.name]
        if isinstance(chosen, Exception):
            record_failure(run, failures, ReleaseRow(source.name, source.version or ""), chosen)
        elif not (item := make_item(source, chosen)).paths:
            error = ChartReleaserError(
                "none of its chart paths applies to this version", remedy="check their versions: ranges"
            )
            record_failure(run, failures, make_row(item), error)
        else:
            items.append(item)
    return items


def _request_key(source: Source) -> tuple[str, ...]:
    """Return what a source asks of its repository, equal for sources that export the same release."""
    return source.version or "", source.tag_prefix, str(source.versions) if source.version is None else ""


def _release_of(run: Run, upstream: Upstream, source: Source) -> Candidate | Exception:
    """Return the release to export. Errors are values, because other sources of the repository may succeed."""
    try:
        if source.version is not None:
            release = upstream.release(possible_tags(source.version, source.tag_prefix))
            chosen = make_candidate(source, release)
            if chosen is None:
                raise UpstreamError(
                    f"the tag {release.tag} is not a semantic version", remedy="set version: to a tag that is one"
                )
            return chosen
        return find_newest(run, source, upstream.releases(lambda releases: has_newest([source], releases)))
    except Exception as error:
        return error
