"""Runs commands as users do and measures their resource usage."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_LAUNCHER = Path(__file__).with_name("launcher.py")
_LEFT_OUT = ("GITHUB_", "GH_", "GIT_", "ACTIONS_", "RUNNER_", "HELM_", "CHART_RELEASER_", "PYTHON", "XDG_")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


class CommandError(Exception):
    """A measured command failed, so its figures are meaningless."""


@dataclass(frozen=True)
class Used:
    """The resource usage of a command and its children."""

    seconds: float
    cpu: float
    """CPU time in seconds."""
    memory: int
    """Peak resident memory of the largest process, in bytes."""
    stdout: str
    stderr: str


def chart_releaser() -> list[str]:
    """Return the command line of the installed program."""
    return [str(Path(sysconfig.get_path("scripts")) / "chart-releaser")]


def module(name: str) -> list[str]:
    """Return the command line that runs a module of the benchmark."""
    return [sys.executable, "-m", name]


def environment(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment with `home` as home directory, and without settings of machine, user or CI service."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_LEFT_OUT) and name.lower() not in _PROXIES
    }
    git = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_TERMINAL_PROMPT": "0"}
    return kept | git | {"HOME": str(home), "PYTHONPATH": str(ROOT)} | dict(more or {})


def measure(
    command: Sequence[str], *, home: Path, environ: Mapping[str, str] | None = None, accepted: Sequence[int] = (0,)
) -> Used:
    """Run `command` in the directory `home` and measure it. Raises CommandError for an unexpected exit code."""
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        result = Path(scratch) / "result.json"
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(_LAUNCHER), str(result), *command],
            cwd=home,
            env=environment(home, environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        stdout, stderr = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        if done.returncode:
            raise CommandError(f"{command[0]} could not be run: {stderr[-2000:]}")
        usage = json.loads(result.read_text())
    if usage["status"] not in accepted:
        raise CommandError(f"{' '.join(command[:3])} ended with {usage['status']}: {stderr[-2000:]}")
    return Used(usage["seconds"], usage["cpu"], usage["memory"], stdout, stderr)
