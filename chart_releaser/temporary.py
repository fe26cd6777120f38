"""Temporary files and directories of a run, gone when it ends; where there is no room for them it says so."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from chart_releaser.errors import MachineError, run_again


@contextlib.contextmanager
def temporary_file(data: bytes) -> Iterator[IO[bytes]]:
    """Give an open file that holds `data`, to be read from its beginning. Raises MachineError."""
    with contextlib.ExitStack() as stack:
        with _explained():
            file = stack.enter_context(tempfile.TemporaryFile(buffering=0))
            left = memoryview(data)
            while left:
                left = left[file.write(left) or 0 :]
            file.seek(0)
        yield file


@contextlib.contextmanager
def temporary_directory() -> Iterator[Path]:
    """Give an empty directory. Raises MachineError where it can't be made; what is done in it is the caller's."""
    with _explained():
        directory = tempfile.TemporaryDirectory(prefix="chart-releaser-", ignore_cleanup_errors=True)
    with directory as name:
        yield Path(name)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise temporary_failed(error) from error


def temporary_failed(error: OSError) -> MachineError:
    """Return what to say where a temporary file can't be written."""
    place = tempfile.tempdir or os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - where it would have been
    what = f"the temporary directory {os.fsdecode(place)} can't be used: {error.strerror or error}"
    return MachineError(what, remedy=f"{run_again(error)}, or name another directory by TMPDIR")
