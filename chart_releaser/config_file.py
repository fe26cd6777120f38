"""The configuration file on the disk: read as text, replaced in one step."""

from __future__ import annotations

import difflib
import os
import tempfile
from pathlib import Path

from chart_releaser.errors import ChartReleaserError, ConfigError


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
    meant = difflib.get_close_matches(path.name, beside, n=1) or [name for name in beside if "config" in name]
    return f", such as {path.parent / meant[0]}" if meant else ""


def replace_config(path: Path, text: str) -> None:
    """Give the file a new text in one step, its mode kept; of a link, the target. Raises ChartReleaserError."""
    target = path.resolve()
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
        staged = Path(name)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(text.encode())
                stream.flush()
                os.fsync(stream.fileno())
            staged.chmod(target.stat().st_mode & 0o7777)
            staged.replace(target)
        finally:
            staged.unlink(missing_ok=True)
    except OSError as error:
        raise ChartReleaserError(
            f"{path} can't be written: {error.strerror}; it is unchanged, run again when its directory is writable"
        ) from error
