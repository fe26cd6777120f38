"""The long mode's time, shared among the properties, and what it prints at the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.running import MINUTES, TALLY

_HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each property of this folder the same share of the time."""
    mine = sum(item.path.is_relative_to(_HERE) for item in items)
    TALLY.share = MINUTES * 60 / max(mine, 1)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """After a long run say what was tried."""
    if not MINUTES or not TALLY.examples:
        return
    terminalreporter.section("what was tried")
    for name, count in TALLY.examples.items():
        seconds = TALLY.seconds.get(name, 0.0)
        terminalreporter.line(f"{count:9,} examples in {seconds:5.0f} s  {name}")
    total, minutes = sum(TALLY.examples.values()), sum(TALLY.seconds.values()) / 60
    terminalreporter.line(f"{total:9,} examples in {minutes:.1f} minutes")
