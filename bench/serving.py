"""The test GitHub as a benchmark uses it: with latency, without limits, and with every request counted."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.hub import Hub
from tests.hub.server import Server

LATENCY = 0.03
"""Seconds a request."""
CONNECT_LATENCY = 0.06
"""Seconds a new connection: the two further round trips of TCP and TLS."""
TOKEN = "bench"
DESTINATION = "bench/charts"


@dataclass
class Traffic:
    """What was asked while something was measured; bodies only, sizes in bytes."""

    api: int = 0
    git: int = 0
    writes: int = 0
    """Requests that may change something, pushes included."""
    unchanged: int = 0
    """Answered 304."""
    connections: int = 0
    bytes: int = 0
    all_cpu: float = 0.0
    """Seconds of processor time of everything: the test GitHub, git's back end behind it, and what was measured."""

    @property
    def requests(self) -> int:
        """All of them."""
        return self.api + self.git


class Counting(Server):
    """Counts connections, which the hub's journal does not know."""

    connections = 0

    def process_request(self, request: Any, client_address: Any) -> None:
        """As inherited."""
        self.connections += 1
        super().process_request(request, client_address)


def _cpu() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


@dataclass(frozen=True)
class Site:
    """A running hub."""

    hub: Hub
    server: Counting

    @property
    def environ(self) -> dict[str, str]:
        """What makes the command use it."""
        return {
            "GITHUB_SERVER_URL": self.server.url,
            "GITHUB_API_URL": self.server.api_url,
            "GITHUB_TOKEN": TOKEN,
        }

    @contextmanager
    def counting(self) -> Iterator[Traffic]:
        """Count what is asked until the block ends; the figures are there then."""
        traffic = Traffic()
        self.hub.journal.clear()
        connections, cpu = self.server.connections, _cpu()
        yield traffic
        records = self.hub.journal.records()
        traffic.api = sum(record.rest for record in records)
        traffic.git = sum(record.git for record in records)
        traffic.writes = sum(record.mutating for record in records)
        traffic.unchanged = sum(record.status == 304 for record in records)
        traffic.bytes = sum(record.request_bytes + record.response_bytes for record in records)
        traffic.connections = self.server.connections - connections
        traffic.all_cpu = _cpu() - cpu


@contextmanager
def site() -> Iterator[Site]:
    """Serve an empty hub without limits until the block ends."""
    hub = Hub()
    hub.latency, hub.connect_latency = LATENCY, CONNECT_LATENCY
    hub.limits.anonymous = hub.limits.content_per_minute = hub.limits.content_per_hour = None
    hub.add_token(TOKEN, {DESTINATION}, limit=None)
    server = Counting(hub)
    server.start()
    try:
        yield Site(hub, server)
    finally:
        server.stop()
    if server.errors:
        raise server.errors[0]
