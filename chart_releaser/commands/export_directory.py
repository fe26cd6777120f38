"""Writes charts to a directory, each as a whole, without overwriting what the user has edited."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal

from chart_releaser.errors import ChartReleaserError, UsageError, retry_advice
from chart_releaser.files import (
    FileTooLargeError,
    IrregularError,
    lock_directory,
    read_regular,
    swap_paths,
    write_staged,
)

STATE_FILE = ".chart-releaser.json"
_LOCK_SECONDS = 120
_STAGE_PREFIX = ".chart-releaser-"
_MAX_RECORD = 64 << 20
_MAX_PRESENT = 256 << 20
"""Bytes. No exported chart is larger, so a larger one was edited and need not be read."""

Outcome = Literal["written", "unchanged"]


class ExportError(ChartReleaserError):
    """A chart can't be written, or must not be, because the user's own changes would be lost."""


@dataclass
class ExportDirectory:
    """A directory of exported charts.

    The file `.chart-releaser.json` in it records the digest of each exported chart, so that the next export notices the
    user's changes. Use it as a context manager, which writes that file at the end. With `force`, edited charts are
    replaced.
    """

    path: Path
    force: bool = False
    _digests: dict[str, str] = field(default_factory=dict)
    _pending: dict[str, str] = field(default_factory=dict)
    """Digests of charts about to be written, recorded before: what a killed run wrote is not an edit of the user's."""
    _before: str = ""
    _lock: int | None = None

    def __enter__(self) -> ExportDirectory:
        try:
            if self.path.is_dir():
                self._open()
            elif self.path.exists() or self.path.is_symlink():
                raise UsageError(f"{self.path} is not a directory", remedy="name another one with --target-dir")
        except OSError as error:
            raise _write_error(self.path, error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._save_record()
        except OSError as failure:
            if error is None:
                raise _write_error(self.path / STATE_FILE, failure) from failure
        finally:
            self._unlock()

    def write_chart(self, name: str, files: Sequence[tuple[str, bytes]]) -> Outcome:
        """Write the directory `name` with exactly `files`, pairs of path and content, in one step.

        Returns whether it had to be written. Raises ExportError if it was edited, unless `force`, or can't be written.
        """
        target = self.path / name
        wanted = _digest(files)
        try:
            self._open()
            present = _digest_on_disk(target)
            if present == wanted:
                self._mark_written(name, wanted)
                return "unchanged"
            self._refuse_if_edited(target, name, present)
            self._mark_pending(name, wanted)
            with self._stage() as stage:
                _write(stage / "new", files)
                _swap(stage / "new", target, stage / "old")
        except OSError as error:
            raise _write_error(target, error) from error
        self._mark_written(name, wanted)
        return "written"

    def write_package(self, filename: str, data: bytes) -> Outcome:
        """Write the file `filename` with exactly `data`, in one step; otherwise like `write_chart`."""
        target = self.path / filename
        wanted = _digest([("", data)])
        try:
            self._open()
            present = _digest_on_disk(target)
            if present == wanted:
                self._mark_written(filename, wanted)
                return "unchanged"
            self._refuse_if_edited(target, filename, present)
            self._mark_pending(filename, wanted)
            write_staged(target, data, prefix=_STAGE_PREFIX)
        except OSError as error:
            raise _write_error(target, error) from error
        self._mark_written(filename, wanted)
        return "written"

    def _save_record(self) -> None:
        record = {"charts": dict(sorted(self._digests.items()))}
        if self._pending:
            record["begun"] = dict(sorted(self._pending.items()))
        text = json.dumps(record, indent=1) + "\n"
        if (self._digests or self._pending) and text != self._before:
            write_staged(self.path / STATE_FILE, text.encode(), prefix=_STAGE_PREFIX)
            self._before = text

    def _mark_pending(self, name: str, digest: str) -> None:
        before = self._pending.get(name)
        self._pending[name] = digest
        try:
            self._save_record()
        except OSError:
            del self._pending[name]
            if before is not None:
                self._pending[name] = before
            raise

    def _mark_written(self, name: str, digest: str) -> None:
        self._digests[name] = digest
        self._pending.pop(name, None)

    def _refuse_if_edited(self, target: Path, name: str, present: str | None) -> None:
        if present is None or self.force:
            return
        recorded = {self._digests.get(name), self._pending.get(name)} - {None}
        if not recorded:
            raise ExportError(
                f"{target} was not exported by chart-releaser", remedy="it was left alone, --force replaces it"
            )
        if present not in recorded:
            raise ExportError(
                f"{target} was changed since it was exported", remedy="it was left alone, --force replaces it"
            )

    def _open(self) -> None:
        """Create the directory if it is missing, lock it, and read its record. Does nothing when called again."""
        if self._lock is not None:
            return
        self.path.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        try:
            self._remove_leftovers()
            self._read_record()
        except BaseException:
            self._unlock()
            raise

    def _read_record(self) -> None:
        try:
            self._before = read_regular(self.path / STATE_FILE, _MAX_RECORD).decode()
            record = json.loads(self._before)
            self._digests = {str(name): str(digest) for name, digest in record["charts"].items()}
            self._pending = {str(name): str(digest) for name, digest in record.get("begun", {}).items()}
        except FileNotFoundError:
            pass
        except IrregularError as error:
            raise ExportError(
                f"{error.filename} is not a regular file",
                remedy="remove it, then export with --force what is to be replaced",
            ) from error
        except (FileTooLargeError, ValueError, KeyError, AttributeError, TypeError, RecursionError):
            self._digests = {}  # without a record every chart counts as edited, so nothing is overwritten

    def _take_lock(self) -> None:
        handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            lock_directory(handle, _LOCK_SECONDS)
        except BaseException as error:
            os.close(handle)
            if not isinstance(error, TimeoutError):
                raise
            raise ExportError(
                f"another run has been writing to {self.path} for {_LOCK_SECONDS} seconds", remedy="end it or try again"
            ) from error
        self._lock = handle

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _remove_leftovers(self) -> None:
        """Restore or delete what a killed run left. Call it under the lock, when no other run is writing."""
        for stage in self.path.glob(f"{_STAGE_PREFIX}*.tmp"):
            if stage.is_dir() and not stage.is_symlink():
                for old in stage.glob("old-*"):
                    target = self.path / old.name.removeprefix("old-")
                    if not os.path.lexists(target):
                        old.rename(target)
                shutil.rmtree(stage, ignore_errors=True)
            else:
                stage.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _stage(self) -> Iterator[Path]:
        stage = Path(tempfile.mkdtemp(prefix=_STAGE_PREFIX, suffix=".tmp", dir=self.path))
        try:
            yield stage
        finally:
            shutil.rmtree(stage, ignore_errors=True)


def _write_error(path: Path, error: OSError) -> ExportError:
    what = f"{path} can't be written: {error.strerror or error}"
    return ExportError(what, remedy=f"what was there is unchanged, {retry_advice(error)}")


def _write(directory: Path, files: Sequence[tuple[str, bytes]]) -> None:
    folders = {path.rpartition("/")[0] for path, _ in files}
    for folder in sorted(folders | {""}):
        (directory / folder).mkdir(parents=True, exist_ok=True)
    for path, data in files:
        (directory / path).write_bytes(data)


def _digest(files: Sequence[tuple[str, bytes]] | Mapping[str, bytes]) -> str:
    total = hashlib.sha256()
    for path, data in sorted(files.items() if isinstance(files, Mapping) else files):
        total.update(f"{path}\0{len(data)}\0".encode(errors="surrogateescape") + data)
    return total.hexdigest()


def _digest_on_disk(target: Path) -> str | None:
    """Return the digest of a file or directory, or None if `target` does not exist.

    Links are not followed. For anything that this program never writes the result is a text that equals no digest.
    """
    try:
        mode = target.lstat().st_mode
    except FileNotFoundError:
        return None
    try:
        if stat.S_ISREG(mode):
            return _digest([("", read_regular(target, _MAX_PRESENT))])
        return _digest(_read_tree(target)) if stat.S_ISDIR(mode) else "neither a file nor a directory"
    except FileTooLargeError:
        return "more than was exported"


def _read_tree(target: Path) -> dict[str, bytes]:
    """Return the files below `target` by path. Raises OSError, FileTooLargeError."""
    files: dict[str, bytes] = {}
    left = _MAX_PRESENT
    for directory, directories, names in os.walk(target, onerror=_raise):
        for name in [*names, *(name for name in directories if (Path(directory) / name).is_symlink())]:
            path = Path(directory) / name
            relative = path.relative_to(target).as_posix()
            try:
                files[relative] = read_regular(path, left)
                left -= len(files[relative])
            except IrregularError:
                # A name that no file can have: the digest then differs from that of every exported chart.
                files[f"{relative}\0special"] = b""
    return files


def _raise(error: OSError) -> None:
    raise error


def _swap(new: Path, target: Path, old: Path) -> None:
    """Move `new` to `target`, and an existing `target` out of the way; atomically where the system can."""
    if not target.exists() and not target.is_symlink():
        new.rename(target)
        return
    if swap_paths(new, target):
        return
    parked = old.with_name(f"old-{target.name}")
    target.rename(parked)
    try:
        new.rename(target)
    except OSError:
        parked.rename(target)
        raise
