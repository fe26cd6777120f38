"""Read the configuration file as text, and change it atomically."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from chart_releaser.errors import ChartReleaserError, ConfigError, close_matches, retry_advice
from chart_releaser.files import lock_directory, remove_staged, staged_prefix, write_staged

_LOCK_SECONDS = 10


def read_config(path: Path) -> str:
    """Return the file's text with its line ends unchanged. Raises ConfigError."""
    try:
        return path.read_bytes().decode()
    except FileNotFoundError as error:
        raise ConfigError([f"{path} does not exist; name the configuration with --config{_such_as(path)}"]) from error
    except OSError as error:
        raise ConfigError([f"{path} can't be read: {error.strerror}; name a readable file with --config"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            [f"{path} is not UTF-8: {error.reason} at byte {error.start}; save it in that encoding"]
        ) from error


def _such_as(path: Path) -> str:
    """Return a hint at a file beside `path` that may be meant, to end the advice with, or ""."""
    try:
        beside = sorted(file.name for file in path.parent.iterdir() if file.suffix in {".yaml", ".yml"})
    except OSError:
        return ""
    meant = close_matches(path.name, beside) or [name for name in beside if "config" in name]
    return f", such as {path.parent / meant[0]}" if meant else ""


def change_config(path: Path, change: Callable[[str], str]) -> None:
    """Atomically replace the file's text by `change(text)`. The mode is kept; for a link, its target is replaced.

    If another run or an editor writes the file meanwhile, `change` is applied again to the new text. Raises
    ChartReleaserError.
    """
    target = path.resolve()
    try:
        with _lock(target):
            before = read_config(path)
            while (newer := _replace(target, before, change(before))) is not None:
                before = newer
    except OSError as error:
        raise ChartReleaserError(
            f"{path} can't be written: {error.strerror}", remedy=f"it is unchanged, {retry_advice(error)}"
        ) from error


def _replace(target: Path, before: str, text: str) -> str | None:
    """Replace a file's text `before` by `text`. If the file has changed, leave it and return its present text."""
    if text == before:
        return None
    present = before

    def is_unchanged() -> bool:
        nonlocal present
        present = read_config(target)
        return present == before

    mode = target.stat().st_mode & 0o7777
    return None if write_staged(target, text.encode(), chmod=mode, is_wanted=is_unchanged) else present


@contextmanager
def _lock(target: Path) -> Iterator[None]:
    """Lock the file's directory against other runs, and remove temporary files that killed ones left.

    If locks are not supported, or another process keeps the lock, the block runs without it: the lock only spares
    repeated work, `change_config` notices concurrent writes in any case.
    """
    with ExitStack() as stack:
        with suppress(OSError):
            directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, directory)
            lock_directory(directory, _LOCK_SECONDS)
            remove_staged(directory, staged_prefix(target.name))
        yield
