"""Tags and other references: check their names, and list those of a repository."""

from __future__ import annotations

import re
from collections.abc import Sequence

from chart_releaser.errors import SnapshotError
from chart_releaser.git.objects import DamagedError
from chart_releaser.git.output import failure_reason
from chart_releaser.git.run import Git
from chart_releaser.git.snapshot import Snapshots

# The rules of git-check-ref-format(1), for a name below refs/tags/.
_BAD_TAG = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)|\.$|/$|^[/.]|^$")
_SECONDS = 30  # short, because all other sources wait meanwhile
_OID_THEN = rb"(?m)^([0-9a-f]{40}(?:[0-9a-f]{24})?)[ \t]"


def check_tag_names(tags: Sequence[str]) -> tuple[list[str], Snapshots]:
    """Return the tags with valid names, each once, and an error for each of the others."""
    bad: Snapshots = {}
    good: list[str] = []
    for tag in dict.fromkeys(tags):
        if _BAD_TAG.search(tag) or len(tag) > 500 or not tag.isprintable():
            bad[tag] = SnapshotError(f"{tag!a} can't be the name of a git tag")
        else:
            good.append(tag)
    return good, bad


def parse_refs(output: bytes, prefix: str) -> dict[str, str]:
    """Return the object names of references by name (without `prefix`). Lines of peeled tags (`^{}`) are ignored."""
    listed = re.findall(_OID_THEN + re.escape(prefix.encode()) + rb"([^\n]+)$", output)
    return {name.decode("utf-8", "replace"): oid.decode() for oid, name in listed if not name.endswith(b"^{}")}


def list_refs(git: Git, prefix: str, title: str) -> dict[str, str]:
    """Return the references below `prefix` of a local repository: see `parse_refs`. Raises DamagedError."""
    result = git.run("for-each-ref", "--format=%(objectname) %(refname)", prefix, timeout=_SECONDS)
    if result.status:
        raise DamagedError(f"{title}: its references can't be read: {failure_reason(result.stderr)}")
    return parse_refs(result.stdout, prefix)
