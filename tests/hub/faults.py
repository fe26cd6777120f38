"""Faults for tests: what goes wrong, and for which request."""

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
    """Match requests with this method ("*" for any) whose path, without the query, contains the regular expression."""
    pattern = re.compile(path)
    return lambda asked, where: method in {"*", asked} and pattern.search(where) is not None


def mutating(method: str, path: str) -> bool:
    """Match requests that can change something: writing REST requests, and the push itself."""
    if "/api/v3/" in path or "/api/uploads/" in path:
        return method in {"POST", "PATCH", "PUT", "DELETE"}
    return method == "POST" and path.endswith(GIT_PUSH)


def everything(method: str, path: str) -> bool:
    """Match every request."""
    return True


@dataclass
class Fault:
    """A rule by which `times` matching requests fail, beginning with the `nth`; all of them if `times` is None.

    The kinds of fault:

    - refuse: answer `status` with `headers` and `message` (or `body`), without any effect.
    - drop-before: close the connection without any effect.
    - drop-after: have the effect, then close the connection without an answer.
    - broken-upload: leave an asset in state "starter", then answer `status`, or close the connection if it is 0.
    - truncate: send half of the body, then close the connection.
    - corrupt: change the body of an upload before its effect, or the body of the answer to any other request.
    - slow: wait `seconds` first.
    - callback: call `action` before the effect, and `after` once it is there.
    - reject-push: call `action`, which commits to the branch. For the push itself (POST …/git-receive-pack) git then
      reports that it cannot lock the ref; for its announcement (GET …/info/refs, query "git-receive-pack"), "fetch
      first".
    - redirect: answer 302 (or `status`) with `location`.
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
    """Called after the effect and before the answer, for every kind that has an effect."""
    location: str = ""
    seen: int = 0
    """The number of matching requests so far."""
    fired: int = 0
    """The number of requests that failed because of this rule."""

    def due(self, method: str, path: str, query: str) -> bool:
        """Count the request if it matches, and return whether it is to fail."""
        if not self.match(method, path) or self.query not in query:
            return False
        self.seen += 1
        if self.seen < self.nth or (self.times is not None and self.seen >= self.nth + self.times):
            return False
        self.fired += 1
        return True


class Faults:
    """The active rules, in the order in which they were added."""

    def __init__(self, rules: Iterable[Fault] = ()) -> None:
        self._rules = list(rules)
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> Fault:
        """Add a rule and return it."""
        with self._lock:
            self._rules.append(fault)
        return fault

    def clear(self) -> None:
        """Remove all rules."""
        with self._lock:
            self._rules.clear()

    def due(self, method: str, path: str, query: str) -> list[Fault]:
        """Count the request, and return the rules by which it is to fail."""
        with self._lock:
            return [rule for rule in self._rules if rule.due(method, path, query)]
