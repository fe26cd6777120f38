"""The configuration file on the disk: read as text, replaced in one step."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from chart_releaser.errors import ChartReleaserError, ConfigError


def read_config(path: Path) -> str:
    """Return the file's text, line ends as they are. Raises ConfigError."""
    try:
        return path.read_bytes().decode()
    except FileNotFoundError as error:
        raise ConfigError([f"{path} does not exist; name the configuration with --config"]) from error
    except OSError as error:
        raise ConfigError([f"{path} can't be read: {error.strerror}; name a readable file with --config"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            [f"{path} is not UTF-8: {error.reason} at byte {error.start}; save it in that encoding"]
        ) from error


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
