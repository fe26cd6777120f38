"""A log of the requests in order of arrival, with their sizes and times."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

from tests.hub.faults import Match, mutating


@dataclass
class Record:
    """One request. `status` is 0 while it is under way and if it got no answer."""

    method: str
    path: str
    """The path without the query; a repository's id is replaced by its name."""
    query: str
    time: float
    token: str | None
    """The kind of the request's token; "unknown" for an unknown token, None without a token."""
    token_in_url: bool = False
    status: int = 0
    request_bytes: int = 0
    response_bytes: int = 0
    """Sizes of the bodies as sent, without headers."""
    lists_refs: bool = False
    """Whether it is a request for references with version 2 of git's protocol."""
    fault: str = ""
    error: str = ""
    """Errors of the server itself or of git's back end."""

    @property
    def mutating(self) -> bool:
        """Whether it can change anything."""
        return mutating(self.method, self.path)

    @property
    def rest(self) -> bool:
        """Whether it is a request to the REST API, including uploads."""
        return self.path.startswith("/api/")

    @property
    def git(self) -> bool:
        """Whether it is a request of git."""
        return self.path.endswith(("/info/refs", "/git-upload-pack", "/git-receive-pack"))

    def __str__(self) -> str:
        asked = self.path + (f"?{self.query}" if self.query else "")
        return f"{self.method} {asked} {self.status or '-'}{' ' + self.fault if self.fault else ''}"


class Journal:
    """All requests since the start or since `clear`."""

    def __init__(self) -> None:
        self._records: list[Record] = []
        self._lock = threading.Lock()

    def append(self, record: Record) -> None:
        """Add a record, whose figures are filled in while the answer is sent."""
        with self._lock:
            self._records.append(record)

    def clear(self) -> None:
        """Remove all records."""
        with self._lock:
            self._records.clear()

    def records(self) -> list[Record]:
        """Return the records in order of arrival."""
        with self._lock:
            return list(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records())

    def __len__(self) -> int:
        return len(self.records())

    def __str__(self) -> str:
        return "\n".join(map(str, self.records()))

    def mutations(self) -> list[Record]:
        """The writing REST requests and pushes, including failed ones."""
        return [record for record in self.records() if record.mutating]

    def count(self, match: Match | None = None, *, status: int | None = None) -> int:
        """Return the number of requests that match (see `faults.on`), ended with this status, or both."""
        return sum(
            (match is None or match(record.method, record.path)) and (status is None or record.status == status)
            for record in self.records()
        )

    @property
    def bytes_out(self) -> int:
        """Total size of all answers' bodies."""
        return sum(record.response_bytes for record in self.records())

    @property
    def bytes_in(self) -> int:
        """Total size of all requests' bodies."""
        return sum(record.request_bytes for record in self.records())
