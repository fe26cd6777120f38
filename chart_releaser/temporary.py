"""Temporary files and directories that are removed after use, with an error of ours where they can't be made."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from chart_releaser.errors import MachineError, retry_advice


@contextlib.contextmanager
def temporary_file(data: bytes) -> Iterator[IO[bytes]]:
    """Yield an open file that contains `data`, positioned at its beginning. Raises MachineError."""
    with contextlib.ExitStack() as stack:
        with _convert_errors():
            file = stack.enter_context(tempfile.TemporaryFile(buffering=0))
            left = memoryview(data)
            while left:
                left = left[file.write(left) or 0 :]
            file.seek(0)
        yield file


@contextlib.contextmanager
def temporary_directory() -> Iterator[Path]:
    """Yield an empty directory. Raises MachineError if it can't be made; errors of later writes are not converted."""
    with _convert_errors():
        directory = tempfile.TemporaryDirectory(prefix="chart-releaser-", ignore_cleanup_errors=True)
    with directory as name:
        yield Path(name)


@contextlib.contextmanager
def _convert_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise temporary_error(error) from error


def temporary_error(error: OSError) -> MachineError:
    """Return the error for a temporary file that can't be written."""
    place = tempfile.tempdir or os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - tempfile's default, for the message
    what = f"the temporary directory {os.fsdecode(place)} can't be used: {error.strerror or error}"
    return MachineError(what, remedy=f"{retry_advice(error)}, or name another directory by TMPDIR")
