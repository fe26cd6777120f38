"""Snapshots: the read-only content of a repository at a tag, and the interface of repositories that give them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from chart_releaser.errors import SnapshotError
from chart_releaser.git.objectformat import ObjectReader, TreeEntry, parse_commit, parse_tag_object
from chart_releaser.git.tree import GitTree, PathKind

_METADATA_LIMIT = 4 << 20
_TAGS_ON_TAGS = 10


@dataclass(frozen=True)
class Snapshot:
    """The content of a repository at one tag. Usable while the context that gave it is open."""

    tag: str
    commit: str
    """The commit's object name in hex."""
    time: int
    """The commit's committer time, in seconds since the epoch."""
    message: str
    """An annotated tag's message without its signature; empty for a lightweight tag."""
    tree: GitTree = field(repr=False, compare=False)

    def kind(self, path: str) -> PathKind | None:
        """Return "file" or "dir", or None if `path` does not exist.

        Raises SnapshotError if a link can't be followed.
        """
        return self.tree.kind(path)

    def read(self, path: str) -> bytes:
        """Return the content of the file at `path`. Raises SnapshotError."""
        return self.tree.read(path)

    def walk(self, path: str, skip: Callable[[str, bool], bool]) -> Iterator[tuple[str, bytes]]:
        """Yield (path relative to `path`, content) of the files below it, sorted: GitTree.walk.

        Raises SnapshotError.
        """
        return self.tree.walk(path, skip)

    def find(self, path: str, name: str) -> list[str]:
        """Return the paths of the files called `name` below `path`. Entries that can't be followed are ignored."""
        return self.tree.find(path, name)


Snapshots = dict[str, "Snapshot | SnapshotError"]


class Repository(Protocol):
    """An upstream repository. Each object belongs to one thread; several repositories may be read at the same time."""

    seconds_spent: float
    """The seconds spent on reading and fetching so far, without waiting for other runs."""

    def tags(self) -> list[str]:
        """Return the names of all tags, sorted. Raises UpstreamError."""

    def snapshots(self, tags: Sequence[str], paths: Sequence[str]) -> AbstractContextManager[Snapshots]:
        """Yield the Snapshot of each tag, or the SnapshotError that says why there is none.

        `paths` are the directories and files that will be read; they need not exist at each tag. Other content is
        available only if links in `paths` point to it. Raises UpstreamError if the repository can't be read,
        BudgetError if that takes too long.
        """


def read_snapshot(tag: str, oid: str, read_object: ObjectReader, cache: dict[str, dict[bytes, TreeEntry]]) -> Snapshot:
    """Return the snapshot of `tag`, whose reference contains `oid`.

    Raises SnapshotError, and any error of the reader.
    """
    message = None
    for _ in range(_TAGS_ON_TAGS):
        kind, data = read_object(oid, _METADATA_LIMIT)
        try:
            if kind == "commit":
                tree, time = parse_commit(data)
                return Snapshot(tag, oid, time, message or "", GitTree(read_object, tree, cache=cache))
            if kind != "tag":
                raise SnapshotError(f"it points to a {kind}, not to a commit")
            oid, text = parse_tag_object(data)
        except SnapshotError as error:
            raise SnapshotError.of(error, f"tag {tag} can't be read") from error
        message = text if message is None else message
    raise SnapshotError(f"tag {tag} points to a tag that points to a tag, {_TAGS_ON_TAGS} times")
