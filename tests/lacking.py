"""What a machine lacks for some tests: they are skipped and the end of the run says so; required, they fail."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

NOT_TESTED = "NOT TESTED: "
ONLY_ROOT = "what only root can set up; run the tests as root, too"
NOT_ROOT = "permissions that root does not need; run the tests as another user, too"
NO_GPG = "signing: there is no gpg; install gnupg"
NO_CHECKOUT = "what git tracks: this is no checkout; clone the repository with git"


def lacking(what: str, require: str = "") -> NoReturn:
    """Skip the test that calls this; fail it where the variable named `require` is 1.

    `what` is not tested, why, and how to get it: `what: why; remedy`.
    """
    if os.environ.get(require) == "1":
        pytest.fail(f"{NOT_TESTED}{what}")
    pytest.skip(f"{NOT_TESTED}{what}")


def needs(there: bool, what: str, require: str = "") -> pytest.MarkDecorator:
    """Mark tests that are skipped where something is not there; required, they run and show what they make of that."""
    return pytest.mark.skipif(not there and os.environ.get(require) != "1", reason=f"{NOT_TESTED}{what}")


def summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end what was not tested, a line each: a skip's `s` is easily overlooked."""
    counts: dict[str, int] = {}
    for report in terminalreporter.getreports("skipped"):
        text = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if NOT_TESTED in text:
            what = text[text.index(NOT_TESTED) :]
            counts[what] = counts.get(what, 0) + 1
    for what, count in sorted(counts.items()):
        terminalreporter.line(f"{what} ({count} skipped)", red=True, bold=True)
