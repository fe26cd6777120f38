"""Opens the repositories that sources name, for their releases and for their trees."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from chart_releaser.attempts import Attempts
from chart_releaser.budget import SOURCE_SECONDS
from chart_releaser.errors import BudgetError, UpstreamError
from chart_releaser.git.snapshot import Repository
from chart_releaser.github.pacing import Pacing
from chart_releaser.location import GitHubRepository, GitRepository, LocalRepository, Location, Server
from chart_releaser.upstream.releases import GitHubUpstream, GitUpstream, Upstream

if TYPE_CHECKING:
    from chart_releaser.github.api import GitHubApi

LISTING_SECONDS = 60.0
"""Time limit for listing the tags of a repository, short because all sources wait for the slowest listing."""
_SCP = re.compile(r"(?:[^@/:]+@)?(?P<host>\[[^\]]+\]|[^@/:]+):(?!//)(?P<path>.+)")
_SSH = re.compile(r"ssh://(?:[^@/]+@)?(?P<host>\[[^\]]+\]|[^@/:]+)(?::\d+)?/(?P<path>.+)")


@dataclass
class Repositories:
    """Access to upstream repositories.

    `token` is sent to `server` only. `cache` is the directory of fetched repositories. `on_wait` gets a message when
    another run holds a cached repository.
    """

    server: Server
    token: str | None
    cache: Path
    on_wait: Callable[[str], None]
    pacing: Pacing = field(default_factory=Pacing)
    attempts: Attempts = field(default_factory=Attempts)
    """Collects what had to be tried again in this run."""
    _local: threading.local = field(default_factory=threading.local)

    def upstream(self, location: Location) -> Upstream:
        """Return the upstream at `location`, to be used in this thread only."""
        if isinstance(location, GitHubRepository) and not location.follows_tags:
            return GitHubUpstream(location, self.api(location.server))
        return GitUpstream(str(location), lambda: self.tags(location))

    def tags(self, location: Location) -> list[str]:
        """Return the names of all tags at `location`. Raises UpstreamError."""
        try:
            return self.open(location, LISTING_SECONDS).tags()
        except BudgetError as error:
            raise UpstreamError(
                f"{location} did not list its tags within {LISTING_SECONDS:.0f} seconds, for which all sources wait",
                remedy="check the network and the server, then run again",
            ) from error

    def open(self, location: Location, seconds: float) -> Repository:
        """Return the repository at `location`, to be used in this thread only; fetching may take `seconds`.

        Raises UpstreamError if git is missing or too old.
        """
        return open_repository(
            location,
            cache=self.cache,
            seconds=seconds,
            token=self._token_for(location.clone_url) if isinstance(location, GitHubRepository) else None,
            on_wait=self.on_wait,
            attempts=self.attempts,
        )

    def _token_for(self, url: str) -> str | None:
        return self.token if self.server.owns(url) else None

    def api(self, server: Server, *, keeps: bool = True) -> GitHubApi:
        """Return this thread's client for `server`.

        With `keeps`, the client keeps answers for the next run, and uses those of earlier runs if GitHub confirms them.
        """
        from chart_releaser.github.api import GitHubApi
        from chart_releaser.github.responses import ResponseCache

        # One client per thread, because PyGithub keeps the state of a request in its client.
        clients: dict[tuple[Server, bool], GitHubApi] = self._local.__dict__.setdefault("clients", {})
        if (server, keeps) not in clients:
            token = self._token_for(server.api_url)
            responses = ResponseCache(self.cache / "api") if keeps else None
            clients[server, keeps] = GitHubApi(server, token, self.pacing, responses, self.attempts)
        return clients[server, keeps]


def open_repository(
    location: Location,
    *,
    cache: Path,
    seconds: float = SOURCE_SECONDS,
    token: str | None = None,
    on_wait: Callable[[str], None] = lambda _message: None,
    attempts: Attempts | None = None,
) -> Repository:
    """Return the repository at `location`, without reading it yet.

    `cache` is the directory of fetched repositories, and all requests together may take `seconds`. `token` is used only
    for a GitHubRepository; the caller must pass it only if it belongs to that repository's server. `on_wait` gets a
    message when another run holds the cache, and `attempts` records what is tried again.

    Raises UpstreamError if git is missing or too old.
    """
    from chart_releaser.git.cache import CachedRepository
    from chart_releaser.git.local import WorkingRepository
    from chart_releaser.git.run import Login, require_git

    require_git()
    if isinstance(location, LocalRepository):
        return WorkingRepository(location.path)
    if isinstance(location, GitHubRepository):
        login = Login(location.server.url, token) if token else None
        return CachedRepository(
            location.clone_url, cache=cache, seconds=seconds, login=login, on_wait=on_wait, attempts=attempts
        )
    return CachedRepository(location.url, cache=cache, seconds=seconds, on_wait=on_wait, attempts=attempts)


def web_url(location: Location) -> str | None:
    """Return the address of a repository for browsers and Renovate; None for a local path, meaningless elsewhere."""
    if isinstance(location, GitHubRepository):
        return location.web_url
    if isinstance(location, LocalRepository):
        return None
    return _web_url_of_git(location)


def _web_url_of_git(repository: GitRepository) -> str:
    url = repository.url.removesuffix("/").removesuffix(".git")
    ssh = _SSH.fullmatch(url) or _SCP.fullmatch(url)
    if ssh is not None:
        return f"https://{ssh['host']}/{ssh['path'].lstrip('/')}"
    return url
