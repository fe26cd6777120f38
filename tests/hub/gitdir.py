"""A bare repository on disk, read and written with the git command."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

WHO = "A Person <person@example.org>"


def environment(**more: str) -> dict[str, str]:
    """Return an environment without any git configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"} | more


def create(path: Path, branch: str = "main") -> Path:
    """Create an empty bare repository at `path`."""
    subprocess.run(
        ["git", "init", "--quiet", "--bare", f"--initial-branch={branch}", str(path)], check=True, env=environment()
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

    def resolve(self, name: str) -> str | None:
        """Return the commit of a branch, tag or object name, or None."""
        commit = self.git(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}", check=False
        ).decode()
        return commit.strip() or None

    def refs(self) -> dict[str, str]:
        """Return every ref with the object that it points to."""
        lines = self.git("for-each-ref", "--format=%(refname) %(objectname)").decode().splitlines()
        return {name: oid for name, _, oid in (line.partition(" ") for line in lines)}

    def ref(self, name: str) -> tuple[str, str] | None:
        """Return type and name of the object of a ref such as `refs/heads/main`, or None."""
        text = self.git("for-each-ref", "--format=%(refname) %(objecttype) %(objectname)", name).decode()
        for line in text.splitlines():
            full, kind, oid = line.split(" ")
            if full == name:
                return kind, oid
        return None

    def empty(self) -> bool:
        """Whether the repository has no refs."""
        return not self.git("for-each-ref", "--count=1")

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
        time = self.git("show", "-s", "--format=%ct", "--end-of-options", f"{name}^{{commit}}", check=False)
        return datetime.fromtimestamp(int(time), UTC) if time else None

    def set_ref(self, name: str, oid: str) -> None:
        """Point a ref such as `refs/tags/x` at an object."""
        self.git("update-ref", name, oid)

    def delete_ref(self, name: str) -> None:
        """Remove a ref."""
        self.git("update-ref", "-d", name)

    def read(self, revision: str, path: str) -> bytes | None:
        """Return a file's content at a revision, or None if it does not exist."""
        if not self.git("cat-file", "-t", f"{revision}:{path}", check=False):
            return None
        return self.git("cat-file", "blob", f"{revision}:{path}")

    def files(self, revision: str) -> list[str]:
        """Return the paths of all files at a revision; an empty list for an unknown revision."""
        text = self.git("ls-tree", "-r", "-z", "--name-only", revision, check=False)
        return [name.decode() for name in text.split(b"\0") if name]

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
