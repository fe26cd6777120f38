"""Publishing to GitHub: the flow, what earlier runs may have left, limits, refusals, and what stays as it was."""

from __future__ import annotations

import hashlib
import shutil
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chart_releaser.destinations import Published, github_access
from chart_releaser.destinations.github import GitHubPages
from chart_releaser.errors import (
    ChartError,
    ConflictError,
    DestinationError,
    DestinationUnusableError,
    RateLimitError,
)
from chart_releaser.github.pacing import Pacing
from chart_releaser.index.index import Index
from chart_releaser.index.text import parse_document
from tests.hub import Fault, Hub, HubAsset, HubRelease, Server, mutating, on, running
from tests.publishing import (
    FIRST_INDEX,
    NOW,
    SLUG,
    TAGS,
    TOKEN,
    TestPackage,
    Watch,
    index_of,
    new_hub,
    new_pages,
    quick,
    state,
    update,
)

PACKAGE = TestPackage("gamma", "1.0.0")
TAG = "gamma-1.0.0"
UPLOADS = on("POST", r"^/api/uploads/")
CREATES = on("POST", r"/releases$")
PUSHES = on("POST", r"/git-receive-pack$")


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with quick():
        yield


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return new_hub(tmp_path)


@pytest.fixture
def server(hub: Hub) -> Iterator[Server]:
    with running(hub) as server:
        yield server


@pytest.fixture
def pages(server: Server, tmp_path: Path) -> GitHubPages:
    return new_pages(server.url, tmp_path / "cache")


def publish(pages: GitHubPages, *packages: TestPackage, notes: str = "Notes", latest: bool = False) -> list[Published]:
    """A run that publishes and lists the packages."""
    pages.open()
    pages.prepare([f"{package.name}-{package.version}" for package in packages])
    done = [pages.publish(package, notes, latest=latest) for package in packages]
    pages.finish(done)
    return done


def writes(hub: Hub) -> list[str]:
    """The writing requests, each in a word."""
    names = {"git-receive-pack": "push", "releases": "draft", "assets": "upload"}
    found = []
    for record in hub.journal.mutations():
        last = record.path.rpartition("/")[2]
        found.append({"PATCH": "publish", "DELETE": "delete"}.get(record.method) or names[last])
    return found


def leave(hub: Hub, *, draft: bool = False, data: bytes | None = None, asset_state: Any = "uploaded") -> HubRelease:
    """A release of TAG as an earlier run may have left it."""
    release = hub.add_release(SLUG, TAG, "Old notes", draft=draft)
    if data is not None:
        release.assets.append(HubAsset(hub.number(), PACKAGE.filename, data, release.created_at, state=asset_state))
    if not draft:
        git = hub.at(SLUG).git
        assert git is not None
        git.set_ref(f"refs/tags/{TAG}", git.resolve("refs/heads/main") or "")
    return release


def count_parsing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A list that grows with every index that is parsed from now on."""
    parsed: list[str] = []

    def counted(text: str, *, where: str) -> Any:
        parsed.append(where)
        return parse_document(text, where=where)

    monkeypatch.setattr("chart_releaser.index.index.parse_document", counted)
    return parsed


def assert_downloads(url: str, digest: str) -> None:
    """What the index names is there, for anybody."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert hashlib.sha256(answer.read()).hexdigest() == digest


