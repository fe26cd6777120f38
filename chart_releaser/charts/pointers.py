"""Recognise files whose content is not in the repository: Git LFS and git-annex pointers, git-crypt blobs.

Such a file is a stand-in that a filter or another program replaces on checkout. Charts are read without any filter, so
a chart that held one would be published with the stand-in.
"""

from __future__ import annotations

import re

from chart_releaser.errors import ChartError

# A pointer is less than 1,024 bytes long, and its first line is the version:
# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
_LFS = re.compile(rb"version https://(?:git-lfs|hawser)\.github\.com/spec/[^\n]+\n(?:[a-z0-9.-]+ [^\n]*\n)*oid \S+\n")
_LFS_LENGTH = 1024
# https://github.com/AGWA/git-crypt/blob/master/commands.cpp
_GIT_CRYPT = b"\0GITCRYPT\0"
# https://git-annex.branchable.com/internals/pointer_file/
_ANNEX = re.compile(rb"/annex/objects/[^\n]+\n?")
_ANNEX_LENGTH = 32 * 1024


def check_content(path: str, data: bytes) -> None:
    """Raise ChartError, naming `path`, if `data` only stands in for a file that the repository does not hold."""
    if kind := stand_in(data):
        raise ChartError(
            f"{path} is {kind}, not the file itself: its content is not in the git repository",
            remedy="leave the release out with versions:, or use a Helm repository or registry where upstream "
            "publishes the finished chart",
        )


def stand_in(data: bytes) -> str:
    """Return what kind of stand-in `data` is, such as "a Git LFS pointer"; empty if it is a file's own content."""
    if data.startswith(_GIT_CRYPT):
        return "a file encrypted by git-crypt"
    if len(data) < _LFS_LENGTH and _LFS.match(data):
        return "a Git LFS pointer"
    if len(data) < _ANNEX_LENGTH and _ANNEX.match(data):
        return "a git-annex pointer"
    return ""
