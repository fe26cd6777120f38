"""Make bare git directories of our own, whose configuration is known, to run git in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from chart_releaser.files import write_private
from chart_releaser.git.run import Git
from chart_releaser.temporary import temporary_directory, temporary_error


@contextlib.contextmanager
def bare_view(objects: Path, oid_size: int) -> Iterator[Git]:
    """Yield a Git that sees only the object database `objects`: no references, configuration or remotes.

    So reading can neither run programs that a repository's configuration names nor fetch missing objects.
    """
    with temporary_git_dir(oid_size) as directory:
        yield Git(directory, objects=objects)


@contextlib.contextmanager
def temporary_git_dir(oid_size: int) -> Iterator[Path]:
    """Yield an empty bare git directory. Raises MachineError."""
    with temporary_directory() as directory:
        try:
            write_git_dir(directory, object_config(oid_size))
        except OSError as error:
            raise temporary_error(error) from error
        yield directory


def object_config(oid_size: int, *, version: int = 0) -> str:
    """Return the configuration of a bare repository with object names of 20 (SHA-1) or 32 (SHA-256) bytes."""
    version = 1 if oid_size == 32 else version
    text = f"[core]\n\trepositoryFormatVersion = {version}\n\tbare = true\n"
    return text + "[extensions]\n\tobjectFormat = sha256\n" if oid_size == 32 else text


def write_git_dir(directory: Path, config: str) -> None:
    """Make `directory` a bare git directory. In an existing one only HEAD and the configuration are replaced."""
    for name in ("objects/pack", "objects/info", "refs"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    for name, text in (("HEAD", "ref: refs/heads/none\n"), ("config", config)):
        write_private(directory / name, text.encode())
