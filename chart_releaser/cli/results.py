"""Shows the report of a command: result on stdout, counts on stderr, table and outputs for a job in Actions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from chart_releaser.cli.markdown import Link, RawMarkdown
from chart_releaser.cli.text_layout import align_columns, wrap_text
from chart_releaser.commands.report import (
    Bump,
    ExportReport,
    Note,
    ReleaseRow,
    UpdateReport,
    failure_groups,
    note_lines,
)
from chart_releaser.versions import helm_sort_key

if TYPE_CHECKING:
    from chart_releaser.attempts import Retry
    from chart_releaser.cli.console import Console
    from chart_releaser.commands.verify import VerifyReport

_NAMED = 3  # versions that are named; the others are counted


def show_update(console: Console, report: UpdateReport, title: str, *, as_json: bool, dry_run: bool) -> None:
    """Show what `update` did or, with `dry_run`, would do. A dry run writes no summary and no outputs."""
    if as_json:
        console.result(json.dumps(report.as_json()))
    elif dry_run:
        _write_lines(console, plan_rows(report, each=console.verbosity > 0))
    elif console.result_width is None or console.message_width is None or console.verbosity:
        _write_lines(console, [("published", row.source, row.version, row.url) for row in report.published])
    # Otherwise the same terminal has already shown each package when it was published.
    _show_notes(console, report.notes)
    if not dry_run:
        _show_sources(console, report)
    _show_failures(console, report.failed, others=len(report.published))
    done = f"{len(report.waiting)} to publish" if dry_run else f"{len(report.published)} published"
    _show_retried(console, report.retried)
    counts = f"{done}, {len(report.skipped)} up to date, {len(report.failed)} failed"
    console.step(f"{title}: {counts}, in {console.elapsed}")
    _warn_stopped_early(console, report)
    if dry_run:
        return
    rows = [(RawMarkdown("published"), row.source, row.version, Link(row.url)) for row in report.published]
    again = [(RawMarkdown("tried again"), "", RawMarkdown(_times(one.count)), one.what) for one in report.retried]
    console.summary(title, ("", "source", "version", ""), [*rows, *_failure_cells(report.failed), *again])
    released = [
        {"name": row.source, "version": row.version, "tag": f"{row.source}-{row.version}", "url": row.url}
        for row in report.published
    ]
    console.output("released", json.dumps(released))
    for name in ("published", "skipped", "failed"):
        console.output(name, str(len(getattr(report, name))))


def plan_rows(report: UpdateReport, *, each: bool) -> list[tuple[str, str, str]]:
    """Return the rows of the plan, source by source: to publish, up to date, and not tracked with the reason.

    Up-to-date and untracked releases are counted, and the newest ones named. With `each`, every release has a row.
    """
    failed = {(row.source, row.tag): row for row in report.failed}
    planned, skipped = _by_source(report.planned), _by_source(report.skipped)
    rows: list[tuple[str, str, str]] = []
    for source in report.sources:
        for row in planned.get(source, ()):
            failure = failed.get((source, row.tag))
            what = f"{row.tag}: {failure.error}" if failure is not None else row.tag
            rows.append(("would fail" if failure is not None else "publish", source, what))
        up_to_date = [row.tag for row in skipped.get(source, ())]
        passed = report.passed_over.get(source, ())
        if each:
            rows += [("up to date", source, version) for version in up_to_date]
            rows += [("not tracked", source, f"{tag}: {reason}") for tag, reason in passed]
            continue
        if up_to_date:
            rows.append(("up to date", source, f"{len(up_to_date)}: {_first_few(up_to_date)}"))
        reasons: dict[str, list[str]] = {}
        for tag, reason in sorted(passed, key=lambda one: helm_sort_key(one[0])):
            reasons.setdefault(reason.kind, []).append(tag)
        rows += [("not tracked", source, f"{len(tags)} {kind}: {_first_few(tags)}") for kind, tags in reasons.items()]
    return rows


class _OfSource(Protocol):
    @property
    def source(self) -> str: ...


_Row = TypeVar("_Row", bound=_OfSource)


def _by_source(rows: Iterable[_Row]) -> dict[str, list[_Row]]:
    groups: dict[str, list[_Row]] = {}
    for row in rows:
        groups.setdefault(row.source, []).append(row)
    return groups


def _first_few(versions: Sequence[str]) -> str:
    more = f" and {len(versions) - _NAMED} more" if len(versions) > _NAMED else ""
    return ", ".join(versions[:_NAMED]) + more


def _show_notes(console: Console, notes: Sequence[Note]) -> None:
    for line, warns in note_lines(notes):
        (console.warning if warns and console.in_actions else console.note)(line)


def _show_sources(console: Console, report: UpdateReport) -> None:
    header, rows = source_counts(report)
    drawn = console.draw_table(header, rows) if rows else []
    if drawn is not None:
        console.write_table(drawn)
        return
    for line in plain_table(header, rows):
        console.step(line)


Counts = list[tuple[str, list[int]]]


def source_counts(report: UpdateReport) -> tuple[list[str], Counts]:
    """Return a header and the counts of each source that changed; no rows if there is only one source."""
    columns = {
        "published": Counter(row.source for row in report.published),
        "up to date": Counter(row.source for row in report.skipped),
        "failed": Counter(row.source for row in report.failed),
    }
    if waiting := Counter(row.source for row in report.waiting):
        columns["waiting"] = waiting
    header = ["source", *columns]
    names = dict.fromkeys([*report.sources, *(row.source for row in report.failed)])
    # One with nothing at all is followed in vain, which nobody would see among the others.
    there = columns["up to date"]
    shown = [
        name
        for name in names
        if not there[name] or any(counts[name] for counts in columns.values() if counts is not there)
    ]
    if len(names) < 2 or not shown:
        return header, []
    rest = [name for name in names if name not in shown]
    rows = [(name, [counts[name] for counts in columns.values()]) for name in shown]
    if rest:
        title = f"{len(rest)} other{'s' if len(rest) > 1 else ''}"
        rows.append((title, [sum(counts[name] for name in rest) for counts in columns.values()]))
    return header, rows


def plain_table(header: Sequence[str], rows: Counts) -> list[str]:
    """Return the lines of a table of counts, not limited in width."""
    room = max(len(name) for name in [header[0], *(name for name, _ in rows)])
    return [
        f"{header[0].ljust(room)}  {'  '.join(header[1:])}",
        *(
            f"{name.ljust(room)}  "
            + "  ".join(str(count).rjust(len(key)) for key, count in zip(header[1:], counts, strict=True))
            for name, counts in rows
        ),
    ]


def _show_failures(console: Console, failed: Sequence[ReleaseRow], *, others: int) -> None:
    """Show the failures grouped by reason, unless the only message so far was a single failure in full."""
    if not console.is_live and len(failed) + bool(others) < 2:
        return
    width = console.message_width
    for group in failure_groups(failed) if failed else ():
        if width is None:
            console.headline(f"failed: {group.title}: {group.newest.full_message}")
            continue
        for line in wrap_text(group.title, width, "failed: ", "  "):
            console.headline(line)
        for text in filter(None, (group.newest.error, group.newest.remedy and f"-> {group.newest.remedy}")):
            for line in wrap_text(text, width, "  ", "  "):
                console.step(line)


def show_export(console: Console, report: ExportReport) -> None:
    """Show what `export` wrote."""
    _write_lines(console, [(row.url,) for row in report.written])
    failed = len(report.failures.failed)
    _show_notes(console, report.failures.notes)
    _show_failures(console, report.failures.failed, others=len(report.written))
    _show_retried(console, report.failures.retried)
    counts = f"{len(report.written)} written, {len(report.unchanged)} unchanged, {failed} failed"
    console.step(f"{counts}, in {console.elapsed}")
    _warn_stopped_early(console, report.failures)
    rows = [(RawMarkdown("written"), row.source, row.version, row.url) for row in report.written]
    failures = _failure_cells(report.failures.failed)
    console.summary(RawMarkdown("Exported charts"), ("", "source", "version", ""), [*rows, *failures])


def show_latest(console: Console, report: UpdateReport, bumps: Sequence[Bump], *, dry_run: bool) -> None:
    """Show what `fetch-latest-versions` changed or, with `dry_run`, would change."""
    changed = [bump for bump in bumps if bump.changed]
    _write_lines(console, [(bump.source, bump.old, "->", bump.new) for bump in changed])
    _show_retried(console, report.retried)
    _show_notes(console, report.notes)
    _show_failures(console, report.failed, others=len(changed))
    if not (changed or report.failed or report.stopped_early or report.notes):
        console.step(f"every version is the newest, in {console.elapsed}")
    else:
        done = "would change" if dry_run else "changed"
        counts = f"{len(changed)} {done}, {len(bumps) - len(changed)} unchanged, {len(report.failed)} failed"
        console.step(f"{counts}, in {console.elapsed}")
    _warn_stopped_early(console, report)
    if dry_run:
        return
    console.summary(
        RawMarkdown("Versions"), ("source", "old", "new"), [(bump.source, bump.old, bump.new) for bump in changed]
    )
    console.output("changed", str(len(changed)))


def show_verify(console: Console, report: VerifyReport, title: str, *, as_json: bool) -> None:
    """Show what `verify` found and repaired."""
    rows = [("repaired" if item.repaired else item.kind, item.text) for item in report.findings]
    if as_json:
        console.result(json.dumps(report.as_json()))
    else:
        _write_lines(console, rows)
    left = len(report.findings) - len(report.repaired)
    outcome = f"{len(report.repaired)} repaired, {left} left" if report.findings else "nothing is wrong"
    counts = f"{report.entries} entries, {report.packages} packages, {outcome}"
    if console.in_actions:
        for finding in report.findings:
            (console.note if finding.repaired else console.warning)(finding.text)
    _show_retried(console, report.retried)
    console.step(f"{title}: {counts}, in {console.elapsed}")
    console.summary(title, ("", "finding"), [(RawMarkdown(kind), text) for kind, text in rows])


def _show_retried(console: Console, retried: Sequence[Retry]) -> None:
    """Show what failed at first and was tried again, because it may point to an unreliable server or network."""
    for one in retried:
        console.step(f"tried again: {one.what} ({_times(one.count)})")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _write_lines(console: Console, rows: Sequence[Sequence[str]]) -> None:
    for line in align_columns(rows, console.result_width):
        console.result(line)


def _warn_stopped_early(console: Console, report: UpdateReport) -> None:
    if report.stopped_early:
        console.warning(report.stopped_early)


def _failure_cells(rows: Sequence[ReleaseRow]) -> list[tuple[str, str, str, str]]:
    groups = failure_groups(rows)
    return [
        (RawMarkdown("failed"), ", ".join(group.sources), group.versions, group.newest.full_message) for group in groups
    ]
