"""The cache directory: used only if it is this user's, and nobody else can write to it."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

from chart_releaser.errors import MachineError, cache_error

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_FOR_OTHERS = 0o077


def check_cache(cache: Path) -> None:
    """Raises MachineError if the directory `cache` is there and belongs to somebody else, or others may write to it.

    It may be a link, since the user names it. What is above it is not looked at: see docs/security.md.
    """
    try:
        found = cache.stat()
    except OSError:  # told when it is used
        return
    _check_owner(cache, found)
    if stat.S_ISDIR(found.st_mode) and found.st_mode & _OTHERS_MAY_WRITE:
        raise MachineError(
            f"the cache {cache} can be written by other users, who could put anything there",
            remedy=f"run chmod go-w {shlex.quote(str(cache))}, or choose another place with --cache-dir",
        )


def make_part(part: Path) -> None:
    """Make `part` a directory in the cache that nobody else can look into, and the cache itself where it is missing.

    Raises MachineError if either can't be used, such as one that belongs to somebody else, or a part that is a link.
    """
    cache = part.parent
    try:
        for directory in (*reversed(cache.parents), cache):
            if not directory.exists():
                directory.mkdir(exist_ok=True, mode=0o700)  # each by itself: the mode is not for parents
        check_cache(cache)
        part.mkdir(exist_ok=True, mode=0o700)
        found = part.lstat()
        if stat.S_ISLNK(found.st_mode):
            raise MachineError(
                f"the cache {part} can't be used: it is a link, and in a cache none is followed",
                remedy="remove it, or choose another place with --cache-dir",
            )
        _check_owner(part, found)
        if found.st_mode & _FOR_OTHERS:  # as made under another umask
            part.chmod(0o700)
    except OSError as error:
        raise cache_error(part, error) from error


def _check_owner(place: Path, found: os.stat_result) -> None:
    if found.st_uid != os.geteuid():
        raise MachineError(
            f"the cache {place} belongs to another user (uid {found.st_uid}), who could put anything there",
            remedy="choose another place with --cache-dir, such as a new directory in it",
        )
