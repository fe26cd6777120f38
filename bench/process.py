"""Run commands as users do and tell what they used."""

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
    """A command that is measured failed, so its figures say nothing."""


@dataclass(frozen=True)
class Used:
    """What a command used, its children included."""

    seconds: float
    cpu: float
    """Seconds of processor time."""
    memory: int
    """Bytes that the largest of the processes had resident at its peak."""
    stdout: str
    stderr: str


def chart_releaser() -> list[str]:
    """The command as users run it."""
    return [str(Path(sysconfig.get_path("scripts")) / "chart-releaser")]


def module(name: str) -> list[str]:
    """A module of the benchmark as a command."""
    return [sys.executable, "-m", name]


def environment(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what the machine, its user or a CI service set, in a home of its own."""
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
    """Run `command` to its end in the directory `home`. Raises CommandError unless its exit code is accepted."""
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
        found = json.loads(result.read_text())
    if found["status"] not in accepted:
        raise CommandError(f"{' '.join(command[:3])} ended with {found['status']}: {stderr[-2000:]}")
    return Used(found["seconds"], found["cpu"], found["memory"], stdout, stderr)
