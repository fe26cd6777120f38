"""Walk one git tree: links resolved inside it, dangerous names and sizes refused. Objects come from a reader."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NoReturn

from chart_releaser.errors import SnapshotError
from chart_releaser.git.objectformat import (
    DIRECTORY,
    FILE,
    LINK,
    SUBMODULE,
    Entry,
    MissingObjectError,
    ObjectReader,
    ObjectTooLargeError,
    checked_name,
    parse_tree,
)

Kind = Literal["file", "dir"]
_Trouble = Callable[[SnapshotError], None]
_CACHED_TREES = 5_000
_Places = tuple[tuple[str, ...], ...]


class _NotThereError(SnapshotError):
    """The path has no entry; for a link's target that is an error, for a question it is an answer."""


@dataclass(frozen=True)
class Limits:
    """Bounds on what one walk takes, against content made to exhaust memory or time. Sizes in bytes."""

    file: int = 20 << 20
    walk: int = 200 << 20
    files: int = 20_000
    steps: int = 500_000
    """Entries looked at and path components resolved."""
    depth: int = 64
    """Directories below each other."""
    links: int = 40
    """Links followed for one path, as Linux does."""
    target: int = 4096
    """Length of a link's target."""
    tree: int = 2 << 20
    """Size of one directory's listing."""


@dataclass(frozen=True)
class Node:
    """What a path leads to once all links are followed: a file or a directory, and where it really is."""

    kind: Kind
    oid: str
    place: tuple[str, ...]


@dataclass
class _Budget:
    limits: Limits
    steps: int = 0
    files: int = 0

    def step(self, path: str) -> None:
        self.steps += 1
        if self.steps > self.limits.steps:
            raise SnapshotError(f"{path} has more than {self.limits.steps} entries, too many for a chart")

    def file(self, path: str) -> None:
        self.files += 1
        if self.files > self.limits.files:
            raise SnapshotError(f"{path} holds more than {self.limits.files} files, too many for a chart")


@dataclass
class Tree:
    """The tree of one commit. `cache` holds the entries of trees by name; a repository's commits may share it."""

    read_object: ObjectReader
    root: str
    limits: Limits = field(default_factory=Limits)
    cache: dict[str, dict[bytes, Entry]] = field(default_factory=dict, repr=False)

    def kind(self, path: str) -> Kind | None:
        """Return what `path` leads to, None if nothing is there. Raises SnapshotError if a link can't be followed."""
        try:
            return self._resolve(path, _Budget(self.limits)).kind
        except _NotThereError:
            return None

    def read(self, path: str) -> bytes:
        """Return the content of the file at `path`. Raises SnapshotError if it is no file, unreadable or too large."""
        node = self._resolve(path, _Budget(self.limits))
        if node.kind == "dir":
            raise SnapshotError(f"{path} is a directory, not a file")
        return self._content(node.oid, path)

    def walk(self, path: str, skip: Callable[[str, bool], bool]) -> Iterator[tuple[str, bytes]]:
        """Yield each file below `path` with its content, sorted by relative path, links followed.

        `skip(relative path, is directory)` is asked before anything of an entry is followed or read. A link is passed
        over unfollowed, even if it is broken, if skip wants to be rid of it as a file and as a directory; else it is
        asked about again as what it leads to. The whole tree is checked before the first content is read. Raises
        SnapshotError.
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
        """Return the sorted paths of the files called `name` below `path`. What can't be followed is passed over."""
        found: list[str] = []
        try:
            for relative, _ in self._files(path, _keep, _ignore, only=name):
                found.append(_join(path, relative))
        except SnapshotError:
            pass  # a hint, not a promise: the bound was reached, or there is no such directory
        return sorted(found)

    def blobs(self, path: str) -> set[str]:
        """Return the oids of the blobs that a walk or a read of `path` needs, as far as the links at hand tell.

        A link whose own content is missing is among them; ask again once it is there. Never raises SnapshotError.
        """
        wanted: set[str] = set()

        def missing(error: SnapshotError) -> None:
            if isinstance(error, MissingObjectError):
                wanted.add(error.oid)

        try:
            node = self._resolve(path, _Budget(self.limits))
            if node.kind == "file":
                wanted.add(node.oid)
            else:
                wanted.update(file.oid for _, file in self._files(path, _keep, missing))
        except SnapshotError as error:
            missing(error)
        return wanted

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

    def _entries(self, oid: str) -> dict[bytes, Entry]:
        found = self.cache.get(oid)
        if found is None:
            kind, data = self.read_object(oid, self.limits.tree)
            if kind != "tree":
                raise SnapshotError(f"object {oid} is a {kind} where the repository should have a directory")
            if len(self.cache) >= _CACHED_TREES:
                self.cache.clear()
            found = self.cache[oid] = parse_tree(data, len(oid) // 2)
        return found

    def _files(
        self, path: str, skip: Callable[[str, bool], bool], trouble: _Trouble, *, only: str | None = None
    ) -> Iterator[tuple[str, Node]]:
        """Yield each file below `path`, in no order, as its path relative to `path` and its node; no file is read."""
        budget = _Budget(self.limits)
        top = self._resolve(path, budget)
        if top.kind != "dir":
            raise SnapshotError(f"{path} is a file, not a directory")
        # Each item: relative path, the directory's node, and the real places of the directories that lead to it.
        waiting: list[tuple[str, Node, _Places]] = [("", top, ())]
        while waiting:
            relative, folder, above = waiting.pop()
            for raw, entry in self._entries(folder.oid).items():
                budget.step(path)
                try:
                    name = checked_name(raw, _join(path, relative))
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

    def _deeper(self, above: _Places, folder: Node, node: Node, path: str) -> _Places:
        """Return the places that lead to what is in `node`. Raises SnapshotError if walking it would never end."""
        chain = (*above, folder.place)
        if any(place[: len(node.place)] == node.place for place in chain):
            raise SnapshotError(f"{path} is a symbolic link to a directory that contains it: a loop without end")
        if len(chain) >= self.limits.depth:
            raise SnapshotError(f"{path} is nested deeper than {self.limits.depth} directories, too deep for a chart")
        return chain

    def _follow(self, folder: Node, name: str, entry: Entry, budget: _Budget, path: str) -> Node:
        file_type = entry.type
        if file_type == DIRECTORY:
            return Node("dir", entry.oid, (*folder.place, name))
        if file_type == FILE:
            return Node("file", entry.oid, (*folder.place, name))
        return self._resolve("/".join((*folder.place, name)), budget, shown=path)

    def _resolve(self, path: str, budget: _Budget, *, shown: str | None = None) -> Node:
        """Follow `path` from the top; a link counts from where it really is. Raises _NotThereError, SnapshotError."""
        shown = path if shown is None else shown
        rest = deque(part for part in path.split("/") if part)
        here: list[tuple[str, str]] = []  # the directories passed: name, oid
        own = len(rest)  # how many of `rest` are of the path itself; those before them come from a link's target
        via = ""  # the links followed, for the error's text
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
                return Node("file", entry.oid, (*(name for name, _ in here), part))
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
        return Node("dir", here[-1][1] if here else self.root, tuple(name for name, _ in here))

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
    """Pass over what can't be followed."""
