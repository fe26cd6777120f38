"""Builds run ahead of whoever takes them, in order, bounded, and end when they are told to."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from chart_releaser.build import Job, build_all, find_registration
from chart_releaser.chart import Chart
from chart_releaser.config import Source, parse_config
from chart_releaser.errors import ChartError, UpstreamError
from chart_releaser.gitlocal import WorkingRepository
from chart_releaser.location import Server
from chart_releaser.plan import Item, item_of
from chart_releaser.snapshot import Snapshot, Snapshots
from chart_releaser.upstream import Asset, GitUpstream, Release
from tests.gitrepo import Content, GitRepo

CHART: dict[str | bytes, Content | None] = {"c/Chart.yaml": "apiVersion: v2\nname: c\nversion: 0.0.1\n"}


def source_of(charts: str = "c", name: str = "a") -> Source:
    text = f"sources: [{{name: {name}, repo: ./x, charts: [{charts}]}}]"
    return parse_config(text, file="config.yaml", base=Path("/"), server=Server()).sources[0]


class Fake(WorkingRepository):
    """A local repository that can fail, and counts what is open."""

    opened = 0

    def __init__(self, path: Path, error: Exception | None = None) -> None:
        super().__init__(path)
        self._error = error

    @contextlib.contextmanager
    def snapshots(self, tags: Sequence[str], paths: Sequence[str]) -> Iterator[Snapshots]:
        if self._error is not None:
            raise self._error
        Fake.opened += 1
        try:
            with super().snapshots(tags, paths) as found:
                yield found
        finally:
            Fake.opened -= 1


def job(repo: GitRepo, tags: Sequence[str], *, error: Exception | None = None, charts: str = "c") -> Job:
    items = tuple(item_of(source_of(charts), Release(tag)) for tag in tags)
    return Job(items, None, lambda: Fake(repo.path, error), lambda: GitUpstream("x", lambda: tags))


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    """A repository with twenty versions."""
    repo = GitRepo(tmp_path / "repo.git")
    for number in range(20):
        repo.release(f"v1.0.{number}", CHART)
    return repo


ALL = [f"v1.0.{number}" for number in range(20)]


def version(item: Item, _chart: Chart, _snapshot: Snapshot) -> str:
    return item.version


def test_everything_in_order_whatever_is_ready_first(repo: GitRepo) -> None:
    def make(item: Item, _chart: Chart, _snapshot: Snapshot) -> str:
        time.sleep(0.05 if item.version == "1.0.0" else 0)
        return item.version

    jobs = [job(repo, ALL[:3]), job(repo, ALL[3:5]), job(repo, ALL[5:9])]
    for threads in (1, 2, 8):
        built = list(build_all(jobs, make, threads=threads, stop=threading.Event()))
        assert [one.result for one in built] == [tag.removeprefix("v") for tag in ALL[:9]]
    assert Fake.opened == 0


def test_no_more_repositories_at_a_time_than_threads(repo: GitRepo) -> None:
    most: list[int] = []

    def make(_item: Item, _chart: Chart, _snapshot: Snapshot) -> None:
        most.append(Fake.opened)
        time.sleep(0.005)

    jobs = [job(repo, [tag]) for tag in ALL]
    assert len(list(build_all(jobs, make, threads=3, stop=threading.Event()))) == 20
    assert max(most) <= 3


def test_what_is_not_taken_is_not_built_without_end(repo: GitRepo) -> None:
    made: list[str] = []

    def make(item: Item, _chart: Chart, _snapshot: Snapshot) -> None:
        made.append(item.version)

    builds = build_all([job(repo, ALL)], make, threads=1, stop=threading.Event())
    next(builds)
    time.sleep(0.3)
    assert len(made) <= 7
    builds.close()
    time.sleep(0.3)
    assert len(made) <= 7
    assert Fake.opened == 0


def test_a_stop_ends_it(repo: GitRepo) -> None:
    stop = threading.Event()
    builds = build_all([job(repo, ALL), job(repo, ALL)], version, threads=1, stop=stop)
    next(builds)
    stop.set()
    assert len(list(builds)) <= 1


def test_one_releases_failure_is_its_own(repo: GitRepo) -> None:
    repo.release("v1.1.0", {"c/Chart.yaml": None})

    def make(item: Item, _chart: Chart, _snapshot: Snapshot) -> str:
        if item.version == "1.0.2":
            raise KeyError("a bug")
        return item.version

    tags = ["v1.1.0", "v9.9.9", "v1.0.2", "v1.0.1"]
    built = list(build_all([job(repo, tags)], make, threads=1, stop=threading.Event()))
    assert [type(one.error).__name__ for one in built] == ["ChartError", "SnapshotError", "KeyError", "NoneType"]
    assert [one.item.release.tag for one in built] == tags


def test_a_repository_that_cannot_be_read_fails_all_its_items_and_no_other(repo: GitRepo) -> None:
    jobs = [job(repo, ALL[:2], error=UpstreamError("gone")), job(repo, ALL[2:4])]
    built = list(build_all(jobs, version, threads=1, stop=threading.Event()))
    assert [str(one.error) for one in built[:2]] == ["gone", "gone"]
    assert [one.result for one in built[2:]] == ["1.0.2", "1.0.3"]


# --- registrations


class Assets(GitUpstream):
    """An upstream with one asset."""

    def read_asset(self, asset: Asset) -> bytes:
        return b"\xff" if asset.size == 1 else b"from: asset\n"


def find(repo: GitRepo, tag: str, *assets: Asset) -> Any:
    item = item_of(source_of("controller-registration"), Release(tag, assets=assets))
    with WorkingRepository(repo.path).snapshots([tag], []) as found:
        snapshot = found[tag]
        assert isinstance(snapshot, Snapshot)
        return find_registration(item, snapshot, Assets("x", list))


def test_a_registration_in_the_tree_comes_before_an_asset(repo: GitRepo) -> None:
    asset = Asset("controller-registration.yaml", "https://api/1", 9, None)
    found = find(repo, "v1.0.0", Asset("other.yaml", "", 1, None), asset)
    assert (found.text, found.where) == ("from: asset\n", "asset controller-registration.yaml")
    repo.release("v2.0.0", {"example/controller-registration.yaml": "\ufefffrom: tree\n"})
    found = find(repo, "v2.0.0", asset)
    assert (found.text, found.where) == ("from: tree\n", "example/controller-registration.yaml")


def test_registrations_that_are_no_text(repo: GitRepo) -> None:
    with pytest.raises(ChartError, match=r"controller-registration\.yaml is not UTF-8: invalid start byte at byte 0"):
        find(repo, "v1.0.0", Asset("controller-registration.yaml", "", 1, None))


def test_no_registration_says_where_one_was_looked_for(repo: GitRepo) -> None:
    with pytest.raises(ChartError, match=r"neither in examples/controller-registration\.yaml, .* nor among the"):
        find(repo, "v1.0.0")
