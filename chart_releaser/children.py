"""Start child processes, each in its own process group, and terminate those that are left when a run ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from chart_releaser.errors import MachineError

_PATIENCE = 5.0
"""Seconds between SIGTERM and SIGKILL."""
_PATIENCE_AT_END = 1.0

_lock = threading.Lock()
_running: set[subprocess.Popen[Any]] = set()
_last_steps: list[Callable[[], object]] = []
_is_over = False


@contextlib.contextmanager
def supervise() -> Iterator[None]:
    """At the end of the block terminate the children that are left, and refuse to start more from any thread."""
    global _is_over  # noqa: PLW0603 - the children of a process are global state
    _is_over = False
    try:
        yield
    finally:
        with _lock:
            _is_over = True
            left = [process for process in _running if process.poll() is None]
            steps = list(_last_steps)
            _running.clear()
            _last_steps.clear()
        _end(left, _PATIENCE_AT_END)
        for step in steps:
            with contextlib.suppress(Exception):
                step()


def call_at_end(step: Callable[[], object]) -> None:
    """Register `step` to be called when the run has ended and all its children with it."""
    with _lock:
        _last_steps.append(step)


@contextlib.contextmanager
def starting_process() -> Iterator[Callable[[subprocess.Popen[Any]], None]]:
    """Guard the start of a process in the block: yield the function to register it with, as leader of its own group.

    Raises MachineError if the run is over.
    """
    with _lock:
        if _is_over:
            raise MachineError("interrupted")
        yield _running.add


def terminate(process: subprocess.Popen[Any]) -> None:
    """Terminate a process and its group, unless it has ended by itself."""
    if process.poll() is None:
        _end([process], _PATIENCE)
    with _lock:
        _running.discard(process)


def run_command(
    command: Sequence[str],
    *,
    given: bytes,
    env: Mapping[str, str],
    seconds: float,
    pass_fds: Sequence[int] = (),
) -> subprocess.CompletedProcess[bytes]:
    """Run a command in the root directory with `given` as standard input, and return its status and output.

    Raises OSError if it can't be started, and subprocess.TimeoutExpired, with the output so far, after `seconds`.
    """
    with starting_process() as add:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=env,
            pass_fds=pass_fds,
            start_new_session=True,
        )
        add(process)
    try:
        out, err = process.communicate(given, timeout=seconds)
    finally:
        terminate(process)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def _end(processes: Sequence[subprocess.Popen[Any]], patience: float) -> None:
    for process in processes:
        _signal(process, signal.SIGTERM)
    until = time.monotonic() + patience
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, until - time.monotonic()))
    for process in processes:
        _signal(process, signal.SIGKILL)  # the group may outlive its leader
    for process in processes:
        process.wait()


def _signal(process: subprocess.Popen[Any], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
