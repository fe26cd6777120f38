"""The configuration file on the disk: read as text, changed in one step."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from chart_releaser.errors import ChartReleaserError, ConfigError, close_matches, retry_advice
from chart_releaser.files import lock_directory, remove_staged, staged_prefix, write_staged

_LOCK_SECONDS = 10


def read_config(path: Path) -> str:
    """Return the file's text, line ends as they are. Raises ConfigError."""
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
    """Return a file beside `path` that is most likely meant, as the end of the advice; nothing where there is none."""
    try:
        beside = sorted(file.name for file in path.parent.iterdir() if file.suffix in {".yaml", ".yml"})
    except OSError:
        return ""
    meant = close_matches(path.name, beside) or [name for name in beside if "config" in name]
    return f", such as {path.parent / meant[0]}" if meant else ""


def change_config(path: Path, change: Callable[[str], str]) -> None:
    """Give the file the text that `change` makes of its present one, in one step, its mode kept; of a link, the target.

    What another run or an editor writes meanwhile stays: the change is made anew, to that. Raises ChartReleaserError.
    """
    target = path.resolve()
    try:
        with _turn(target):
            before = read_config(path)
            while (after := _changed(target, before, change(before))) is not None:
                before = after
    except OSError as error:
        raise ChartReleaserError(
            f"{path} can't be written: {error.strerror}", remedy=f"it is unchanged, {retry_advice(error)}"
        ) from error


def _changed(target: Path, before: str, text: str) -> str | None:
    """Replace the text `before` of a file; where it has another one by now leave it, and return that."""
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
def _turn(target: Path) -> Iterator[None]:
    """Wait until no other run is writing the file, then clear away what killed ones left.

    The lock is on its directory. Where there are no locks, or somebody else keeps it, it does without.
    """
    with ExitStack() as stack:
        with suppress(OSError):
            directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, directory)
            lock_directory(directory, _LOCK_SECONDS)
            remove_staged(directory, staged_prefix(target.name))
        yield
