"""A bare repository on disk: reading refs and files, adding commits, through git's own commands."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

WHO = "A Person <person@example.org>"


def environment(**more: str) -> dict[str, str]:
    """This process's environment without anybody's git configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"} | more


def create(path: Path, branch: str = "main") -> Path:
    """An empty bare repository at `path`."""
    subprocess.run(
        ["git", "init", "--quiet", "--bare", f"--initial-branch={branch}", str(path)], check=True, env=environment()
    )
    return path


@dataclass(frozen=True)
class TagInfo:
    """A tag with the commit that it leads to, and that commit's time."""

    name: str
    commit: str
    time: datetime


@dataclass(frozen=True)
class GitDir:
    """A bare repository. Only `commit`, `set_ref` and `delete_ref` write to it."""

    path: Path

    def git(self, *arguments: str, stdin: bytes = b"", check: bool = True) -> bytes:
        """Standard output of a git command here. Raises CalledProcessError if it fails, unless check is off."""
        command = ["git", "-c", "safe.directory=*", "--git-dir", str(self.path), *arguments]
        run = subprocess.run(command, input=stdin, capture_output=True, check=False, env=environment())
        if check and run.returncode:
            raise subprocess.CalledProcessError(run.returncode, command, run.stdout, run.stderr)
        return run.stdout if run.returncode == 0 else b""

    def resolve(self, name: str) -> str | None:
        """The commit that a branch, a tag or an object name leads to."""
        found = self.git(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}", check=False
        ).decode()
        return found.strip() or None

    def refs(self) -> dict[str, str]:
        """Every ref and the object it points to."""
        lines = self.git("for-each-ref", "--format=%(refname) %(objectname)").decode().splitlines()
        return {name: oid for name, _, oid in (line.partition(" ") for line in lines)}

    def ref(self, name: str) -> tuple[str, str] | None:
        """Type and object name of one ref, as `refs/heads/main`."""
        text = self.git("for-each-ref", "--format=%(refname) %(objecttype) %(objectname)", name).decode()
        for line in text.splitlines():
            full, kind, oid = line.split(" ")
            if full == name:
                return kind, oid
        return None

    def empty(self) -> bool:
        """Has it no ref at all?"""
        return not self.git("for-each-ref", "--count=1")

    def tags(self) -> list[TagInfo]:
        """Every tag that leads to a commit, annotated or not."""
        form = (
            "%(refname:lstrip=2)%00%(objecttype)%00%(objectname)%00%(committerdate:unix)"
            "%00%(*objecttype)%00%(*objectname)%00%(*committerdate:unix)"
        )
        found = []
        for line in self.git("for-each-ref", f"--format={form}", "refs/tags").decode().splitlines():
            name, kind, oid, time, inner_kind, inner_oid, inner_time = line.split("\0")
            if kind == "tag":
                kind, oid, time = inner_kind, inner_oid, inner_time
            if kind == "commit":
                found.append(TagInfo(name, oid, datetime.fromtimestamp(int(time), UTC)))
        return found

    def commit_time(self, name: str) -> datetime | None:
        """The committer's time of what `name` leads to."""
        time = self.git("show", "-s", "--format=%ct", "--end-of-options", f"{name}^{{commit}}", check=False)
        return datetime.fromtimestamp(int(time), UTC) if time else None

    def set_ref(self, name: str, oid: str) -> None:
        """Point a ref, as `refs/tags/x`, at an object."""
        self.git("update-ref", name, oid)

    def delete_ref(self, name: str) -> None:
        """Remove a ref."""
        self.git("update-ref", "-d", name)

    def read(self, revision: str, path: str) -> bytes | None:
        """A file's content at a revision; None where there is none."""
        if not self.git("cat-file", "-t", f"{revision}:{path}", check=False):
            return None
        return self.git("cat-file", "blob", f"{revision}:{path}")

    def files(self, revision: str) -> list[str]:
        """The paths of all files at a revision; none where there is no such revision."""
        text = self.git("ls-tree", "-r", "-z", "--name-only", revision, check=False)
        return [name.decode() for name in text.split(b"\0") if name]

    def history(self, revision: str) -> list[str]:
        """The commits that lead to a revision, newest first; none where there is no such revision."""
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
        """Add a commit to a branch, made if absent; a content of None removes the file. Returns the commit's name."""
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
