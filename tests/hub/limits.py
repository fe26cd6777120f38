"""GitHub's rate limits: the primary limit per hour, and the secondary limit for requests that create content.

The numbers are from https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.hub.messages import DOCS, Refused

HOUR = 3600
LIMIT_DOCS = f"{DOCS}/using-the-rest-api/rate-limits-for-the-rest-api"
PRIMARY_DOCS = f"{DOCS}/overview/rate-limits-for-the-rest-api"
SECONDARY_DOCS = "https://docs.github.com/free-pro-team@latest/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"
SECONDARY_MESSAGE = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. "
    "If you reach out to GitHub Support for help, please include the request ID 0000:0000:0000000."
)
CONTENT_MESSAGE = (
    "You have exceeded a secondary rate limit and have been temporarily blocked from content creation. "
    "Please retry your request again later."
)


@dataclass
class Window:
    """A caller's usage in the current hour."""

    limit: int
    reset: float
    used: int = 0

    def headers(self) -> dict[str, str]:
        """Return the X-RateLimit headers."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(0, self.limit - self.used)),
            "X-RateLimit-Reset": str(math.ceil(self.reset)),
            "X-RateLimit-Used": str(min(self.used, self.limit)),
            "X-RateLimit-Resource": "core",
        }

    def values(self) -> dict[str, int]:
        """Return the same as in the answer of /rate_limit."""
        remaining = max(0, self.limit - self.used)
        return {"limit": self.limit, "used": self.used, "remaining": remaining, "reset": math.ceil(self.reset)}


@dataclass
class Limits:
    """The active limits, None for no limit. Callers must hold the hub's lock."""

    clock: Callable[[], float]
    anonymous: int | None = 60
    content_per_minute: int | None = 80
    content_per_hour: int | None = 500
    secondary_status: int = 403
    retry_after: bool = True
    """Whether a refusal by the secondary limit has Retry-After, which GitHub does not always send."""
    _windows: dict[str | None, Window] = field(default_factory=dict)
    _created: dict[str, deque[float]] = field(default_factory=dict)

    def window(self, caller: str | None, limit: int | None) -> Window:
        """Return the caller's current hour, which begins with its first request."""
        now = self.clock()
        window = self._windows.get(caller)
        if window is None or now >= window.reset:
            window = self._windows[caller] = Window(limit if limit is not None else 1_000_000, now + HOUR)
        elif limit is not None:
            window.limit = limit
        return window

    def exhaust(self, caller: str | None, limit: int, seconds: float) -> None:
        """Use up the limit of a caller, given by its token's value, for that many seconds."""
        self._windows[caller] = Window(limit, self.clock() + seconds, used=limit)

    def check(self, caller: str | None, limit: int | None) -> Window:
        """Count a request. Raises Refused (403) if nothing is left."""
        window = self.window(caller, limit)
        if window.used >= window.limit:
            who = "for installation ID 1." if caller is not None else "for 127.0.0.1."
            more = (
                ""
                if caller is not None
                else " (But here's the good news: Authenticated requests get a higher rate limit. "
                "Check out the documentation for more details.)"
            )
            message = f"API rate limit exceeded {who}{more}"
            raise Refused(403, message, docs=LIMIT_DOCS if caller is not None else PRIMARY_DOCS)
        window.used += 1
        return window

    def check_content(self, caller: str) -> None:
        """Count a content-creating request. Raises Refused (403 or 429) above the limit per minute or hour."""
        now = self.clock()
        times = self._created.setdefault(caller, deque())
        while times and times[0] <= now - HOUR:
            times.popleft()
        wait = 0.0
        if self.content_per_hour is not None and len(times) >= self.content_per_hour:
            wait = times[-self.content_per_hour] + HOUR - now
        if self.content_per_minute is not None and len(times) >= self.content_per_minute:
            wait = max(wait, times[-self.content_per_minute] + 60 - now)
        if wait > 0:
            headers = {"Retry-After": str(math.ceil(wait))} if self.retry_after else {}
            raise Refused(self.secondary_status, CONTENT_MESSAGE, docs=SECONDARY_DOCS, headers=headers)
        times.append(now)
