"""Check and make the cache directory, which must belong to this user and not be writable by others."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

from chart_releaser.errors import MachineError, cache_error

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_FOR_OTHERS = 0o077


def check_cache(cache: Path) -> None:
    """Raise MachineError if the directory `cache` exists and belongs to another user, or others may write to it.

    It may be a link, since the user names it. Its parents are not checked: see docs/security.md.
    """
    try:
        status = cache.stat()
    except OSError:  # reported when the cache is used
        return
    _check_owner(cache, status)
    if stat.S_ISDIR(status.st_mode) and status.st_mode & _OTHERS_MAY_WRITE:
        raise MachineError(
            f"the cache {cache} can be written by other users, who could put anything there",
            remedy=f"run chmod go-w {shlex.quote(str(cache))}, or choose another place with --cache-dir",
        )


def make_cache_directory(part: Path) -> None:
    """Make the directory `part` of the cache, readable by this user only, and the cache itself if it is missing.

    Raises MachineError if either can't be made or belongs to another user, or if `part` is a link.
    """
    cache = part.parent
    try:
        for directory in (*reversed(cache.parents), cache):
            if not directory.exists():
                directory.mkdir(exist_ok=True, mode=0o700)  # one by one, since `mode` does not apply to parents
        check_cache(cache)
        part.mkdir(exist_ok=True, mode=0o700)
        status = part.lstat()
        if stat.S_ISLNK(status.st_mode):
            raise MachineError(
                f"the cache {part} can't be used: it is a link, and in a cache none is followed",
                remedy="remove it, or choose another place with --cache-dir",
            )
        _check_owner(part, status)
        if status.st_mode & _FOR_OTHERS:  # made by an earlier version or another program
            part.chmod(0o700)
    except OSError as error:
        raise cache_error(part, error) from error


def _check_owner(place: Path, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise MachineError(
            f"the cache {place} belongs to another user (uid {status.st_uid}), who could put anything there",
            remedy="choose another place with --cache-dir, such as a new directory in it",
        )
