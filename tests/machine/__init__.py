"""A machine for whole runs of the command: small or read-only file systems, limits, and runs that die at a write.

One helper process (`tests/machine/inside.py`) has the program loaded and lives in a mount namespace of its own, where
it may be given file systems of any size. Each run is a fork of it, which takes a tenth of the time of a start, calls
the entry point of the console script, and ends as that does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cli.runner import TOKEN, Ran, environment

ROOT = Path(__file__).resolve().parent.parent.parent
LIMIT_SECONDS = 60
"""No run takes longer, whatever is in its way."""
NO_MOUNTS = "NO FILE SYSTEMS OF ITS OWN: neither root nor user namespaces may mount here"
NO_COMPILER = "NO CLOCK TO SET: there is no C compiler"
_NAMESPACES = (["unshare", "--mount", "--propagation", "private"], ["unshare", "--user", "--map-root-user", "--mount"])


@dataclass(frozen=True)
class Fate:
    """What happens to a run at its `at`-th change (from 1) of what is below one of `below`; with 0 they are counted.

    `moment`: "before" or "after" the change, or "half", before it, with half of the last file written. `signal` comes
    then. The changes are noted in the file `journal`, one a line.
    """

    below: Sequence[Path]
    journal: Path
    at: int = 0
    moment: str = "before"
    signal: int = 9


@dataclass
class Started:
    """A run that is under way."""

    machine: Machine
    pid: int
    out: Path
    err: Path

    def end(self, seconds: float = LIMIT_SECONDS) -> Ran:
        """Wait for it, no longer than so many seconds; no run may show a traceback, colours or the token."""
        code = self.machine.ask("wait", pid=self.pid, seconds=seconds)
        ran = Ran(-999 if code is None else code, *(path.read_text(errors="replace") for path in (self.out, self.err)))
        assert code is not None, f"it has not ended after {seconds} seconds: {ran.out}{ran.err}"
        assert "Traceback" not in ran.err, ran.err
        assert "\x1b" not in ran.out + ran.err
        assert TOKEN not in ran.out + ran.err
        return ran

    def kill(self, signal: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, signal)


@dataclass
class Machine:
    """The helper process. `scratch` is a folder for what runs print. `mounts` tells whether it can mount."""

    process: subprocess.Popen[str]
    scratch: Path
    mounts: bool
    runs: int = 0
    _mounted: list[Path] = field(default_factory=list)

    def ask(self, what: str, **values: Any) -> Any:
        """Have the helper do something and return its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": what, **values}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer["value"]

    def start(
        self,
        *words: str | Path,
        cwd: Path,
        env: Mapping[str, str | None] | None = None,
        out: Path | None = None,
        err: Path | None = None,
        file_size: int | None = None,
        user: int | None = None,
        fate: Fate | None = None,
    ) -> Started:
        """Start the program. None in `env` takes a variable out; `file_size` is the most bytes that a file may have."""
        self.runs += 1
        out = out or self.scratch / f"{self.runs}.out"
        err = err or self.scratch / f"{self.runs}.err"
        whole: dict[str, str | None] = {**environment(), **(env or {})}
        pid = self.ask(
            "start",
            words=[str(word) for word in words],
            cwd=str(cwd),
            env={name: value for name, value in whole.items() if value is not None},
            out=str(out),
            err=str(err),
            file_size=file_size,
            user=user,
            fate=None
            if fate is None
            else {**vars(fate), "below": list(map(str, fate.below)), "journal": str(fate.journal)},
        )
        readable = [path if path != Path("/dev/full") else Path(os.devnull) for path in (out, err)]
        return Started(self, pid, *readable)

    def run(self, *words: str | Path, ok: bool = False, **options: Any) -> Ran:
        """Run the program to its end; `ok` demands exit code 0."""
        ran = self.start(*words, **options).end()
        if ok:
            assert ran.code == 0, f"{ran.code}: {ran.err}"
        return ran

    def seen(self, path: Path) -> Path:
        """Where a path of the helper's file systems is seen from here."""
        return Path(f"/proc/{self.process.pid}/root{path}")

    @contextmanager
    def small(self, path: Path, options: str) -> Iterator[Path]:
        """Put an empty file system (`size=64k`, `nr_inodes=9`, `ro`) at `path`; give where it is seen from here."""
        if not self.mounts:
            pytest.skip(NO_MOUNTS)
        path.mkdir(parents=True, exist_ok=True)
        self.ask("mount", path=str(path), options=options)
        try:
            yield self.seen(path)
        finally:
            self.ask("unmount", path=str(path))

    def change(self, path: Path, options: str) -> None:
        """Give a file system other options: more room, read-only."""
        self.ask("mount", path=str(path), options=f"remount,{options}")


@contextmanager
def machine(scratch: Path, *, preload: str = "", env: Mapping[str, str] | None = None) -> Iterator[Machine]:
    """Give a machine; `preload` is a library for the helper and all its runs, `env` variables for them."""
    scratch.mkdir(parents=True, exist_ok=True)
    environ = {**environment(), "PYTHONPATH": str(ROOT), **(env or {})}
    if preload:
        environ["LD_PRELOAD"] = preload
    namespace = str(Path("/proc/self/ns/mnt").readlink())
    found: subprocess.Popen[str] | None = None
    for prefix in (*_NAMESPACES, []):
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "tests.machine.inside", str(scratch), namespace],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if prefix else None,
            text=True,
        )
        assert process.stdout is not None
        if process.stdout.readline() == ("mounts\n" if prefix else "no mounts\n"):
            found = process
            break
        with process:
            process.kill()
    assert found is not None
    try:
        yield Machine(found, scratch, mounts=bool(prefix))
    finally:
        with found:
            assert found.stdin is not None
            found.stdin.close()


def wait_for(condition: Any, seconds: float = 20) -> None:
    """Wait until `condition()` holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)
