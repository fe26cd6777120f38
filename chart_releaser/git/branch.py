"""Read files from one branch of a repository, and push a commit with changed files to it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from chart_releaser.attempts import Attempts
from chart_releaser.errors import (
    DestinationError,
    DestinationUnusableError,
    MachineError,
    SnapshotError,
    UpstreamError,
    cache_error,
)
from chart_releaser.files import remove
from chart_releaser.git.cachelock import CacheLock
from chart_releaser.git.gitdir import object_config, write_git_dir
from chart_releaser.git.objectformat import (
    DIRECTORY,
    SUBMODULE,
    ObjectTooLargeError,
    TreeEntry,
    parse_commit,
    parse_tree,
)
from chart_releaser.git.objects import DamagedError, Objects, open_objects
from chart_releaser.git.output import failure_reason
from chart_releaser.git.refs import list_refs
from chart_releaser.git.remote import REMOTE, Remote, check_writable
from chart_releaser.git.run import Git, Login, Result, require_git
from chart_releaser.git.scan import clean_repository

_REFS, _HEAD = "refs/published/", "head"
_NO_SUCH = "couldn't find remote ref"
_FILE = 0o100644
_FILES = (_FILE, 0o100755)
_OID_SIZE = 20
# GitHub's limit in bytes: https://docs.github.com/repositories/working-with-files/managing-large-files
_MAX_FILE = 100 << 20
_MAX_LISTING = 64 << 20
_LOCK_TIMEOUT = 15 * 60
_PACKS = 100  # each publishing run leaves a pack; with more of them fetching the branch again is cheaper
# The author if git has none: https://github.com/actions/checkout#push-a-commit-to-a-pr-using-the-built-in-token
_BOT = (("user.name", "github-actions[bot]"), ("user.email", "41898282+github-actions[bot]@users.noreply.github.com"))
_PROTECTED = re.compile(r"GH006|GH013|protected branch|[Rr]epository rule violations")
# The wording depends on git's version. For other answers of a server, `_has_moved` looks at the branch itself.
_REJECTED = re.compile(
    r"\[rejected\]|cannot lock ref|failed to update ref|fetch first|stale info|non-fast-forward"
    r"|incorrect old value|reference already exists|reference does not exist"
)
_REFUSED = re.compile(r"returned error: 40[134]|Authentication failed|could not read Username|Permission .*denied")
# The server has answered the push, so the local repository is not at fault.
_ANSWERED = re.compile("|".join((_PROTECTED.pattern, _REJECTED.pattern, _REFUSED.pattern, r"\[remote rejected\]")))
# Options that override the user's configuration of pushes.
_PUSH = ("push", "--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no", "--no-signed")


class ProtectedError(DestinationUnusableError):
    """The branch `name` of the repository called `title` is protected against the token."""

    def __init__(self, title: str, name: str) -> None:
        super().__init__(
            f"the branch {name} of {title} is protected against this token",
            remedy="allow pushes to it for the token's user or app in the repository's branch rules, or name another "
            "branch under destination: branch",
        )


@dataclass(frozen=True)
class Head:
    """The commit of a branch, None if the branch does not exist, and the files that were asked for."""

    commit: str | None
    files: Mapping[str, bytes | None]
    """The content by path, None for a missing file."""


class Branch:
    """A branch on a server, accessed through a bare repository below `cache` with only its newest commit."""

    def __init__(
        self,
        url: str,
        name: str,
        *,
        cache: Path,
        login: Login | None,
        on_wait: Callable[[str], None],
        attempts: Attempts | None = None,
    ) -> None:
        self.name = name
        self._remote = Remote(url, login, attempts)
        self._secrets = login.secrets if login is not None else ()
        slug = re.sub(r"[^A-Za-z0-9.]+", "-", f"{self._remote.title.partition('://')[2]}-{name}").strip("-.")[-100:]
        self._directory = cache.absolute() / "branch" / f"{slug}.git"
        self._lock = CacheLock(self._directory, self._remote.title, on_wait)
        self._git = Git(self._directory, protocols=self._remote.protocols, lock=self._lock)

    def read(self, paths: Sequence[str]) -> Head:
        """Return the branch's present commit and the content of `paths`, at the top level. Raises DestinationError."""
        with self._locked():
            try:
                return self._read(paths)
            except DamagedError:
                self._renew()
                return self._read(paths)

    def tags(self, names: Sequence[str]) -> frozenset[str]:
        """Return which of `names` are tags of the repository. Raises DestinationError."""
        with self._locked():
            patterns = [f"refs/tags/{name}" for name in names]
            result = self._remote.run(self._git, "ls-remote", "--quiet", "--refs", REMOTE, *patterns)
            if result.status:
                self._remote.fail(result.stderr)
        listed = {line.partition(b"\t")[2].decode(errors="replace") for line in result.stdout.splitlines()}
        return frozenset(name for name in names if f"refs/tags/{name}" in listed)

    def check_access(self, head: Head) -> None:
        """Raise DestinationUnusableError if the token may not push, as far as a dry run of a push shows that.

        Only git itself can answer this for every kind of token. Nothing is changed. Raises DestinationError.
        """
        with self._locked():
            commit = head.commit or self._commit(head, {}, "Never pushed")
            refspec = f"{commit}:refs/heads/{self.name}"
            result = self._remote.run(self._git, *_PUSH, "--dry-run", REMOTE, refspec)
        if _REFUSED.search(result.stderr):
            self._refuse(result.stderr)

    def push(self, head: Head, files: Mapping[str, bytes], message: str) -> bool:
        """Push one commit on top of `head` that sets `files`, all at the top level, and return True.

        Returns False if the branch has moved meanwhile: read it again and retry. Raises ProtectedError if the branch is
        protected, DestinationUnusableError if the token may not push, DestinationError for other failures.
        """
        with self._locked():
            try:
                result = self._commit_and_push(head, files, message)
            except DamagedError:
                result = None
            if result is None or not (result.status == 0 or _ANSWERED.search(_output(result))):
                # Git may notice only now that the cached repository is damaged: fetch it again and retry once.
                self._renew()
                if self._read(()).commit != head.commit:
                    return False
                result = self._commit_and_push(head, files, message)
        said = _output(result)
        if result.status == 0:
            return True
        if _PROTECTED.search(said):
            raise ProtectedError(self._remote.title, self.name)
        if _REJECTED.search(said):
            return False
        if _REFUSED.search(said):
            self._refuse(said)
        if "[remote rejected]" in said and self._has_moved(head):
            return False
        raise DestinationError(
            f"could not push to the branch {self.name} of {self._remote.title}: {failure_reason(said, self._secrets)}",
            remedy="check the network and the server, then run again",
        )

    def _commit_and_push(self, head: Head, files: Mapping[str, bytes], message: str) -> Result:
        commit = self._commit(head, files, message)
        return self._remote.run(self._git, *_PUSH, REMOTE, f"{commit}:refs/heads/{self.name}")

    def _has_moved(self, head: Head) -> bool:
        with contextlib.suppress(DestinationError), self._locked():
            return self._tip() != (head.commit or "")
        return False

    def _tip(self) -> str:
        """Return the branch's present commit on the server, or "" if it does not exist. Raises UpstreamError."""
        result = self._remote.run(self._git, "ls-remote", "--quiet", "--refs", REMOTE, f"refs/heads/{self.name}")
        if result.status:
            self._remote.fail(result.stderr)
        return result.stdout.decode("ascii", "replace")[:40]

    def _fetch(self) -> Result:
        return self._remote.run(
            self._git,
            "fetch",
            "--quiet",
            "--stdin",
            "--depth=1",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            REMOTE,
            stdin=f"+refs/heads/{self.name}:{_REFS}{_HEAD}\n".encode(),
        )

    def _read(self, paths: Sequence[str]) -> Head:
        result = self._fetch()
        if (
            _NO_SUCH in result.stderr and self._tip()
        ):  # git reads an HTML page, such as a proxy's, as an empty repository
            self._remote.note_retry(f"an answer without the branch {self.name}")
            result = self._fetch()
        if _NO_SUCH in result.stderr:
            return Head(None, dict.fromkeys(paths))
        if result.status:
            self._remote.fail(result.stderr, place=self._directory)
        commit = list_refs(self._git, _REFS, self._remote.title).get(_HEAD)  # as just fetched
        if commit is None:
            raise DamagedError(f"{self._remote.title}: the branch {self.name} was fetched but is not in the cache")
        with self._objects() as objects:
            entries = self._entries(commit, objects)
            files = {path: self._file(entries.get(path.encode()), path, objects) for path in paths}
        return Head(commit, files)

    @contextlib.contextmanager
    def _objects(self) -> Iterator[Objects]:
        """Yield a reader of the cached objects that verifies their hashes. Raises DamagedError."""
        with open_objects(self._directory / "objects", _OID_SIZE, self._remote.title) as objects:
            try:
                yield objects
            except SnapshotError as error:
                raise DamagedError.of(error, f"{self._remote.title}, branch {self.name}") from error

    def _entries(self, commit: str, objects: Objects) -> dict[bytes, TreeEntry]:
        """Return the top-level entries of a commit by name. Raises SnapshotError, DamagedError."""
        tree, _ = parse_commit(objects(commit, _MAX_LISTING)[1])
        return parse_tree(objects(tree, _MAX_LISTING)[1], _OID_SIZE)

    def _file(self, entry: TreeEntry | None, path: str, objects: Objects) -> bytes | None:
        """Return the content of a file, given what the tree says of it; None for one that is not there."""
        if entry is None:
            return None
        if entry.mode not in _FILES:
            raise DestinationError(
                f"{path} on the branch {self.name} of {self._remote.title} is a directory or a link",
                remedy="make it a file, or name another branch under destination: branch",
            )
        try:
            return objects(entry.oid, _MAX_FILE)[1]
        except ObjectTooLargeError as error:
            raise DestinationError(
                f"{path} on the branch {self.name} of {self._remote.title} has {error.size:,} bytes, "
                f"more than the {_MAX_FILE:,} that are read",
                remedy="make it smaller",
            ) from error

    def _commit(self, head: Head, files: Mapping[str, bytes], message: str) -> str:
        entries: dict[bytes, TreeEntry] = {}
        if head.commit is not None:
            with self._objects() as objects:
                entries = self._entries(head.commit, objects)
        for path, data in files.items():
            before = entries.get(path.encode())
            mode = before.mode if before is not None and before.mode in _FILES else _FILE
            oid = self._run("hash-object", "-w", "--stdin", stdin=data).decode().strip()
            entries[path.encode()] = TreeEntry(mode, oid)
        listed = b"".join(_line(path, entry) for path, entry in entries.items())
        tree = self._run("mktree", "-z", "--missing", stdin=listed)
        parents = ["-p", head.commit] if head.commit is not None else []
        strict = (("user.useConfigOnly", "true"),)
        known = self._git.run("var", "GIT_COMMITTER_IDENT", config=strict).status == 0
        known = known and self._git.run("var", "GIT_AUTHOR_IDENT", config=strict).status == 0
        identity = () if known else _BOT
        command = ["commit-tree", "--no-gpg-sign", tree.decode().strip(), *parents, "-F", "-"]
        return self._run(*command, stdin=message.encode(), config=identity).decode().strip()

    def _run(self, *command: str, stdin: bytes = b"", config: Sequence[tuple[str, str]] = ()) -> bytes:
        result = self._git.run(*command, stdin=stdin, config=config)
        if result.status:
            check_writable(result.stderr, self._directory)
            why = failure_reason(result.stderr, self._secrets)
            raise DamagedError(f"git {command[0]} failed in {self._directory}: {why}", remedy="delete it and run again")
        return result.stdout

    def _prepare(self) -> None:
        require_git()
        clean_repository(self._directory)
        if sum(1 for _ in self._directory.glob("objects/pack/*.pack")) > _PACKS:
            remove(self._directory)
        write_git_dir(self._directory, object_config(_OID_SIZE))

    def _renew(self) -> None:
        remove(self._directory)
        self._prepare()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            with self._lock.held(_LOCK_TIMEOUT):
                self._prepare()
                yield
        except OSError as error:
            raise DestinationError.of(cache_error(self._directory.parent, error)) from error
        except (UpstreamError, MachineError) as error:
            raise DestinationError.of(error) from error

    def _refuse(self, said: str) -> NoReturn:
        raise DestinationUnusableError(
            f"{self._remote.title} does not let this token push to the branch {self.name}: "
            f"{failure_reason(said, self._secrets)}",
            remedy="give GITHUB_TOKEN the permission contents: write",
        )


def _line(path: bytes, entry: TreeEntry) -> bytes:
    """Return an entry in the input format of git-mktree(1)."""
    kind = {DIRECTORY: "tree", SUBMODULE: "commit"}.get(entry.type, "blob")
    return f"{entry.mode:06o} {kind} {entry.oid}\t".encode() + path + b"\0"


def _output(result: Result) -> str:
    return result.stdout.decode("utf-8", "replace") + result.stderr
