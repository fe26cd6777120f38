"""A Helm repository in a local directory: packages beside `index.yaml`, for any web server to serve."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from chart_releaser.destinations import PAGE, Page, PublishablePackage, Published
from chart_releaser.destinations.namesakes import identify_chart, name_conflict
from chart_releaser.errors import (
    BrokenIndexError,
    ConflictError,
    DestinationError,
    DestinationUnusableError,
    retry_advice,
)
from chart_releaser.files import lock_directory, remove_staged, write_staged
from chart_releaser.index.index import INDEX, Index, build_entry

LOCK_SECONDS = 120
"""How long to wait for another run, which holds the lock only while it writes a file."""

_STAGED = ".chart-releaser-"
"""The prefix of temporary files."""
_FILENAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*\.tgz")


def _now() -> datetime:
    return datetime.now(UTC)


class Directory:
    """The destination `directory:` of the configuration; a `Destination`.

    Files get their names only once they are complete, and the index comes last. So a killed run leaves complete
    packages, which the next run adopts, and temporary files, which the next write removes. Writers take turns by a lock
    on the directory itself, which the system releases however they end.
    """

    def __init__(
        self, path: Path, *, url: str | None = None, page: Page | None = None, now: Callable[[], datetime] = _now
    ) -> None:
        """`path` is the directory, which is created when something is published.

        With `url`, the address that it will be served at, the index holds absolute addresses. Without it, the index
        holds file names, which are relative to the address of the index. `page` renders index.html.
        """
        self._path = path
        self._url = url
        self._page = page
        self._now = now
        self._index: Index | None = None
        self._signature: tuple[int, ...] | None = None

    @property
    def title(self) -> str:
        """See `Destination.title`."""
        return f"directory {self._path}"

    def open(self) -> Index:
        """See `Destination.open`."""
        with self._convert_errors(self._path):
            existing = self._path
            while not existing.exists() and not existing.is_symlink() and existing != existing.parent:
                existing = existing.parent
            if not existing.is_dir():
                raise DestinationUnusableError(
                    f"{existing} is not a directory", remedy="name another one under destination: directory"
                )
            if existing != self._path:
                return self._keep_index(Index.parse(None, where=str(self._path / INDEX)), None)
            directory = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return self._read_index(directory)
        finally:
            os.close(directory)

    def prepare(self, tags: Sequence[str]) -> None:  # noqa: ARG002 - `publish` checks each file
        """See `Destination.prepare`. The directory itself is created with the first complete package."""
        existing = self._path
        while not existing.exists() and existing != existing.parent:
            existing = existing.parent
        if not os.access(existing, os.W_OK | os.X_OK):
            raise DestinationUnusableError(
                f"{existing} can't be written to", remedy="change its permissions or name another one"
            )

    def publish(self, package: PublishablePackage, notes: str, *, latest: bool = False) -> Published:  # noqa: ARG002
        """See `Destination.publish`. The notes are kept only inside the package."""
        name = package.filename
        if not _FILENAME.fullmatch(name):
            raise DestinationError(f"{name!r} is not a valid name for a package file", remedy="rename the source")
        with self._hold_lock() as directory:
            listed = self._read_index(directory).entry(package.name, package.version)
            if listed is not None:
                if listed.get("digest") == package.digest:
                    return Published(listed, adopted=True)
                raise ConflictError(
                    f"{self._path / INDEX} lists {package.name} {package.version} with digest "
                    f"{listed.get('digest')}, the new package has {package.digest}",
                    remedy="a published version never changes, so publish the change under a new version",
                )
            adopted = self._adopt(directory, package)
            if not adopted:
                self._write(directory, name, package.data)
            if package.provenance is not None:
                self._write(directory, f"{name}.prov", package.provenance)
        return Published(
            build_entry(package.metadata, digest=package.digest, url=self._address(name), created=self._now()),
            adopted=adopted,
        )

    def finish(self, published: Sequence[Published]) -> None:
        """See `Destination.finish`."""
        if not published:
            return
        with self._hold_lock() as directory:
            index = self._read_index(directory)
            text = index.merge((item.entry for item in published), generated=self._now())
            if text != index.text:
                # After a power failure the index must not name packages that never reached the disk.
                self._sync(directory)
                self._write_page(directory, text)
                self._write(directory, INDEX, text.encode())
                self._sync(directory)
        conflicts = [
            f"{item.name} {item.version}"
            for item in published
            if (listed := index.entry(item.name, item.version)) is not None and listed.get("digest") != item.digest
        ]
        if conflicts:
            raise ConflictError(
                f"{self._path / INDEX}: another run has listed {', '.join(conflicts)} with another digest "
                "in the meantime",
                remedy="its entries stay, compare the packages and release the change under a new version",
            )

    def _address(self, filename: str) -> str:
        if self._url is None:
            return filename
        parts = urllib.parse.urlsplit(self._url)
        # Some object stores read a literal + as a space, so it is quoted.
        path = f"{parts.path.rstrip('/')}/{urllib.parse.quote(filename, safe='')}"
        return urllib.parse.urlunsplit(parts._replace(path=path))

    def _keep_index(self, index: Index, signature: tuple[int, ...] | None) -> Index:
        self._index, self._signature = index, signature
        return index

    def _read_index(self, directory: int) -> Index:
        """Return the current index; the file is read again only if it has changed since the last time."""
        path = self._path / INDEX
        with self._convert_errors(path), self._open_file(directory, INDEX) as file:
            signature = None
            if file is not None:
                status = os.fstat(file)
                signature = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
            if self._index is not None and signature == self._signature:
                return self._index
            data = read_to_end(file) if file is not None else None
        try:
            text = data.decode() if data is not None else None
        except UnicodeDecodeError as error:
            raise BrokenIndexError(f"{path}: not UTF-8 at byte {error.start}", remedy="repair or remove it") from error
        return self._keep_index(Index.parse(text, where=str(path)), signature)

    def _adopt(self, directory: int, package: PublishablePackage) -> bool:
        """Tell whether the complete package exists already. Raises ConflictError if the file has other content."""
        path = self._path / package.filename
        with self._convert_errors(path), self._open_file(directory, package.filename) as file:
            if file is None:
                return False
            data = read_to_end(file)
        digest = hashlib.sha256(data).hexdigest()
        if digest == package.digest:
            return True
        own, other = (package.name, package.version), identify_chart(data, package.filename)
        if other not in (own, None):
            raise name_conflict(own, other, str(path))
        raise ConflictError(
            f"{path} is there with digest {digest}, the new package has {package.digest}",
            remedy="the index does not list it, so move the file away if nobody uses it, and run again",
        )

    @contextmanager
    def _open_file(self, directory: int, name: str) -> Iterator[int | None]:
        """Open a file of the directory for reading; the value is its descriptor, or None if the file does not exist.

        Links are not followed, and a pipe does not block. Raises DestinationError for anything but a regular file.
        """
        try:
            file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
        except FileNotFoundError:
            yield None
            return
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise DestinationError(
                    f"{self._path / name} is a symbolic link, which is not written through",
                    remedy="put a file in its place",
                ) from error
            raise
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise DestinationError(
                    f"{self._path / name} is not a regular file", remedy="move it away and run again"
                )
            yield file
        finally:
            os.close(file)

    @contextmanager
    def _hold_lock(self) -> Iterator[int]:
        """Hold the lock on the directory, which is created if it is missing; the value is its file descriptor."""
        with self._convert_errors(self._path):
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
            try:
                directory = os.open(self._path, flags)
            except FileNotFoundError:
                self._path.mkdir(parents=True, exist_ok=True)
                directory = os.open(self._path, flags)
        try:
            with self._convert_errors(self._path):
                self._lock(directory)
                # A writer holds the lock as long as its temporary files exist: these belong to killed runs.
                remove_staged(directory, _STAGED)
            yield directory
        finally:
            os.close(directory)

    def _lock(self, directory: int) -> None:
        try:
            lock_directory(directory, LOCK_SECONDS)
        except TimeoutError as error:
            raise DestinationError(
                f"{self._path}: locked by another run for {LOCK_SECONDS} seconds", remedy="run again when it is done"
            ) from error

    def _write_page(self, directory: int, index_text: str) -> None:
        if self._page is None:
            return
        with self._convert_errors(self._path / PAGE), self._open_file(directory, PAGE) as file:
            present = read_to_end(file).decode(errors="replace") if file is not None else None
        page = self._page(Index.parse(index_text, where=str(self._path / INDEX)), present)
        if page is not None and page != present:
            self._write(directory, PAGE, page.encode())

    def _write(self, directory: int, name: str, data: bytes) -> None:
        """Replace the content of a file in one step."""
        with self._convert_errors(self._path / name):
            write_staged(Path(name), data, prefix=_STAGED, directory=directory, mode=0o644)

    def _sync(self, directory: int) -> None:
        with self._convert_errors(self._path):
            os.fsync(directory)

    @contextmanager
    def _convert_errors(self, path: Path) -> Iterator[None]:
        """Raise DestinationError for an OSError in the body; `path` is named in its message."""
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise DestinationError(f"{path}: {reason}", remedy=f"{retry_advice(error)}") from error


def read_to_end(file: int) -> bytes:
    """Return the rest of an open file."""
    chunks = []
    while chunk := os.read(file, 1 << 20):
        chunks.append(chunk)
    return b"".join(chunks)
