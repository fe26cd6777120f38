"""Processes end in time, and with the run."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from chart_releaser import children
from chart_releaser.errors import MachineError
from tests.machine import wait_for


@pytest.fixture(autouse=True)
def _not_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let other tests in this process start theirs."""
    monkeypatch.setattr(children, "_is_over", False)


STUBBORN = "trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & echo started; while :; do sleep 1; done"


def start(command: list[str]) -> subprocess.Popen[bytes]:
    with children.starting_process() as add:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
        add(process)
    return process


def group(leader: int) -> list[int]:
    """The processes of a group, zombies excepted."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, pgrp = entry.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(pgrp) == leader and state != "Z":
            found.append(int(entry.parent.name))
    return found


@pytest.mark.parametrize("how", ["stubborn", "fifo"])
def test_none_is_left(tmp_path: Path, how: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    with contextlib.suppress(ZeroDivisionError), children.supervise():
        if how == "stubborn":
            process = start(["/bin/sh", "-c", STUBBORN])
            assert process.stdout is not None
            assert process.stdout.readline() == b"started\n"
        else:  # what a git does that was led to one
            process = start([sys.executable, "-c", f"open({str(tmp_path / 'fifo')!r})"])
        assert group(process.pid)
        raise ZeroDivisionError
    assert process.stdout is not None
    process.stdout.close()
    assert process.returncode is not None
    wait_for(lambda: not group(process.pid))  # a child of its child is not ours to wait for


def test_none_is_started_when_the_run_is_over(tmp_path: Path) -> None:
    with children.supervise():
        pass
    with pytest.raises(MachineError):
        children.run_command(["/bin/sh", "-c", f"touch {tmp_path}/ran"], given=b"", env={}, seconds=5)
    assert not (tmp_path / "ran").exists()
    with children.supervise():
        assert children.run_command(["/bin/cat"], given=b"x", env={}, seconds=5).stdout == b"x"


def test_last_steps_come_after_the_last_process() -> None:
    seen: list[list[int]] = []
    with children.supervise():
        process = start(["/bin/sleep", "60"])
        children.call_at_end(lambda: 1 // 0)
        children.call_at_end(lambda: seen.append(group(process.pid)))
    assert seen == [[]]
    assert process.stdout is not None
    process.stdout.close()


def test_a_run_has_its_own_directory_time_and_environment() -> None:
    with children.supervise():
        done = children.run_command(
            ["/bin/sh", "-c", "pwd; env; echo e >&2; exit 3"], given=b"", env={"A": "1"}, seconds=5
        )
        assert (done.returncode, done.stderr) == (3, b"e\n")
        assert done.stdout.startswith(b"/\n")
        assert b"\nA=1\n" in done.stdout
        assert b"HOME=" not in done.stdout
        begun = time.monotonic()
        with pytest.raises(subprocess.TimeoutExpired) as caught:
            children.run_command(["/bin/sh", "-c", "echo so far; exec sleep 60"], given=b"", env={}, seconds=0.5)
        assert time.monotonic() - begun < 5
        assert caught.value.stdout == b"so far\n"


def test_several_threads_start_at_once() -> None:
    done: list[bytes] = []

    def one() -> None:
        done.append(children.run_command(["/bin/cat"], given=b"x", env={}, seconds=20).stdout)

    with children.supervise():
        threads = [threading.Thread(target=one) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert done == [b"x"] * 8
