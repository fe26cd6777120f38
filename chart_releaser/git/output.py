"""Read the output of a git process in the background, and find the reason of a failure in it."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Sequence
from typing import IO


class Drain(threading.Thread):
    """Reads a stream to its end in the background, and keeps its last `limit` bytes. `overflow`: there were more."""

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        super().__init__(daemon=True)
        self.data = bytearray()
        self.overflow = False
        self._stream, self._limit = stream, limit
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while chunk := self._stream.read1(1 << 16):  # type: ignore[attr-defined]
                self.data += chunk
                if len(self.data) > self._limit:
                    self.overflow = True
                    del self.data[: -self._limit]


def failure_reason(stderr: str, secrets: Sequence[str] = ()) -> str:
    """Return why git failed, in one printable line without secrets: the server's error or git's last fatal line."""
    for secret in secrets:
        stderr = stderr.replace(secret, "***")
    stderr = without_logins(stderr)
    lines = ["".join(char if char.isprintable() else " " for char in line).strip() for line in stderr.splitlines()]
    # The prefixes in order of usefulness; the last one matches any line.
    for prefix in (r"remote: (?:fatal|error): ", "fatal: ", "error: ", "(?:ssh|remote): ?", ""):
        for line in reversed(lines):
            if (match := re.match(prefix, line)) and len(line) > match.end():
                return line[match.end() :][:300].rstrip(". ")
    return "git gave no reason"


def without_logins(text: str) -> str:
    """Return `text` without the user names and passwords in URLs."""
    return re.sub(r"(\w://)[^/\s@]+@", r"\1", text)
