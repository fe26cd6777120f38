"""Read a repository on this machine in place: only its references and objects, nothing of it is executed or changed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from chart_releaser.errors import SnapshotError, UpstreamError
from chart_releaser.gitobjects import open_objects
from chart_releaser.gitrefs import checked_tags, list_refs
from chart_releaser.gitrun import Git
from chart_releaser.objectformat import Entry
from chart_releaser.snapshot import Snapshots, read_snapshot


class WorkingRepository:
    """A repository at a path: a working tree, a bare repository, or a linked worktree."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.seconds_spent = 0.0

    def tags(self) -> list[str]:
        return sorted(self._refs()[1])

    @contextlib.contextmanager
    def snapshots(self, tags: Sequence[str], paths: Sequence[str]) -> Iterator[Snapshots]:  # noqa: ARG002 - all is there
        common, refs = self._refs()
        wanted, found = checked_tags(tags)
        size = len(next(iter(refs.values()), "0" * 40)) // 2
        with open_objects(common / "objects", size, str(self._path)) as objects:
            shared: dict[str, dict[bytes, Entry]] = {}
            for tag in wanted:
                try:
                    if tag not in refs:
                        raise SnapshotError(f"{self._path} has no tag {tag}")
                    found[tag] = read_snapshot(tag, refs[tag], objects, shared)
                except SnapshotError as error:
                    found[tag] = error
            yield found

    def _refs(self) -> tuple[Path, dict[str, str]]:
        git_dir, common = self._directories()
        return common, list_refs(Git(git_dir, common=common), "refs/tags/", str(self._path))

    def _directories(self) -> tuple[Path, Path]:
        """Return the git directory and the one with objects and tags, which a linked worktree shares."""
        path = self._path.absolute()
        if not path.is_dir():
            raise UpstreamError(
                f"{self._path} is not a directory; name a git repository under repo:, as owner/name, by an https:// "
                "address, or by its path"
            )
        try:
            inside = path / ".git"
            if inside.is_file():  # a linked worktree or a submodule
                git_dir = path / inside.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
            else:
                git_dir = inside if inside.is_dir() else path
            shared = git_dir / "commondir"
            common = git_dir / shared.read_text(encoding="utf-8").strip() if shared.is_file() else git_dir
            if (git_dir / "HEAD").is_file() and (common / "objects").is_dir():
                return git_dir, common
        except (OSError, ValueError) as error:
            raise UpstreamError(f"{self._path} can't be read as a git repository: {error}") from error
        raise UpstreamError(
            f"{self._path} is not a git repository; name its top directory or the bare repository itself"
        )
