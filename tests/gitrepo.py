"""Build git repositories for tests: chosen files, links, dates and tags, hostile ones too; always the same bytes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FIRST = 1_700_000_000
"""Committer time of a repository's first commit, in seconds since the epoch; each further commit is an hour later."""
_HOUR = 3600
_PERSON = "A Tester <tester@example.org>"


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: str | bytes


@dataclass(frozen=True)
class Executable:
    """A file with mode 0755."""

    content: str | bytes


@dataclass(frozen=True)
class Submodule:
    """A gitlink: a commit of another repository."""

    commit: str = "1" * 40


@dataclass(frozen=True)
class Raw:
    """A tree entry as it is, whether or not git would make it: mode in octal digits, object name in hex."""

    mode: str
    oid: str


Content = str | bytes | Link | Executable | Submodule | Raw
_Folder = dict[bytes, "Raw | _Folder"]


class GitRepo:
    """A bare repository at `path` that serves partial fetches.

    Objects are written directly, not by git, so trees may hold what git refuses to make.
    """

    def __init__(self, path: Path, *, object_format: str = "sha1", allow_filter: bool = True) -> None:
        self.path = path
        self.url = path.absolute().as_uri()
        self._hash = {"sha1": hashlib.sha1, "sha256": hashlib.sha256}[object_format]
        self._tree: _Folder = {}
        self._head: str | None = None
        self._when = FIRST - _HOUR
        for name in ("objects/pack", "objects/info", "refs/heads", "refs/tags"):
            (path / name).mkdir(parents=True)
        (path / "HEAD").write_text("ref: refs/heads/main\n")
        extension = "[extensions]\n\tobjectFormat = sha256\n" if object_format == "sha256" else ""
        version = 1 if extension else 0
        (path / "config").write_text(
            f"[core]\n\trepositoryFormatVersion = {version}\n\tbare = true\n{extension}"
            f"[uploadpack]\n\tallowFilter = {str(allow_filter).lower()}\n"
        )

    def commit(
        self,
        files: Mapping[str | bytes, Content | None],
        *,
        when: int | None = None,
        message: str = "A commit",
        fresh: bool = False,
        author: str = _PERSON,
    ) -> str:
        """Commit the last commit's tree with these changes (None removes a path) and return the commit's name.

        With `fresh` the tree starts empty. `when` is the committer time in seconds since the epoch. Each component of a
        path is stored as it is: `..` or `.git` too.
        """
        if fresh:
            self._tree = {}
        for path, content in files.items():
            self._change(path.encode() if isinstance(path, str) else path, content)
        self._when = self._when + _HOUR if when is None else when
        parent = f"parent {self._head}\n" if self._head else ""
        person = f"{author} {self._when} +0000"
        data = f"tree {self._write_tree(self._tree)}\n{parent}author {person}\ncommitter {person}\n\n{message}\n"
        self._head = self.write("commit", data.encode())
        (self.path / "refs/heads/main").write_text(self._head + "\n")
        return self._head

    def tag(
        self,
        name: str,
        message: str | None = None,
        *,
        target: str | None = None,
        kind: str = "commit",
        signature: str = "",
    ) -> str:
        """Tag the last commit, or `target` of type `kind`, and return what the reference holds; an older tag is moved.

        With a message the tag is annotated. `signature` is put after the message as git does it.
        """
        oid = target or self._head
        assert oid, "commit something before you tag it"
        if message is not None:
            head = f"object {oid}\ntype {kind}\ntag {name}\ntagger {_PERSON} {self._when} +0000\n\n"
            oid = self.write("tag", (head + message.rstrip("\n") + "\n" + signature).encode())
        reference = self.path / "refs/tags" / name
        reference.parent.mkdir(parents=True, exist_ok=True)
        reference.write_text(oid + "\n")
        return oid

    def release(self, name: str, files: Mapping[str | bytes, Content | None], message: str | None = None) -> str:
        """Commit these changes, tag them, and return the commit's name."""
        commit = self.commit(files)
        self.tag(name, message)
        return commit

    def delete_tag(self, name: str) -> None:
        (self.path / "refs/tags" / name).unlink()

    def write(self, kind: str, data: bytes) -> str:
        """Store an object of type blob, tree, commit or tag and return its name."""
        whole = f"{kind} {len(data)}\0".encode() + data
        oid = self._hash(whole).hexdigest()
        path = self.path / "objects" / oid[:2] / oid[2:]
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(zlib.compress(whole, 1))
        return oid

    def write_tree(self, entries: Sequence[tuple[str, bytes, str]]) -> str:
        """Store a tree of (mode, name, object name), in the given order, and return its name."""
        return self.write("tree", b"".join(_entry(mode, name, oid) for mode, name, oid in entries))

    def pack(self) -> None:
        """Put all objects that references lead to into one pack."""
        self.git("repack", "-a", "-d", "-q")

    def git(self, *command: str) -> str:
        """Run the git program here without anyone's configuration and return what it prints."""
        return run_git("--git-dir", str(self.path), *command)

    def _change(self, path: bytes, content: Content | None) -> None:
        *parents, name = path.split(b"/")
        folder = self._tree
        for part in parents:
            below = folder.get(part)
            if not isinstance(below, dict):
                below = folder[part] = {}
            folder = below
        if content is None:
            del folder[name]
        else:
            folder[name] = self._store(content)

    def _store(self, content: Content) -> Raw:
        match content:
            case Raw():
                return content
            case Submodule(commit):
                return Raw("160000", commit)
            case Link(target):
                return Raw("120000", self.write("blob", _bytes(target)))
            case Executable(text):
                return Raw("100755", self.write("blob", _bytes(text)))
            case _:
                return Raw("100644", self.write("blob", _bytes(content)))

    def _write_tree(self, folder: _Folder) -> str:
        entries = []
        for name, item in folder.items():
            if isinstance(item, Raw):
                is_tree = item.mode.lstrip("0") == "40000"
                entries.append((name + b"/" * is_tree, item.mode, name, item.oid))
            elif item:
                entries.append((name + b"/", "40000", name, self._write_tree(item)))
        # Git sorts a directory's name as if it ended with a slash.
        return self.write_tree([(mode, name, oid) for _, mode, name, oid in sorted(entries)])


def run_git(*command: str, environ: Mapping[str, str] | None = None) -> str:
    """Run the git program without anyone's configuration and return what it prints."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    isolated = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    person = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in _PARTS}
    done = subprocess.run(
        ["git", *command],
        env=kept | isolated | person | dict(environ or {}),
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


_PARTS = (("NAME", "A Tester"), ("EMAIL", "tester@example.org"), ("DATE", f"{FIRST} +0000"))


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


def _entry(mode: str, name: bytes, oid: str) -> bytes:
    return mode.encode() + b" " + name + b"\0" + bytes.fromhex(oid)
