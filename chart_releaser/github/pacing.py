"""When the next request to GitHub may go out: a budget for what creates content, and waits that GitHub asks for."""

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
_MARGIN = 1.0  # a request counts when it arrives: later than it was sent, and not always by the same time
_DEFAULT_WAIT = 60.0  # what GitHub asks for where an answer says nothing
_NEXT = "what is done is kept, the next run continues from there"


@dataclass
class Pacing:
    """Paces the requests of one run, whichever threads send them.

    `max_wait` is how many seconds the run may wait for a limit, each time. `clock` tells seconds from any start, and
    never goes back; `sleep` waits, and returns True if the user wants to stop.
    """

    max_wait: float = 300.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], bool] = field(default_factory=lambda: threading.Event().wait)
    on_wait: Callable[[str], None] = lambda _message: None
    on_countdown: Callable[[str], None] | None = None
    """Told every second how long a wait still takes, and at its end nothing; None where nobody looks."""
    per_minute: int = PER_MINUTE
    per_hour: int = PER_HOUR
    _sent: deque[float] = field(default_factory=deque)
    _held: dict[str, tuple[float, str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def before_request(self, host: str) -> None:
        """Wait until `host` may be asked again, if one of its answers asked for patience. Raises as `wait`."""
        while True:
            until, reason = self._held.get(host, (0.0, ""))
            left = until - self.clock()
            if left <= 0:
                return
            self.wait(left, reason)

    def hold(self, host: str, seconds: float, reason: str) -> None:
        """Have every request to `host` wait for so long: asking on while a limit is in force prolongs it."""
        with self._lock:
            until = self.clock() + seconds
            if until > self._held.get(host, (0.0, ""))[0]:
                self._held[host] = (until, reason)

    def before_creating(self) -> None:
        """Wait until one more request that creates content is within the budget, and count it. Raises as `wait`."""
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
        """Wait so long. Raises RateLimitError where it is longer than `max_wait`, or when the user wants to stop."""
        if seconds > self.max_wait:
            raise self.too_long(seconds, reason)
        if seconds >= 1:
            self.on_wait(f"waiting {_span(seconds)}: {reason}")
        if self._slept(seconds, reason):
            raise RateLimitError(f"stopped while waiting for {reason}", remedy=_NEXT)

    def _slept(self, seconds: float, reason: str) -> bool:
        if self.on_countdown is None:
            return self.sleep(seconds)
        end = self.clock() + seconds
        try:
            while (left := end - self.clock()) > 0:
                self.on_countdown(f"waiting {_span(left)}: {reason}")
                if self.sleep(min(left, 1.0)):
                    return True
        finally:
            self.on_countdown("")
        return False

    def too_long(self, seconds: float, reason: str) -> RateLimitError:
        """Return the error for a wait of so many seconds, which is longer than the user allows."""
        return RateLimitError(
            f"{reason} asks for a wait of {_span(seconds)}, --max-wait allows {_span(self.max_wait)}", remedy=_NEXT
        )

    def pause(self, seconds: float) -> bool:
        """Wait before something is tried again. Returns True, at once, if the user wants to stop."""
        return self.sleep(seconds)


def asked_wait(status: int, headers: Mapping[str, object], message: str, now: float) -> float | None:
    """Return the seconds that an answer asks to wait, None if it is not about a limit.

    `headers` are lower case. Retry-After comes first, then the reset time of a limit that is used up, else a minute:
    https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
    The reset time is by the server's clock, as the answer's Date is; `now`, in seconds since the epoch, is for one
    without: this machine's clock may be wrong.
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
    """Return when an answer was given, by its server's clock; `now` if it does not say."""
    try:
        return parsedate_to_datetime(str(headers.get("date") or "")).timestamp()
    except (ValueError, OverflowError, OSError):
        return now


def _span(seconds: float) -> str:
    """Return a length of time for people."""
    whole = int(seconds + 0.5)
    if whole < 120:
        return f"{whole} s"
    return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 and whole < 600 else "")
