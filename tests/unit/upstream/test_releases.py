"""Releases as GitHub and plain git tell them, without either."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import pytest

from chart_releaser.errors import GitHubError, RateLimitError, UpstreamError
from chart_releaser.github.api import GitHubApi
from chart_releaser.location import GitHubRepository, Server
from chart_releaser.upstream import releases as upstream_module
from chart_releaser.upstream.releases import Asset, GitHubUpstream, GitUpstream, Release, _suggest_tags

MISSING = "https://github.com/o/a was not found; check owner and name"
DATA = b"a registration"
DIGEST = f"sha256:{hashlib.sha256(DATA).hexdigest()}"


class Api:
    """Pages of releases, and what was asked."""

    has_token = False
    unchanged = 0

    def __init__(
        self,
        pages: Sequence[Sequence[Any]] = (),
        answers: Mapping[str, Any] | None = None,
        *,
        error: Exception | None = None,
    ) -> None:
        self.asked: list[str] = []
        self._pages = pages
        self._answers = answers or {}
        self._error = error

    def pages(self, path: str, *, fresh: bool = False) -> Iterator[Sequence[Any]]:
        for page in self._pages:
            self.asked.append(path)
            yield page
        if self._error is not None:
            raise self._error

    def get(self, path: str) -> tuple[dict[str, Any], Any]:
        self.asked.append(path)
        if path not in self._answers:
            raise self._error or GitHubError("not found", 404)
        return {}, self._answers[path]

    def download(self, url: str, *, limit: int, seconds: float) -> bytes:
        self.asked.append(url)
        if self._error is not None:
            raise self._error
        return DATA


def upstream(api: Api) -> GitHubUpstream:
    return GitHubUpstream(GitHubRepository(Server(), "o", "a"), cast(GitHubApi, api))


def release(tag: str, **fields: Any) -> dict[str, Any]:
    return {"tag_name": tag, "body": f"Notes of {tag}", "draft": False, "prerelease": False, "assets": [], **fields}


def test_no_more_pages_than_needed() -> None:
    api = Api([[release("v3.0.0")], [release("v2.0.0")], [release("v1.0.0")]])
    found = upstream(api).releases(lambda releases: len(releases) >= 2)
    assert [item.tag for item in found] == ["v3.0.0", "v2.0.0"]
    assert api.asked == ["/repos/o/a/releases"] * 2


def test_notes_that_would_take_too_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream_module, "_MAX_NOTES", 40)
    api = Api([[release(f"v1.0.{number}")] for number in range(9)])
    with pytest.raises(UpstreamError, match=r"^the notes of the releases of o/a have more than 40 characters"):
        upstream(api).releases(lambda _: False)
    assert len(api.asked) == 3


def test_a_release_as_github_tells_it() -> None:
    asset = {"name": "x.yaml", "url": "https://api/1", "size": 3, "state": "uploaded", "digest": DIGEST}
    broken = {**asset, "state": "starter"}
    old = {"name": "y", "url": "https://api/2", "size": 1}
    api = Api([[release("v1.0.0", body=None, prerelease=True, assets=[asset, broken, old]), release("v2", draft=True)]])
    assert upstream(api).releases(lambda _: False) == [
        Release("v1.0.0", "", True, (Asset("x.yaml", "https://api/1", 3, DIGEST), Asset("y", "https://api/2", 1, None)))
    ]


@pytest.mark.parametrize(
    "item", [1, None, "x", [], {}, {"tag_name": 1}, release("v1", assets=3), release("v1", assets=[{}])]
)
def test_what_is_no_release(item: object) -> None:
    with pytest.raises(UpstreamError, match="has an item that is not a release; check GITHUB_API_URL"):
        upstream(Api([[item]])).releases(lambda _: True)


def test_a_release_by_its_tag() -> None:
    api = Api(answers={"/repos/o/a/releases/tags/x%2F1.0.0%2Bb": release("x/1.0.0+b")})
    assert upstream(api).release(["vx/1.0.0+b", "x/1.0.0+b"]).tag == "x/1.0.0+b"


def test_a_release_that_is_not_there_names_near_ones() -> None:
    api = Api([[release("v1.2.3"), release("v1.2.4")], [release("v1.2.5")]])
    with pytest.raises(UpstreamError) as caught:
        upstream(api).release(["v1.2.9", "1.2.9"])
    assert str(caught.value) == "o/a has no release v1.2.9; did you mean v1.2.4 or v1.2.3?"
    assert api.asked[-1] == "/repos/o/a/releases"
    assert len(api.asked) == 3


def test_a_draft_is_no_release() -> None:
    api = Api([[]], {"/repos/o/a/releases/tags/v1": release("v1", draft=True)})
    with pytest.raises(UpstreamError, match="o/a has no release v1; check the version"):
        upstream(api).release(["v1"])


@pytest.mark.parametrize(
    ("status", "token", "message"),
    [
        (
            404,
            False,
            "https://github.com/o/a was not found; check owner and name, or set GITHUB_TOKEN if it is private",
        ),
        (404, True, "https://github.com/o/a was not found; check owner and name, and whether the token may read it"),
        (500, False, "the releases of o/a can't be read: broken; try again later"),
    ],
)
def test_refusals(status: int, token: bool, message: str) -> None:
    api = Api(error=GitHubError("broken", status))
    api.has_token = token
    with pytest.raises(UpstreamError) as caught:
        upstream(api).releases(lambda _: True)
    assert str(caught.value) == message


def test_only_a_definite_404_means_absent() -> None:
    with pytest.raises(UpstreamError, match="can't be read: broken; try again later"):
        upstream(Api(error=GitHubError("broken", 502))).release(["v1"])


def test_a_rate_limit_stays_one() -> None:
    limited = upstream(Api(error=RateLimitError("wait")))
    with pytest.raises(RateLimitError):
        limited.releases(lambda _: True)
    with pytest.raises(RateLimitError):
        limited.release(["v1"])
    with pytest.raises(RateLimitError):
        limited.read_asset(_asset(), 60)


def _asset(**fields: Any) -> Asset:
    return Asset(**{"name": "x.yaml", "url": "https://api/1", "size": len(DATA), "digest": DIGEST, **fields})


def test_an_asset_is_checked() -> None:
    assert upstream(Api()).read_asset(_asset(), 60) == DATA
    assert upstream(Api()).read_asset(_asset(digest=None), 60) == DATA
    with pytest.raises(UpstreamError, match=r"the asset x\.yaml was downloaded with another digest than sha256:00;"):
        upstream(Api()).read_asset(_asset(digest="sha256:00"), 60)
    api = Api()
    with pytest.raises(UpstreamError, match=r"x\.yaml has 5,242,881 bytes; at most 5,242,880 are read"):
        upstream(api).read_asset(_asset(size=5 * 1024 * 1024 + 1), 60)
    assert api.asked == []
    with pytest.raises(UpstreamError, match=r"the asset x\.yaml can't be read: gone"):
        upstream(Api(error=GitHubError("gone", 404))).read_asset(_asset(), 60)


def test_a_git_repositorys_tags_are_its_releases() -> None:
    git = GitUpstream("file:///x", lambda: ["v1.0.0", "v1.1.0"])
    assert git.releases(lambda _: True) == [Release("v1.0.0"), Release("v1.1.0")]
    assert git.release(["1.1.0", "v1.1.0"]) == Release("v1.1.0")
    with pytest.raises(UpstreamError) as caught:
        git.release(["v1.2.0", "1.2.0"])
    assert str(caught.value) == "file:///x has no tag v1.2.0; did you mean v1.1.0 or v1.0.0?"
    with pytest.raises(UpstreamError, match=r"has no asset x\.yaml: it is a git repository"):
        git.read_asset(_asset(), 60)


def test_what_is_near() -> None:
    assert _suggest_tags("v1.2.3", ["v1.2.2", "v1.2.4", "v1.2.5", "other"]).startswith("did you mean v1.2.")
    assert _suggest_tags("v1", ["weather"]) == "check the version"
    assert _suggest_tags("v1", []) == "check the version"
    assert _suggest_tags("latest", ["v1.9.0", "v1.10.0", "other"]) == "check the version, the newest is v1.10.0"


@pytest.mark.parametrize(
    ("wanted", "suggested"),
    [
        ("v0.38.9", "v0.38.1 or v0.38.0"),  # the patches of its minor, the nearest first
        ("0.38.9", "v0.38.1 or v0.38.0"),
        ("v0.38", "v0.38.0 or v0.38.1"),
        ("v0.38.1-rc.1", "v0.38.1 or v0.38.0"),
        ("v0.100.0", "v0.38.1, v0.37.0 or v0.8.0"),  # the newest patch of the nearest minors
        ("v0.36.0", "v0.37.0, v0.38.1 or v0.8.0"),
        ("v1", "v1.0.0-rc.1"),
    ],
)
def test_near_is_what_is_near_as_a_version(wanted: str, suggested: str) -> None:
    known = ["v0.37.0", "v0.8.0", "v0.38.0", "v0.7.0", "v0.38.1", "v1.0.0-rc.1", "x/v0.38.9", "zzz"]
    assert _suggest_tags(wanted, known) == f"did you mean {suggested}?"


def test_near_stays_with_the_words_before_a_version() -> None:
    known = ["etcd-v1.0.0", "backup-v1.0.1", "v1.0.1"]
    assert _suggest_tags("etcd-v1.0.1", known) == "did you mean etcd-v1.0.0?"
