"""Lock a part of the cache against other runs, and against git processes that outlived a killed run."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock

from chart_releaser.errors import MachineError, UpstreamError, cache_error
from chart_releaser.git.cachedir import make_cache_directory


class CacheLock:
    """The lock on a git directory of the cache, held on a file beside it.

    A run may be killed while its git processes live on. So each git process in the directory inherits `descriptors`:
    the system keeps a lock until the last process that has its descriptor ends (flock(2)).
    """

    def __init__(self, directory: Path, title: str, on_wait: Callable[[str], None]) -> None:
        """`title` names the repository in messages. `on_wait` is called when another run has the lock."""
        self.descriptors: tuple[int, ...] = ()
        self._directory, self._title, self._on_wait = directory, title, on_wait

    @contextlib.contextmanager
    def held(self, timeout: float) -> Iterator[None]:
        """Hold the lock. Raises UpstreamError if another run still has it after `timeout` seconds, MachineError."""
        path = self._directory.with_suffix(".lock")
        lock = filelock.FileLock(path, on_acquired=self._acquired)
        try:
            make_cache_directory(path.parent)
            # Not removed, because another run may just have replaced it by a regular file.
            if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
                raise MachineError(
                    f"the cache {path.parent} can't be used: {path.name} is not a regular file",
                    remedy="remove it, or choose another place with --cache-dir",
                )
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                self._on_wait(f"waiting for another run that is using {self._title}")
                lock.acquire(timeout=timeout)
        except filelock.Timeout as error:
            raise UpstreamError(
                f"{self._title}: another run has held {lock.lock_file} for {timeout / 60:.0f} minutes",
                remedy="end it or choose another place with --cache-dir",
            ) from error
        except OSError as error:
            raise cache_error(self._directory.parent, error) from error
        try:
            yield
        finally:
            self.descriptors = ()
            lock.release()

    def _acquired(self, descriptor: int) -> None:
        self.descriptors = (descriptor,)
