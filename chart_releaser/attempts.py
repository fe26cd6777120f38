"""What had to be tried again in a run, and which servers are not asked any more because they do not answer."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

_PATIENCE_SECONDS = 120.0
_FEWEST = 10  # failures; so many tell of a server, not of a request


@dataclass(frozen=True)
class Again:
    """Something that failed and was tried again, so many times; what became of it in the end is told elsewhere."""

    what: str
    count: int

    def as_json(self) -> dict[str, str | int]:
        """The row of `update --json`."""
        return {"what": self.what, "count": self.count}


@dataclass
class Attempts:
    """The attempts of one run, whichever threads make them. `clock` tells seconds that never go backwards."""

    clock: Callable[[], float] = time.monotonic
    _again: Counter[str] = field(default_factory=Counter)
    _silent: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Server to its failures since it last answered, and when the first of them was."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def again(self, what: str) -> None:
        """Note that something is tried once more; `what` says where and why, without what differs each time."""
        with self._lock:
            self._again[what] += 1

    def answered(self, host: str) -> None:
        """Note that a server gave an answer, whatever it was."""
        with self._lock:
            self._silent.pop(host, None)

    def failed(self, host: str) -> None:
        """Note that no answer came from a server."""
        with self._lock:
            count, since = self._silent.get(host, (0, self.clock()))
            self._silent[host] = count + 1, since

    def why_not(self, host: str) -> str:
        """Return why a server is not worth another request; nothing where it is.

        So each of many sources of a server that is away costs a moment, not all of its own repetitions.
        """
        with self._lock:
            count, since = self._silent.get(host, (0, 0.0))
        silent = self.clock() - since
        if count < _FEWEST or silent < _PATIENCE_SECONDS:
            return ""
        return f"not tried, since {host} gave no answer to {count} requests in {silent:.0f} s; run again later"

    def list(self) -> list[Again]:
        """Return what was tried again, the most frequent first."""
        with self._lock:
            return [
                Again(what, count) for what, count in sorted(self._again.items(), key=lambda one: (-one[1], one[0]))
            ]
