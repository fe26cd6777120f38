"""Read one git tree: resolve links inside it, and refuse dangerous names and sizes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NoReturn

from chart_releaser.errors import SnapshotError
from chart_releaser.git.limits import TreeLimits, WalkBudget
from chart_releaser.git.objectformat import (
    DIRECTORY,
    FILE,
    LINK,
    SUBMODULE,
    MissingObjectError,
    ObjectReader,
    ObjectTooLargeError,
    TreeEntry,
    decode_name,
    parse_tree,
)

PathKind = Literal["file", "dir"]
_Trouble = Callable[[SnapshotError], None]
_CACHED_TREES = 5_000
_Places = tuple[tuple[str, ...], ...]


class _NotThereError(SnapshotError):
    """The path does not exist. `GitTree.kind` returns None for it; elsewhere it is an error."""


@dataclass(frozen=True)
class TreeNode:
    """The file or directory at a path after following all links, and its real place in the tree."""

    kind: PathKind
    oid: str
    place: tuple[str, ...]


@dataclass
class GitTree:
    """The tree of one commit. `cache` maps tree objects to their entries; the commits of a repository may share it."""

    read_object: ObjectReader
    root: str
    limits: TreeLimits = field(default_factory=TreeLimits)
    cache: dict[str, dict[bytes, TreeEntry]] = field(default_factory=dict, repr=False)

    def kind(self, path: str) -> PathKind | None:
        """Return "file" or "dir", or None if `path` does not exist.

        Raises SnapshotError if a link can't be followed.
        """
        try:
            return self._resolve(path, WalkBudget(self.limits)).kind
        except _NotThereError:
            return None

    def read(self, path: str) -> bytes:
        """Return the content of the file at `path`. Raises SnapshotError if it is not a readable file, or too large."""
        node = self._resolve(path, WalkBudget(self.limits))
        if node.kind == "dir":
            raise SnapshotError(f"{path} is a directory, not a file")
        return self._content(node.oid, path)

    def walk(self, path: str, skip: Callable[[str, bool], bool]) -> Iterator[tuple[str, bytes]]:
        """Yield relative path and content of each file below `path`, sorted by path. Links are followed.

        `skip(relative path, is directory)` is called before an entry is followed or read. A link, even a broken one, is
        skipped if `skip` is true for it both as a file and as a directory; otherwise it is called again with the kind
        of the link's target. The whole tree is checked before the first content is read. Raises SnapshotError.
        """
        files = sorted(self._files(path, skip, _raise), key=lambda file: file[0])
        total = 0
        for relative, node in files:
            data = self._content(node.oid, _join(path, relative))
            total += len(data)
            if total > self.limits.walk:
                raise SnapshotError(f"{path} holds more than {self.limits.walk >> 20} MiB, too much for a chart")
            yield relative, data

    def find(self, path: str, name: str) -> list[str]:
        """Return the sorted paths of the files called `name` below `path`.

        Entries that can't be followed are ignored.
        """
        paths: list[str] = []
        try:
            for relative, _ in self._files(path, _keep, _ignore, only=name):
                paths.append(_join(path, relative))
        except SnapshotError:
            pass  # the result is only a hint: the limits were reached, or the directory does not exist
        return sorted(paths)

    def blobs(self, path: str) -> set[str]:
        """Return the object names of the blobs that walking or reading `path` needs, as far as links can be followed.

        They include links whose own content is missing: call it again once that was fetched. Never raises
        SnapshotError.
        """
        oids: set[str] = set()

        def missing(error: SnapshotError) -> None:
            if isinstance(error, MissingObjectError):
                oids.add(error.oid)

        try:
            node = self._resolve(path, WalkBudget(self.limits))
            if node.kind == "file":
                oids.add(node.oid)
            else:
                oids.update(file.oid for _, file in self._files(path, _keep, missing))
        except SnapshotError as error:
            missing(error)
        return oids

    def _content(self, oid: str, path: str) -> bytes:
        try:
            return self.read_object(oid, self.limits.file)[1]
        except MissingObjectError as error:
            raise MissingObjectError(oid, f"the content of {path} is not in the repository at hand") from error
        except ObjectTooLargeError as error:
            limit = f"{error.limit >> 20} MiB" if error.limit >> 20 else f"{error.limit} bytes"
            raise SnapshotError(
                f"{path} has {error.size} bytes", remedy=f"a file of a chart may have {limit}"
            ) from error

    def _entries(self, oid: str) -> dict[bytes, TreeEntry]:
        entries = self.cache.get(oid)
        if entries is None:
            kind, data = self.read_object(oid, self.limits.tree)
            if kind != "tree":
                raise SnapshotError(f"object {oid} is a {kind} where the repository should have a directory")
            if len(self.cache) >= _CACHED_TREES:
                self.cache.clear()
            entries = self.cache[oid] = parse_tree(data, len(oid) // 2)
        return entries

    def _files(
        self, path: str, skip: Callable[[str, bool], bool], trouble: _Trouble, *, only: str | None = None
    ) -> Iterator[tuple[str, TreeNode]]:
        """Yield relative path and node of each file below `path`, in no order and without reading files.

        `trouble` is called with the error of each entry that can't be followed. `only` is the name of the files to
        yield.
        """
        budget = WalkBudget(self.limits)
        top = self._resolve(path, budget)
        if top.kind != "dir":
            raise SnapshotError(f"{path} is a file, not a directory")
        # Each item: relative path, the directory's node, and the real places of the directories above it.
        waiting: list[tuple[str, TreeNode, _Places]] = [("", top, ())]
        while waiting:
            relative, folder, above = waiting.pop()
            for raw, entry in self._entries(folder.oid).items():
                budget.step(path)
                try:
                    name = decode_name(raw, _join(path, relative))
                    below = _join(relative, name)
                    file_type = entry.type
                    if _skipped(skip, below, file_type):
                        continue
                    node = self._follow(folder, name, entry, budget, _join(path, below))
                    if file_type == LINK and skip(below, node.kind == "dir"):
                        continue
                    if node.kind == "dir":
                        waiting.append((below, node, self._deeper(above, folder, node, _join(path, below))))
                        continue
                except SnapshotError as error:
                    trouble(error)
                    continue
                if only is None or name == only:
                    budget.file(path)
                    yield below, node

    def _deeper(self, above: _Places, folder: TreeNode, node: TreeNode, path: str) -> _Places:
        """Return the places above the entries of `node`. Raises SnapshotError for a loop, and if it is too deep."""
        chain = (*above, folder.place)
        if any(place[: len(node.place)] == node.place for place in chain):
            raise SnapshotError(f"{path} is a symbolic link to a directory that contains it: a loop without end")
        if len(chain) >= self.limits.depth:
            raise SnapshotError(f"{path} is nested deeper than {self.limits.depth} directories, too deep for a chart")
        return chain

    def _follow(self, folder: TreeNode, name: str, entry: TreeEntry, budget: WalkBudget, path: str) -> TreeNode:
        file_type = entry.type
        if file_type == DIRECTORY:
            return TreeNode("dir", entry.oid, (*folder.place, name))
        if file_type == FILE:
            return TreeNode("file", entry.oid, (*folder.place, name))
        return self._resolve("/".join((*folder.place, name)), budget, shown=path)

    def _resolve(self, path: str, budget: WalkBudget, *, shown: str | None = None) -> TreeNode:
        """Follow `path` from the top. A link is relative to its real place. Raises _NotThereError, SnapshotError.

        `shown` is the path for messages, if it differs.
        """
        shown = path if shown is None else shown
        rest = deque(part for part in path.split("/") if part)
        here: list[tuple[str, str]] = []  # the directories passed: name, oid
        own = len(rest)  # the last `own` parts of `rest` belong to `path`, those before them to the target of a link
        via = ""  # the links followed so far, for messages
        links = 0
        while rest:
            is_own = len(rest) == own
            own -= is_own
            part = rest.popleft()
            budget.step(shown)
            if part in {"", "."}:
                continue
            if part == "..":
                if not here:
                    _broken(shown, via, "leaves the repository")
                here.pop()
                continue
            entry = self._entries(here[-1][1] if here else self.root).get(part.encode("utf-8", "surrogateescape"))
            if entry is None:
                if via and not is_own:
                    _broken(shown, via, "points to nothing")
                raise _NotThereError(f"{shown or 'the path'} does not exist")
            file_type = entry.type
            if file_type == DIRECTORY:
                here.append((part, entry.oid))
            elif file_type == FILE:
                if rest:
                    if via and len(rest) > own:
                        _broken(shown, via, "goes on below a file")
                    raise _NotThereError(f"{shown} does not exist: {part} is a file")
                return TreeNode("file", entry.oid, (*(name for name, _ in here), part))
            elif file_type == LINK:
                links += 1
                target = self._target(entry.oid, shown)
                via += f" -> {target}" if len(via) < 400 and not via.endswith(f" -> {target}") else ""
                if links > self.limits.links:
                    _broken(shown, via[:400], "goes round in a loop")
                if target.startswith("/"):
                    _broken(shown, via, "is absolute")
                rest.extendleft(reversed(target.split("/")))
            elif file_type == SUBMODULE:
                inside = "/".join((*(name for name, _ in here), part))
                raise SnapshotError(
                    f"{inside} is a submodule: its content is in another repository, name that one as source"
                )
            else:
                raise SnapshotError(f"{shown} is neither file, directory nor link (mode {entry.mode:o})")
        return TreeNode("dir", here[-1][1] if here else self.root, tuple(name for name, _ in here))

    def _target(self, oid: str, shown: str) -> str:
        try:
            target = self.read_object(oid, self.limits.target)[1].decode("utf-8", "surrogateescape")
        except MissingObjectError as error:
            raise MissingObjectError(oid, f"the target of link {shown} is not in the repository at hand") from error
        except ObjectTooLargeError as error:
            raise SnapshotError(f"{shown} is a symbolic link with a target of {error.size} bytes") from error
        if not target or "\0" in target:
            raise SnapshotError(f"{shown} is a symbolic link without a usable target")
        return target


def _broken(path: str, via: str, what: str) -> NoReturn:
    shown = path + via if path.isprintable() and via.isprintable() else ascii(path + via)
    if not via:
        raise SnapshotError(f"path {shown} {what}")
    raise SnapshotError(f"symbolic link {shown} {what}, and links are followed inside the repository at its tag only")


def _skipped(skip: Callable[[str, bool], bool], path: str, file_type: int) -> bool:
    if file_type == LINK:
        return skip(path, False) and skip(path, True)
    return skip(path, file_type in {DIRECTORY, SUBMODULE})


def _join(folder: str, name: str) -> str:
    folder = folder.strip("/")
    return f"{folder}/{name}" if folder and name else folder or name


def _keep(_path: str, _is_directory: bool) -> bool:
    return False


def _raise(error: SnapshotError) -> None:
    raise error


def _ignore(_error: SnapshotError) -> None:
    """Ignore an entry that can't be followed."""
