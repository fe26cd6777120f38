"""What a run did, as values."""

from __future__ import annotations

import json

import pytest

from chart_releaser.commands.report import (
    Bump,
    Note,
    ReleaseRow,
    UpdateReport,
    failure_groups,
)
from chart_releaser.errors import ChartError, RateLimitError, UsageError, YamlError
from chart_releaser.upstream.passed_over import Cause, Reason

ADVICE = "leave the release out with versions:, or have it fixed upstream"


def test_a_failure_is_a_row_and_one_line() -> None:
    report = UpdateReport()
    assert report.fail(ReleaseRow("a", "v1", "1"), ChartError("no\n  chart\there")) == f"a v1: no chart here; {ADVICE}"
    assert report.fail(ReleaseRow("b"), ChartError("gone")) == f"b: gone; {ADVICE}"
    assert report.failed == [
        ReleaseRow("a", "v1", "1", error="no chart here", remedy=ADVICE),
        ReleaseRow("b", error="gone", remedy=ADVICE),
    ]
    assert report.bug is None


def test_the_first_unexpected_error_is_kept_as_a_bug() -> None:
    report = UpdateReport()
    first = KeyError("x")
    assert report.fail(ReleaseRow("a", "v1"), first) == "a v1: internal error: KeyError: 'x'"
    report.fail(ReleaseRow("a", "v2"), ValueError("y"))
    assert report.bug is first


@pytest.mark.parametrize(
    ("interrupted", "early", "failed", "code"),
    [
        (False, "", False, 0),
        (False, "", True, 1),
        (False, "limit", False, 3),
        (False, "limit", True, 1),
        (True, "limit", True, 130),
        (True, "", False, 130),
    ],
)
def test_exit_codes(interrupted: bool, early: str, failed: bool, code: int) -> None:
    rows = [ReleaseRow("a")] if failed else []
    assert UpdateReport(failed=rows, stopped_early=early, interrupted=interrupted).exit_code == code


def test_json_has_the_four_lists_and_only_what_is_known() -> None:
    report = UpdateReport(
        planned=[ReleaseRow("a", "v1", "1")],
        published=[ReleaseRow("a", "v1", "1", "a-1.tgz", "00")],
        failed=[ReleaseRow("b", error="\x1b gone")],
        passed_over={"a": [("v0", Reason(Cause.PRERELEASE))]},
        notes=[Note("c", "nothing")],
    )
    document = report.as_json()
    assert list(document) == ["planned", "published", "skipped", "failed", "passedOver", "notes", "retried"]
    assert document["passedOver"] == [{"source": "a", "tag": "v0", "reason": "prerelease"}]
    assert document["notes"] == [{"source": "c", "note": "nothing"}]
    assert document["planned"] == [{"source": "a", "version": "1", "chart": "a", "tag": "v1"}]
    package = {"url": "a-1.tgz", "digest": "00"}
    assert document["published"] == [{"source": "a", "version": "1", "chart": "a", "tag": "v1", **package}]
    assert document["failed"] == [{"source": "b", "version": "", "chart": "b", "error": "\x1b gone"}]
    assert "\x1b" not in json.dumps(document)


def test_errors_of_ours_speak_for_themselves() -> None:
    report = UpdateReport()
    assert report.fail(ReleaseRow("a", "v1"), RateLimitError("a; b", remedy="come back")) == "a v1: a; b; come back"
    assert (report.failed[0].error, report.failed[0].remedy) == ("a; b", "come back")
    assert report.failed[0].as_json()["error"] == "a; b; come back"
    usual = "run again later, it continues where this run stopped"
    assert report.fail(ReleaseRow("b"), RateLimitError("wait")) == f"b: wait; {usual}"
    assert report.fail(ReleaseRow("c"), UsageError("a\nb")) == "c: a b"
    assert report.bug is None
    assert report.fail(ReleaseRow("d"), ValueError("odd")) == "d: internal error: ValueError: odd"
    assert report.bug is not None


def test_failures_are_grouped_by_source_and_reason_whatever_version_it_names() -> None:
    rows = [ReleaseRow("a", f"v1.{n}.0", f"1.{n}.0", error=f"no tag v1.{n}.0", remedy="look") for n in (12, 2, 1)]
    rows += [
        ReleaseRow("b", "v1.1.0", "1.1.0", error="no tag v1.1.0; look"),
        ReleaseRow("a", "v1.0.0", "1.0.0", error="other"),
    ]
    rows.append(ReleaseRow("c", error="gone"))
    assert [(group.title, group.newest.full_message) for group in failure_groups(rows)] == [
        ("a: 3 releases, v1.12.0 to v1.1.0", "no tag v1.12.0; look"),
        ("b v1.1.0", "no tag v1.1.0; look"),
        ("a v1.0.0", "other"),
        ("c", "gone"),
    ]


def test_sources_that_failed_before_any_release_are_grouped_by_reason() -> None:
    rows = [
        ReleaseRow("a", "v1", error="o/r was not found; look"),
        ReleaseRow("b", error="other"),
        ReleaseRow("c", error="o/r was not found; look"),
    ]
    groups = failure_groups(rows)
    assert [(group.title, group.sources, group.versions, group.newest.full_message) for group in groups] == [
        ("2 sources: a, c", ["a", "c"], "", "o/r was not found; look"),
        ("b", ["b"], "", "other"),
    ]


def test_what_was_planned_and_not_done_waits() -> None:
    one, two, three = (ReleaseRow("a", f"v{n}") for n in (1, 2, 3))
    report = UpdateReport(planned=[one, two, three], published=[ReleaseRow("a", "v1", "1", "url")], failed=[two])
    assert report.waiting == [three]


def test_a_bump_changes_where_the_text_differs() -> None:
    assert Bump("a", "v1", "v2").changed
    assert not Bump("a", "v1", "v1").changed


def test_what_is_wrong_is_not_torn_apart_at_a_semicolon() -> None:
    report = UpdateReport()
    report.fail(ReleaseRow("a", "v1", "1"), ChartError("charts/a; b does not exist at this tag", remedy="look"))
    [group] = failure_groups(report.failed)
    assert (group.newest.error, group.newest.remedy) == ("charts/a; b does not exist at this tag", "look")
    assert report.failed[0].as_json()["error"] == "charts/a; b does not exist at this tag; look"


def test_another_familys_error_keeps_its_remedy() -> None:
    error = ChartError.of(YamlError("line 3: unusable", remedy="correct it"), "values.yaml")
    assert (error.what, error.remedy, error.full_message) == (
        "values.yaml: line 3: unusable",
        "correct it",
        "values.yaml: line 3: unusable; correct it",
    )
