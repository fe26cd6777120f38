"""Names of tags: which may be asked for, which a repository has."""

from __future__ import annotations

import re
from collections.abc import Sequence

from chart_releaser.errors import SnapshotError
from chart_releaser.git.objects import DamagedError
from chart_releaser.git.run import Git, reason
from chart_releaser.git.snapshot import Snapshots

# The rules of git-check-ref-format(1), for a name below refs/tags/.
_BAD_TAG = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)|\.$|/$|^[/.]|^$")
_SECONDS = 30  # every other source waits for it
_OID_THEN = rb"(?m)^([0-9a-f]{40}(?:[0-9a-f]{24})?)[ \t]"


def checked_tags(tags: Sequence[str]) -> tuple[list[str], Snapshots]:
    """Return the tags whose names git allows, each once, and an error for each of the others."""
    bad: Snapshots = {}
    good: list[str] = []
    for tag in dict.fromkeys(tags):
        if _BAD_TAG.search(tag) or len(tag) > 500 or not tag.isprintable():
            bad[tag] = SnapshotError(f"{tag!a} can't be the name of a git tag")
        else:
            good.append(tag)
    return good, bad


def parse_refs(output: bytes, prefix: str) -> dict[str, str]:
    """Return name (without `prefix`) to object name, from lines of both; a tag's peeled line is left out."""
    listed = re.findall(_OID_THEN + re.escape(prefix.encode()) + rb"([^\n]+)$", output)
    return {name.decode("utf-8", "replace"): oid.decode() for oid, name in listed if not name.endswith(b"^{}")}


def list_refs(git: Git, prefix: str, title: str) -> dict[str, str]:
    """Return the references below `prefix` of a repository on this machine. Raises DamagedError."""
    result = git.run("for-each-ref", "--format=%(objectname) %(refname)", prefix, timeout=_SECONDS)
    if result.status:
        raise DamagedError(f"{title}: its references can't be read: {reason(result.stderr)}")
    return parse_refs(result.stdout, prefix)
