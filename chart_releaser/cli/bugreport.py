"""The report about a bug in this program: a few lines to paste into an issue, without the user's data."""

from __future__ import annotations

import platform
import re
import traceback
from importlib import metadata
from pathlib import Path

from chart_releaser import __version__

_FRAMES = 8
_LONGEST = 300
_LIBRARIES = ("typer", "pydantic", "requests", "urllib3", "PyGithub", "GitPython", "PyYAML", "semver", "Jinja2")
_ADDRESS = re.compile(r"\w[\w+.-]*://[^\s'\"]+|[\w.+-]+@[\w.-]+(?::[^\s'\"]*)?")
_PATH = re.compile(r"(?<![\w.<])(?:~|\.{0,2})/[^\s'\":,;)\]]+|[A-Za-z]:\\[^\s'\"]+")


def bug_report(error: BaseException, command: str) -> list[str]:
    """Return the lines of the report: versions, the command, the error, and the innermost stack frames.

    Addresses and paths in the error's text are replaced, because they may reveal something about the user.
    """
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return [
        f"chart-releaser {__version__}, Python {platform.python_version()}, {_platform()}, {_git()}",
        ", ".join(f"{name} {_version(name)}" for name in _LIBRARIES),
        f"command: {command}",
        f"{type(error).__name__}: {_anonymous(str(error))[:_LONGEST]}",
        *(f"  at {Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames),
    ]


def _anonymous(text: str) -> str:
    """Return `text` in one line, with addresses and paths replaced."""
    text = " ".join(text.split())
    for pattern, word in ((_ADDRESS, "<address>"), (_PATH, "<path>")):
        text = pattern.sub(word, text)
    return text


def _platform() -> str:
    """Return system, processor and C library, but not the system's release, which may be a name that a user chose."""
    return " ".join(filter(None, (platform.system(), platform.machine(), *platform.libc_ver())))


def _git() -> str:
    try:
        from chart_releaser.git.run import git_version

        match = re.match(r"git version [0-9][\w.]{0,40}", git_version())
    except Exception:  # the bug may be in this very call
        match = None
    return "no git" if match is None else match[0].replace(" version", "")


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except Exception:
        return "is missing"
