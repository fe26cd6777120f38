"""The side of a directory destination that `verify` needs: list its packages, fetch them, rewrite the index."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit

from chart_releaser.destinations.directory import Directory, read_to_end
from chart_releaser.destinations.findings import StoredPackage
from chart_releaser.errors import BrokenIndexError, DestinationError, DestinationUnusableError
from chart_releaser.index.index import INDEX, Index
from chart_releaser.location import same_origin

if TYPE_CHECKING:
    from chart_releaser.attempts import Attempts
    from chart_releaser.destinations.downloads import Downloads

BROKEN = f"{INDEX}.broken"
"""The file that keeps an unreadable index when it is replaced."""
_HERE = "https://directory.invalid/here/"  # stands in for the address of a directory without `url`


class AuditableDirectory(Directory):
    """See `Auditable`. With `audits` the directory must exist; without `writes` it need not be writable."""

    def __init__(
        self,
        *arguments: Any,
        audits: bool = True,
        writes: bool = True,
        attempts: Attempts | None = None,
        **options: Any,
    ) -> None:
        """See `Directory`. `attempts` records what is tried again when a package is downloaded from elsewhere."""
        super().__init__(*arguments, **options)
        self._attempts = attempts
        self._audits = audits
        self._writes = writes
        self._base = f"{self._url.rstrip('/')}/" if self._url else _HERE

    def open(self) -> Index:
        """See `Destination.open`. Raises DestinationUnusableError if an audit finds no directory."""
        if self._audits and not self._path.exists():
            raise DestinationUnusableError(
                f"the directory {self._path} does not exist",
                remedy="correct destination: directory, or run update to fill it",
            )
        if self._writes:
            return super().open()
        with self._convert_errors(self._path):
            directory = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return self._read_index(directory)
        finally:
            os.close(directory)

    def open_index(self) -> Index:
        """See `Auditable.open_index`."""
        return self.open()

    def stored(self) -> Sequence[StoredPackage]:
        """See `Auditable.stored`."""
        packages = []
        with self._convert_errors(self._path):
            for path in sorted(self._path.glob("*.tgz")):
                status = path.lstat()
                mode = status.st_mode
                what = "is not a regular file" if not stat.S_ISREG(mode) else ""
                what = "is a symbolic link, which is not followed" if stat.S_ISLNK(mode) else what
                packages.append(
                    StoredPackage(
                        path.name,
                        path.name.removesuffix(".tgz"),
                        path.name,
                        self._address(path.name),
                        None,
                        "broken" if what else "published",
                        what,
                        "put the package itself in its place" if what else "",
                        datetime.fromtimestamp(int(status.st_mtime), UTC),
                    )
                )
        return packages

    def locate(self, url: str) -> str:
        """See `Auditable.locate`: the path below the directory, or the address itself if it is elsewhere."""
        inside = self._path_inside(url)
        return url if inside is None else inside

    def fetch(self, url: str, stored: StoredPackage | None) -> bytes | None:
        """See `Auditable.fetch`. A package elsewhere is downloaded without credentials."""
        name = stored.filename if stored is not None else self._path_inside(url)
        if name is None:
            return self._elsewhere.get(url)
        if "\0" in name or posixpath.isabs(name) or name.startswith("../") or name in {"", ".", ".."}:
            raise DestinationError(f"its address is outside the directory {self._path}")
        with self._convert_errors(self._path):
            directory = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with self._convert_errors(self._path / name), self._open_file(directory, name) as file:
                return None if file is None else read_to_end(file)
        finally:
            os.close(directory)

    def discard(self, stored: StoredPackage) -> None:
        """See `Auditable.discard`. A directory has no drafts."""

    def rewrite(self, change: Callable[[Index], Index], message: str) -> None:  # noqa: ARG002 - there is no history
        """See `Auditable.rewrite`. An unreadable index is kept beside the new one as index.yaml.broken."""
        with self._hold_lock() as directory:
            try:
                index = self._read_index(directory)
            except BrokenIndexError:
                index = Index.parse(None, where=str(self._path / INDEX))
                with self._convert_errors(self._path / INDEX), self._open_file(directory, INDEX) as file:
                    broken = read_to_end(file) if file is not None else b""
                self._write(directory, BROKEN, broken)
            text = change(index).text
            if text != index.text:
                self._sync(directory)
                self._write_page(directory, text)
                self._write(directory, INDEX, text.encode())
                self._sync(directory)

    @cached_property
    def _elsewhere(self) -> Downloads:
        # Imported late, because it imports requests, which most directories never need.
        from chart_releaser.destinations.downloads import Downloads

        return Downloads(attempts=self._attempts)

    def _path_inside(self, url: str) -> str | None:
        """Return the path below the directory that `url` refers to, or None if it is elsewhere."""
        if self._url is None and (url.startswith("/") or urlsplit(url).netloc):
            return None  # the directory's own address is unknown, so it can't be compared
        try:
            base, full = urlsplit(self._base), urlsplit(urljoin(self._base, url))
        except ValueError:
            return None
        if not same_origin(full.geturl(), self._base) or not full.path.startswith(base.path):
            return None
        return posixpath.normpath(unquote(full.path[len(base.path) :]))
