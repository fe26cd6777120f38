"""The processes that this one starts: each leads a group of its own, and none of them is left when the run is over."""

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
"""Seconds that a process has to end by itself before it is killed."""
_PATIENCE_AT_END = 1.0

_lock = threading.Lock()
_running: set[subprocess.Popen[Any]] = set()
_last_steps: list[Callable[[], object]] = []
_is_over = False


@contextlib.contextmanager
def ended_with_run() -> Iterator[None]:
    """End whatever process is left when the block is left, and let no thread start another one."""
    global _is_over  # noqa: PLW0603 - a process has one set of children
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


def at_end(step: Callable[[], object]) -> None:
    """Have `step` called when the run is over and all of its processes have ended, however that came."""
    with _lock:
        _last_steps.append(step)


@contextlib.contextmanager
def starting() -> Iterator[Callable[[subprocess.Popen[Any]], None]]:
    """Give the function that a process which is started in the block is handed to, as leader of its own group.

    Raises MachineError if the run is over.
    """
    with _lock:
        if _is_over:
            raise MachineError("interrupted")
        yield _running.add


def end(process: subprocess.Popen[Any]) -> None:
    """End a process and its group; does nothing if it has ended by itself."""
    if process.poll() is None:
        _end([process], _PATIENCE)
    with _lock:
        _running.discard(process)


def run(
    command: Sequence[str],
    *,
    given: bytes,
    env: Mapping[str, str],
    seconds: float,
    pass_fds: Sequence[int] = (),
) -> subprocess.CompletedProcess[bytes]:
    """Run a command in the root directory, with `given` as its standard input, and return what came of it.

    Raises OSError if it can't be started, subprocess.TimeoutExpired with what it has written by then.
    """
    with starting() as add:
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
        end(process)
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
        _signal(process, signal.SIGKILL)  # the group, of which others may be left
    for process in processes:
        process.wait()


def _signal(process: subprocess.Popen[Any], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
