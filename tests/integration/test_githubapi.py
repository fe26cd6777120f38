"""The API's client against the GitHub for the tests: repetitions, limits, time, and errors in one line."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chart_releaser.errors import GitHubError, LostAnswerError, RateLimitError
from chart_releaser.github import api as githubapi
from chart_releaser.github.api import GitHubApi
from chart_releaser.github.pacing import Pacing
from chart_releaser.location import Server as Where
from tests.hub import Fault, Hub, Server, everything, on, running
from tests.publishing import SLUG, TOKEN, impatient, new_hub

RELEASES = f"/repos/{SLUG}/releases"
BROKEN: list[dict[str, Any]] = [
    {"kind": "drop-before"},
    {"kind": "drop-after"},
    {"kind": "truncate"},
    {"kind": "refuse", "status": 500},
    {"kind": "refuse", "status": 502, "body": b"<html>Bad Gateway\n</html>"},
    {"kind": "refuse", "status": 200, "body": b"<html>A proxy's page</html>"},
]


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return new_hub(tmp_path)


@pytest.fixture
def server(hub: Hub) -> Iterator[Server]:
    with running(hub) as server:
        yield server


def client(server: Server, token: str | None = TOKEN, pacing: Pacing | None = None) -> GitHubApi:
    return GitHubApi(Where(server.url, server.api_url), token, pacing or impatient())


@pytest.mark.parametrize("rule", BROKEN, ids=str)
def test_reading_is_repeated_and_writing_is_not(hub: Hub, server: Server, rule: dict[str, Any]) -> None:
    api = client(server)
    hub.add_fault(Fault(everything, times=4, **rule))
    assert api.get(RELEASES)[1] == []
    assert len(hub.journal) == 5
    hub.faults.clear()
    hub.journal.clear()
    hub.add_fault(Fault(everything, **rule))
    with pytest.raises(LostAnswerError) as caught:
        api.send("POST", RELEASES, {"tag_name": "a-1.0.0", "draft": True})
    assert len(hub.journal) == 1
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rule", BROKEN, ids=str)
def test_reading_is_not_repeated_for_ever(hub: Hub, server: Server, rule: dict[str, Any]) -> None:
    waits: list[float] = []

    def sleep(seconds: float) -> bool:
        waits.append(seconds)
        return False

    hub.add_fault(Fault(everything, times=None, **rule))
    with pytest.raises(LostAnswerError):
        client(server, pacing=Pacing(sleep=sleep)).get(RELEASES)
    assert waits == [1, 2, 4, 8]


@pytest.mark.parametrize("rule", BROKEN[:5], ids=str)
def test_downloads_are_repeated(hub: Hub, server: Server, rule: dict[str, Any]) -> None:
    asset = hub.add_release(SLUG, "a-1.0.0", assets={"a.tgz": b"content" * 1000}).assets[0]
    address = f"{server.api_url}/repos/{SLUG}/releases/assets/{asset.id}"
    hub.add_fault(Fault(everything, times=4, **rule))
    assert client(server).download(address, limit=10_000) == b"content" * 1000
    with pytest.raises(GitHubError, match=r"has more than 6,999 bytes"):
        client(server).download(address, limit=6_999)
    with pytest.raises(GitHubError) as caught:
        client(server).download(f"{server.api_url}/repos/{SLUG}/releases/assets/1", limit=10)
    assert caught.value.status == 404


def test_an_answer_that_does_not_come(hub: Hub, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(githubapi, "_TIMEOUT_SECONDS", 1)
    monkeypatch.setattr(githubapi, "_UPLOAD_TIMEOUT", 0.2)
    release = hub.add_release(SLUG, "a-1.0.0", draft=True)
    api = client(server)
    hub.add_fault(Fault(on("GET", ""), "slow", seconds=1.5))
    assert len(api.get(RELEASES)[1]) == 1
    hub.add_fault(Fault(on("POST", ""), "slow", seconds=1.5))
    url = f"{server.url}/api/uploads/repos/{SLUG}/releases/{release.id}/assets"
    with pytest.raises(LostAnswerError, match="timed out"):
        api.upload(url, "a.tgz", b"data", "application/gzip")


def test_nobody_listens(tmp_path: Path) -> None:
    api = GitHubApi(Where("http://127.0.0.1:9", "http://127.0.0.1:9/api/v3"), TOKEN, impatient())
    with pytest.raises(LostAnswerError, match=r"127\.0\.0\.1:9 could not be reached: .*refused; try again later"):
        api.get(RELEASES)


def test_a_stop_ends_the_repetitions(hub: Hub, server: Server) -> None:
    stop = threading.Event()
    stop.set()
    hub.add_fault(Fault(everything, "drop-before", times=None))
    with pytest.raises(LostAnswerError):
        client(server, pacing=Pacing(sleep=stop.wait)).get(RELEASES)
    assert len(hub.journal) == 1


def test_a_limit_met_by_one_thread_holds_the_others(hub: Hub, server: Server) -> None:
    pacing = Pacing(max_wait=30, sleep=lambda _seconds: False)
    hub.add_fault(Fault(everything, "refuse", status=403, headers={"Retry-After": "60"}))
    for _ in range(3):
        with pytest.raises(RateLimitError, match="--max-wait allows 30 s"):
            client(server, pacing=pacing).get(RELEASES)
    assert len(hub.journal) == 1, "only the first one asked"


def test_without_a_token_the_limit_says_what_would_help(hub: Hub, server: Server) -> None:
    hub.limits.exhaust(None, 60, 1800)
    with pytest.raises(RateLimitError, match=r"\(set GITHUB_TOKEN for a higher one\) asks for a wait of 30 min"):
        client(server, None).get(RELEASES)


def test_errors_say_what_github_says(hub: Hub, server: Server) -> None:
    api = client(server)
    with pytest.raises(GitHubError, match=r"answered 422: Validation Failed: .*tag_name is not a valid tag") as caught:
        api.send("POST", RELEASES, {"tag_name": "a b"})
    assert caught.value.status == 422
    with pytest.raises(GitHubError, match="refused the token"):
        client(server, "wrong").get(RELEASES)


def test_a_netrc_file_is_not_asked(hub: Hub, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1\nlogin somebody\npassword else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    release = hub.add_release(SLUG, "a-1.0.0", draft=True)
    api = client(server)
    api.get(RELEASES)
    url = f"{server.url}/api/uploads/repos/{SLUG}/releases/{release.id}/assets"
    asset = api.upload(url, "a.tgz", b"data", "application/gzip")
    api.download(asset["url"], limit=100)
    assert {record.token for record in hub.journal} == {"installation"}


def test_pages_are_asked_for_one_by_one(hub: Hub, server: Server) -> None:
    for number in range(250):
        hub.add_release(SLUG, f"a-1.0.{number}")
    pages = client(server).pages(RELEASES)
    assert len(next(pages)) == 100
    assert len(hub.journal) == 1
    assert [len(page) for page in pages] == [100, 50]
