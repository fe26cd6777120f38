"""Access files that other processes may change: locks, atomic writes, and reads of regular files without links."""

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
# open(2) fails with one of these for a symbolic link (O_NOFOLLOW) and for a socket.
_NOT_OPENED = (errno.ELOOP, errno.EMLINK, errno.ENXIO)


class IrregularError(OSError):
    """A path that should be a regular file is a link, a directory or a special file such as a FIFO."""

    def __init__(self, path: Path) -> None:
        super().__init__(errno.EINVAL, "it is not a regular file", str(path))


class FileTooLargeError(OSError):
    """A file is larger than the caller's limit."""

    def __init__(self, path: Path) -> None:
        super().__init__(errno.EFBIG, os.strerror(errno.EFBIG), str(path))


@contextlib.contextmanager
def open_regular(path: Path) -> Iterator[IO[bytes]]:
    """Open the regular file at `path` for reading, without blocking on a FIFO. Raises IrregularError, OSError."""
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
    """Return the content of a regular file of at most `limit` bytes.

    Raises IrregularError, FileTooLargeError, OSError.
    """
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > limit or len(data := file.read(limit + 1)) > limit:
            raise FileTooLargeError(path)
        return data


def lock_directory(directory: int, seconds: float) -> None:
    """Lock an open directory with flock(2). Closing the descriptor, or the end of the process, releases the lock.

    Raises TimeoutError if another process still holds it after `seconds`, OSError where locks are not supported.
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
    """Atomically write `data` to `path` and return True. A link there is replaced, its target is not touched.

    The data goes to a temporary file in the same directory first. Its name begins with `prefix`, by default that of
    `staged_prefix`. `path` is relative to the open `directory`, if given. The file gets `mode` minus the umask, or
    exactly `chmod`. With `sync` the data is flushed to the disk before the rename. `is_wanted` is called just before
    the rename; if it returns False the file is not written, and the result is False. Raises OSError. The temporary file
    never stays behind.
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
    """Return the prefix of the names of temporary files for a file called `name`."""
    return f".{name}.chart-releaser-"


def remove_staged(directory: int, prefix: str) -> None:
    """Remove temporary files that killed writers left. The caller must hold the lock on `directory`. Raises OSError."""
    leftover = re.compile(rf"{re.escape(prefix)}[0-9a-f]{{16}}\.tmp")
    for name in os.listdir(directory):
        if leftover.fullmatch(name):
            os.unlink(name, dir_fd=directory)


def write_private(path: Path, data: bytes) -> None:
    """Atomically write a file that only this user can read, without flushing it to the disk. Raises OSError."""
    write_staged(path, data, mode=0o600, sync=False)


def remove(path: Path) -> None:
    """Remove the file or directory at `path`, if it exists. A link is removed, not its target. Raises OSError."""
    try:
        is_directory = stat.S_ISDIR(path.lstat().st_mode)
    except FileNotFoundError:
        return
    if is_directory:
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def find_irregular(directory: Path) -> Path | None:
    """Return a link or special file at or below `directory`, or None. Raises OSError."""
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


def swap_paths(one: Path, other: Path) -> bool:
    """Swap two paths atomically with Linux's renameat2(2). Return False where that is not supported. Raises OSError."""
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
