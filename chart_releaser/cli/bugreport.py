"""What is shown when the program itself is wrong: a few lines to paste into an issue, with nothing of the user's."""

from __future__ import annotations

import platform
import re
import traceback
from pathlib import Path

from chart_releaser import __version__

_FRAMES = 8
_LONGEST = 300
_ADDRESS = re.compile(r"\w[\w+.-]*://[^\s'\"]+|[\w.+-]+@[\w.-]+(?::[^\s'\"]*)?")
_PATH = re.compile(r"(?<![\w.<])(?:~|\.{0,2})/[^\s'\":,;)\]]+|[A-Za-z]:\\[^\s'\"]+")


def bug_report(error: BaseException, command: str) -> list[str]:
    """Return the report's lines: versions, the command's name, the error and where in the code it came up.

    Addresses and paths are left out of the error's text: they tell of the user and say little of the bug.
    """
    text = " ".join(str(error).split())
    for pattern, word in ((_ADDRESS, "<address>"), (_PATH, "<path>")):
        text = pattern.sub(word, text)
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return [
        f"chart-releaser {__version__}, Python {platform.python_version()}, {platform.system()}",
        f"command: {command}",
        f"{type(error).__name__}: {text[:_LONGEST]}",
        *(f"  at {Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames),
    ]
