"""What a location is opened as, where the token goes, and how a repository is called on the web."""

from __future__ import annotations

from pathlib import Path

import pytest

from chart_releaser.location import GitHubRepository, GitRepository, LocalRepository, Location, Server
from chart_releaser.upstream import repositories as module
from chart_releaser.upstream.releases import GitHubUpstream, GitUpstream
from chart_releaser.upstream.repositories import Repositories, web_url

OURS = Server("https://ghe.example.org", "https://ghe.example.org/api/v3")
LOCATIONS: dict[str, tuple[Location, bool]] = {
    "ours": (GitHubRepository(OURS, "o", "a"), True),
    "theirs": (GitHubRepository(Server(), "o", "a"), False),
    "a git URL of our own server": (GitRepository("https://ghe.example.org/x/y/z.git"), False),
    "ssh": (GitRepository("git@ghe.example.org:o/a.git"), False),
    "local": (LocalRepository(Path("/x")), False),
}


def _repositories(token: str | None = "ghs_secret") -> Repositories:
    return Repositories(OURS, token, Path("/cache"), lambda _text: None)


@pytest.mark.parametrize("name", LOCATIONS)
def test_the_token_is_for_its_server_only(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    location, gets_it = LOCATIONS[name]
    given: list[object] = []
    monkeypatch.setattr(module, "open_repository", lambda where, **options: given.append((where, options["token"])))
    _repositories().open(location, 60)
    assert given == [(location, "ghs_secret" if gets_it else None)]


@pytest.mark.parametrize("name", LOCATIONS)
def test_github_is_asked_by_its_api_and_others_by_git(name: str) -> None:
    location, _ = LOCATIONS[name]
    upstream = _repositories().upstream(location)
    assert isinstance(upstream, GitHubUpstream if isinstance(location, GitHubRepository) else GitUpstream)


def test_one_client_for_each_server_and_thread() -> None:
    repositories = _repositories()
    assert repositories.api(OURS) is repositories.api(OURS)
    assert repositories.api(OURS).has_token
    assert not repositories.api(Server()).has_token
    assert repositories.api(OURS).pacing is repositories.api(Server()).pacing


@pytest.mark.parametrize(
    ("location", "url"),
    [
        (GitHubRepository(OURS, "o", "a"), "https://ghe.example.org/o/a"),
        (LocalRepository(Path("/x")), None),
        (GitRepository("https://example.org/a.git/"), "https://example.org/a"),
        (GitRepository("http://127.0.0.1:80/a.git"), "http://127.0.0.1:80/a"),
        (GitRepository("git@example.org:o/a.git"), "https://example.org/o/a"),
        (GitRepository("example.org:/srv/a.git"), "https://example.org/srv/a"),
        (GitRepository("ssh://git@example.org:2222/o/a.git"), "https://example.org/o/a"),
        (GitRepository("ssh://example.org/o/a"), "https://example.org/o/a"),
    ],
)
def test_the_address_for_people(location: Location, url: str | None) -> None:
    assert web_url(location) == url
