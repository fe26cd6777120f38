"""The GitHub for the tests behaves as GitHub documents it, seen through PyGithub, requests and git."""

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import github
import pytest
import requests
from github.GitRelease import GitRelease
from github.Repository import Repository
from github.Requester import Requester

from chart_releaser.github import http as githubhttp
from tests.hub import Fault, GitDir, Hub, Server, create, mutating, on, running
from tests.hub.gitdir import environment
from tests.hub.limits import CONTENT_MESSAGE

SLUG = "acme/charts"
SECRET = "s3cret"
UPLOADS = on("POST", r"^/api/uploads/.*/assets$")
CREATES = on("POST", r"/releases$")


@pytest.fixture(autouse=True)
def _plain_client() -> Iterator[None]:
    """PyGithub with its own connections, as another client than this program's."""
    Requester.resetConnectionClasses()
    yield
    Requester.injectConnectionClasses(githubhttp.PlainConnection, githubhttp.TlsConnection)


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """One repository with a commit on main, and a token that may write to it."""
    hub = Hub()
    path = create(tmp_path / "charts.git")
    GitDir(path).commit("main", {"README.md": b"# Charts\n"}, time=1_600_000_000)
    hub.add_repository(SLUG, path)
    hub.add_token(SECRET, {SLUG})
    hub.add_token("reader", set())
    return hub


@pytest.fixture
def server(hub: Hub) -> Iterator[Server]:
    """The hub, served."""
    with running(hub) as server:
        yield server


def client(server: Server, token: str | None = SECRET) -> github.Github:
    """PyGithub as it comes, without its waits and repetitions."""
    auth = github.Auth.Token(token) if token else None
    return github.Github(
        base_url=server.api_url, auth=auth, retry=None, seconds_between_requests=0, seconds_between_writes=0
    )


@pytest.fixture
def repo(server: Server) -> Iterator[Repository]:
    """The repository as its writer sees it."""
    with client(server) as api:
        yield api.get_repo(SLUG)


def get(server: Server, path: str, token: str | None = SECRET, **headers: str) -> requests.Response:
    """A GET to the REST interface."""
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return requests.get(server.api_url + path, headers=headers, timeout=10)


