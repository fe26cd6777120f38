"""What a run did, as values."""

from __future__ import annotations

import json

import pytest

from chart_releaser.errors import ChartError, ConfigError, RateLimitError
from chart_releaser.report import Bump, Row, UpdateReport, describe, table


def test_a_failure_is_a_row_and_one_line() -> None:
    report = UpdateReport()
    assert report.fail(Row("a", "v1", "1"), ChartError("no\n  chart\there")) == "a v1: no chart here"
    assert report.fail(Row("b"), ChartError("gone")) == "b: gone"
    assert report.failed == [Row("a", "v1", "1", error="no chart here"), Row("b", error="gone")]
    assert report.bug is None


def test_the_first_unexpected_error_is_kept_as_a_bug() -> None:
    report = UpdateReport()
    first = KeyError("x")
    assert report.fail(Row("a", "v1"), first) == "a v1: internal error: KeyError: 'x'"
    report.fail(Row("a", "v2"), ValueError("y"))
    assert report.bug is first


@pytest.mark.parametrize(
    ("interrupted", "early", "failed", "code"),
    [
        (False, "", False, 0),
        (False, "", True, 1),
        (False, "limit", False, 3),
        (False, "limit", True, 3),
        (True, "limit", True, 130),
        (True, "", False, 130),
    ],
)
def test_exit_codes(interrupted: bool, early: str, failed: bool, code: int) -> None:
    rows = [Row("a")] if failed else []
    assert UpdateReport(failed=rows, early=early, interrupted=interrupted).exit_code == code


def test_json_has_the_four_lists_and_only_what_is_known() -> None:
    report = UpdateReport(
        planned=[Row("a", "v1", "1")],
        published=[Row("a", "v1", "1", "a-1.tgz", "00")],
        failed=[Row("b", error="\x1b gone")],
    )
    document = report.as_json()
    assert list(document) == ["planned", "published", "skipped", "failed"]
    assert document["planned"] == [{"source": "a", "version": "1", "chart": "a", "tag": "v1"}]
    package = {"url": "a-1.tgz", "digest": "00"}
    assert document["published"] == [{"source": "a", "version": "1", "chart": "a", "tag": "v1", **package}]
    assert document["failed"] == [{"source": "b", "version": "", "chart": "b", "error": "\x1b gone"}]
    assert "\x1b" not in json.dumps(document)


def test_errors_of_ours_speak_for_themselves() -> None:
    assert describe(RateLimitError("wait")) == "wait"
    assert describe(ConfigError(["a", "b"])) == "a b"


def test_a_table_is_aligned_and_never_cut() -> None:
    assert table([]) == []
    assert table([("a", "bb", "x" * 300), ("ccc", "d", "")]) == [f"a    bb  {'x' * 300}", "ccc  d"]
    assert table([("one",)]) == ["one"]


def test_a_bump_changes_where_the_text_differs() -> None:
    assert Bump("a", "v1", "v2").changed
    assert not Bump("a", "v1", "v1").changed
