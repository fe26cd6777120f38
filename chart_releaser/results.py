"""What a command ends with: the result on stdout, the count on stderr, a table and outputs for a job in Actions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from chart_releaser.report import Bump, ExportReport, Row, UpdateReport, table

if TYPE_CHECKING:
    from chart_releaser.console import Console
    from chart_releaser.verify import VerifyReport


def show_update(console: Console, report: UpdateReport, title: str, *, as_json: bool, dry_run: bool) -> None:
    """Show what `update` did, or would do; a dry run writes nothing, not even for a job."""
    if as_json:
        console.result(json.dumps(report.as_json()))
    elif dry_run:
        _lines(console, [("publish", row.source, row.version) for row in report.planned])
    else:
        _lines(console, [("published", row.source, row.chart, row.url) for row in report.published])
    done = f"{len(report.planned)} to publish" if dry_run else f"{len(report.published)} published"
    console.step(f"{title}: {done}, {len(report.skipped)} up to date, {len(report.failed)} failed")
    _early(console, report)
    if dry_run:
        return
    rows = [("published", row.source, row.chart, row.url) for row in report.published]
    console.summary(title, ("", "source", "version", ""), rows + _failed(report.failed))
    released = [
        {"name": row.source, "version": row.chart, "tag": f"{row.source}-{row.chart}", "url": row.url}
        for row in report.published
    ]
    console.output("released", json.dumps(released))
    for name in ("published", "skipped", "failed"):
        console.output(name, str(len(getattr(report, name))))


def show_export(console: Console, report: ExportReport) -> None:
    """Show what `export` wrote."""
    _lines(console, [(row.url,) for row in report.written])
    failed = len(report.failures.failed)
    console.step(f"{len(report.written)} written, {len(report.unchanged)} unchanged, {failed} failed")
    _early(console, report.failures)
    rows = [("written", row.source, row.chart, row.url) for row in report.written]
    console.summary("Exported charts", ("", "source", "version", ""), rows + _failed(report.failures.failed))


def show_latest(console: Console, report: UpdateReport, changed: Sequence[Bump], *, dry_run: bool) -> None:
    """Show what `fetch-latest-versions` changed, or would change."""
    _lines(console, [(bump.source, bump.old, "->", bump.new) for bump in changed])
    if not (changed or report.failed or report.early):
        console.step("every version is the newest")
    _early(console, report)
    if dry_run:
        return
    console.summary("Versions", ("source", "old", "new"), [(bump.source, bump.old, bump.new) for bump in changed])
    console.output("changed", str(len(changed)))


def show_verify(console: Console, report: VerifyReport, title: str, *, as_json: bool) -> None:
    """Show what `verify` found and repaired."""
    rows = [("repaired" if item.repaired else item.kind, item.text) for item in report.findings]
    if as_json:
        console.result(json.dumps(report.as_json()))
    else:
        _lines(console, rows)
    left = len(report.findings) - len(report.repaired)
    counts = f"{report.entries} entries, {report.packages} packages, {len(report.repaired)} repaired, {left} left"
    console.step(f"{title}: {counts}")
    console.summary(title, ("", "finding"), rows)


def _lines(console: Console, rows: Sequence[Sequence[str]]) -> None:
    for line in table(rows):
        console.result(line)


def _early(console: Console, report: UpdateReport) -> None:
    if report.early:
        console.warning(report.early)


def _failed(rows: Sequence[Row]) -> list[tuple[str, str, str, str]]:
    return [("failed", row.source, row.version, row.error) for row in rows]
