"""A read-only tree of a repository at a tag, and where to get one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from chart_releaser.errors import SnapshotError
from chart_releaser.git.objectformat import Entry, ObjectReader, parse_commit, parse_tag
from chart_releaser.git.tree import Kind, Tree

if TYPE_CHECKING:
    pass

_METADATA_LIMIT = 4 << 20
_TAGS_ON_TAGS = 10


@dataclass(frozen=True)
class Snapshot:
    """What a repository has at one tag. Usable as long as the context that gave it is open."""

    tag: str
    commit: str
    """The commit's name, in hex."""
    time: int
    """The commit's committer time, in seconds since the epoch."""
    message: str
    """An annotated tag's message without its signature; empty for a lightweight tag."""
    tree: Tree = field(repr=False, compare=False)

    def kind(self, path: str) -> Kind | None:
        """Return "file", "dir" or, if nothing is there, None. Raises SnapshotError if a link can't be followed."""
        return self.tree.kind(path)

    def read(self, path: str) -> bytes:
        """Return the content of the file at `path`. Raises SnapshotError."""
        return self.tree.read(path)

    def walk(self, path: str, skip: Callable[[str, bool], bool]) -> Iterator[tuple[str, bytes]]:
        """Yield (path relative to `path`, content) of the files below it, sorted: Tree.walk. Raises SnapshotError."""
        return self.tree.walk(path, skip)

    def find(self, path: str, name: str) -> list[str]:
        """Return the paths of the files called `name` below `path`; what can't be followed is passed over."""
        return self.tree.find(path, name)


Snapshots = dict[str, "Snapshot | SnapshotError"]


class Repository(Protocol):
    """An upstream repository. Each object belongs to one thread; several repositories may be read at the same time."""

    seconds_spent: float
    """What reading and fetching has taken so far; waiting for other runs apart."""

    def tags(self) -> list[str]:
        """Return the names of all tags, sorted. Raises UpstreamError."""

    def snapshots(self, tags: Sequence[str], paths: Sequence[str]) -> AbstractContextManager[Snapshots]:
        """Give for each tag its Snapshot, or the SnapshotError that says why there is none.

        `paths` are what will be read, directories or files, whether or not each exists at each tag; content elsewhere
        is there only as far as links in `paths` lead to it. Raises UpstreamError if the repository can't be read,
        BudgetError if that takes too long.
        """


def read_snapshot(tag: str, oid: str, read_object: ObjectReader, cache: dict[str, dict[bytes, Entry]]) -> Snapshot:
    """Return the snapshot of `tag`, whose reference holds `oid`. Raises SnapshotError, and what the reader raises."""
    message = None
    for _ in range(_TAGS_ON_TAGS):
        kind, data = read_object(oid, _METADATA_LIMIT)
        try:
            if kind == "commit":
                tree, time = parse_commit(data)
                return Snapshot(tag, oid, time, message or "", Tree(read_object, tree, cache=cache))
            if kind != "tag":
                raise SnapshotError(f"it points to a {kind}, not to a commit")
            oid, text = parse_tag(data)
        except SnapshotError as error:
            raise SnapshotError.of(error, f"tag {tag} can't be read") from error
        message = text if message is None else message
    raise SnapshotError(f"tag {tag} points to a tag that points to a tag, {_TAGS_ON_TAGS} times")
