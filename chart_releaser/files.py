"""Files in places where somebody else may have had a hand: no link is followed, nothing but regular files is read."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
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


def write_private(path: Path, data: bytes) -> None:
    """Put a file with `data` at `path` that is this user's alone, in one step. Raises OSError; then nothing is left."""
    staged = path.with_name(f"{path.name}.{secrets.token_hex(8)}.new")
    handle = os.open(staged, _CREATE, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        staged.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            staged.unlink()
        raise


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
