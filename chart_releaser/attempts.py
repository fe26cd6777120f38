"""Trying again: how often, after which pauses, when a server is given up, and the log of it for the report."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class RetryPolicy:
    """How often something is tried, and how long the pauses between the attempts are."""

    attempts: int
    """All in all, the first one included."""
    first_pause: float
    """Seconds."""
    factor: float = 2.0
    """Each pause is so many times as long as the one before,"""
    longest_pause: float = 60.0
    """but no longer than so many seconds."""

    def pause_after(self, failures: int) -> float | None:
        """Return the seconds to wait before the next attempt, after so many failed; None if there is to be none."""
        if failures >= self.attempts:
            return None
        return min(self.first_pause * self.factor ** (failures - 1), self.longest_pause)


@dataclass(frozen=True)
class Retried:
    """Something that failed and was tried again, so many times; whether it succeeded in the end is told elsewhere."""

    what: str
    count: int

    def as_json(self) -> dict[str, str | int]:
        """The row of `update --json`."""
        return {"what": self.what, "count": self.count}


class RetryLog:
    """What a run tried again, whichever threads did; for its report."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def note(self, what: str) -> None:
        """Count one more attempt. `what` says where and why it failed, without what differs each time."""
        with self._lock:
            self._counts[what] += 1

    def list(self) -> list[Retried]:
        """Return what was tried again, the most frequent first."""
        with self._lock:
            return [
                Retried(what, count) for what, count in sorted(self._counts.items(), key=lambda one: (-one[1], one[0]))
            ]


@dataclass
class CircuitBreaker:
    """Tells when a server is not worth another request, so that one that is away costs a run moments, not hours.

    That is so after `failures` requests in a row without an answer, over at least `seconds`. With `spares_known` a
    server that has answered once is never given up. Safe to use from several threads.
    """

    failures: int = 10
    seconds: float = 120.0
    spares_known: bool = False
    clock: Callable[[], float] = time.monotonic
    """Seconds from any start, which never go backwards."""
    _silent: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Server to its failures since it last answered, and when the first of them was."""
    _known: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answered(self, server: str) -> None:
        """Note that a server gave an answer, whatever it was."""
        with self._lock:
            self._silent.pop(server, None)
            self._known.add(server)

    def failed(self, server: str) -> None:
        """Note that no answer came from a server."""
        with self._lock:
            count, since = self._silent.get(server, (0, self.clock()))
            self._silent[server] = count + 1, since

    def why_open(self, server: str) -> str:
        """Return why a server is not to be asked any more, nothing where it is."""
        with self._lock:
            count, since = self._silent.get(server, (0, 0.0))
            is_spared = self.spares_known and server in self._known
        silent = self.clock() - since
        if count < self.failures or silent < self.seconds or is_spared:
            return ""
        return f"not tried, since {server} gave no answer to {count} requests in {silent:.0f} s"


@dataclass
class Attempts:
    """What all requests of one run share: the log of what was tried again, and the breaker for its servers."""

    log: RetryLog = field(default_factory=RetryLog)
    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)

    def list(self) -> list[Retried]:
        """See `RetryLog.list`."""
        return self.log.list()
