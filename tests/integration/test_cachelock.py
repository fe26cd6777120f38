"""The lock on a git directory of the cache: one run at a time, whatever has become of the run before."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chart_releaser.errors import UpstreamError
from chart_releaser.git.cachelock import CacheLock

KILLED = """
import os, pathlib, signal, sys, threading, time
from chart_releaser.git.cachelock import CacheLock
from chart_releaser.git.run import Git

directory = pathlib.Path(sys.argv[1])
lock = CacheLock(directory, "a", print)
with lock.held(1):
    works = f"!touch {directory}.began; sleep 1; touch {directory}.ended"
    threading.Thread(target=Git(directory, lock=lock).run, args=("-c", f"alias.works={works}", "works")).start()
    while not pathlib.Path(f"{directory}.began").exists():
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_git_that_goes_on_by_itself_is_waited_for(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "a.git")], check=False)
    assert killed.returncode == -signal.SIGKILL
    said: list[str] = []
    with CacheLock(tmp_path / "a.git", "a", said.append).held(30):
        assert (tmp_path / "a.git.ended").exists()
    assert said == ["waiting for another run that is using a"]


def test_what_is_left_behind_by_a_run_that_has_ended_keeps_nothing(tmp_path: Path) -> None:
    lock = CacheLock(tmp_path / "a.git", "a", pytest.fail)
    with lock.held(0):
        left = subprocess.Popen(["sleep", "60"], pass_fds=lock.descriptors)
        other = CacheLock(tmp_path / "a.git", "b", lambda _: None)
        with pytest.raises(UpstreamError, match=r"^b: another run has held .*/a\.lock for 0 min"), other.held(0):
            pass
    with lock.held(0):
        assert left.poll() is None
    left.kill()
    left.wait()
