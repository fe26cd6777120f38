"""A GitHub for the tests: REST, uploads, downloads and git over HTTP on loopback, with faults on demand.

hub = Hub()
hub.add_token("secret", {"o/charts"})
hub.add_repository("o/charts", create(tmp_path / "charts"))
with running(hub) as server:
    ...  # GITHUB_SERVER_URL=server.url, GITHUB_API_URL=server.api_url
"""

from __future__ import annotations

from tests.hub.faults import Fault, everything, mutating, on
from tests.hub.gitdir import GitDir, create
from tests.hub.hub import VERSION_TAG, Hub
from tests.hub.journal import Journal, Record
from tests.hub.server import Server, running
from tests.hub.state import HubAsset, HubRelease, HubRepository, Token

__all__ = [
    "VERSION_TAG",
    "Fault",
    "GitDir",
    "Hub",
    "HubAsset",
    "HubRelease",
    "HubRepository",
    "Journal",
    "Record",
    "Server",
    "Token",
    "create",
    "everything",
    "mutating",
    "on",
    "running",
]
