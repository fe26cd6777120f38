"""What a command ends with: the plan, the table of sources, failures by reason, what a job gets."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from chart_releaser.cli.console import Console
from chart_releaser.cli.results import plain_table, plan_rows, show_update, show_verify, source_counts
from chart_releaser.commands.report import Note, ReleaseRow, UpdateReport
from chart_releaser.commands.verify import VerifyReport
from chart_releaser.destinations.findings import Finding
from chart_releaser.upstream.passed_over import Cause, Reason

Capture = pytest.CaptureFixture[str]
WHAT = "no registration in examples, example or deploy, nor among the assets"
REMEDY = "name a chart's path under charts:"
REASON = f"{WHAT}; {REMEDY}"


def _many() -> UpdateReport:
    """A source of which most fails for one reason, one that is up to date, and one that can't be asked."""
    failed = [
        ReleaseRow("provider-hcloud", f"v0.6.{n}", f"0.6.{n}", error=WHAT, remedy=REMEDY) for n in range(42, -1, -1)
    ]
    return UpdateReport(
        planned=[ReleaseRow("azure", "v1.2.0", "1.2.0"), *failed],
        published=[ReleaseRow("azure", "v1.2.0", "1.2.0", "https://charts.example.org/azure-1.2.0.tgz")],
        skipped=[ReleaseRow("old", f"v1.0.{n}", f"1.0.{n}") for n in range(9, -1, -1)],
        failed=[*failed, ReleaseRow("gone", error="not found", remedy="check repo:")],
        sources=["azure", "old", "provider-hcloud"],
    )


def _terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("COLUMNS", "80")
    return stream


def test_the_plan_counts_what_nothing_is_done_about_and_names_the_newest() -> None:
    tags = [f"v0.{n}.0" for n in range(1, 71)]
    report = UpdateReport(
        planned=[ReleaseRow("a", "v1.3.0")],
        skipped=[ReleaseRow("a", f"v1.2.{n}") for n in range(4, -1, -1)],
        passed_over={
            "a": [
                *((tag, Reason(Cause.OLD_MINOR, 3)) for tag in tags),
                ("1.3.0", Reason(Cause.SAME_VERSION, "v1.3.0")),
                ("v1.2.9", Reason(Cause.OLD_PATCH, "1.2")),
                ("v1.1.9", Reason(Cause.OLD_PATCH, "1.1")),
            ]
        },
        sources=["a"],
    )
    assert plan_rows(report, each=False) == [
        ("publish", "a", "v1.3.0"),
        ("up to date", "a", "5: v1.2.4, v1.2.3, v1.2.2 and 2 more"),
        ("not tracked", "a", "1 second tag of a version: 1.3.0"),
        ("not tracked", "a", "2 not the newest patch of its minor: v1.2.9, v1.1.9"),
        ("not tracked", "a", "70 older than the last 3 minors: v0.70.0, v0.69.0, v0.68.0 and 67 more"),
    ]
    every = plan_rows(report, each=True)
    assert len(every) == 1 + 5 + 73
    assert every[-1] == ("not tracked", "a", "v1.1.9: not the newest patch of 1.1")


def test_the_table_has_the_sources_with_news_and_sums_up_the_others() -> None:
    assert plain_table(*source_counts(_many())) == [
        "source           published  up to date  failed",
        "azure                    1           0       0",
        "provider-hcloud          0           0      43",
        "gone                     0           0       1",
        "1 other                  0          10       0",
    ]
    report = _many()
    report.stopped_early = "limit"
    report.planned.append(ReleaseRow("azure", "v1.1.0"))
    assert plain_table(*source_counts(report))[1] == "azure                    1           0       0        1"
    in_vain = UpdateReport(skipped=report.skipped, sources=["old", "b"])
    assert source_counts(in_vain)[1] == [("b", [0, 0, 0]), ("1 other", [0, 10, 0])]
    assert source_counts(UpdateReport(published=report.published, sources=["azure"]))[1] == []


def test_everything_at_the_end_fits_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _terminal(monkeypatch)
    report = _many()
    show_update(Console(0, {"NO_COLOR": "1"}), report, "o/charts", as_json=False, dry_run=False)
    show_update(Console(0, {"NO_COLOR": "1"}), report, "o/charts", as_json=False, dry_run=True)
    lines = terminal.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    at = lines.index("failed: provider-hcloud: 43 releases, v0.6.42 to v0.6.0")
    assert lines[at + 1 : at + 4] == [
        "  no registration in examples, example or deploy, nor among the assets",
        "  -> name a chart's path under charts:",
        "failed: gone",
    ]


def test_everything_at_the_end_is_unwrapped_in_a_file(capsys: Capture) -> None:
    report = _many()
    report.notes.append(Note("old", "nothing is tracked"))
    show_update(Console(0, {}), report, "o/charts", as_json=False, dry_run=False)
    out, err = capsys.readouterr()
    assert out == "published  azure  1.2.0  https://charts.example.org/azure-1.2.0.tgz\n"
    lines = err.splitlines()
    assert lines[0] == "note: old: nothing is tracked"
    assert f"failed: provider-hcloud: 43 releases, v0.6.42 to v0.6.0: {REASON}" in lines
    assert lines[-1].startswith("o/charts: 1 published, 10 up to date, 44 failed, in 0.")
    show_update(Console(-1, {}), report, "o/charts", as_json=False, dry_run=False)
    assert capsys.readouterr().err == ""


def test_a_jobs_summary_has_a_line_for_each_reason(tmp_path: Path, capsys: Capture) -> None:
    environ = {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary"), "GITHUB_ACTIONS": "true"}
    show_update(Console(0, environ), _many(), "o/charts", as_json=False, dry_run=False)
    lines = (tmp_path / "summary").read_text().splitlines()
    assert len([line for line in lines if line.startswith("| failed")]) == 2
    assert any("v0.6.42 to v0.6.0 (43 releases)" in line for line in lines)
    assert "\x1b" not in capsys.readouterr().err


def test_findings_are_warnings_in_a_job_and_what_was_repaired_a_notice(capsys: Capture) -> None:
    found = [
        Finding("missing", "a", "1.0.0", "the package is gone", "publish it again"),
        Finding("draft", "a", "1.1.0", "a draft was left", "delete it", repaired=True),
    ]
    show_verify(Console(0, {"GITHUB_ACTIONS": "true"}), VerifyReport(2, 1, found), "o/charts", as_json=False)
    assert capsys.readouterr().err.splitlines()[:2] == [
        "::warning::a 1.0.0: the package is gone; publish it again",
        "::notice::a 1.1.0: a draft was left; delete it",
    ]
    show_verify(Console(0, {}), VerifyReport(2, 1, found), "o/charts", as_json=False)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_plan_tells_what_would_fail() -> None:
    report = UpdateReport(
        planned=[ReleaseRow("a", "v1.2.0", "1.2.0"), ReleaseRow("a", "v1.1.0", "1.1.0")],
        failed=[ReleaseRow("a", "v1.1.0", "1.1.0", error="c has no Chart.yaml", remedy="look")],
        sources=["a"],
    )
    assert plan_rows(report, each=False) == [
        ("publish", "a", "v1.2.0"),
        ("would fail", "a", "v1.1.0: c has no Chart.yaml"),
    ]
