"""Files that others may touch, too: locks, writes in one step, and reading nothing but regular files, by no link."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_POLL_SECONDS = 0.05
_RENAME_EXCHANGE = 2
_AT_FDCWD = -100
# What open(2) says of a link and of a socket.
_NOT_OPENED = (errno.ELOOP, errno.EMLINK, errno.ENXIO)


class IrregularError(OSError):
    """A link, a directory or a special file, such as a FIFO, is where a regular file should be."""

    def __init__(self, path: Path) -> None:
        super().__init__(errno.EINVAL, "it is not a regular file", str(path))


class TooLargeError(OSError):
    """A file has more bytes than are read."""

    def __init__(self, path: Path) -> None:
        super().__init__(errno.EFBIG, os.strerror(errno.EFBIG), str(path))


@contextlib.contextmanager
def open_regular(path: Path) -> Iterator[IO[bytes]]:
    """Open the regular file at `path` for reading, without ever waiting. Raises IrregularError, OSError."""
    try:
        handle = os.open(path, _READ)
    except OSError as error:
        if error.errno in _NOT_OPENED:
            raise IrregularError(path) from error
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise IrregularError(path)
    with os.fdopen(handle, "rb") as file:
        yield file


def read_regular(path: Path, limit: int) -> bytes:
    """Return the content of a regular file. Raises IrregularError, TooLargeError beyond `limit` bytes, OSError."""
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > limit or len(data := file.read(limit + 1)) > limit:
            raise TooLargeError(path)
        return data


def lock_directory(directory: int, seconds: float) -> None:
    """Take the lock on an open directory: flock(2), released when the descriptor is closed or its process ends.

    Raises TimeoutError if somebody else still has it after `seconds`, OSError where there are no locks.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            return fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= end:
                raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)) from error
        time.sleep(_POLL_SECONDS)


def write_staged(
    path: Path,
    data: bytes,
    *,
    prefix: str | None = None,
    directory: int | None = None,
    mode: int = 0o666,
    chmod: int | None = None,
    sync: bool = True,
    is_wanted: Callable[[], bool] = lambda: True,
) -> bool:
    """Put a file with `data` at `path` in one step; a link there is replaced, what it leads to is left alone.

    The data is written to a temporary file beside it, whose name begins with `prefix`, by default `staged_prefix`'s.
    `path` is relative to the open `directory`, if one is given. The file gets `mode` as far as the umask allows, or
    exactly `chmod`. With `sync` the data is on the disk before the file gets its name. `is_wanted` is asked last; if it
    says no, nothing happens, and False is returned. Raises OSError; then, too, nothing is left behind.
    """
    prefix = staged_prefix(path.name) if prefix is None else prefix
    staged = path.with_name(f"{prefix}{secrets.token_hex(8)}.tmp")
    handle = os.open(staged, _CREATE, mode if chmod is None else 0o600, dir_fd=directory)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            if chmod is not None:
                os.fchmod(handle, chmod)
            if sync:
                os.fsync(handle)
        is_done = is_wanted()
        if is_done:
            os.replace(staged, path, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(staged, dir_fd=directory)
        raise
    if not is_done:
        os.unlink(staged, dir_fd=directory)
    return is_done


def staged_prefix(name: str) -> str:
    """Return how the names of the temporary files for a file called `name` begin."""
    return f".{name}.chart-releaser-"


def remove_staged(directory: int, prefix: str) -> None:
    """Remove the temporary files that killed writers left; for who holds the lock on `directory`. Raises OSError."""
    leftover = re.compile(rf"{re.escape(prefix)}[0-9a-f]{{16}}\.tmp")
    for name in os.listdir(directory):
        if leftover.fullmatch(name):
            os.unlink(name, dir_fd=directory)


def write_private(path: Path, data: bytes) -> None:
    """Put a file that only this user can read at `path`, as `write_staged` does, not waiting for the disk."""
    write_staged(path, data, mode=0o600, sync=False)


def remove(path: Path) -> None:
    """Remove what is at `path`, if anything; of a link the link itself. Raises OSError."""
    try:
        is_directory = stat.S_ISDIR(path.lstat().st_mode)
    except FileNotFoundError:
        return
    if is_directory:
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def find_irregular(directory: Path) -> Path | None:
    """Return a link or special file at or below `directory`, None if there is none. Raises OSError."""
    if directory.is_symlink() or not directory.is_dir():
        return directory
    waiting = [directory]
    while waiting:
        with contextlib.suppress(FileNotFoundError), os.scandir(waiting.pop()) as entries:  # git may be tidying up
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry))
                elif not entry.is_file(follow_symlinks=False):
                    return Path(entry)
    return None


def exchange(one: Path, other: Path) -> bool:
    """Exchange two paths atomically by Linux's renameat2(2); False where that is not to be had."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    if renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(other))
