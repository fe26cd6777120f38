"""Clean a repository of the cache: remove everything that this program and its git do not write there."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from pathlib import Path

from chart_releaser.files import read_regular, remove

# No alternates, hooks, worktrees or packed references: git would use them, but never writes them here.
_FOLDERS = re.compile(r"refs(?:/snapshots|/published)?|objects(?:/[0-9a-f]{2}|/pack|/info)?")
_FILES = re.compile(
    r"HEAD|config|shallow"
    r"|refs/snapshots/[0-9a-f]{64}|refs/published/head"
    r"|objects/[0-9a-f]{2}/[0-9a-f]{38}(?:[0-9a-f]{24})?"
    r"|objects/pack/pack-[0-9a-f]+\.(?:pack|idx|rev|promisor)"
)
# A symbolic reference could point anywhere, so only object names are allowed.
_REFERENCE = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?\n")


class _StrangeError(Exception):
    """The repository contains a link, a special file, or a file of another user."""


def clean_repository(repository: Path) -> None:
    """Remove unknown files from a repository of the cache. Call it under the lock, before running git.

    Leftovers of an interrupted git are removed as well. A repository with a link, a special file or a file of another
    user is removed completely; targets of links are neither read nor changed. Raises OSError.
    """
    try:
        _check(repository.lstat(), is_top=True)
        _clean(repository, "")
    except FileNotFoundError:
        pass
    except _StrangeError:
        remove(repository)


def _check(status: os.stat_result, *, is_top: bool = False) -> None:
    is_known = stat.S_ISDIR(status.st_mode) or (stat.S_ISREG(status.st_mode) and not is_top)
    if not is_known or status.st_uid != os.geteuid():
        raise _StrangeError


def _clean(folder: Path, prefix: str) -> None:
    with os.scandir(folder) as scan:
        entries = list(scan)
    for entry in entries:
        name, path = prefix + entry.name, folder / entry.name
        with contextlib.suppress(FileNotFoundError):  # the user may delete the cache meanwhile
            state = entry.stat(follow_symlinks=False)
            _check(state)
            if stat.S_ISDIR(state.st_mode) and _FOLDERS.fullmatch(name):
                _clean(path, f"{name}/")
            elif stat.S_ISDIR(state.st_mode) or not _is_known(name, path):
                remove(path)


def _is_known(name: str, path: Path) -> bool:
    if not name.startswith("refs/"):
        return _FILES.fullmatch(name) is not None
    try:
        return _FILES.fullmatch(name) is not None and _REFERENCE.fullmatch(read_regular(path, 100)) is not None
    except FileNotFoundError:
        raise
    except OSError:
        return False
