"""One branch of a repository that is published from: its files read, and a commit with new ones pushed on top."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

from chart_releaser.attempts import Attempts
from chart_releaser.cachelock import CacheLock
from chart_releaser.errors import DestinationError, DestinationUnusableError, MachineError, UpstreamError, cache_failed
from chart_releaser.gitobjects import DamagedError
from chart_releaser.gitremote import MISPLACED, REMOTE, Remote, check_room
from chart_releaser.gitrun import Git, Login, Result, object_config, reason, require_git, write_git_dir

_REF = "refs/published/head"
_NO_SUCH = "couldn't find remote ref"
_FILE = b"100644 blob "
_FILES = (_FILE, b"100755 blob ")
_LOCK_TIMEOUT = 15 * 60
_PACKS = 100  # each run that published leaves one: beyond, the branch is cheaper to fetch again than to keep
# Who commits where git knows nobody: https://github.com/actions/checkout#push-a-commit-to-a-pr-using-the-built-in-token
_BOT = (("user.name", "github-actions[bot]"), ("user.email", "41898282+github-actions[bot]@users.noreply.github.com"))
_PROTECTED = re.compile(r"GH006|GH013|protected branch|[Rr]epository rule violations")
# git's own words changed with its versions; whatever else a server says, the branch itself tells whether it moved.
_REJECTED = re.compile(
    r"\[rejected\]|cannot lock ref|failed to update ref|fetch first|stale info|non-fast-forward"
    r"|incorrect old value|reference already exists|reference does not exist"
)
_REFUSED = re.compile(r"returned error: 40[134]|Authentication failed|could not read Username|Permission .*denied")
# A push that the server has given an answer to.
_ANSWERED = re.compile("|".join((_PROTECTED.pattern, _REJECTED.pattern, _REFUSED.pattern, r"\[remote rejected\]")))
# Whatever the user's own configuration says about pushing.
_PUSH = ("push", "--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no", "--no-signed")


class ProtectedError(DestinationUnusableError):
    """The server does not let this user push to the branch."""


@dataclass(frozen=True)
class Head:
    """What a branch holds: its commit (None for a branch that does not exist), and the files that were asked for."""

    commit: str | None
    files: Mapping[str, bytes | None]
    """Path to content, None for what is not there. A file that was left is in `blobs` only."""
    blobs: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Path to what git calls the content, for each file that is there."""


