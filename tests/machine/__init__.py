"""A machine for whole runs of the command: small or read-only file systems, limits, and runs that die at a write.

One helper process (`tests/machine/inside.py`) has the program loaded and lives in a mount namespace of its own, where
it may be given file systems of any size. Each run is a fork of it, which takes a tenth of the time of a start, calls
the entry point of the console script, and ends as that does.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cli.runner import TOKEN, Ran, environment
from tests.lacking import lacking

ROOT = Path(__file__).resolve().parent.parent.parent
LIMIT_SECONDS = 60
"""No run takes longer, whatever is in its way."""
NO_MOUNTS = (
    "full and read-only disks: neither root nor user namespaces may mount here; allow one (in a container: SYS_ADMIN)"
)
NO_OTHER_USER = "runs as another user: only root can read TMPDIR; take one that all can read"
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
    """The helper process. `scratch` is a folder for what runs print.

    `mounts` tells whether it can mount, `shared` whether another user can read the program.
    """

    process: subprocess.Popen[str]
    scratch: Path
    mounts: bool
    shared: bool
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
        if user is not None and not self.shared:
            lacking(NO_OTHER_USER)
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
            lacking(NO_MOUNTS, "REQUIRE_MOUNTS")
        path.mkdir(parents=True, exist_ok=True)
        self.ask("mount", path=str(path), options=options)
        try:
            yield self.seen(path)
        finally:
            self.ask("unmount", path=str(path))

    def change(self, path: Path, options: str) -> None:
        """Give a file system other options: more room, read-only."""
        self.ask("mount", path=str(path), options=f"remount,{options}")


def _is_shared(file: str | Path) -> bool:
    """Whether every user can read a file."""
    path = Path(file)
    return bool(path.stat().st_mode & 0o004) and all(parent.stat().st_mode & 0o001 for parent in path.parents)


_PLACES = {name: Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib")}
_UNUSED = ("site-packages", "test", "idlelib", "mypy*", "*__mypyc*", "pip", "selenium", "hypothesis")


@contextmanager
def _program() -> Iterator[tuple[Sequence[Path], bool]]:
    """Give where the program is, and whether every user can read it: for root it is a copy if they can't otherwise."""
    if os.geteuid() != 0 or all(_is_shared(file) for file in (os.__file__, __file__, pytest.__file__)):
        yield [ROOT], os.geteuid() == 0
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        ignored = shutil.ignore_patterns(*_UNUSED)
        for name, place in _PLACES.items():
            shutil.copytree(place, copy / name, ignore=ignored, symlinks=True)
        for name in ("chart_releaser", "tests"):
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        for path in (copy, *copy.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))
        places = [copy, *(copy / name for name in _PLACES), copy / "platstdlib/lib-dynload"]
        yield places, _is_shared(copy / "tests/__init__.py")


@contextmanager
def machine(
    scratch: Path, *, preload: str = "", env: Mapping[str, str] | None = None, shared: bool = False
) -> Iterator[Machine]:
    """Give a machine; `preload` is a library for the helper and all its runs, `env` variables for them.

    With `shared` runs can be another user's, which may take a copy of the program.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        program, shared = stack.enter_context(_program()) if shared else ([ROOT], False)
        environ = {**environment(), "PYTHONPATH": os.pathsep.join(map(str, program)), **(env or {})}
        if preload:
            environ["LD_PRELOAD"] = preload
        process, mounts = _helper(scratch, program[0], environ)
        stack.enter_context(process)
        assert process.stdin is not None
        stack.callback(process.stdin.close)
        yield Machine(process, scratch, mounts, shared)


def _helper(scratch: Path, program: Path, environ: Mapping[str, str]) -> tuple[subprocess.Popen[str], bool]:
    """Start the helper process, with mounts of its own where that is permitted, and say whether it is."""
    namespace = str(Path("/proc/self/ns/mnt").readlink())
    for prefix in (*(_NAMESPACES if shutil.which("unshare") else ()), []):
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "tests.machine.inside", str(scratch), namespace],
            cwd=program,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if prefix else None,
            text=True,
        )
        assert process.stdout is not None
        if process.stdout.readline() == ("mounts\n" if prefix else "no mounts\n"):
            return process, bool(prefix)
        with process:
            process.kill()
    raise AssertionError("the helper process does not start")


def wait_for(condition: Any, seconds: float = 20) -> None:
    """Wait until `condition()` holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)
