"""Count what a process changes below some folders, and at one of those changes let a signal come."""

from __future__ import annotations

import builtins
import io
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_AT_FIRST = ("mkdir", "unlink", "remove", "rmdir", "truncate", "chmod", "utime")
"""Calls that change what their first argument names."""
_FROM_TO = ("replace", "rename", "link", "symlink")
_BY_DESCRIPTOR = ("fsync", "ftruncate")


@dataclass
class _Fate:
    below: list[str]
    journal: str
    at: int
    moment: str
    signal: int
    count: int = 0
    last: str = ""

    def around(self, what: str, path: str, change: Callable[[], Any]) -> Any:
        """Make a change, and count it if it is below one of the folders."""
        if not any(path == folder or path.startswith(f"{folder}/") for folder in self.below):
            return change()
        self.count += 1
        _note(self.journal, f"{what} {path}\n")
        due = self.count == self.at
        if due and self.moment != "after":
            if self.moment == "half":
                self._halve()
            os.kill(os.getpid(), self.signal)
        try:
            return change()
        finally:
            if what == "open":
                self.last = path
            if due and self.moment == "after":
                os.kill(os.getpid(), self.signal)

    def _halve(self) -> None:
        """Leave of the file that was written last what a process leaves that dies in the middle of it."""
        if self.last:
            with suppress(FileNotFoundError):  # it has its final name by now
                _REAL["truncate"](self.last, Path(self.last).stat().st_size // 2)


_REAL: dict[str, Callable[..., Any]] = {
    name: getattr(os, name) for name in (*_AT_FIRST, *_FROM_TO, *_BY_DESCRIPTOR, "open")
}
_real_open = io.open


def _note(journal: str, line: str) -> None:
    handle = _REAL["open"](journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.write(handle, line.encode())
    os.close(handle)


def _named(path: Any, folder: int | None) -> str:
    """Return the absolute path of what a call names, relative to an open directory where it does that."""
    if isinstance(path, int):
        return str(Path(f"/proc/self/fd/{path}").readlink())
    text = os.fsdecode(path)
    base = Path(f"/proc/self/fd/{folder}").readlink() if folder is not None else Path.cwd()
    return os.path.normpath(os.path.join(base, text))  # noqa: PTH118 - texts, not files


def await_fate(below: list[str], journal: str, at: int, moment: str, signal: int) -> None:
    """Wrap the functions by which Python changes files."""
    fate = _Fate(below, journal, at, moment, signal)

    def wrapped(name: str) -> Callable[..., Any]:
        real = _REAL[name]

        def call(*arguments: Any, **options: Any) -> Any:
            if name == "open" and not arguments[1] & _WRITING:
                return real(*arguments, **options)
            at = 1 if name in _FROM_TO else 0
            folder = options.get("dst_dir_fd" if at else "dir_fd")
            path = _named(arguments[at], folder)
            return fate.around(name, path, lambda: real(*arguments, **options))

        return call

    def opened(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if isinstance(file, int) or not set(mode) & set("wax+"):
            return _real_open(file, mode, *arguments, **options)
        return fate.around("open", _named(file, None), lambda: _real_open(file, mode, *arguments, **options))

    for name in _REAL:
        setattr(os, name, wrapped(name))
    builtins.open = opened
    io.open = opened