class Branch:
    """A branch on a server, through a bare repository below `cache` that holds its newest commit and nothing older."""

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

    def read(self, paths: Sequence[str], leave: Callable[[str, str], bool] = lambda _path, _blob: False) -> Head:
        """Return the branch's present commit and the content of `paths`, at the top level. Raises DestinationError.

        `leave(path, blob)` tells which of them are left, given what git calls their content.
        """
        with self._locked():
            if len(list(self._directory.glob("objects/pack/*.pack"))) > _PACKS:
                shutil.rmtree(self._directory, ignore_errors=True)
            try:
                return self._read(paths, leave)
            except (DamagedError, *MISPLACED):
                shutil.rmtree(self._directory, ignore_errors=True)
                return self._read(paths, leave)

    def complete(self, head: Head) -> Head:
        """Return `head` with the content of what `read` left, or the present one if that has been lost meanwhile.

        Raises DestinationError.
        """
        with self._locked():
            try:
                left = {path: self._blob(blob) for path, blob in head.blobs.items() if path not in head.files}
                return replace(head, files={**head.files, **left})
            except DamagedError:
                shutil.rmtree(self._directory, ignore_errors=True)
                return self._read([*head.files, *(head.blobs.keys() - head.files.keys())], lambda _path, _blob: False)

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
        """Ask the server to take a push of nothing: who may not push at all is told so, with no change made.

        It is the one question whose answer holds for every kind of token. Raises DestinationUnusableError.
        """
        with self._locked():
            commit = head.commit or self._commit(head, {}, "Never pushed")
            refspec = f"{commit}:refs/heads/{self.name}"
            result = self._remote.run(self._git, *_PUSH, "--dry-run", REMOTE, refspec)
        if _REFUSED.search(result.stderr):
            self._refuse(result.stderr)

    def push(self, head: Head, files: Mapping[str, bytes], message: str) -> bool:
        """Push one commit on top of `head` in which `files` (at the top level) are as given.

        Returns False if the branch has moved meanwhile: read it anew and try again. Raises ProtectedError where the
        server allows no push, DestinationError for other failures.
        """
        with self._locked():
            try:
                result = self._commit_and_push(head, files, message)
            except DamagedError:
                result = None
            if result is None or not (result.status == 0 or _ANSWERED.search(_said(result))):
                # It may be what is kept here that is damaged, which git may notice only now: once more, from anew.
                shutil.rmtree(self._directory, ignore_errors=True)
                if self._read((), lambda _path, _blob: True).commit != head.commit:
                    return False
                result = self._commit_and_push(head, files, message)
        said = _said(result)
        if result.status == 0:
            return True
        if _PROTECTED.search(said):
            raise ProtectedError(protected_message(self._remote.title, self.name))
        if _REJECTED.search(said):
            return False
        if _REFUSED.search(said):
            self._refuse(said)
        if "[remote rejected]" in said and self._has_moved(head):
            return False
        raise DestinationError(
            f"could not push to the branch {self.name} of {self._remote.title}: {reason(said, self._secrets)}; "
            "check the network and the server, then run again"
        )

    def _commit_and_push(self, head: Head, files: Mapping[str, bytes], message: str) -> Result:
        commit = self._commit(head, files, message)
        return self._remote.run(self._git, *_PUSH, REMOTE, f"{commit}:refs/heads/{self.name}")

    def _has_moved(self, head: Head) -> bool:
        with contextlib.suppress(DestinationError), self._locked():
            return self._tip() != (head.commit or "")
        return False

    def _tip(self) -> str:
        """Return the commit that the server says the branch is at, "" without such a branch. Raises UpstreamError."""
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
            stdin=f"+refs/heads/{self.name}:{_REF}\n".encode(),
        )

    def _read(self, paths: Sequence[str], leave: Callable[[str, str], bool]) -> Head:
        self._prepare()
        result = self._fetch()
        if _NO_SUCH in result.stderr and self._tip():  # git takes a page, such as a proxy's, for an empty repository
            self._remote.again(f"an answer without the branch {self.name}")
            result = self._fetch()
        if _NO_SUCH in result.stderr:
            return Head(None, dict.fromkeys(paths))
        if result.status:
            self._remote.fail(result.stderr, place=self._directory)
        commit = self._run("rev-parse", "--verify", f"{_REF}^{{commit}}").decode().strip()
        entries = self._entries(commit)
        blobs = {path: self._file(entry, path) for path in paths if (entry := entries.get(path.encode())) is not None}
        files = {
            path: None if path not in blobs else self._blob(blobs[path])
            for path in paths
            if path not in blobs or not leave(path, blobs[path])
        }
        return Head(commit, files, blobs)

    def _entries(self, commit: str) -> dict[bytes, bytes]:
        """Return what is at the top level of a commit: mode, type and object name of each path."""
        lines = self._run("ls-tree", "-z", commit).split(b"\0")
        return {path: entry for entry, _, path in (line.partition(b"\t") for line in lines) if path}

    def _file(self, entry: bytes, path: str) -> str:
        """Return what git calls the content of a file, given what the tree says of it."""
        if not entry.startswith(_FILES):
            raise DestinationError(
                f"{path} on the branch {self.name} of {self._remote.title} is a directory or a link; "
                "make it a file, or name another branch under destination: branch"
            )
        return entry.rpartition(b" ")[2].decode()

    def _blob(self, blob: str) -> bytes:
        return self._run("cat-file", "blob", blob)

    def _commit(self, head: Head, files: Mapping[str, bytes], message: str) -> str:
        entries = self._entries(head.commit) if head.commit is not None else {}
        for path, data in files.items():
            kind = next((kind for kind in _FILES if entries.get(path.encode(), b"").startswith(kind)), _FILE)
            entries[path.encode()] = kind + self._run("hash-object", "-w", "--stdin", stdin=data).strip()
        listed = b"".join(entry + b"\t" + path + b"\0" for path, entry in entries.items())
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
            check_room(result.stderr, self._directory)
            why = reason(result.stderr, self._secrets)
            raise DamagedError(f"git {command[0]} failed in {self._directory}: {why}; delete it and run again")
        return result.stdout

    def _prepare(self) -> None:
        require_git()
        if self._directory.is_symlink() or self._directory.is_file():
            self._directory.unlink()  # nothing of ours: what it leads to stays as it is
        for pattern in ("*.lock", "refs/**/*.lock", "objects/**/tmp_*", "*.new"):
            for stale in list(self._directory.glob(pattern)):
                stale.unlink(missing_ok=True)
        write_git_dir(self._directory, object_config(20))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            with self._lock.held(_LOCK_TIMEOUT):
                yield
        except OSError as error:
            raise DestinationError(str(cache_failed(self._directory.parent, error))) from error
        except (UpstreamError, MachineError) as error:
            raise DestinationError(str(error)) from error

    def _refuse(self, said: str) -> NoReturn:
        raise DestinationUnusableError(
            f"{self._remote.title} does not let this token push to the branch {self.name}: "
            f"{reason(said, self._secrets)}; give GITHUB_TOKEN the permission contents: write"
        )


def _said(result: Result) -> str:
    return result.stdout.decode("utf-8", "replace") + result.stderr


def protected_message(title: str, branch: str) -> str:
    """Say that a branch is protected, and what to do."""
    return (
        f"the branch {branch} of {title} is protected against this token; allow pushes to it for the token's user or "
        "app in the repository's branch rules, or name another branch under destination: branch"
    )
