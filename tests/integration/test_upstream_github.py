"""What is tracked of a repository on GitHub, and how many requests that takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from chart_releaser.commands.latest import find_bumps
from chart_releaser.commands.planning import confirm_releases, list_releases, plan_all
from chart_releaser.commands.report import UpdateReport
from chart_releaser.commands.run import Run, ask_in_background
from chart_releaser.config.parse import parse_config
from chart_releaser.destinations.directory import Directory
from chart_releaser.github.pacing import Pacing
from chart_releaser.location import Server as GitHubServer
from chart_releaser.upstream.repositories import Repositories
from tests.hub import Hub, Server, on, running

START = datetime(2024, 1, 1, tzinfo=UTC)
PAGES = on("GET", r"/releases$")


class Told:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def step(self, text: str) -> None:
        self.lines.append(text)

    def success(self, text: str) -> None:
        self.lines.append(text)

    def detail(self, text: str) -> None:
        self.lines.append(text)

    def detail_each(self, texts: Iterable[str]) -> None:
        for text in texts:
            self.detail(text)

    def failure(self, text: str) -> None:
        self.lines.append(f"error: {text}")

    def progress(self, what: str, done: int, total: int) -> None:
        assert 0 <= done <= total


@pytest.fixture
def hub() -> Hub:
    """A GitHub with an empty repository o/a."""
    hub = Hub()
    hub.add_repository("o/a")
    return hub


@pytest.fixture
def server(hub: Hub) -> Iterator[Server]:
    """The hub, answering."""
    with running(hub) as server:
        yield server


def add(hub: Hub, tags: Sequence[str], slug: str = "o/a", *, prerelease: bool = False, draft: bool = False) -> None:
    """Add releases, each created an hour after the one before."""
    done = len(hub.at(slug).releases)
    for number, tag in enumerate(tags):
        created = START + timedelta(hours=done + number)
        hub.add_release(slug, tag, created_at=created, prerelease=prerelease, draft=draft)


def run_of(server: Server, folder: Path, *sources: str) -> Run:
    text = "sources:\n" + "".join(f"  - {{{source}, charts: [x]}}\n" for source in sources)
    github = GitHubServer(server.url, server.api_url)
    config = parse_config(text, file="config.yaml", base=folder, server=github)
    repositories = Repositories(github, None, folder / "cache", lambda _text: None, Pacing(max_wait=0))
    return Run(config.sources, repositories, Told(), threads=4)


def planned(server: Server, folder: Path, *sources: str) -> list[tuple[str, str]]:
    """Return source and tag of what would be built; there is nothing to build it from."""
    run, report = run_of(server, folder, *sources), UpdateReport()
    index = Directory(folder / "public").open()
    with ask_in_background(run, run.sources, partial(list_releases, run)) as answers:
        plan_all(run, confirm_releases(run, answers(), index), index, report)
    assert report.failed == []
    assert {path.name for path in folder.iterdir()} <= {"cache"}
    return [(row.source, row.tag) for row in report.planned]


def tags(server: Server, folder: Path, more: str = "") -> list[str]:
    return [tag for _, tag in planned(server, folder, f"name: a, repo: o/a{more}")]


def test_drafts_prereleases_and_other_tags_are_passed_over(hub: Hub, server: Server, tmp_path: Path) -> None:
    add(hub, ["v1.0.0", "v1.1.0", "nightly", "v1.2", "v1.2.0-rc.1"])
    add(hub, ["v1.2.0"], prerelease=True)
    add(hub, ["v1.3.0"], draft=True)
    assert tags(server, tmp_path) == ["v1.1.0", "v1.0.0"]
    assert tags(server, tmp_path, ", prereleases: true") == ["v1.2.0", "v1.2.0-rc.1", "v1.1.0", "v1.0.0"]


def test_patches_of_old_minors_count_though_they_came_late(hub: Hub, server: Server, tmp_path: Path) -> None:
    add(hub, ["v1.0.0", "v1.1.0", "v1.2.0", "v2.0.0", "v1.1.1", "v0.9.9", "v1.2.1", "v1.0.1"])
    assert tags(server, tmp_path) == ["v2.0.0", "v1.2.1", "v1.2.0", "v1.1.1", "v1.1.0"]


def test_no_patch_beyond_the_first_page_is_missed(hub: Hub, server: Server, tmp_path: Path) -> None:
    add(hub, ["v1.0.0", "v1.1.0", "v1.2.0", "v1.2.1", "v1.3.0"])
    add(hub, [f"v0.9.{patch}" for patch in range(150)])
    add(hub, ["v1.3.1"])
    assert tags(server, tmp_path) == ["v1.3.1", "v1.3.0", "v1.2.1", "v1.2.0", "v1.1.0"]
    assert hub.journal.count(PAGES) == 2


def test_no_more_pages_than_it_takes(hub: Hub, server: Server, tmp_path: Path) -> None:
    add(hub, [f"v1.{minor}.{patch}" for minor in range(60) for patch in range(10)])
    assert len(tags(server, tmp_path)) == 30
    assert hub.journal.count(PAGES) == 1
    assert len(tags(server, tmp_path / "other", ", minors: 15")) == 150
    assert hub.journal.count(PAGES) == 3
    assert tags(server, tmp_path / "third", ", minors: 1, patches: latest") == ["v1.59.9"]
    assert hub.journal.count(PAGES) == 4


def test_a_range_far_back_reads_as_far_as_it_must(hub: Hub, server: Server, tmp_path: Path) -> None:
    add(hub, [f"v1.{minor}.0" for minor in range(250)])
    assert tags(server, tmp_path, ", versions: <1.110")[0] == "v1.109.0"
    assert hub.journal.count(PAGES) == 2


def test_one_listing_for_each_repository(hub: Hub, server: Server, tmp_path: Path) -> None:
    add(hub, ["v1.0.0"])
    hub.add_repository("o/b")
    add(hub, ["v2.0.0"], "o/b")
    places = {"a": "o/a", "b": "o/b", "c": "o/a", "d": f"{server.url}/o/a"}
    sources = [f"name: {name}, repo: {repo}" for name, repo in places.items()]
    assert planned(server, tmp_path, *sources) == [("a", "v1.0.0"), ("b", "v2.0.0"), ("c", "v1.0.0"), ("d", "v1.0.0")]
    assert len(hub.journal) == 2


def test_sources_that_need_different_depths_share_the_deeper_listing(hub: Hub, server: Server, tmp_path: Path) -> None:
    add(hub, [f"v1.{minor}.{patch}" for minor in range(20) for patch in range(10)])
    rows = planned(server, tmp_path, "name: a, repo: o/a, minors: 1", "name: b, repo: o/a, minors: 12")
    assert len([name for name, _ in rows if name == "a"]) == 10
    assert len([name for name, _ in rows if name == "b"]) == 120
    assert len(hub.journal) == 2


def test_a_prefix_and_two_tags_of_one_version(hub: Hub, server: Server, tmp_path: Path) -> None:
    add(hub, ["1.0.0", "v1.0.0", "etcd-v3.5.0", "etcd-3.5.0", "etcd-v3.4.0"])
    assert tags(server, tmp_path) == ["v1.0.0"]
    assert tags(server, tmp_path, ", tagPrefix: etcd-") == ["etcd-v3.5.0", "etcd-v3.4.0"]


def test_a_repository_without_releases(server: Server, tmp_path: Path) -> None:
    assert tags(server, tmp_path) == []


def test_a_repository_that_has_moved(hub: Hub, server: Server, tmp_path: Path) -> None:
    add(hub, ["v1.0.0"])
    hub.rename("o/a", "p/b")
    assert tags(server, tmp_path) == ["v1.0.0"]


def test_the_latest_versions_take_one_request_for_each_repository(hub: Hub, server: Server, tmp_path: Path) -> None:
    add(hub, [f"v1.{minor}.0" for minor in range(300)])
    run = run_of(
        server,
        tmp_path,
        "name: a, repo: o/a, version: v1.0.0",
        "name: b, repo: o/a, version: 1.1.0, versions: <1.250",
        "name: c, repo: o/gone",
    )
    report = UpdateReport()
    assert [(bump.source, bump.new) for bump in find_bumps(run, report)] == [("a", "v1.299.0"), ("b", "1.249.0")]
    assert report.failed == []
    assert hub.journal.count(PAGES) == 1
