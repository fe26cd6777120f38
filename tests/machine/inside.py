"""The helper process of `tests.machine`: mounts, and runs the program in forks of itself. It has no threads.

It is asked by lines of JSON on stdin and answers on stdout.
"""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from tests.forks import become, load
from tests.machine import fates


def main() -> None:
    """Serve until stdin ends."""
    load()
    print("mounts" if _can_mount(Path(sys.argv[1])) else "no mounts", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer: dict[str, Any] = {"value": _DOES[asked.pop("do")](**asked)}
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), flush=True)


def _can_mount(scratch: Path) -> bool:
    # Without a namespace of this process's own the mounts of the whole machine would be changed.
    if str(Path("/proc/self/ns/mnt").readlink()) == sys.argv[2]:
        return False
    trial = scratch / "trial"
    trial.mkdir(exist_ok=True)
    try:
        _mount(str(trial), "size=4k")
        _unmount(str(trial))
    except subprocess.CalledProcessError:
        return False
    return True


def _mount(path: str, options: str) -> None:
    # What it has is not given again: in a user's namespace that names an owner whom the kernel refuses there.
    how = ["--options-mode", "ignore"] if "remount" in options else ["-t", "tmpfs", "tmpfs"]
    subprocess.run(["mount", "-o", options, *how, path], check=True, capture_output=True)


def _unmount(path: str) -> None:
    subprocess.run(["umount", "--lazy", path], check=True, capture_output=True)


def _wait(pid: int, seconds: float) -> int | None:
    """Return how the run ended: its exit code, minus the signal that killed it, None if it had to be stopped."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def _start(**given: Any) -> int:
    pid = os.fork()
    if not pid:
        _become(**given)
    return pid


def _become(
    words: list[str],
    cwd: str,
    env: dict[str, str],
    out: str,
    err: str,
    file_size: int | None,
    user: int | None,
    fate: dict[str, Any] | None,
) -> NoReturn:
    """Be the program."""
    kept = {name: value for name, value in os.environ.items() if name in ("LD_PRELOAD", "CLOCK_FILE")}

    def prepare() -> None:
        os.setsid()
        os.chdir(cwd)
        for number, path in enumerate((os.devnull, out, err)):
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            os.dup2(handle, number)
            os.close(handle)
        sys.stdin, sys.stdout, sys.stderr = (
            io.TextIOWrapper(io.FileIO(0, "rb"), "utf-8"),
            io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "wb")), "utf-8"),
            io.TextIOWrapper(io.BufferedWriter(io.FileIO(2, "wb")), "utf-8", line_buffering=True),
        )
        if file_size is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
        if user is not None:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
        if fate is not None:
            fates.await_fate(**fate)

    become(["chart-releaser", *words], kept | env | {"CHART_RELEASER_PASS_ENV": "CLOCK_FILE"}, prepare)


_DOES: dict[str, Callable[..., Any]] = {"start": _start, "wait": _wait, "mount": _mount, "unmount": _unmount}

if __name__ == "__main__":
    main()
