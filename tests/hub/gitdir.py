"""A bare repository on disk.

What requests ask for often is read from git's files, because starting git takes longer than the rest of an answer. All
else is read and written with the git command.
"""

from __future__ import annotations

import os
import re
import subprocess
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

WHO = "A Person <person@example.org>"
_OID = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_IS_REF = re.compile(r"refs/[^~^:@]*")


def environment(**more: str) -> dict[str, str]:
    """Return an environment without any git configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"} | more


def create(path: Path, branch: str = "main") -> Path:
    """Create an empty bare repository at `path`."""
    subprocess.run(
        ["git", "init", "--quiet", "--bare", "--template=", f"--initial-branch={branch}", str(path)],
        check=True,
        env=environment(),
    )
    return path


@dataclass(frozen=True)
class TagInfo:
    """A tag with its commit, and that commit's time."""

    name: str
    commit: str
    time: datetime


@dataclass(frozen=True)
class GitDir:
    """A bare repository. Only `commit`, `set_ref` and `delete_ref` write to it."""

    path: Path

    def git(self, *arguments: str, stdin: bytes = b"", check: bool = True) -> bytes:
        """Run git here and return its output. Raises CalledProcessError if it fails, unless `check` is off."""
        command = ["git", "-c", "safe.directory=*", "--git-dir", str(self.path), *arguments]
        run = subprocess.run(command, input=stdin, capture_output=True, check=False, env=environment())
        if check and run.returncode:
            raise subprocess.CalledProcessError(run.returncode, command, run.stdout, run.stderr)
        return run.stdout if run.returncode == 0 else b""

    def _object(self, oid: str) -> tuple[str, bytes]:
        """Return type and content of an object; the type is "" if it does not exist."""
        with suppress(FileNotFoundError):  # it is in a pack or does not exist
            data = zlib.decompress((self.path / "objects" / oid[:2] / oid[2:]).read_bytes())
            head, _, content = data.partition(b"\0")
            return head.split()[0].decode(), content
        head, _, content = self.git("cat-file", "--batch", stdin=f"{oid}\n".encode()).partition(b"\n")
        kind = head.split()[1].decode()
        return ("", b"") if kind == "missing" else (kind, content[:-1])

    def _commit(self, name: str) -> tuple[str, bytes] | None:
        """Return name and content of the commit of a branch, tag or object name, or None."""
        refs = self.refs()
        oid = next((refs[full] for full in (name, f"refs/tags/{name}", f"refs/heads/{name}") if full in refs), name)
        if _IS_REF.fullmatch(oid):
            return None
        if not _OID.fullmatch(oid):
            oid = self.git("rev-parse", "--verify", "--quiet", "--end-of-options", name, check=False).decode().strip()
        kind, content = self._object(oid) if oid else ("", b"")
        while kind == "tag":
            oid = content.split(maxsplit=2)[1].decode()
            kind, content = self._object(oid)
        return (oid, content) if kind == "commit" else None

    def _entries(self, tree: str) -> Iterator[tuple[str, str, str]]:
        """Yield mode, name and object of each entry of a tree."""
        content = self._object(tree)[1]
        size = len(tree) // 2
        while content:
            head, _, content = content.partition(b"\0")
            mode, _, name = head.partition(b" ")
            yield mode.decode(), os.fsdecode(name), content[:size].hex()
            content = content[size:]

    def _tree(self, revision: str) -> str | None:
        found = self._commit(revision)
        return found[1].split(maxsplit=2)[1].decode() if found is not None else None

    def resolve(self, name: str) -> str | None:
        """Return the commit of a branch, tag or object name, or None."""
        found = self._commit(name)
        return found[0] if found is not None else None

    def refs(self) -> dict[str, str]:
        """Return every ref with the object that it points to."""
        found = {}
        with suppress(FileNotFoundError):
            lines = (self.path / "packed-refs").read_text().splitlines()
            pairs = (line.partition(" ") for line in lines if line[0] not in "#^")
            found = {name: oid for oid, _, name in pairs}
        for folder, _, names in os.walk(self.path / "refs"):
            for name in names:
                with suppress(FileNotFoundError):  # a push may be in progress
                    path = Path(folder, name)
                    text = path.read_text().strip()
                    if _OID.fullmatch(text) and not name.endswith(".lock"):
                        found[str(path.relative_to(self.path))] = text
        return dict(sorted(found.items()))

    def ref(self, name: str) -> tuple[str, str] | None:
        """Return type and name of the object of a ref such as `refs/heads/main`, or None."""
        oid = self.refs().get(name)
        return (self._object(oid)[0], oid) if oid is not None else None

    def empty(self) -> bool:
        """Whether the repository has no refs."""
        return not self.refs()

    def tags(self) -> list[TagInfo]:
        """Return every tag of a commit, annotated or not."""
        form = (
            "%(refname:lstrip=2)%00%(objecttype)%00%(objectname)%00%(committerdate:unix)"
            "%00%(*objecttype)%00%(*objectname)%00%(*committerdate:unix)"
        )
        tags = []
        for line in self.git("for-each-ref", f"--format={form}", "refs/tags").decode().splitlines():
            name, kind, oid, time, inner_kind, inner_oid, inner_time = line.split("\0")
            if kind == "tag":
                kind, oid, time = inner_kind, inner_oid, inner_time
            if kind == "commit":
                tags.append(TagInfo(name, oid, datetime.fromtimestamp(int(time), UTC)))
        return tags

    def commit_time(self, name: str) -> datetime | None:
        """Return the committer's time of the commit that `name` refers to."""
        found = self._commit(name)
        if found is None:
            return None
        head = found[1].partition(b"\n\n")[0]
        (committer,) = (line for line in head.split(b"\n") if line.startswith(b"committer "))
        return datetime.fromtimestamp(int(committer.split()[-2]), UTC)

    def set_ref(self, name: str, oid: str) -> None:
        """Point a ref such as `refs/tags/x` at an object."""
        self.git("update-ref", name, oid)

    def delete_ref(self, name: str) -> None:
        """Remove a ref."""
        self.git("update-ref", "-d", name)

    def read(self, revision: str, path: str) -> bytes | None:
        """Return a file's content at a revision, or None if it does not exist."""
        kind, oid = "tree", self._tree(revision)
        for part in path.split("/"):
            if kind != "tree" or oid is None:
                return None
            oid = next((found for _, name, found in self._entries(oid) if name == part), None)
            kind = self._object(oid)[0] if oid is not None else ""
        return self._object(oid)[1] if oid is not None and kind == "blob" else None

    def files(self, revision: str) -> list[str]:
        """Return the paths of all files at a revision; an empty list for an unknown revision."""
        tree = self._tree(revision)
        return list(self._below(tree)) if tree is not None else []

    def _below(self, tree: str) -> Iterator[str]:
        for mode, name, oid in self._entries(tree):
            if mode == "40000":
                yield from (f"{name}/{path}" for path in self._below(oid))
            else:
                yield name

    def history(self, revision: str) -> list[str]:
        """Return the history of a revision, newest first; an empty list for an unknown revision."""
        return self.git("rev-list", revision, "--", check=False).decode().split()

    def commit(
        self,
        branch: str,
        files: Mapping[str, bytes | None],
        message: str = "A change",
        *,
        time: int = 1_700_000_000,
        tag: str | None = None,
    ) -> str:
        """Commit to a branch, created if missing, and return the commit's name. Content None deletes a file."""
        text = message.encode()
        name = f"refs/heads/{branch}"
        parts = [f"commit {name}\ncommitter {WHO} {time} +0000\ndata {len(text)}\n".encode(), text, b"\n"]
        if self.ref(name) is not None:
            parts.append(f"from {name}^0\n".encode())
        for path, content in files.items():
            if content is None:
                parts.append(f"D {path}\n".encode())
            else:
                parts.append(f"M 100644 inline {path}\ndata {len(content)}\n".encode() + content + b"\n")
        if tag is not None:
            parts.append(f"reset refs/tags/{tag}\nfrom {name}\n\n".encode())
        self.git("fast-import", "--quiet", "--force", stdin=b"".join(parts))
        return self.git("rev-parse", name).decode().strip()
