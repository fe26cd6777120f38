"""A second run asks whether anything has changed, and pays nothing for hearing that it has not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from chart_releaser.github.api import GitHubApi
from chart_releaser.github.pacing import Pacing
from chart_releaser.github.responses import ResponseCache
from chart_releaser.location import GitHubRepository, Server
from chart_releaser.upstream.releases import GitHubUpstream, Release
from tests.hub import Hub, create, on, running

START = datetime(2024, 1, 1, tzinfo=UTC)


def list_all(server: Server, cache: Path) -> list[Release]:
    api = GitHubApi(server, "a-token-of-tests", Pacing(), ResponseCache(cache))
    return GitHubUpstream(GitHubRepository(server, "o", "n"), api).releases(lambda _: False)


def test_pages_are_read_again_only_where_they_changed(tmp_path: Path) -> None:
    hub = Hub()
    hub.add_token("a-token-of-tests", set())
    hub.add_repository("o/n", create(tmp_path / "n.git"))
    for number in range(150):
        hub.add_release("o/n", f"v1.0.{number}", f"notes {number}", START + timedelta(minutes=number))
    with running(hub) as running_server:
        server = Server(running_server.url, running_server.api_url)
        first = list_all(server, tmp_path / "cache")
        assert len(first) == 150
        hub.journal.clear()
        assert list_all(server, tmp_path / "cache") == first
        assert hub.journal.count(on("GET", r"/releases$"), status=304) == 2
        assert hub.journal.count(on("GET", r"/releases$"), status=200) == 0

        hub.add_release("o/n", "v1.1.0", "news", START + timedelta(days=31))
        third = list_all(server, tmp_path / "cache")
        assert [release.tag for release in third] == ["v1.1.0", *(release.tag for release in first)]
