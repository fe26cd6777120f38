"""What can go wrong on purpose, and on which request."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "refuse",
    "drop-before",
    "drop-after",
    "broken-upload",
    "truncate",
    "corrupt",
    "slow",
    "reject-push",
    "callback",
    "redirect",
]
Match = Callable[[str, str], bool]

GIT_PUSH = "/git-receive-pack"


def on(method: str, path: str) -> Match:
    """Requests with this method ("*" for any) whose path, without its query, contains the regular expression."""
    pattern = re.compile(path)
    return lambda asked, where: method in {"*", asked} and pattern.search(where) is not None


def mutating(method: str, path: str) -> bool:
    """Requests that can change something: writing REST requests and the push itself."""
    if "/api/v3/" in path or "/api/uploads/" in path:
        return method in {"POST", "PATCH", "PUT", "DELETE"}
    return method == "POST" and path.endswith(GIT_PUSH)


def everything(method: str, path: str) -> bool:
    """Every request."""
    return True


@dataclass
class Fault:
    """A rule: the `nth` matching request and the ones after it, `times` in all (None: for ever), go wrong.

    refuse: answer `status` with `headers` and `message` (or `body`), without any effect.
    drop-before: close the connection without any effect. drop-after: have the effect, then close without an answer.
    broken-upload: leave an asset in state "starter", then answer `status`, or close where it is 0.
    truncate: half of the body, then close. corrupt: one bit of the body is another one, of a request that has a body
    before it has its effect, else of the answer. slow: wait `seconds` first. callback: call `action` first, or `after`
    once the effect is there.
    reject-push: call `action`, which commits to the branch. On the push itself (POST …/git-receive-pack) git then says
    that it cannot lock the ref; on its announcement (GET …/info/refs, query "git-receive-pack"), "fetch first".
    redirect: 302 (or `status`) to `location`.
    """

    match: Match
    kind: Kind
    nth: int = 1
    times: int | None = 1
    query: str = ""
    """Only requests whose query contains this."""
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    message: str = ""
    body: bytes | None = None
    seconds: float = 0.0
    action: Callable[[], object] | None = None
    """Called before any effect."""
    after: Callable[[], object] | None = None
    """Called after the effect and before the answer, with any kind that lets the effect happen."""
    location: str = ""
    seen: int = 0
    """How many requests matched so far."""
    fired: int = 0
    """How many of them went wrong."""

    def due(self, method: str, path: str, query: str) -> bool:
        """Count this request if it matches; is it one that goes wrong?"""
        if not self.match(method, path) or self.query not in query:
            return False
        self.seen += 1
        if self.seen < self.nth or (self.times is not None and self.seen >= self.nth + self.times):
            return False
        self.fired += 1
        return True


class Faults:
    """The rules in force. All that are due for a request are returned, in order."""

    def __init__(self, rules: Iterable[Fault] = ()) -> None:
        self._rules = list(rules)
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> Fault:
        """Put a rule in force."""
        with self._lock:
            self._rules.append(fault)
        return fault

    def clear(self) -> None:
        """Lift every rule."""
        with self._lock:
            self._rules.clear()

    def due(self, method: str, path: str, query: str) -> list[Fault]:
        """The rules that this request sets off."""
        with self._lock:
            return [rule for rule in self._rules if rule.due(method, path, query)]
