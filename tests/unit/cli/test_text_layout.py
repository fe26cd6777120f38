"""Aligned columns and lines of a limited width."""

from __future__ import annotations

from chart_releaser.cli.text_layout import align_columns, wrap_text


def test_a_table_is_aligned_and_never_cut() -> None:
    assert align_columns([]) == []
    assert align_columns([("a", "bb", "x" * 300), ("ccc", "d", "")]) == [f"a    bb  {'x' * 300}", "ccc  d"]
    assert align_columns([("one",)]) == ["one"]


def test_a_table_on_a_terminal_goes_on_below_its_last_column() -> None:
    rows = [("not tracked", "a", "3 prerelease: v1.0.0-rc.1, v1.0.0-rc.2"), ("publish", "a", "v1.0.0")]
    assert align_columns(rows, 40) == [
        "not tracked  a  3 prerelease:",
        "                v1.0.0-rc.1, v1.0.0-rc.2",
        "publish      a  v1.0.0",
    ]
    assert align_columns([("a", "https://example.org/" + "x" * 60)], 40)[-1].strip().endswith("x" * 60)


def test_text_is_wrapped_for_terminals_only() -> None:
    assert wrap_text("one two three", None, "- ", "  ") == ["- one two three"]
    assert wrap_text("one two three", 10, "- ", "  ") == ["- one two", "  three"]