def post(server: Server, path: str, token: str | None = SECRET, **body: object) -> requests.Response:
    """A POST to the REST interface."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.post(f"{server.api_url}/repos/{SLUG}{path}", json=body, headers=headers, timeout=10)


def draft(repo: Repository, tag: str = "demo-1.0.0") -> GitRelease:
    """A new draft."""
    return repo.create_git_release(tag, tag, "Notes", draft=True)


def upload(release: GitRelease, data: bytes, name: str) -> github.GitReleaseAsset.GitReleaseAsset:
    """An upload from memory."""
    return release.upload_asset_from_memory(io.BytesIO(data), len(data), name, content_type="application/gzip")


def git(*arguments: str, cwd: Path, token: str | None = None) -> subprocess.CompletedProcess[str]:
    """Git, with the token as a header that no argument shows."""
    more = {"GIT_TERMINAL_PROMPT": "0", "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org"}
    more |= {"GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.org"}
    if token is not None:
        basic = requests.auth._basic_auth_str("x-access-token", token)
        more |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: {basic}",
        }
    return subprocess.run(
        ["git", *arguments], cwd=cwd, env=environment(**more), capture_output=True, text=True, check=False
    )


def clone(server: Server, tmp_path: Path) -> Path:
    """A clone with one commit that is not pushed."""
    assert git("clone", "-q", f"{server.url}/{SLUG}", "work", cwd=tmp_path).returncode == 0
    work = tmp_path / "work"
    (work / "mine").write_text("mine\n")
    git("add", ".", cwd=work)
    git("commit", "-qm", "Mine", cwd=work)
    return work


class TestReading:
    def test_lists_releases_newest_first_over_pages(self, hub: Hub, repo: Repository) -> None:
        start = datetime(2024, 1, 1, tzinfo=UTC)
        for number in range(65):
            hub.add_release(SLUG, f"v1.{number}.0", f"Notes {number}", start + timedelta(days=number % 60))
        found = list(repo.get_releases())
        assert len(found) == 65
        created = [release.created_at for release in found]
        assert created == sorted(created, reverse=True)
        assert hub.journal.count(on("GET", "/releases$")) == 3

    def test_links_pages_as_documented(self, hub: Hub, server: Server) -> None:
        for number in range(5):
            hub.add_release(SLUG, f"v{number}.0.0")
        links = get(server, f"/repos/{SLUG}/releases?per_page=2&page=2").links
        assert {name: re.findall(r"[?&]page=(\d+)", link["url"]) for name, link in links.items()} == {
            "prev": ["1"],
            "next": ["3"],
            "last": ["3"],
            "first": ["1"],
        }
        assert requests.get(links["last"]["url"], timeout=10).json()[0]["tag_name"] == "v0.0.0"
        assert not get(server, f"/repos/{SLUG}/releases?per_page=500").links
        assert get(server, f"/repos/{SLUG}/releases?page=9").json() == []
        assert get(server, f"/repos/{SLUG}/releases?per_page=100&page=101").status_code == 422

    def test_answers_304_and_charges_nothing_for_it(self, hub: Hub, server: Server) -> None:
        hub.add_release(SLUG, "v1.0.0", "Notes")
        path = f"/repos/{SLUG}/releases"
        first = get(server, path)
        again = get(server, path, **{"If-None-Match": first.headers["ETag"]})
        assert again.status_code == 304
        assert again.content == b""
        assert again.headers["X-RateLimit-Remaining"] == first.headers["X-RateLimit-Remaining"]
        assert get(server, path, "reader").headers["ETag"] != first.headers["ETag"]
        hub.add_release(SLUG, "v1.1.0")
        assert get(server, path, **{"If-None-Match": first.headers["ETag"]}).status_code == 200

    def test_makes_releases_of_tags(self, hub: Hub, repo: Repository) -> None:
        store = hub.at(SLUG).git
        assert store is not None
        for number, tag in enumerate(["v1.0.0", "1.1.0-rc.1", "other/v1.0.0"]):
            store.commit("main", {"file": tag.encode()}, time=1_700_000_000 + number, tag=tag)
        store.git("-c", "user.name=A", "-c", "user.email=a@b", "tag", "-am", "Annotated", "v1.0.1", "v1.0.0")
        hub.releases_from_tags(SLUG)
        found = {release.tag_name: release for release in repo.get_releases()}
        assert set(found) == {"v1.0.0", "1.1.0-rc.1", "v1.0.1"}
        assert found["v1.0.1"].created_at == found["v1.0.0"].created_at == datetime.fromtimestamp(1_700_000_000, UTC)
        assert found["1.1.0-rc.1"].prerelease
        assert found["v1.0.0"].body == "Release notes of v1.0.0"
        assert repo.get_latest_release().tag_name in {"v1.0.0", "v1.0.1"}

    def test_gives_repository_and_branch(self, hub: Hub, server: Server, repo: Repository) -> None:
        hub.at(SLUG).protected_branches.add("main")
        assert not repo.permissions.push, "an app's token has no role, whatever it may do"
        hub.add_token("person", {SLUG}, kind="classic")
        with client(server, "person") as api:
            assert api.get_repo(SLUG).permissions.push
        assert repo.default_branch == "main"
        assert repo.get_branch("main").protected
        git = hub.at(SLUG).git
        assert git is not None
        assert repo.get_branch("main").commit.sha == git.resolve("refs/heads/main")
        with pytest.raises(github.GithubException, match="Branch not found"):
            repo.get_branch("absent")

    def test_redirects_a_renamed_repository(self, hub: Hub, server: Server, tmp_path: Path) -> None:
        hub.rename(SLUG, "acme/new")
        answer = get(server, f"/repos/{SLUG}")
        assert answer.json()["full_name"] == "acme/new"
        assert answer.history[0].status_code == 301
        with client(server) as api:
            assert api.get_repo(SLUG).full_name == "acme/new"
        assert git("ls-remote", f"{server.url}/{SLUG}", cwd=tmp_path).stdout.count("refs/") == 1
        assert post(server, "/releases", tag_name="v1.0.0", draft=True).history[0].status_code == 307


class TestPublishing:
    def test_draft_upload_publish(self, hub: Hub, server: Server, repo: Repository) -> None:
        release = draft(repo)
        assert "{?name,label}" in release.upload_url
        asset = upload(release, b"chart", "demo-1.0.0+build 1.tgz")
        assert asset.name == "demo-1.0.0.build.1.tgz"
        assert asset.digest == f"sha256:{hashlib.sha256(b'chart').hexdigest()}"
        assert asset.state == "uploaded"
        with pytest.raises(github.UnknownObjectException):
            repo.get_release("demo-1.0.0")
        assert get(server, f"/repos/{SLUG}/releases", None).json() == []
        assert get(server, f"/repos/{SLUG}/releases", "reader").json() == []
        assert [found.draft for found in repo.get_releases()] == [True]
        published = release.update_release("demo-1.0.0", "Notes", draft=False, make_latest="false")
        assert not published.draft
        assert published.created_at == datetime.fromtimestamp(1_600_000_000, UTC)
        address = repo.get_release("demo-1.0.0").assets[0].browser_download_url
        download = requests.get(address, headers={"Authorization": f"Bearer {SECRET}"}, timeout=10)
        assert download.content == b"chart"
        assert download.history[0].status_code == 302
        _, _, blocks = asset.download_asset(chunk_size=None) or (0, {}, iter(()))
        assert b"".join(blocks) == b"chart"
        store = hub.at(SLUG).git
        assert store is not None
        assert store.resolve("refs/tags/demo-1.0.0") == store.resolve("main")

    def test_downloads_through_the_interface_may_lead_elsewhere(self, hub: Hub, server: Server) -> None:
        asset = hub.add_release(SLUG, "v1.0.0", assets={"a.tgz": b"chart"}).assets[0]
        hub.redirect_api_downloads = True
        answer = get(server, f"/repos/{SLUG}/releases/assets/{asset.id}", Accept="application/octet-stream")
        assert (answer.content, answer.history[0].status_code) == (b"chart", 302)
        assert get(server, f"/repos/{SLUG}/releases/assets/{asset.id}").json()["size"] == 5

    def test_drafts_repeat_a_tag_and_releases_do_not(self, server: Server, repo: Repository) -> None:
        first, second = draft(repo), draft(repo)
        first.update_release("demo-1.0.0", "Notes", draft=False)
        answer = post(server, "/releases", tag_name="demo-1.0.0")
        assert answer.status_code == 422
        assert answer.json()["message"] == "Validation Failed"
        assert answer.json()["errors"] == [{"resource": "Release", "code": "already_exists", "field": "tag_name"}]
        with pytest.raises(github.GithubException, match="already_exists"):
            second.update_release("demo-1.0.0", "Notes", draft=False)
        second.delete_release()
        assert repo.get_releases().totalCount == 1

    def test_a_plus_may_stay_in_names(self, hub: Hub, server: Server, repo: Repository) -> None:
        hub.kept_in_names = "+@"
        release = draft(repo, "demo-1.0.0+a")
        assert upload(release, b"one", "demo-1.0.0+a.tgz").name == "demo-1.0.0+a.tgz"
        release.update_release("demo-1.0.0+a", "Notes", draft=False)
        address = repo.get_release("demo-1.0.0+a").assets[0].browser_download_url
        assert address.endswith("/releases/download/demo-1.0.0%2Ba/demo-1.0.0+a.tgz")
        assert requests.get(address, timeout=10).content == b"one"

    def test_make_latest(self, repo: Repository) -> None:
        repo.create_git_release("a-1.0.0", "a", "")
        repo.create_git_release("b-1.0.0", "b", "", make_latest="false")
        assert repo.get_latest_release().tag_name == "a-1.0.0"

    def test_an_asset_name_is_taken_once(self, repo: Repository) -> None:
        release = draft(repo)
        upload(release, b"one", "demo.tgz")
        with pytest.raises(github.GithubException, match="already_exists"):
            upload(release, b"two", "demo.tgz")
        release.get_assets()[0].delete_asset()
        assert upload(release, b"two", "demo.tgz").size == 3

    def test_immutable_releases_take_no_assets(self, hub: Hub, server: Server, repo: Repository) -> None:
        hub.at(SLUG).immutable_releases = True
        release = draft(repo)
        upload(release, b"one", "demo.tgz")
        release.update_release("demo-1.0.0", "Notes", draft=False)
        with pytest.raises(github.GithubException, match="Cannot upload assets to an immutable release"):
            upload(release, b"two", "other.tgz")
        release.delete_release()
        assert "was used by an immutable release" in post(server, "/releases", tag_name="demo-1.0.0").text

    def test_an_empty_repository_takes_no_release(self, hub: Hub, server: Server, tmp_path: Path) -> None:
        hub.add_repository(SLUG, create(tmp_path / "empty.git"))
        answer = post(server, "/releases", tag_name="v1.0.0", draft=True)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["message"] == "Repository is empty."
        assert get(server, f"/repos/{SLUG}/branches/main").status_code == 404

    def test_refuses_what_it_cannot_make_sense_of(self, server: Server) -> None:
        assert "wasn't supplied" in post(server, "/releases").json()["message"]
        assert post(server, "/releases", tag_name="a b").json()["errors"][0]["field"] == "tag_name"
        wrong = post(server, "/releases", tag_name="a", target_commitish="nowhere").json()
        assert wrong["errors"] == [{"resource": "Release", "code": "invalid", "field": "target_commitish"}]


RULE = "query($o: String!, $n: String!, $r: String!) { repository(owner: $o, name: $n) { ref(qualifiedName: $r) "


class TestGraphQl:
    def ask(self, server: Server, query: str, token: str = SECRET, ref: object = "refs/heads/main") -> Any:
        owner, _, name = SLUG.partition("/")
        body = {"query": query, "variables": {"o": owner, "n": name, "r": ref}}
        address = f"{server.url}/api/graphql"
        return requests.post(address, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=10).json()

    def test_tells_who_may_push_to_a_protected_branch(self, hub: Hub, server: Server) -> None:
        query = RULE + "{ name refUpdateRule { pattern viewerCanPush } } } }"
        hub.add_token("other", {SLUG})
        free = {"data": {"repository": {"ref": {"name": "main", "refUpdateRule": None}}}}
        assert self.ask(server, query) == free
        hub.at(SLUG).protected_branches.add("main")
        hub.at(SLUG).pushers.add(SECRET)
        for token, may in ((SECRET, True), ("other", False)):
            rule = self.ask(server, query, token)["data"]["repository"]["ref"]["refUpdateRule"]
            assert rule == {"pattern": "main", "viewerCanPush": may}
        assert self.ask(server, query, ref="refs/heads/absent") == {"data": {"repository": {"ref": None}}}
        assert self.ask(server, query, "wrong")["message"] == "Bad credentials"

    def test_tells_what_is_absent(self, server: Server) -> None:
        answer = self.ask(server, '{ repository(owner: "no", name: "one") { nameWithOwner } }')
        assert answer["data"] == {"repository": None}
        assert answer["errors"][0]["type"] == "NOT_FOUND"
        whole = self.ask(
            server, f'{{ repository(owner: "acme", name: "{SLUG.partition("/")[2]}") {{ nameWithOwner }} }}'
        )
        assert whole == {"data": {"repository": {"nameWithOwner": SLUG}}}

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            (RULE + "{ refUpdateRule { viewerMayPush } } } }", "undefinedField"),
            (RULE + "{ rule { viewerCanPush } } } }", "undefinedField"),
            (RULE.replace("qualifiedName", "name") + "{ name } } }", "argumentNotAccepted"),
            (RULE.replace("(qualifiedName: $r)", "") + "{ name } } }", "missingRequiredArguments"),
            (RULE.replace(", $r: String!", "") + "{ name } } }", "variableNotDefined"),
            (RULE.replace("$r: String!", "$r: String") + "{ name } } }", "variableMismatch"),
            (RULE.replace("$r: String!", "$r: String!, $x: String") + "{ name } } }", "variableNotUsed"),
            (RULE + "} }", "selectionMismatch"),
            (RULE + "{ name { length } } } }", "selectionMismatch"),
            (RULE + "{ name } }", None),
            (RULE + "{ name } } } }", None),
            (RULE + "{ } } }", None),
            ("", None),
        ],
    )
    def test_refuses_a_query_that_does_not_fit(self, server: Server, query: str, code: str | None) -> None:
        answer = self.ask(server, query)
        assert list(answer) == ["errors"]
        (error,) = answer["errors"]
        assert error.get("extensions", {}).get("code") == code
        assert code is not None or error["message"].startswith("Parse error")

    def test_refuses_variables_that_do_not_fit(self, server: Server) -> None:
        answer = self.ask(server, RULE + "{ name } } }", ref=None)
        assert answer["errors"][0]["extensions"]["code"] == "INVALID_VARIABLES"


class TestAccess:
    def test_bad_credentials(self, server: Server, tmp_path: Path) -> None:
        with client(server, "wrong") as api, pytest.raises(github.BadCredentialsException):
            api.get_repo(SLUG)
        refused = git("ls-remote", f"{server.url}/{SLUG}", cwd=tmp_path, token="wrong")
        assert refused.returncode != 0

    def test_no_write_access(self, server: Server) -> None:
        answer = post(server, "/releases", "reader", tag_name="v1.0.0")
        assert (answer.status_code, answer.json()["message"]) == (403, "Resource not accessible by integration")
        assert answer.json()["status"] == "403"
        anonymous = post(server, "/releases", None, tag_name="v1.0.0")
        assert (anonymous.status_code, anonymous.json()["message"]) == (401, "Requires authentication")

    def test_private_and_absent_look_the_same(self, hub: Hub, server: Server, tmp_path: Path) -> None:
        hub.at(SLUG).private = True
        for path in (f"/repos/{SLUG}", "/repos/acme/absent"):
            assert get(server, path, "reader").json()["message"] == "Not Found"
        assert get(server, f"/repos/{SLUG}").json()["private"]
        assert git("ls-remote", f"{server.url}/{SLUG}", cwd=tmp_path).returncode != 0
        assert git("ls-remote", f"{server.url}/{SLUG}", cwd=tmp_path, token=SECRET).returncode == 0
        assert [record.status for record in hub.journal if record.git] == [401, 200, 200]

    def test_an_archive_takes_nothing(self, hub: Hub, server: Server, tmp_path: Path) -> None:
        work = clone(server, tmp_path)
        hub.at(SLUG).archived = True
        answer = post(server, "/releases", tag_name="v1.0.0")
        assert (answer.status_code, answer.json()["message"]) == (403, "Repository was archived so is read-only.")
        assert "archived" in git("push", cwd=work, token=SECRET).stderr

    def test_user_agent_and_version(self, server: Server) -> None:
        assert get(server, "/rate_limit", **{"User-Agent": ""}).status_code == 403
        assert get(server, "/rate_limit", **{"X-GitHub-Api-Version": "1999-01-01"}).status_code == 400
        answer = get(server, "/rate_limit", **{"X-GitHub-Api-Version": "2022-11-28"})
        assert answer.headers["X-GitHub-Enterprise-Version"]
        assert answer.json()["resources"]["core"]["remaining"] == 1000


class TestLimits:
    def test_primary(self, hub: Hub, server: Server) -> None:
        hub.limits.exhaust(SECRET, 1000, seconds=100)
        answer = get(server, f"/repos/{SLUG}")
        assert answer.status_code == 403
        assert answer.json()["message"].startswith("API rate limit exceeded")
        assert answer.headers["X-RateLimit-Remaining"] == "0"
        assert 90 < int(answer.headers["X-RateLimit-Reset"]) - time.time() <= 101
        with client(server) as api, pytest.raises(github.RateLimitExceededException):
            api.get_repo(SLUG)

    def test_anonymous(self, hub: Hub, server: Server) -> None:
        hub.limits.anonymous = 2
        assert [get(server, f"/repos/{SLUG}", None).status_code for _ in range(3)] == [200, 200, 403]

    def test_content_creation(self, server: Server) -> None:
        now = [1_700_000_000.0]
        server.hub.limits.clock = lambda: now[0]
        for number in range(80):
            assert post(server, "/releases", tag_name=f"v1.0.{number}", draft=True).status_code == 201
        refused = post(server, "/releases", tag_name="v2.0.0", draft=True)
        assert (refused.status_code, refused.headers["Retry-After"]) == (403, "60")
        assert refused.json()["message"] == CONTENT_MESSAGE
        now[0] += 60
        assert post(server, "/releases", tag_name="v2.0.0", draft=True).status_code == 201
        assert len(server.hub.at(SLUG).drafts()) == 81


class TestFaults:
    def test_refuse_the_nth_mutation(self, hub: Hub, server: Server) -> None:
        hub.add_fault(Fault(mutating, "refuse", nth=2, status=502))
        hub.add_fault(Fault(mutating, "refuse", nth=3, status=429, headers={"Retry-After": "7"}))
        answers = [post(server, "/releases", tag_name=f"v{number}.0.0", draft=True) for number in range(4)]
        assert [answer.status_code for answer in answers] == [201, 502, 429, 201]
        assert answers[2].headers["Retry-After"] == "7"
        assert len(hub.at(SLUG).releases) == 2
        assert [record.status for record in hub.journal.mutations()] == [201, 502, 429, 201]

    @pytest.mark.parametrize(("kind", "left"), [("drop-before", 0), ("drop-after", 1)])
    def test_lost_request_and_lost_answer(self, hub: Hub, repo: Repository, kind: str, left: int) -> None:
        fault = hub.add_fault(Fault(CREATES, kind))  # type: ignore[arg-type]
        with pytest.raises(requests.ConnectionError):
            draft(repo)
        assert len(hub.at(SLUG).drafts()) == left
        assert fault.fired == 1
        draft(repo)
        assert len(hub.at(SLUG).drafts()) == left + 1

    @pytest.mark.parametrize("status", [0, 502])
    def test_broken_upload(self, hub: Hub, repo: Repository, status: int) -> None:
        release = draft(repo)
        hub.add_fault(Fault(UPLOADS, "broken-upload", status=status))
        with pytest.raises((requests.ConnectionError, github.GithubException)):
            upload(release, b"chart", "demo.tgz")
        left = release.get_assets()[0]
        assert (left.state, left.size, left.digest) == ("starter", 0, None)
        with pytest.raises(github.GithubException, match="already_exists"):
            upload(release, b"chart", "demo.tgz")
        left.delete_asset()
        assert upload(release, b"chart", "demo.tgz").state == "uploaded"

    def test_truncate_slow_callback_and_redirect(self, hub: Hub, server: Server) -> None:
        called: list[str] = []
        everything_here = on("GET", f"/repos/{SLUG}$")
        hub.add_fault(Fault(everything_here, "truncate"))
        hub.add_fault(Fault(everything_here, "slow", nth=2, seconds=0.2))
        hub.add_fault(Fault(everything_here, "callback", nth=2, action=lambda: called.append("called")))
        hub.add_fault(Fault(everything_here, "redirect", nth=3, location=f"{server.api_url}/rate_limit"))
        with pytest.raises(requests.RequestException):
            get(server, f"/repos/{SLUG}")
        start = time.monotonic()
        assert get(server, f"/repos/{SLUG}").status_code == 200
        assert time.monotonic() - start >= 0.2
        assert called == ["called"]
        assert "resources" in get(server, f"/repos/{SLUG}").json()

    def test_callback_after_the_effect(self, hub: Hub, server: Server) -> None:
        left: list[int] = []
        hub.add_fault(Fault(CREATES, "callback", after=lambda: left.append(len(hub.at(SLUG).drafts()))))
        assert post(server, "/releases", tag_name="v1.0.0", draft=True).status_code == 201
        assert left == [1]


def test_many_at_once(hub: Hub, server: Server) -> None:
    def one(number: int) -> int:
        made = post(server, "/releases", tag_name=f"v1.0.{number}", draft=True).json()
        address = made["upload_url"].partition("{")[0] + "?name=a.tgz"
        auth = {"Authorization": f"Bearer {SECRET}"}
        status = requests.post(address, data=b"x" * 100_000, headers=auth, timeout=10).status_code
        get(server, f"/repos/{SLUG}/releases")
        return status

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(one, range(24))) == {201}
    assert len({release.id for release in hub.at(SLUG).drafts()}) == 24
    assert len(hub.journal) == 72


class TestGit:
    def test_partial_shallow_fetch(self, hub: Hub, server: Server, tmp_path: Path) -> None:
        store = hub.at(SLUG).git
        assert store is not None
        for number in range(3):
            content = os.urandom(100_000)
            store.commit("main", {"big": content, "dir/small": b"%d" % number}, tag=f"v1.{number}.0")
        config = (store.path / "config").read_text()
        bare = create(tmp_path / "cache")
        for name, value in {
            "core.repositoryformatversion": "1",
            "extensions.partialclone": "origin",
            "remote.origin.url": f"{server.url}/{SLUG}",
            "remote.origin.promisor": "true",
            "remote.origin.partialclonefilter": "blob:none",
        }.items():
            git("config", name, value, cwd=bare)
        specs = [f"+refs/tags/v1.{number}.0:refs/tags/v1.{number}.0" for number in range(3)]
        fetch = git("fetch", "-q", "--depth", "1", "--no-tags", "--filter=blob:none", "origin", *specs, cwd=bare)
        assert fetch.returncode == 0, fetch.stderr
        assert hub.journal.bytes_out < 50_000
        assert {record.token for record in hub.journal} == {None}
        blob = git("rev-parse", "v1.1.0:dir/small", cwd=bare).stdout.strip()
        assert git("cat-file", "-p", blob, cwd=bare).stdout == "1"
        assert hub.journal.bytes_out < 50_000
        assert (store.path / "config").read_text() == config

    def test_push_needs_a_token_that_may_write(self, hub: Hub, server: Server, tmp_path: Path) -> None:
        work = clone(server, tmp_path)
        assert git("push", cwd=work).returncode != 0
        assert "not granted" in git("push", cwd=work, token="reader").stderr
        assert git("push", cwd=work, token=SECRET).returncode == 0
        store = hub.at(SLUG).git
        assert store is not None
        assert store.read("main", "mine") == b"mine\n"
        assert [record.status for record in hub.journal.mutations()] == [200]
        assert not any(record.token_in_url for record in hub.journal)

    def test_a_large_push_comes_in_chunks(self, hub: Hub, server: Server, tmp_path: Path) -> None:
        work = clone(server, tmp_path)
        (work / "large").write_bytes(os.urandom(3 << 20))
        git("add", ".", cwd=work)
        git("commit", "-qm", "Large", cwd=work)
        assert git("push", cwd=work, token=SECRET).returncode == 0
        assert hub.journal.bytes_in > 3 << 20

    @pytest.mark.parametrize(
        ("request_", "reason"),
        [
            (("GET", "/info/refs$", "git-receive-pack"), "fetch first"),
            (("POST", "/git-receive-pack$", ""), "cannot lock"),
        ],
    )
    def test_somebody_else_was_faster(
        self, server: Server, tmp_path: Path, request_: tuple[str, str, str], reason: str
    ) -> None:
        method, path, query = request_
        work = clone(server, tmp_path)
        store = server.hub.at(SLUG).git
        assert store is not None
        action = lambda: store.commit("main", {"theirs": b"theirs\n"})  # noqa: E731
        server.hub.add_fault(Fault(on(method, path), "reject-push", query=query, action=action))
        refused = git("push", cwd=work, token=SECRET)
        assert refused.returncode != 0
        assert reason in refused.stderr
        assert git("pull", "-q", "--rebase", cwd=work).returncode == 0
        assert git("push", cwd=work, token=SECRET).returncode == 0
        assert set(store.files("main")) == {"README.md", "mine", "theirs"}

    def test_a_push_whose_answer_is_lost_happened(self, server: Server, tmp_path: Path) -> None:
        work = clone(server, tmp_path)
        server.hub.add_fault(Fault(on("POST", "/git-receive-pack$"), "drop-after"))
        assert git("push", cwd=work, token=SECRET).returncode != 0
        store = server.hub.at(SLUG).git
        assert store is not None
        assert "mine" in store.files("main")

    def test_protected_branch(self, server: Server, tmp_path: Path) -> None:
        server.hub.at(SLUG).protected_branches.add("main")
        work = clone(server, tmp_path)
        assert "GH006: Protected branch update failed" in git("push", cwd=work, token=SECRET).stderr
        assert git("push", "origin", "HEAD:refs/heads/gh-pages", cwd=work, token=SECRET).returncode == 0


def test_command_line(tmp_path: Path) -> None:
    store = GitDir(create(tmp_path / "acme+demo" / "repo"))
    store.commit("main", {"a": b"a"}, tag="v1.0.0")
    command = [sys.executable, "-m", "tests.hub", "--mirror", str(tmp_path), "--destination", SLUG, "--token", SECRET]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        lines = dict(process.stdout.readline().strip().split("=", 1) for _ in range(2))
        releases = requests.get(f"{lines['GITHUB_API_URL']}/repos/acme/demo/releases", timeout=10).json()
        assert [release["tag_name"] for release in releases] == ["v1.0.0"]
        assert releases[0]["body"].startswith("Release notes of v1.0.0\n")
        assert git("ls-remote", f"{lines['GITHUB_SERVER_URL']}/{SLUG}", cwd=tmp_path).returncode == 0
        process.terminate()
        assert process.wait(10) == 0
