"""Serves the test GitHub for a benchmark: with latency, without rate limits, and with a count of all requests."""

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
"""Seconds per request."""
CONNECT_LATENCY = 0.06
"""Seconds per new connection, for the two more round trips of TCP and TLS."""
TOKEN = "bench"
DESTINATION = "bench/charts"


@dataclass
class Traffic:
    """The requests during a measurement; sizes are those of bodies, in bytes."""

    api: int = 0
    git: int = 0
    writes: int = 0
    """Requests that may change something, including pushes."""
    unchanged: int = 0
    """Requests answered with 304."""
    connections: int = 0
    bytes: int = 0
    all_cpu: float = 0.0
    """CPU seconds of all processes: the test GitHub, its git back end, and the measured command."""

    @property
    def requests(self) -> int:
        """The number of all requests."""
        return self.api + self.git


class Counting(Server):
    """A server that also counts connections, which the journal does not record."""

    connections = 0

    def process_request(self, request: Any, client_address: Any) -> None:
        """Count the connection."""
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
        """The environment variables that make the command use this server."""
        return {
            "GITHUB_SERVER_URL": self.server.url,
            "GITHUB_API_URL": self.server.api_url,
            "GITHUB_TOKEN": TOKEN,
        }

    @contextmanager
    def counting(self) -> Iterator[Traffic]:
        """Count the requests during the body; the figures are complete when it ends."""
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
    """Serve an empty hub without rate limits while the body runs."""
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
