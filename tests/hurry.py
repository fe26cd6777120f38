"""Whole runs in this process whose pauses take no time, for tests with many of them."""

from __future__ import annotations

import contextlib
import io
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from chart_releaser.cli import main as cli
from chart_releaser.destinations import github_writes
from chart_releaser.git import remote as gitremote
from chart_releaser.git import run as gitrun
from chart_releaser.github import api as githubapi
from chart_releaser.github import pacing
from tests.cli.runner import Ran, passing


class HurriedPacing(pacing.Pacing):
    """Waits for limits take no time, though the clock goes on."""

    def __init__(self, **options: Any) -> None:
        self._ahead = 0.0
        stopped = options.pop("sleep")

        def sleep(seconds: float) -> bool:
            self._ahead += seconds
            return bool(stopped(0))

        super().__init__(**options, sleep=sleep, clock=lambda: time.monotonic() + self._ahead)


@contextmanager
def hurried() -> Iterator[None]:
    """Pauses take no time, and no answer is waited for longer than a second."""
    fixed = [setting.replace("lowSpeedTime=60", "lowSpeedTime=1") for setting in gitrun._FIXED]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gitrun, "_FIXED", tuple(fixed))
        for module in (gitremote, githubapi, github_writes):
            patch.setattr(module, "_RETRY", replace(module._RETRY, first_pause=0.0))
        patch.setattr(githubapi, "_TIMEOUT_SECONDS", 1)
        patch.setattr(githubapi, "_UPLOAD_TIMEOUT", (1, 1))
        patch.setattr(pacing, "Pacing", HurriedPacing)
        yield


def in_this_process(*words: str, env: Mapping[str, str]) -> Ran:
    """Run the program with these arguments and what `env` adds to the environment."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        for name, value in env.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["chart-releaser", *words])
        with passing():
            code = cli.run_program()
    return Ran(code, out.getvalue(), err.getvalue())
