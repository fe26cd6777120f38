"""A bug's report holds what helps to find it and nothing of the user's."""

from __future__ import annotations

import pytest

from chart_releaser import __version__
from chart_releaser.cli.bugreport import bug_report


def _report(text: str) -> list[str]:
    try:
        raise LookupError(text)
    except LookupError as error:
        return bug_report(error, "update")


def test_what_it_says() -> None:
    first, command, what, *frames = _report("no such thing")
    assert first.startswith(f"chart-releaser {__version__}, Python 3.")
    assert command == "command: update"
    assert what == "LookupError: no such thing"
    assert len(frames) == 1
    assert frames[0].startswith("  at test_bugreport.py:")
    assert frames[0].endswith(" _report")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[Errno 2] No such file: '/home/ada/charts/x'", "[Errno 2] No such file: '<path>'"),
        ("open ~/x, ./y and ../z", "open <path>, <path> and <path>"),
        ("https://me:pw@example.org/x?y=z failed", "<address> failed"),
        ("git@example.org:o/a.git failed", "<address> failed"),
        ("C:\\Users\\ada\\x", "<path>"),
        ("expected 1/2 and/or 3", "expected 1/2 and/or 3"),
        ("line\none\ttwo", "line one two"),
    ],
)
def test_addresses_and_paths_are_left_out(text: str, shown: str) -> None:
    assert _report(text)[2] == f"LookupError: {shown}"


def test_it_stays_short() -> None:
    def dive(depth: int) -> None:
        if depth == 0:
            raise ValueError("x" * 5000)
        dive(depth - 1)

    with pytest.raises(ValueError) as caught:
        dive(50)
    report = bug_report(caught.value, "export")
    assert len(report) == 11
    assert max(map(len, report)) < 330
