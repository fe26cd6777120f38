"""`verify` on GitHub: what it finds in releases and index, what it repairs, and what it never touches."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from chart_releaser.commands.verify import VerifyReport, verify
from chart_releaser.destinations.findings import Finding
from chart_releaser.destinations.github_audit import AuditableGitHubPages
from chart_releaser.errors import DestinationError, DestinationUnusableError
from chart_releaser.github.api import GitHubApi
from chart_releaser.github.pacing import Pacing
from chart_releaser.index.index import Index
from chart_releaser.location import GitHubRepository, Server
from tests.charts import digest, index_text, listed, packed
from tests.helm import Helm
from tests.hub import Fault, Hub, HubRelease, create, on, running
from tests.serving import served

SLUG = "o/charts"
TOKEN = "ghs_0123456789abcdef"
A, B = packed("a", "1.0.0"), packed("b", "1.0.0+x")
PAGE = 100
CONFIGURED = ("a", "a-b", "b", "c", "m")


class Site:
    """A published repository: `a` in a release and in the index, `b` too."""

    def __init__(self, hub: Hub, tmp_path: Path) -> None:
        self.hub = hub
        self.server = Server(hub.url, hub.api_url)
        self.cache = tmp_path / "cache"
        self.repository = hub.at(SLUG)
        assert self.repository.git is not None
        self.git = self.repository.git
        self.git.commit("main", {"README.md": b"hello\n"})
        self.made = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
        self.release("a-1.0.0", A, created_at=self.made)
        self.release("b-1.0.0+x", B)
        self.commit(index_text(*self.both()))

    def release(self, tag: str, data: bytes | None = None, name: str | None = None, **more: Any) -> HubRelease:
        assets = {name or f"{tag.replace('+', '.')}.tgz": data} if data is not None else {}
        return self.hub.add_release(SLUG, tag, "notes", assets=assets, **more)

    def url(self, tag: str, name: str | None = None, slug: str = SLUG) -> str:
        return f"{self.hub.url}/{slug}/releases/download/{quote(tag)}/{name or tag.replace('+', '.') + '.tgz'}"

    def both(self) -> list[dict[str, Any]]:
        return [listed("a", "1.0.0", self.url("a-1.0.0"), A), listed("b", "1.0.0+x", self.url("b-1.0.0+x"), B)]

    def commit(self, text: str, **more: bytes) -> str:
        return self.git.commit("gh-pages", {"index.yaml": text.encode(), "CNAME": b"x\n", **more})

    def index(self) -> Index:
        data = self.git.read("gh-pages", "index.yaml")
        return Index.parse(None if data is None else data.decode())

    def audit(
        self,
        *,
        repair: bool = False,
        token: str | None = None,
        names: tuple[str, ...] = CONFIGURED,
        adopt: tuple[str, ...] = (),
        slug: str = SLUG,
    ) -> VerifyReport:
        token = TOKEN if repair and token is None else token
        owner, _, name = slug.partition("/")
        pacing = Pacing(max_wait=1, sleep=lambda _seconds: False)
        pages = AuditableGitHubPages(
            GitHubRepository(self.server, owner, name),
            GitHubApi(self.server, token or None, pacing),
            branch="gh-pages",
            token=token or None,
            cache=self.cache,
            writes=repair,
        )
        return verify(pages, repair=repair, threads=4, stop=threading.Event(), names=names, adopt=adopt)

    def repair(self, left: int = 0, token: str | None = None, **more: Any) -> list[Finding]:
        """Find, repair; make sure that finding writes nothing, that one repair is enough and that packages stay."""
        packages = self.packages()
        self.hub.journal.clear()
        found = self.audit(token=TOKEN if token is None else token, **more)
        assert self.hub.journal.mutations() == []
        done = self.audit(repair=True, **more)
        assert [f.kind for f in done.findings] == [f.kind for f in found.findings]
        assert len(done.findings) - len(done.repaired) == left, [f.text for f in done.findings]
        self.hub.journal.clear()
        again = self.audit(repair=True, **more)
        assert self.hub.journal.mutations() == []
        assert (len(again.findings), again.repaired, again.exit_code) == (left, [], 1 if left else 0)
        assert self.packages() == packages
        return done.findings

    def packages(self) -> dict[str, list[tuple[str, bytes]]]:
        return {
            release.tag: [(asset.name, asset.data) for asset in release.assets]
            for release in self.repository.releases.values()
            if not release.draft
        }


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    hub = Hub()
    hub.add_token(TOKEN, {SLUG})
    hub.add_repository(SLUG, create(tmp_path / "charts"))
    with running(hub):
        yield Site(hub, tmp_path)


def downloads(site: Site) -> int:
    return site.hub.journal.count(on("GET", "/releases/download/"))


def api_requests(site: Site) -> int:
    return sum(record.rest for record in site.hub.journal)


@pytest.mark.parametrize("token", ["", TOKEN])
def test_a_repository_that_is_as_it_should_be(site: Site, token: str) -> None:
    report = site.audit(token=token)
    assert (report.entries, report.packages, report.findings, report.exit_code) == (2, 2, [], 0)
    assert downloads(site) == 0
    assert api_requests(site) == 2
    assert site.hub.journal.mutations() == []


def test_repair_of_what_is_well_writes_nothing(site: Site) -> None:
    assert site.repair() == []


def test_digests_that_nobody_tells_are_measured_by_the_public_address(site: Site) -> None:
    site.hub.digests = False
    assert site.audit(token=TOKEN).findings == []
    assert downloads(site) == 2
    assert api_requests(site) == 2


def test_a_private_repository(site: Site) -> None:
    site.hub.digests = False
    site.repository.private = True
    assert site.audit(token=TOKEN).findings == []
    assert downloads(site) == 0
    site.commit(index_text(*site.both(), listed("c", "1.0.0", site.url("c-1.0.0"), A)))
    assert [f.kind for f in site.repair()] == ["missing"]
    with pytest.raises(DestinationUnusableError, match="not found"):
        site.audit(token="")


def test_a_private_repository_that_lists_another_one(site: Site) -> None:
    site.repository.private = True
    site.commit(index_text(*site.both(), listed("c", "1.0.0", site.url("c-1.0.0", slug="o/secret"), A)))
    assert [f.kind for f in site.repair(left=1)] == ["unchecked"]


@pytest.mark.parametrize(
    "change",
    [
        lambda url: url.replace("%2B", "+"),
        lambda url: url.replace("+", "%2B"),
        lambda url: url.replace("o/charts", "O/Charts"),
        lambda url: url.replace("b-1", "%62-1"),
    ],
)
def test_all_ways_to_write_an_address(site: Site, change: Callable[[str], str]) -> None:
    a, b = site.both()
    site.commit(index_text(a, b | {"urls": [change(b["urls"][0])]}))
    assert site.audit().findings == []
    assert downloads(site) == 0


def test_entries_without_a_package_are_dropped(site: Site, helm: Helm) -> None:
    site.commit(index_text(*site.both(), listed("a", "0.9.0", site.url("a-0.9.0"), A)))
    (finding,) = site.repair()
    assert (finding.kind, finding.version) == ("missing", "0.9.0")
    assert site.index().versions("a") == {"1.0.0"}
    assert len(site.git.history("gh-pages")) == 3
    assert site.git.read("gh-pages", "CNAME") == b"x\n"
    _helm_takes(site, helm)


def _helm_takes(site: Site, helm: Helm) -> None:
    folder = site.cache / "site"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.yaml").write_text(site.index().text)
    with served(folder) as url:
        helm("repo", "add", "x", url)
        for name, entries in site.index().entries.items():
            for entry in entries:
                assert entry["version"] in helm("search", "repo", f"x/{name}", "--versions", "--devel").stdout
                pulled = site.cache / name / entry["version"]
                pulled.mkdir(parents=True)
                helm("pull", f"x/{name}", "--version", entry["version"], "--destination", pulled.as_posix())
                assert [digest(file.read_bytes()) for file in pulled.iterdir()] == [entry["digest"]]


FAULTS: list[Mapping[str, Any]] = [
    {"kind": "refuse", "status": 500},
    {"kind": "refuse", "status": 403},
    {"kind": "refuse", "status": 451},
    {"kind": "drop-before"},
    {"kind": "truncate"},
    {"kind": "redirect", "location": "/api/v3/repos/o/charts"},
    {"kind": "redirect", "location": "http://elsewhere.example.org/"},
]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_network_failure_concludes_nothing(site: Site, fault: Mapping[str, Any]) -> None:
    site.hub.digests = False
    site.hub.add_repository("o/elsewhere")
    site.hub.add_release("o/elsewhere", "c-1.0.0", assets={"c-1.0.0.tgz": A})
    site.commit(index_text(*site.both(), listed("c", "1.0.0", site.url("c-1.0.0", slug="o/elsewhere"), A)))
    site.hub.add_fault(Fault(on("GET", "/download/|/_objects/"), times=None, **fault))
    before = site.index().text
    done = site.audit(repair=True)
    assert [finding.kind for finding in done.findings] == ["unchecked"] * 3
    assert site.index().text == before
    assert site.hub.journal.mutations() == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/releases$", 404),
        ("/releases$", 502),
        ("/repos/o/charts$", 404),
        ("/repos/o/charts$", 500),
        ("info/refs", 502),
    ],
)
def test_what_cannot_be_read_ends_it_without_a_write(site: Site, path: str, status: int) -> None:
    site.hub.add_fault(Fault(on("*", path), "refuse", times=None, status=status))
    with pytest.raises(DestinationError):
        site.audit(repair=True)
    assert site.hub.journal.mutations() == []


def test_an_address_that_answers_404_for_a_listed_asset_concludes_nothing(site: Site) -> None:
    site.hub.digests = False
    site.hub.add_fault(Fault(on("GET", "/download/"), "refuse", times=None, status=404))
    assert [finding.kind for finding in site.audit(repair=True).findings] == ["unchecked"] * 2
    assert site.hub.journal.mutations() == []


def test_a_digest_that_differs_is_only_reported(site: Site) -> None:
    site.repository.published("a-1.0.0").assets[0].data = packed("a", "1.0.0", note="other")  # type: ignore[union-attr]
    (finding,) = site.repair(left=1)
    assert finding.kind == "digest"
    assert digest(A) in finding.text


def test_releases_that_no_entry_names_are_listed(site: Site, helm: Helm) -> None:
    site.commit(index_text())
    site.release("a-b-1.0.0-rc.1-2", packed("a-b", "1.0.0-rc.1-2"))
    found = site.repair()
    assert sorted((one.kind, one.chart, one.version) for one in found) == [
        ("unlisted", "a", "1.0.0"),
        ("unlisted", "a-b", "1.0.0-rc.1-2"),
        ("unlisted", "b", "1.0.0+x"),
    ]
    _helm_takes(site, helm)


def test_a_release_of_an_unknown_chart_is_listed_on_request_alone(site: Site) -> None:
    site.release("evil-1.0.0", packed("evil", "1.0.0"))
    draft = site.release("evil-1.1.0", None, draft=True)
    found = site.repair(left=2)
    assert [(one.kind, one.chart, one.repair) for one in found] == [("unlisted", "evil", None), ("draft", "", None)]
    assert "evil" not in site.index().entries
    assert draft.id in site.repository.releases
    assert [one.repaired for one in site.repair(adopt=("evil",))] == [True, True]
    assert site.index().versions("evil") == {"1.0.0"}


@pytest.mark.parametrize("text", ["{", None])
def test_an_index_made_anew_has_what_is_configured_or_asked_for(site: Site, text: str | None) -> None:
    site.release("evil-1.0.0", packed("evil", "1.0.0"))
    if text is None:
        site.git.delete_ref("refs/heads/gh-pages")
    else:
        site.commit(text)
    whole, *others = site.audit(repair=True, names=("a",)).findings
    assert "only with --adopt b --adopt evil, or --adopt '*' for all 2 charts" in whole.text
    assert {one.chart: one.repaired for one in others} == {"a": True, "b": False, "evil": False}
    assert set(site.index().entries) == {"a"}
    again = site.repair(left=1, names=("a",), adopt=("b",))
    assert {one.chart: one.repaired for one in again} == {"b": True, "evil": False}
    assert set(site.index().entries) == {"a", "b"}


@pytest.mark.parametrize("text", ["{", "apiVersion: v3", "", None])
def test_an_index_that_cannot_be_read_or_is_not_there(site: Site, text: str | None, helm: Helm) -> None:
    if text is None:
        site.git.delete_ref("refs/heads/gh-pages")
    else:
        site.commit(text)
    assert [one.kind for one in site.repair()] == ["unreadable", "unlisted", "unlisted"]
    assert {name: len(entries) for name, entries in site.index().entries.items()} == {"a": 1, "b": 1}
    assert (site.index().entry("a", "1.0.0") or {})["created"].startswith(f"{site.made:%Y-%m-%dT%H:%M}")
    _helm_takes(site, helm)


def test_what_is_not_ours_is_left_alone(site: Site) -> None:
    site.release("v1.0.0", A, "tool.tgz")
    site.release("tool-1.0.0", b"binary", "tool-linux-amd64")
    site.release("nightly", None)
    site.release("v2.0.0", None, draft=True)
    site.hub.add_release(SLUG, "a-2.0.0", "by hand", draft=True, name="A great release")
    site.hub.add_release(SLUG, "a-3.0.0", "by hand", draft=True, assets={"a-3.0.0.tgz": A, "manual.pdf": b"x"})
    before = set(site.repository.releases)
    assert site.repair() == []
    assert set(site.repository.releases) == before


def test_a_draft_of_an_unknown_chart_is_reported_and_stays(site: Site) -> None:
    draft = site.release("tool-1.2.3", None, draft=True)
    assert [one.kind for one in site.repair(left=1)] == ["draft"]
    assert draft.id in site.repository.releases
    assert [one.repaired for one in site.audit(repair=True, names=("tool",)).findings] == [True]
    assert draft.id not in site.repository.releases


def test_leftover_drafts_are_deleted(site: Site) -> None:
    site.release("a-1.1.0", None, draft=True)
    site.release("b-2.0.0+x", B, draft=True)
    site.release("a-1.0.0", A, draft=True)
    assert [(one.kind, one.version) for one in site.repair()] == [
        ("draft", "1.0.0"),
        ("draft", "2.0.0+x"),
        ("draft", "1.1.0"),
    ]
    assert site.repository.drafts() == []


def test_drafts_are_not_seen_without_a_token(site: Site) -> None:
    site.release("a-1.1.0", None, draft=True)
    assert site.audit(token="").findings == []


def test_a_draft_that_is_published_meanwhile_stays(site: Site) -> None:
    draft = site.release("a-1.1.0", packed("a", "1.1.0"), draft=True)

    def publish() -> None:
        draft.draft = False

    site.hub.add_fault(Fault(on("GET", f"/releases/{draft.id}$"), "callback", action=publish))
    (finding,) = site.audit(repair=True).findings
    assert (finding.kind, finding.repaired) == ("draft", False)
    assert "changed in the meantime" in finding.text
    assert draft.id in site.repository.releases


@pytest.mark.parametrize("kind", ["drop-after", "drop-before", "refuse"])
def test_a_lost_answer_to_a_deletion(site: Site, kind: Any) -> None:
    site.release("a-1.1.0", None, draft=True)
    site.hub.add_fault(Fault(on("DELETE", "/releases/"), kind, status=502 if kind == "refuse" else 0))
    assert site.audit(repair=True).exit_code == 0
    assert site.repository.drafts() == []


def test_releases_without_a_whole_package(site: Site) -> None:
    site.release("a-1.1.0")
    site.release("a-1.2.0", packed("a", "1.2.0")).assets[0].state = "starter"
    found = site.repair(left=2)
    assert [(one.kind, one.chart, one.version) for one in found] == [("broken", "a", "1.2.0"), ("broken", "a", "1.1.0")]


def test_packages_that_are_not_what_their_release_says(site: Site) -> None:
    site.release("a-1.1.0", A, "a-1.1.0.tgz")
    site.release("c-1.0.0", b"\x1f\x8bnothing", "c-1.0.0.tgz")
    texts = "\n".join(one.text for one in site.repair(left=2))
    assert "its Chart.yaml says a 1.0.0" in texts
    assert "c-1.0.0.tgz is not a chart archive" in texts


def test_two_packages_in_one_release(site: Site) -> None:
    release = site.release("c-1.0.0+x", packed("c", "1.0.0+x"))
    site.hub.kept_in_names = "+"
    other = site.hub.new_release("x", assets={"c-1.0.0+x.tgz": packed("c", "1.0.0+x", note="other")}).assets[0]
    release.assets.append(other)
    release.assets.append(site.hub.new_release("x", assets={"extra-1.0.0.tgz": A}).assets[0])
    assert [one.kind for one in site.audit(repair=True).findings] == ["unlisted", "conflict"]
    assert (site.index().entry("c", "1.0.0+x") or {})["digest"] == digest(other.data)
    assert [one.kind for one in site.repair(left=1)] == ["conflict"]


def test_an_entry_that_names_a_package_of_another_release(site: Site) -> None:
    site.release("v7", packed("d", "1.0.0"), "d.tgz")
    site.commit(index_text(*site.both(), listed("d", "1.0.0", site.url("v7", "d.tgz"), packed("d", "1.0.0"))))
    assert site.audit().findings == []
    assert downloads(site) == 0


def test_a_package_beside_the_index(site: Site) -> None:
    data = packed("d", "1.0.0")
    entries = [listed("d", "1.0.0", "d-1.0.0.tgz", data), listed("d", "2.0.0", "./no/d.tgz", data)]
    site.commit(index_text(*site.both(), *entries), **{"d-1.0.0.tgz": data})
    assert [(one.kind, one.version) for one in site.repair()] == [("missing", "2.0.0")]


@pytest.mark.parametrize(
    "address", ["../x.tgz", "/x.tgz", "//host/x.tgz", "x/../../y", ".", "ftp://x/y", "https://[x/y"]
)
def test_an_odd_address_concludes_nothing(site: Site, address: str) -> None:
    site.commit(index_text(*site.both(), listed("d", "1.0.0", address, A)))
    assert [one.kind for one in site.repair(left=1)] == ["unchecked"]


def test_a_repository_that_was_renamed(site: Site) -> None:
    site.hub.rename(SLUG, "o/renamed")
    site.repository.slug = "o/renamed"
    site.hub.add_token("person", None, limit=None)
    report = site.audit(token="person")
    assert report.findings == []
    assert downloads(site) == 0


def test_many_releases_and_pages(site: Site) -> None:
    versions = [f"1.{n}.0" for n in range(1, 2 * PAGE + 20)]
    data = {version: packed("m", version) for version in versions}
    for version in versions:
        site.release(f"m-{version}", data[version])
    assert len(site.repair()) == len(versions)
    assert site.index().versions("m") == set(versions)
    site.hub.journal.clear()
    assert site.audit().findings == []
    assert api_requests(site) == 4


def test_a_rejected_push_keeps_what_others_pushed(site: Site) -> None:
    site.commit(index_text(*site.both(), listed("a", "0.9.0", site.url("a-0.9.0"), A)))
    theirs = listed("z", "1.0.0", "https://example.org/z.tgz", A)
    gone = listed("a", "0.9.0", site.url("a-0.9.0"), A)

    def push() -> None:
        site.commit(index_text(*site.both(), gone, theirs))

    site.hub.add_fault(Fault(on("POST", "/git-receive-pack"), "reject-push", action=push))
    assert site.audit(repair=True).exit_code == 0
    assert site.index().versions("a") == {"1.0.0"}
    assert site.index().entry("z", "1.0.0") == theirs


def test_an_index_that_stays_broken_while_somebody_pushes(site: Site) -> None:
    site.commit("{")
    site.hub.add_fault(Fault(on("POST", "/git-receive-pack"), "reject-push", action=lambda: site.commit("{ ")))
    assert site.audit(repair=True).exit_code == 0
    assert site.index().versions("a") == {"1.0.0"}


def test_repair_needs_a_token_that_may_write(site: Site) -> None:
    with pytest.raises(DestinationUnusableError, match="needs a token"):
        site.audit(repair=True, token="")
    site.hub.add_token("reader", set())
    site.commit(index_text(site.both()[0]))
    before = site.index().text
    report = site.audit(repair=True, token="reader")
    (finding,) = report.findings
    assert (finding.kind, finding.repaired, report.exit_code) == ("unlisted", False, 1)
    assert "could not be repaired" in finding.text
    assert site.index().text == before


def test_a_protected_branch(site: Site) -> None:
    site.repository.protected_branches.add("gh-pages")
    site.commit(index_text(site.both()[0]))
    (finding,) = site.audit(repair=True).findings
    assert not finding.repaired
    assert "protected" in finding.text


def test_the_token_goes_nowhere_else(site: Site) -> None:
    site.hub.digests = False
    site.commit(index_text(*site.both(), listed("c", "1.0.0", site.url("c-1.0.0", slug="o/elsewhere"), A)))
    site.audit(token=TOKEN)
    asked = [record for record in site.hub.journal if not record.rest and not record.git]
    assert asked
    assert {record.token for record in asked} == {None}