class TestFlow:
    def test_three_writing_requests_a_release_and_one_push(self, hub: Hub, server: Server, tmp_path: Path) -> None:
        report = update(server.url, tmp_path / "cache")
        assert report.exit_code == 0
        assert writes(hub) == ["draft", "upload", "publish"] * 4 + ["push"]
        found = state(hub)
        assert [(tag, draft, name) for tag, draft, name, *_ in found["releases"]] == [
            (t, False, t) for t in sorted(TAGS)
        ]
        assert found["latest"] is None
        for row in report.published:
            assert_downloads(row.url, row.digest)

    def test_nothing_new_asks_four_times_and_writes_nothing(self, hub: Hub, server: Server, tmp_path: Path) -> None:
        update(server.url, tmp_path / "cache")
        for cache in ("cache", "new cache"):
            hub.journal.clear()
            assert update(server.url, tmp_path / cache).exit_code == 0
            assert hub.journal.mutations() == []
            assert sum(record.rest for record in hub.journal) == 1
            assert sum(record.git for record in hub.journal) <= 3

    def test_a_draft_is_complete_before_it_is_public(self, hub: Hub, server: Server, pages: GitHubPages) -> None:
        seen: list[tuple[bool, int, str | None]] = []

        def look() -> None:
            seen.extend((r.draft, len(r.assets), r.body) for r in hub.at(SLUG).releases.values())

        hub.add_fault(Fault(mutating, "callback", times=None, after=look))
        publish(pages, PACKAGE, notes="Größe 🎈\r\n")
        assert seen[:3] == [(True, 0, "Größe 🎈\r\n"), (True, 1, "Größe 🎈\r\n"), (False, 1, "Größe 🎈\r\n")]

    @pytest.mark.parametrize("notes", ["", "é" * 125_000, "🎈" * 125_001, "a\x00b\x0b"])
    def test_notes_of_any_length(self, hub: Hub, pages: GitHubPages, notes: str) -> None:
        publish(pages, PACKAGE, notes=notes)
        body = state(hub)["releases"][0][3]
        assert body == notes if len(notes) <= 125_000 else len(body) == 125_000 and "RELEASE.md" in body

    @pytest.mark.parametrize("latest", [True, False])
    def test_latest_only_where_it_is_asked_for(self, hub: Hub, pages: GitHubPages, latest: bool) -> None:
        publish(pages, PACKAGE, latest=latest)
        assert (hub.at(SLUG).latest is not None) is latest

    @pytest.mark.parametrize("kept", ["", "+@"])
    @pytest.mark.parametrize("digests", [True, False])
    def test_a_name_that_github_changes(self, hub: Hub, pages: GitHubPages, kept: str, digests: bool) -> None:
        hub.kept_in_names, hub.digests = kept, digests
        [done] = publish(pages, TestPackage("gamma", "1.0.0+a.1"))
        assert_downloads(done.url, done.digest)
        hub.faults.clear()
        pages.open()
        assert pages.open().entry("gamma", "1.0.0+a.1") is not None

    def test_immutable_releases(self, hub: Hub, pages: GitHubPages) -> None:
        hub.at(SLUG).immutable_releases = True
        [done] = publish(pages, PACKAGE)
        assert_downloads(done.url, done.digest)

    def test_a_repository_that_was_renamed(self, hub: Hub, pages: GitHubPages) -> None:
        hub.add_token(TOKEN, {SLUG, "acme/moved"})
        hub.rename(SLUG, "acme/moved")
        [done] = publish(pages, PACKAGE)
        assert "/acme/moved/releases/download/" in done.url
        assert_downloads(done.url, done.digest)

    def test_metadata_that_the_index_can_not_take_is_found_before_anything_is_made(
        self, hub: Hub, pages: GitHubPages, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(TestPackage, "metadata", {"name": "gamma", "version": "1.0.0", "keywords": "none"})
        with pytest.raises(ChartError):
            publish(pages, PACKAGE)
        assert writes(hub) == []


class TestLeftovers:
    @pytest.mark.parametrize("digests", [True, False], ids=["digests", "no digests"])
    @pytest.mark.parametrize(
        ("left", "expected"),
        [
            ([{"draft": True}], ["upload", "publish"]),
            ([{"draft": True, "data": PACKAGE.data}], ["publish"]),
            (
                [{"draft": True, "data": b"", "asset_state": "starter"}],
                ["draft", "upload", "publish", "delete"],
            ),
            ([{"draft": True, "data": b"", "asset_state": "open"}], ["draft", "upload", "publish", "delete"]),
            ([{"draft": True, "data": b"other"}], ["draft", "upload", "publish", "delete"]),
            ([{"draft": True}] * 3, ["upload", "publish", "delete", "delete"]),
            ([{"draft": True}, {"draft": True, "data": PACKAGE.data}], ["publish", "delete"]),
            ([{}], ["upload"]),
            ([{"data": b"", "asset_state": "starter"}], ["delete", "upload"]),
            ([{"data": b"", "asset_state": "open"}], ["delete", "upload"]),
            ([{"data": PACKAGE.data}], []),
            ([{"data": PACKAGE.data}, {"draft": True}], ["delete"]),
        ],
        ids=lambda value: "-".join(value) if value and isinstance(value[0], str) else None,
    )
    def test_is_mended(
        self, hub: Hub, pages: GitHubPages, left: list[dict[str, Any]], expected: list[str], digests: bool
    ) -> None:
        hub.digests = digests
        for options in left:
            leave(hub, **options)
        watch = Watch(hub)
        hub.add_fault(Fault(mutating, "callback", times=None, after=watch))
        [done] = publish(pages, PACKAGE)
        assert writes(hub) == [*expected, "push"]
        [release] = hub.at(SLUG).releases.values()
        assert (release.draft, [asset.data for asset in release.assets]) == (False, [PACKAGE.data])
        assert_downloads(done.url, PACKAGE.digest)
        assert not watch.problems
        assert done.adopted == (not left[0].get("draft"))

    def test_a_tag_without_a_release(self, hub: Hub, pages: GitHubPages) -> None:
        git = hub.at(SLUG).git
        assert git is not None
        commit = git.resolve("refs/heads/gh-pages")
        assert commit is not None
        git.set_ref(f"refs/tags/{TAG}", commit)
        publish(pages, PACKAGE)
        assert git.resolve(f"refs/tags/{TAG}") == commit

    def test_a_draft_among_many_releases(self, hub: Hub, pages: GitHubPages) -> None:
        draft = leave(hub, draft=True)
        for number in range(150):
            hub.add_release(SLUG, f"delta-1.0.{number}", draft=False, created_at=NOW.replace(year=2019))
        publish(pages, PACKAGE)
        assert not draft.draft

    def test_an_immutable_release_without_a_package(self, hub: Hub, pages: GitHubPages) -> None:
        leave(hub).immutable = True
        with pytest.raises(DestinationError, match=r"gamma-1\.0\.0.* is immutable, so none can be added; delete"):
            publish(pages, PACKAGE)

    def test_a_published_package_is_never_changed(self, hub: Hub, server: Server, tmp_path: Path) -> None:
        """It is reported as a conflict, and the others go on."""
        release = hub.add_release(SLUG, TAGS[0], "Theirs", assets={f"{TAGS[0]}.tgz": b"theirs"})
        git = hub.at(SLUG).git
        assert git is not None
        git.set_ref(f"refs/tags/{TAGS[0]}", git.resolve("refs/heads/main") or "")
        report = update(server.url, tmp_path / "cache")
        assert (report.exit_code, len(report.published)) == (1, 3)
        assert "never changes" in report.failed[0].full_message
        assert [asset.data for asset in release.assets] == [b"theirs"]
        assert release.body == "Theirs"
        assert Index.parse(index_of(hub)).entry("alpha", "1.1.0") is None

    def test_somebody_lists_another_package_meanwhile(self, hub: Hub, pages: GitHubPages) -> None:
        theirs = FIRST_INDEX.replace(b"name: old", b"name: gamma").replace(b"  old:", b"  gamma:")
        git = hub.at(SLUG).git
        assert git is not None
        hub.add_fault(Fault(UPLOADS, "callback", action=lambda: git.commit("gh-pages", {"index.yaml": theirs})))
        with pytest.raises(ConflictError, match=r"gamma 1\.0\.0 with another digest in the meantime"):
            publish(pages, PACKAGE, TestPackage("delta", "1.0.0"))
        index = Index.parse(index_of(hub))
        assert str((index.entry("gamma", "1.0.0") or {})["digest"]).startswith("e3b0")
        assert index.entry("delta", "1.0.0") is not None


class Clock:
    """A time that passes only by waiting."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now += seconds
        return False


class TestLimits:
    @pytest.fixture
    def clock(self, hub: Hub) -> Clock:
        clock = Clock()
        hub.clock = hub.limits.clock = clock
        return clock

    def pages(self, server: Server, tmp_path: Path, clock: Clock, **options: Any) -> GitHubPages:
        pacing = Pacing(clock=clock, sleep=clock.sleep, **options)
        return new_pages(server.url, tmp_path / "cache", pacing=pacing)

    def test_the_budget_keeps_within_githubs(self, hub: Hub, server: Server, tmp_path: Path, clock: Clock) -> None:
        packages = [TestPackage("gamma", f"1.0.{number}") for number in range(30)]
        publish(self.pages(server, tmp_path, clock), *packages)
        assert hub.journal.count(status=403) == 0
        assert len(hub.journal.mutations()) == 91
        assert clock.waits == [pytest.approx(61)], "full speed but for one wait"

    def test_the_hours_budget(self, hub: Hub, server: Server, tmp_path: Path, clock: Clock) -> None:
        hub.limits.content_per_hour = 9
        packages = [TestPackage("gamma", f"1.0.{number}") for number in range(4)]
        pages = self.pages(server, tmp_path, clock, per_hour=9)
        pages.open()
        pages.prepare([])
        done = [pages.publish(package, "") for package in packages[:3]]
        with pytest.raises(RateLimitError, match=r"60 min.*--max-wait allows 5 min.*what is done is kept"):
            pages.publish(packages[3], "")
        pages.finish(done)
        assert clock.waits == []
        assert len(Index.parse(index_of(hub)).versions("gamma")) == 3
        publish(self.pages(server, tmp_path, clock, per_hour=9, max_wait=4000), packages[3])
        assert hub.journal.count(status=403) == 1, "another run does not know what this one has used, and is told"
        assert len(Index.parse(index_of(hub)).versions("gamma")) == 4

    ASKED: dict[str, tuple[dict[str, Any], float]] = {  # noqa: RUF012 - a table
        "Retry-After": ({"status": 429, "headers": {"Retry-After": "17"}}, 17),
        "reset": ({"status": 403, "headers": {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1800000040"}}, 40),
        "nothing but words": ({"status": 403}, 60),
    }
    METHODS = {  # noqa: RUF012 - a table
        "GET": on("GET", r"/releases$"),
        "POST": CREATES,
        "upload": UPLOADS,
        "PATCH": on("PATCH", ""),
        "DELETE": on("DELETE", ""),
    }

    @pytest.mark.parametrize("asked", ASKED)
    @pytest.mark.parametrize("method", METHODS)
    def test_what_github_asks_is_honoured(
        self, hub: Hub, server: Server, tmp_path: Path, clock: Clock, method: str, asked: str
    ) -> None:
        leave(hub, draft=True, data=b"other")
        rule, seconds = self.ASKED[asked]
        fault = hub.add_fault(Fault(self.METHODS[method], "refuse", **rule))
        publish(self.pages(server, tmp_path, clock), PACKAGE)
        assert fault.fired == 1
        assert clock.waits == [seconds]

    @pytest.mark.parametrize("method", METHODS)
    def test_too_long_a_wait_ends_the_run(
        self, hub: Hub, server: Server, tmp_path: Path, clock: Clock, method: str
    ) -> None:
        leave(hub, draft=True, data=b"other")
        headers = {"Retry-After": "3600"}
        hub.add_fault(Fault(self.METHODS[method], "refuse", status=403, headers=headers, times=None))
        with pytest.raises(RateLimitError, match="asks for a wait of 60 min, --max-wait allows 5 min"):
            publish(self.pages(server, tmp_path, clock), PACKAGE)
        assert clock.waits == []

    def test_a_limit_that_never_ends(self, hub: Hub, server: Server, tmp_path: Path, clock: Clock) -> None:
        hub.add_fault(Fault(CREATES, "refuse", status=403, headers={"Retry-After": "0"}, times=None))
        with pytest.raises(RateLimitError):
            publish(self.pages(server, tmp_path, clock), PACKAGE)
        assert clock.waits == [1, 2, 4, 8, 16, 32, 64, 128], "less and less often"

    def test_what_is_done_is_listed(self, hub: Hub, server: Server, tmp_path: Path) -> None:
        headers = {"Retry-After": "3600"}
        hub.add_fault(Fault(CREATES, "refuse", nth=3, status=403, headers=headers, times=None))
        report = update(server.url, tmp_path / "cache")
        assert (report.exit_code, len(report.published), report.failed) == (3, 2, [])
        assert "the next run continues" in report.stopped_early
        assert len(Index.parse(index_of(hub)).versions("alpha")) == 2
        hub.faults.clear()
        assert len(update(server.url, tmp_path / "cache").published) == 2


class TestRefusals:
    def refused(self, server: Server, tmp_path: Path, **options: Any) -> str:
        """Update, which has to end in exit code 2, and return the message."""
        pages = new_pages(server.url, tmp_path / "cache", **options)
        with pytest.raises(DestinationUnusableError) as caught:
            update(server.url, tmp_path / "cache", pages=pages)
        assert caught.value.exit_code == 2
        assert "\n" not in str(caught.value)
        return str(caught.value)

    @pytest.mark.parametrize("branch", ["gh-pages", "new"])
    @pytest.mark.parametrize("kind", ["installation", "fine-grained", "classic"])
    def test_no_write_access(self, hub: Hub, server: Server, tmp_path: Path, kind: Any, branch: str) -> None:
        hub.add_token("reader", (), kind=kind)
        message = self.refused(server, tmp_path, token="reader", branch=branch)
        assert "does not let this token push" in message
        assert "contents: write" in message
        assert hub.journal.count(mutating, status=201) == 0
        assert state(hub)["releases"] == []
        if branch == "gh-pages":
            assert hub.journal.mutations() == []

    @pytest.mark.parametrize("kind", ["installation", "fine-grained", "classic"])
    def test_a_token_that_may_push_but_not_make_releases(
        self, hub: Hub, server: Server, tmp_path: Path, kind: Any
    ) -> None:
        hub.add_token("half", {SLUG}, kind=kind)
        status = 404 if kind == "classic" else 403
        hub.add_fault(
            Fault(CREATES, "refuse", status=status, message="Resource not accessible by integration", times=None)
        )
        message = self.refused(server, tmp_path, token="half")
        assert "may not make releases in acme/charts" in message
        assert "contents: write" in message
        assert writes(hub) == ["draft"], "one is enough to know"

    def test_bad_credentials(self, hub: Hub, server: Server, tmp_path: Path) -> None:
        message = self.refused(server, tmp_path, token="wrong")
        assert "set GITHUB_TOKEN to a valid one" in message
        assert hub.journal.mutations() == []

    def test_no_token(self, hub: Hub, server: Server, tmp_path: Path) -> None:
        assert "set GITHUB_TOKEN" in self.refused(server, tmp_path, token=None)
        assert len(hub.journal) == 0

    @pytest.mark.parametrize("private", [True, False])
    def test_missing_repository(self, hub: Hub, server: Server, tmp_path: Path, private: bool) -> None:
        hub.add_token("other", {"acme/other"})
        hub.at(SLUG).private = private
        if not private:
            hub.remove_repository(SLUG)
        assert "acme/charts was not found; create it" in self.refused(server, tmp_path, token="other")
        assert hub.journal.mutations() == []

    def test_archived(self, hub: Hub, server: Server, tmp_path: Path) -> None:
        hub.at(SLUG).archived = True
        assert "acme/charts is archived" in self.refused(server, tmp_path)
        assert hub.journal.mutations() == []

    def test_forbidden(self, hub: Hub, server: Server, tmp_path: Path) -> None:
        """Single sign-on, blocked accounts, address ranges: GitHub says it best."""
        message = "Resource protected by organization SAML enforcement."
        hub.add_fault(Fault(on("GET", f"/repos/{SLUG}$"), "refuse", status=403, message=message))
        assert message in self.refused(server, tmp_path)

    def test_protected_branch(self, hub: Hub, server: Server, tmp_path: Path) -> None:
        hub.at(SLUG).protected_branches = {"gh-pages"}
        message = self.refused(server, tmp_path, branch="gh-pages")
        assert "the branch gh-pages of" in message
        assert "is protected against this token; allow pushes" in message
        assert state(hub)["releases"] == []
        assert hub.journal.mutations() == []

    def test_protected_but_not_against_this_token(self, hub: Hub, server: Server, pages: GitHubPages) -> None:
        hub.at(SLUG).protected_branches = {"gh-pages"}
        hub.at(SLUG).pushers = {TOKEN}
        publish(pages, PACKAGE)
        assert Index.parse(index_of(hub)).versions("gamma") == {"1.0.0"}
        assert hub.journal.count(on("POST", "/graphql$")) == 1

    def test_a_query_that_github_does_not_understand_is_no_permission(
        self, hub: Hub, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hub.at(SLUG).protected_branches = {"gh-pages"}
        hub.at(SLUG).pushers = {TOKEN}
        query = github_access._MAY_PUSH
        for part in ("owner: $owner", "$ref: String!", "qualifiedName", "refUpdateRule", "viewerCanPush", "repository"):
            monkeypatch.setattr(github_access, "_MAY_PUSH", query.replace(part, "nonsense", 1))
            assert "is protected against this token" in self.refused(server, tmp_path, branch="gh-pages"), part

    def test_protected_from_one_moment_to_the_next(self, hub: Hub, server: Server, tmp_path: Path) -> None:
        """What was published is listed by the next run that may."""
        hub.add_fault(Fault(UPLOADS, "callback", action=lambda: hub.at(SLUG).protected_branches.add("gh-pages")))
        report = update(server.url, tmp_path / "cache")
        assert (report.exit_code, report.published, len(report.failed)) == (1, [], 4)
        assert "is protected against this token; allow pushes" in report.failed[0].full_message
        assert index_of(hub).encode() == FIRST_INDEX
        hub.at(SLUG).protected_branches.clear()
        hub.journal.clear()
        assert len(update(server.url, tmp_path / "cache").published) == 4
        assert writes(hub) == ["push"]

    def test_a_repository_without_its_default_branch(self, hub: Hub, pages: GitHubPages) -> None:
        git = hub.at(SLUG).git
        assert git is not None
        git.delete_ref("refs/heads/main")
        publish(pages, PACKAGE)
        assert git.resolve(f"refs/tags/{TAG}") is not None

    def test_out_of_reach_for_good(self, hub: Hub, server: Server, pages: GitHubPages) -> None:
        """Three releases that could not be made speak for the others."""
        pages.open()
        pages.prepare([])
        hub.journal.clear()
        hub.add_fault(Fault(mutating, "drop-before", times=None))
        for number in range(20):
            what = "could not be reached" if number < 3 else "not tried, since .* gave no answer to 3 requests"
            with pytest.raises(DestinationError, match=what):
                pages.publish(TestPackage("gamma", f"1.0.{number}"), "")
        assert len(hub.journal.mutations()) == 15


class TestToken:
    def test_does_not_follow_a_download_elsewhere(self, hub: Hub, server: Server, pages: GitHubPages) -> None:
        hub.digests, hub.redirect_api_downloads = False, True
        publish(pages, PACKAGE)
        stored = [record for record in hub.journal if record.path.startswith("/_objects/")]
        assert stored
        assert {record.token for record in stored} == {None}
        assert not any(record.token_in_url for record in hub.journal)

    def test_does_not_follow_an_upload_elsewhere(self, hub: Hub, server: Server, pages: GitHubPages) -> None:
        with running(Hub()) as other:
            hub.add_fault(Fault(UPLOADS, "redirect", status=307, location=f"{other.url}/elsewhere", times=None))
            with pytest.raises(DestinationError, match="307"):
                publish(pages, PACKAGE)
            assert len(other.hub.journal) == 0

    @pytest.mark.parametrize("path", [CREATES, on("GET", "/releases$"), on("*", "/info/refs$")])
    def test_does_not_follow_a_redirect_elsewhere(
        self, hub: Hub, server: Server, pages: GitHubPages, path: Callable[[str, str], bool]
    ) -> None:
        with running(Hub()) as other:
            where = other.url.replace("127.0.0.1", "localhost") + "/acme/charts.git/info/refs?service=git-upload-pack"
            hub.add_fault(Fault(path, "redirect", status=301, location=where, times=None))
            with pytest.raises(DestinationError):
                publish(pages, PACKAGE)
            assert {record.token for record in other.hub.journal} <= {None}


class TestReading:
    def test_without_writes_a_public_repository_needs_no_token(self, hub: Hub, server: Server, tmp_path: Path) -> None:
        index = new_pages(server.url, tmp_path / "cache", token=None, writes=False).open()
        assert index.versions("old") == {"1.0.0"}

    def test_an_index_that_is_none(self, hub: Hub, pages: GitHubPages) -> None:
        git = hub.at(SLUG).git
        assert git is not None
        for text in (b"\xff\xfe", b"- a\n- b\n", b"entries: ["):
            git.commit("gh-pages", {"index.yaml": text})
            with pytest.raises(DestinationError, match=r"acme/charts, branch gh-pages, index\.yaml"):
                pages.open()

    def test_an_unchanged_index_is_not_fetched_again(self, hub: Hub, server: Server, tmp_path: Path) -> None:
        new_pages(server.url, tmp_path / "cache").open()
        hub.journal.clear()
        listing = new_pages(server.url, tmp_path / "cache").open()
        assert sum(record.response_bytes for record in hub.journal if record.git) < 2000
        assert listing.versions("old") == {"1.0.0"}
        assert listing.versions("new") == frozenset()
        assert (listing.entry("old", "1.0.0") or {})["urls"] == ["old-1.0.0.tgz"]

    def test_an_index_in_the_usual_layout_is_not_parsed_for_what_it_lists(
        self, hub: Hub, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        git = hub.at(SLUG).git
        assert git is not None
        usual = Index.parse(None).merge(Index.parse(FIRST_INDEX.decode()).entries["old"], generated=NOW)
        git.commit("gh-pages", {"index.yaml": usual.encode()})
        parsed = count_parsing(monkeypatch)
        listings = [new_pages(server.url, tmp_path / "cache").open() for _ in range(2)]
        assert parsed == []
        assert [listing.versions("old") for listing in listings] == [{"1.0.0"}] * 2
        publish(new_pages(server.url, tmp_path / "cache"), PACKAGE)
        assert Index.parse(index_of(hub)).versions("old") == {"1.0.0"}
        assert Index.parse(index_of(hub)).entry("gamma", "1.0.0") is not None

    def test_a_release_that_comes_after_an_unchanged_index(
        self, hub: Hub, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = (new_pages(server.url, tmp_path / "cache") for _ in range(2))
        first.open()
        parsed = count_parsing(monkeypatch)
        publish(second, PACKAGE)
        assert len(parsed) == 2, "what was there, and what it became"
        assert Index.parse(index_of(hub)).entry("gamma", "1.0.0") is not None
        assert FIRST_INDEX.decode().partition("generated")[0].partition("  old")[2] in index_of(hub)

    def test_a_cache_that_is_lost_while_it_is_used(self, hub: Hub, server: Server, tmp_path: Path) -> None:
        new_pages(server.url, tmp_path / "cache").open()
        pages = new_pages(server.url, tmp_path / "cache")
        pages.open()
        shutil.rmtree(tmp_path / "cache" / "branch")
        git = hub.at(SLUG).git
        assert git is not None
        pages.prepare([TAG])
        pages.finish([pages.publish(PACKAGE, "Notes")])
        assert Index.parse(index_of(hub)).versions("gamma") == {"1.0.0"}
        assert Index.parse(index_of(hub)).versions("old") == {"1.0.0"}

    def test_an_index_that_is_none_stays_an_error(self, hub: Hub, server: Server, tmp_path: Path) -> None:
        new_pages(server.url, tmp_path / "cache").open()
        git = hub.at(SLUG).git
        assert git is not None
        git.commit("gh-pages", {"index.yaml": b"entries: ["})
        for _ in range(2):
            with pytest.raises(DestinationError, match=r"acme/charts, branch gh-pages, index\.yaml"):
                new_pages(server.url, tmp_path / "cache").open()

    def test_entries_stay_byte_for_byte(self, hub: Hub, pages: GitHubPages) -> None:
        publish(pages, PACKAGE, replace(PACKAGE, name="alpha"))
        before, after = FIRST_INDEX.decode().splitlines(), index_of(hub).splitlines()
        assert [line for line in before if not line.startswith("generated")] == [
            line for line in after if line in before and not line.startswith("generated")
        ]
        assert TOKEN not in index_of(hub)
