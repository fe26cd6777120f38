"""The request log: what was asked, in order of arrival, and what it cost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

from tests.hub.faults import Match, mutating


@dataclass
class Record:
    """One request. `status` is 0 while it is under way and when no answer was given."""

    method: str
    path: str
    """Without the query; a repository's number in place of its name is resolved."""
    query: str
    time: float
    token: str | None
    """The kind of the token that came, "unknown" for one that was never given out, None for none."""
    token_in_url: bool = False
    status: int = 0
    request_bytes: int = 0
    response_bytes: int = 0
    """Bodies as sent, without the headers."""
    lists_refs: bool = False
    """Does git ask for references by it, with protocol version 2?"""
    fault: str = ""
    error: str = ""
    """What the server itself or git's back end had to complain about."""

    @property
    def mutating(self) -> bool:
        """Can it change anything?"""
        return mutating(self.method, self.path)

    @property
    def rest(self) -> bool:
        """Is it a request to the REST interface, uploads included?"""
        return self.path.startswith("/api/")

    @property
    def git(self) -> bool:
        """Is it one of git's requests?"""
        return self.path.endswith(("/info/refs", "/git-upload-pack", "/git-receive-pack"))

    def __str__(self) -> str:
        asked = self.path + (f"?{self.query}" if self.query else "")
        return f"{self.method} {asked} {self.status or '-'}{' ' + self.fault if self.fault else ''}"


class Journal:
    """Every request since the start, or since `clear`."""

    def __init__(self) -> None:
        self._records: list[Record] = []
        self._lock = threading.Lock()

    def append(self, record: Record) -> None:
        """Take a record up; its figures are filled in as the answer goes out."""
        with self._lock:
            self._records.append(record)

    def clear(self) -> None:
        """Forget everything so far."""
        with self._lock:
            self._records.clear()

    def records(self) -> list[Record]:
        """A copy of the list, in order of arrival."""
        with self._lock:
            return list(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records())

    def __len__(self) -> int:
        return len(self.records())

    def __str__(self) -> str:
        return "\n".join(map(str, self.records()))

    def mutations(self) -> list[Record]:
        """Writing REST requests and pushes, whatever came of them."""
        return [record for record in self.records() if record.mutating]

    def count(self, match: Match | None = None, *, status: int | None = None) -> int:
        """How many requests match (see `faults.on`), ended with this status, or both."""
        return sum(
            (match is None or match(record.method, record.path)) and (status is None or record.status == status)
            for record in self.records()
        )

    @property
    def bytes_out(self) -> int:
        """Bytes of all answers' bodies."""
        return sum(record.response_bytes for record in self.records())

    @property
    def bytes_in(self) -> int:
        """Bytes of all requests' bodies."""
        return sum(record.request_bytes for record in self.records())
