"""A bug's report holds what helps to find it and nothing of the user's."""

from __future__ import annotations

import platform
import re
from importlib import metadata

import pytest

from chart_releaser import __version__
from chart_releaser.cli.bugreport import bug_report


def _report(text: str) -> list[str]:
    try:
        raise LookupError(text)
    except LookupError as error:
        return bug_report(error, "update")


def test_what_it_says() -> None:
    first, libraries, command, what, *frames = _report("no such thing")
    assert first.startswith(f"chart-releaser {__version__}, Python 3.")
    assert f"{platform.system()} {platform.machine()}" in first
    assert re.search(r", git \d+\.\d+", first)
    assert f"PyGithub {metadata.version('PyGithub')}" in libraries
    assert "missing" not in libraries
    assert command == "command: update"
    assert what == "LookupError: no such thing"
    assert len(frames) == 1
    assert frames[0].startswith("  at test_bugreport.py:")
    assert frames[0].endswith(" _report")


def test_it_comes_where_git_and_a_library_are_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_arguments: object) -> None:
        raise RuntimeError("of all times")

    monkeypatch.setattr(metadata, "version", fails)
    monkeypatch.setattr("chart_releaser.git.run.git_version", fails)
    first, libraries, command, *_ = _report("x")
    assert first.endswith(", no git")
    assert libraries.startswith("typer is missing, ")
    assert command == "command: update"


def test_a_git_of_the_users_own_making_says_nothing_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chart_releaser.git.run.git_version", lambda: "git version 2.40.1 (built by ada)\n/home/ada")
    assert _report("x")[0].endswith(", git 2.40.1")
    monkeypatch.setattr("chart_releaser.git.run.git_version", lambda: "ada's git")
    assert _report("x")[0].endswith(", no git")


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
    assert _report(text)[3] == f"LookupError: {shown}"


def test_it_stays_short() -> None:
    def dive(depth: int) -> None:
        if depth == 0:
            raise ValueError("x" * 5000)
        dive(depth - 1)

    with pytest.raises(ValueError) as caught:
        dive(50)
    report = bug_report(caught.value, "export")
    assert len(report) == 12
    assert max(map(len, report)) < 330
