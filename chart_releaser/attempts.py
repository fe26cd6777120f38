"""Retries: how often and after which pauses, when to stop asking a server, and a log of retries for the report."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class RetryPolicy:
    """How often to attempt something, and how long to pause between attempts."""

    attempts: int
    """The total number of attempts, including the first."""
    first_pause: float
    """The first pause in seconds."""
    factor: float = 2.0
    """The ratio of each pause to the one before."""
    longest_pause: float = 60.0
    """The upper bound of a pause in seconds."""

    def pause_after(self, failures: int) -> float | None:
        """Return the seconds to wait after `failures` failed attempts, or None to give up."""
        if failures >= self.attempts:
            return None
        return min(self.first_pause * self.factor ** (failures - 1), self.longest_pause)


@dataclass(frozen=True)
class Retry:
    """A failure that was retried, and how often. Whether a retry succeeded is reported elsewhere."""

    what: str
    count: int

    def as_json(self) -> dict[str, str | int]:
        """Return the item for the `retried` list of `update --json`."""
        return {"what": self.what, "count": self.count}


class RetryLog:
    """Counts the retries of a run, for its report. Safe to use from several threads."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def note(self, what: str) -> None:
        """Count one retry.

        `what` says where and why the attempt failed, without details that vary: equal texts are counted together.
        """
        with self._lock:
            self._counts[what] += 1

    def list(self) -> list[Retry]:
        """Return the retries, most frequent first."""
        with self._lock:
            return [
                Retry(what, count) for what, count in sorted(self._counts.items(), key=lambda one: (-one[1], one[0]))
            ]


@dataclass
class CircuitBreaker:
    """Decides when to stop asking a server, so that an unreachable one does not hold up a run for hours.

    The breaker opens after `failures` consecutive requests without an answer over at least `seconds`. With
    `spares_known` it never opens for a server that has answered before. Safe to use from several threads.
    """

    failures: int = 10
    seconds: float = 120.0
    spares_known: bool = False
    clock: Callable[[], float] = time.monotonic
    """A monotonic clock, in seconds."""
    _silent: dict[str, tuple[int, float]] = field(default_factory=dict)
    """By server: the failures since its last answer, and the time of the first one."""
    _known: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answered(self, server: str) -> None:
        """Record that a server answered, whatever the answer was."""
        with self._lock:
            self._silent.pop(server, None)
            self._known.add(server)

    def failed(self, server: str) -> None:
        """Record that a server did not answer."""
        with self._lock:
            count, since = self._silent.get(server, (0, self.clock()))
            self._silent[server] = count + 1, since

    def open_reason(self, server: str) -> str:
        """Return why the server should not be asked any more, or "" if it should."""
        with self._lock:
            count, since = self._silent.get(server, (0, 0.0))
            is_spared = self.spares_known and server in self._known
        silent = self.clock() - since
        if count < self.failures or silent < self.seconds or is_spared:
            return ""
        return f"not tried, since {server} gave no answer to {count} requests in {silent:.0f} s"


@dataclass
class Attempts:
    """The state that all requests of a run share: the log of retries and the circuit breaker."""

    log: RetryLog = field(default_factory=RetryLog)
    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)

    def list(self) -> list[Retry]:
        """Return the retries of the run: see `RetryLog.list`."""
        return self.log.list()
