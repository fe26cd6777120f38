"""Pace requests to GitHub: a budget for content-creating requests, and the waits that GitHub asks for."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

from chart_releaser.errors import RateLimitError

# https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits
PER_MINUTE = 80
PER_HOUR = 500
_MINUTE = 60.0
_HOUR = 3600.0
_MARGIN = 1.0  # GitHub counts a request when it arrives, after a delay that varies
_DEFAULT_WAIT = 60.0  # what GitHub's documentation asks for if an answer names no time
_NEXT = "what is done is kept, the next run continues from there"


@dataclass
class Pacing:
    """Paces the requests of one run, from all of its threads.

    `max_wait` is the longest single wait for a limit, in seconds. `clock` is a monotonic clock. `sleep` waits, and
    returns True if the user wants to stop.
    """

    max_wait: float = 300.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], bool] = field(default_factory=lambda: threading.Event().wait)
    on_wait: Callable[[str], None] = lambda _message: None
    on_countdown: Callable[[str], None] | None = None
    """Called every second of a wait with a text for the time left, and at its end with ""."""
    per_minute: int = PER_MINUTE
    per_hour: int = PER_HOUR
    _sent: deque[float] = field(default_factory=deque)
    _held: dict[str, tuple[float, str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def before_request(self, host: str) -> None:
        """Wait until `host` may be asked again, if one of its answers asked for a wait. Raises RateLimitError."""
        while True:
            until, reason = self._held.get(host, (0.0, ""))
            left = until - self.clock()
            if left <= 0:
                return
            self.wait(left, reason)

    def hold(self, host: str, seconds: float, reason: str) -> None:
        """Delay all requests to `host` by `seconds`, because requests during a limit prolong it."""
        with self._lock:
            until = self.clock() + seconds
            if until > self._held.get(host, (0.0, ""))[0]:
                self._held[host] = (until, reason)

    def before_creating(self) -> None:
        """Wait until the budget allows another content-creating request, and count it. Raises RateLimitError."""
        with self._lock:
            delay = self._delay()
            if delay > 0:
                self.wait(delay, "GitHub's limit of content-creating requests")
            self._sent.append(self.clock())

    def _delay(self) -> float:
        now = self.clock()
        while self._sent and self._sent[0] <= now - _HOUR - _MARGIN:
            self._sent.popleft()
        delay = 0.0
        for limit, span in ((self.per_minute, _MINUTE), (self.per_hour, _HOUR)):
            if len(self._sent) >= limit:
                delay = max(delay, self._sent[-limit] + span + _MARGIN - now)
        return delay

    def wait(self, seconds: float, reason: str) -> None:
        """Wait `seconds`. Raises RateLimitError if that is longer than `max_wait`, or if the user wants to stop."""
        if seconds > self.max_wait:
            raise self.too_long_error(seconds, reason)
        if seconds >= 1:
            self.on_wait(f"waiting {_format_duration(seconds)}: {reason}")
        if self._sleep(seconds, reason):
            raise RateLimitError(f"stopped while waiting for {reason}", remedy=_NEXT)

    def _sleep(self, seconds: float, reason: str) -> bool:
        if self.on_countdown is None:
            return self.sleep(seconds)
        end = self.clock() + seconds
        try:
            while (left := end - self.clock()) > 0:
                self.on_countdown(f"waiting {_format_duration(left)}: {reason}")
                if self.sleep(min(left, 1.0)):
                    return True
        finally:
            self.on_countdown("")
        return False

    def too_long_error(self, seconds: float, reason: str) -> RateLimitError:
        """Return the error for a wait of `seconds`, which is longer than the user allows."""
        return RateLimitError(
            f"{reason} asks for a wait of {_format_duration(seconds)}, "
            f"--max-wait allows {_format_duration(self.max_wait)}",
            remedy=_NEXT,
        )

    def pause(self, seconds: float) -> bool:
        """Wait before a retry. Return True, immediately, if the user wants to stop."""
        return self.sleep(seconds)


def requested_wait(status: int, headers: Mapping[str, object], message: str, now: float) -> float | None:
    """Return the seconds that an answer asks to wait, or None if it is not about a limit.

    `headers` are in lower case. Retry-After counts first, then the reset time of an exhausted limit, else it is a
    minute: https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit The
    reset time is compared with the answer's Date, because this machine's clock may be wrong. `now`, in seconds since
    the epoch, is used without a Date.
    """
    if status not in (403, 429):
        return None
    after = str(headers.get("retry-after") or "")
    if after.isdecimal():
        return float(after)
    if str(headers.get("x-ratelimit-remaining")) == "0":
        reset = str(headers.get("x-ratelimit-reset") or "")
        return max(float(reset) - _time_of(headers, now), 1.0) if reset.isdecimal() else _DEFAULT_WAIT
    if status == 429 or "rate limit" in message.lower() or "abuse" in message.lower():
        return _DEFAULT_WAIT
    return None


def _time_of(headers: Mapping[str, object], now: float) -> float:
    """Return the time of an answer by its server's clock, or `now` without a valid Date."""
    try:
        return parsedate_to_datetime(str(headers.get("date") or "")).timestamp()
    except (ValueError, OverflowError, OSError):
        return now


def _format_duration(seconds: float) -> str:
    """Return a time span for people, such as 90 s or 5 min 30 s."""
    whole = int(seconds + 0.5)
    if whole < 120:
        return f"{whole} s"
    return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 and whole < 600 else "")
