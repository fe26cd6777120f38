"""Read a repository on this machine in place: its references and objects, without running or changing anything."""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from chart_releaser.errors import SnapshotError, UpstreamError
from chart_releaser.files import IrregularError, find_irregular, read_regular
from chart_releaser.git.gitdir import temporary_git_dir
from chart_releaser.git.objectformat import TreeEntry
from chart_releaser.git.objects import open_objects
from chart_releaser.git.refs import check_tag_names, list_refs
from chart_releaser.git.run import Git
from chart_releaser.git.snapshot import Snapshots, read_snapshot

_FILES = ("HEAD", "packed-refs", "shallow", "config", "config.worktree", "info/grafts")
_FOLDERS = ("objects", "refs", "reftable")
_ALTERNATES = ("objects/info/alternates", "objects/info/http-alternates")
_POINTER_SIZE = 64 << 10  # bytes, of a file that names a directory


class WorkingRepository:
    """A repository at a path: a working tree, a bare repository, or a linked worktree. Implements snapshot.Repository.

    A repository is refused if it borrows objects from another one, contains links or special files where git has
    regular files, or belongs to another user.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.seconds_spent = 0.0

    def tags(self) -> list[str]:
        return sorted(self._refs()[1])

    @contextlib.contextmanager
    def snapshots(self, tags: Sequence[str], paths: Sequence[str]) -> Iterator[Snapshots]:  # noqa: ARG002 - all is there
        common, refs = self._refs()
        valid, snapshots = check_tag_names(tags)
        size = len(next(iter(refs.values()), "0" * 40)) // 2
        with open_objects(common / "objects", size, str(self._path)) as objects:
            shared: dict[str, dict[bytes, TreeEntry]] = {}
            for tag in valid:
                try:
                    if tag not in refs:
                        raise SnapshotError(f"{self._path} has no tag {tag}")
                    snapshots[tag] = read_snapshot(tag, refs[tag], objects, shared)
                except SnapshotError as error:
                    snapshots[tag] = error
            yield snapshots

    def _refs(self) -> tuple[Path, dict[str, str]]:
        git_dir, common = self._directories()
        return common, list_refs(Git(git_dir, common=common), "refs/tags/", str(self._path))

    def _directories(self) -> tuple[Path, Path]:
        """Return the git directory, and the common one with objects and tags, which a linked worktree shares.

        Raises UpstreamError if the path is not a repository, or one that must not be read.
        """
        path = self._path.resolve()
        if not path.is_dir():
            raise UpstreamError(
                f"{self._path} is not a directory",
                remedy="name a git repository under repo:, as owner/name, by an https:// address, or by its path",
            )
        try:
            inside = path / ".git"
            git_dir = path
            if inside.is_symlink():
                self._refuse("its .git is a symbolic link", "name the repository that it points to under repo:")
            if inside.is_dir():
                git_dir = inside
            elif os.path.lexists(inside):  # a linked worktree or a submodule
                git_dir = (path / _pointer(inside).removeprefix("gitdir:").strip()).resolve()
            common = git_dir
            if os.path.lexists(git_dir / "commondir"):
                common = (git_dir / _pointer(git_dir / "commondir").strip()).resolve()
            if os.path.lexists(git_dir / "HEAD") and (common / "objects").is_dir():
                self._check_owner([path, *({inside, git_dir, common} - {path})])
                for directory in {git_dir, common}:
                    self._check_content(directory)
                return git_dir, common
        except IrregularError as error:
            self._refuse(f"{error.filename} is not a regular file", "put a file there, or clone the repository")
        except (OSError, ValueError) as error:
            raise UpstreamError(f"{self._path} can't be read as a git repository: {error}") from error
        raise UpstreamError(
            f"{self._path} is not a git repository", remedy="name its top directory or the bare repository itself"
        )

    def _check_owner(self, places: Sequence[Path]) -> None:
        """Refuse a repository of another user, except as allowed by safe.directory: git-config(1)."""
        for place in places:
            with contextlib.suppress(FileNotFoundError):
                owner = place.lstat().st_uid
                if owner not in _own_users() and not self._is_safe():
                    exception = f"git config --global --add safe.directory {shlex.quote(str(places[0]))}"
                    self._refuse(
                        f"{'it' if place == self._path else place} belongs to another user (uid {owner})",
                        f"if you trust them, run {exception}",
                    )

    def _is_safe(self) -> bool:
        path = self._path.absolute()
        mine = {str(path), str(path.resolve())}
        with temporary_git_dir(20) as directory:
            listed = Git(directory).run("config", "-z", "--show-scope", "--type=path", "--get-all", "safe.directory")
        words = listed.stdout.decode("utf-8", "surrogateescape").split("\0")
        safe = False
        for value in words[1::2]:  # scopes and values alternate; an empty value resets the list
            if not value:
                safe = False
            elif value == "*" or value.rstrip("/") in mine:
                safe = True
            elif value.endswith("/*"):
                safe = safe or any(one.startswith(value[:-1]) for one in mine)
        return safe

    def _check_content(self, directory: Path) -> None:
        for name in _FILES:
            if os.path.lexists(directory / name) and not stat.S_ISREG((directory / name).lstat().st_mode):
                raise IrregularError(directory / name)
        for name in _FOLDERS:
            if os.path.lexists(directory / name) and (path := find_irregular(directory / name)) is not None:
                what = "a symbolic link" if path.is_symlink() else "neither a file nor a directory"
                self._refuse(f"{path} is {what}", "clone the repository and name the clone under repo:")
        for name in _ALTERNATES:
            if not os.path.lexists(directory / name):
                continue
            lines = read_regular(directory / name, _POINTER_SIZE).splitlines()
            if any(line.strip() and not line.startswith(b"#") for line in lines):
                self._refuse(
                    f"it borrows objects from other repositories by {directory / name}",
                    "run git repack -a -d in it and delete that file",
                )

    def _refuse(self, what: str, remedy: str) -> NoReturn:
        raise UpstreamError(f"{self._path} is not read, since {what}", remedy=remedy)


def _pointer(path: Path) -> str:
    return read_regular(path, _POINTER_SIZE).decode()


def _own_users() -> set[int]:
    """Return the ids of users whose repositories are trusted: this user and, as in git, for root the caller of sudo."""
    me = os.geteuid()
    caller = os.environ.get("SUDO_UID", "") if me == 0 else ""
    return {me, int(caller)} if caller.isascii() and caller.isdigit() else {me}
