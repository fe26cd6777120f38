"""The story of `export`: the chart of each source, at its configured version or the newest, written to a directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chart_releaser.charts.chart import Chart
from chart_releaser.charts.package import chart_files, package
from chart_releaser.commands.build import Built, NotBuilt, build_all
from chart_releaser.commands.exporting import ExportDirectory
from chart_releaser.commands.planning import with_own_names
from chart_releaser.commands.report import ExportReport, Row, UpdateReport, item_row
from chart_releaser.commands.run import Run, ask_each, not_done
from chart_releaser.destinations.namesakes import PackageNames
from chart_releaser.errors import ChartReleaserError, UpstreamError
from chart_releaser.upstream.plan import (
    Candidate,
    Item,
    candidate_of,
    enough_for_newest,
    item_of,
    newest,
    tag_candidates,
)

if TYPE_CHECKING:
    from chart_releaser.config.parse import Source
    from chart_releaser.git.snapshot import Snapshot
    from chart_releaser.location import Location
    from chart_releaser.upstream.releases import Upstream


@dataclass(frozen=True)
class _Exported:
    """What is written under `name`: a package's bytes, or a chart's files."""

    name: str
    content: bytes | Sequence[tuple[str, bytes]]


def export(run: Run, directory: ExportDirectory, *, packaged: bool) -> ExportReport:
    """Write the chart of each source into `directory`, and return what was done: whatever fails is in the report.

    `packaged` writes packages in place of directories.
    """
    report = ExportReport()
    with directory:
        items = _choose(run, report.failures)
        if packaged:
            items = with_own_names(run, items, PackageNames(), report.failures)
        for outcome in build_all(run, items, _package if packaged else _files, "writing"):
            _write(run, directory, outcome, report)
    report.sort(items)
    report.failures.interrupted = run.stop.is_set()
    report.failures.retried = run.repositories.attempts.list()
    return report


def _package(_item: Item, chart: Chart, snapshot: Snapshot) -> _Exported:
    packed = package(chart, snapshot.time)
    return _Exported(packed.filename, packed.data)


def _files(_item: Item, chart: Chart, _snapshot: Snapshot) -> _Exported:
    return _Exported(chart.name, chart_files(chart))


def _write(run: Run, directory: ExportDirectory, outcome: Built[_Exported] | NotBuilt, report: ExportReport) -> None:
    item = outcome.item
    if isinstance(outcome, NotBuilt):
        not_done(run, report.failures, item_row(item), outcome.error)
        return
    name, content = outcome.result.name, outcome.result.content
    try:
        if isinstance(content, bytes):
            done = directory.write_package(name, content)
        else:
            done = directory.write_chart(name, content)
    except Exception as error:
        not_done(run, report.failures, item_row(item), error)
        return
    row = item_row(item, url=str(directory.path / name))
    (report.written if done == "written" else report.unchanged).append(row)
    run.reporter.step(f"{done} {row.url}")


def _choose(run: Run, failures: UpdateReport) -> list[Item]:
    """Find the release of each source that is exported."""

    def find_releases(location: Location, sources: Sequence[Source]) -> dict[str, Candidate | Exception]:
        upstream = run.repositories.upstream(location)
        known: dict[tuple[str, ...], Candidate | Exception] = {}
        for source in sources:
            if _what(source) not in known:
                known[_what(source)] = _release_of(upstream, source)
        return {source.name: known[_what(source)] for source in sources}

    items = []
    for source, outcome in ask_each(run, run.sources, find_releases):
        chosen = outcome if isinstance(outcome, Exception) else outcome[source.name]
        if isinstance(chosen, Exception):
            not_done(run, failures, Row(source.name, source.version or ""), chosen)
        elif not (item := item_of(source, chosen)).paths:
            error = ChartReleaserError(
                "none of its chart paths is for this version", remedy="check their versions: ranges"
            )
            not_done(run, failures, item_row(item), error)
        else:
            items.append(item)
    return items


def _what(source: Source) -> tuple[str, ...]:
    """What a repository is asked for: equal for sources that take the same release."""
    return source.version or "", source.tag_prefix, str(source.versions) if source.version is None else ""


def _release_of(upstream: Upstream, source: Source) -> Candidate | Exception:
    """Return the release that is exported; errors as values, since other sources of the repository may have one."""
    try:
        if source.version is not None:
            release = upstream.release(tag_candidates(source.version, source.tag_prefix))
            chosen = candidate_of(source, release)
            if chosen is None:
                raise UpstreamError(
                    f"the tag {release.tag} is no semantic version", remedy="a chart needs one, set version: to it"
                )
            return chosen
        found = newest(source, upstream.releases(lambda releases: enough_for_newest([source], releases)))
        if found is None:
            raise UpstreamError("no release is a stable version in its range", remedy="set version: or widen versions:")
        return found
    except Exception as error:
        return error
