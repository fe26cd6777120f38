"""Builds run ahead of whoever takes them, in order, bounded, and end when they are told to."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from chart_releaser.budget import Budget
from chart_releaser.charts.chart import Chart
from chart_releaser.commands import build
from chart_releaser.commands.build import Job, build_all, find_registration
from chart_releaser.config.parse import Source, parse_config
from chart_releaser.errors import ChartError, UpstreamError
from chart_releaser.git.local import WorkingRepository
from chart_releaser.git.snapshot import Snapshot, Snapshots
from chart_releaser.location import Server
from chart_releaser.upstream.plan import Item, item_of
from chart_releaser.upstream.releases import Asset, GitUpstream, Release
from tests.gitrepo import Content, GitRepo

CHART: dict[str | bytes, Content | None] = {"c/Chart.yaml": "apiVersion: v2\nname: c\nversion: 0.0.1\n"}


def source_of(charts: str = "c", name: str = "a", more: str = "") -> Source:
    text = f"sources: [{{name: {name}, repo: ./x, charts: [{charts}]{more}}}]"
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
    return job_of(repo, [item_of(source_of(charts), Release(tag)) for tag in tags], error=error)


def job_of(repo: GitRepo, items: Sequence[Item], *, error: Exception | None = None) -> Job:
    return Job(tuple(items), None, lambda _seconds: Fake(repo.path, error), lambda: GitUpstream("x", list))


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


def test_each_repositorys_items_in_order(repo: GitRepo) -> None:
    groups = [ALL[:3], ALL[3:5], ALL[5:9]]
    for threads in (1, 2, 8):
        jobs = [job(repo, group) for group in groups]
        built = [one.result for one in build_all(jobs, version, threads=threads, stop=threading.Event())]
        assert sorted(map(str, built)) == sorted(tag.removeprefix("v") for tag in ALL[:9])
        for group in groups:
            own = [tag.removeprefix("v") for tag in group]
            assert [one for one in built if one in own] == own
    assert Fake.opened == 0


def test_a_slow_repository_holds_up_no_other(repo: GitRepo) -> None:
    others_done = threading.Event()

    def make(item: Item, _chart: Chart, _snapshot: Snapshot) -> str:
        if item.version == "1.0.0":
            assert others_done.wait(30)
        return item.version

    jobs = [job(repo, ALL[:1]), job(repo, ALL[1:3]), job(repo, ALL[3:5])]
    builds = build_all(jobs, make, threads=2, stop=threading.Event())
    first = [next(builds).result for _ in range(4)]
    others_done.set()
    assert (sorted(map(str, first)), [one.result for one in builds]) == (
        ["1.0.1", "1.0.2", "1.0.3", "1.0.4"],
        ["1.0.0"],
    )


def test_repositories_take_turns(repo: GitRepo) -> None:
    """One with many releases keeps no other waiting."""
    builds = build_all([job(repo, ALL), job(repo, ALL[:2])], version, threads=2, stop=threading.Event())
    first = []
    for _ in range(6):
        time.sleep(0.1)  # as long as both have something
        first.append(next(builds).item)
    builds.close()
    assert sum(item.version == "1.0.1" for item in first) == 2


def test_slow_repositories_do_not_take_up_all_the_threads(repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_SLOW_SECONDS", 0.1)
    quick_done = threading.Event()

    def make(item: Item, _chart: Chart, _snapshot: Snapshot) -> str:
        if item.version != "1.0.5":
            assert quick_done.wait(30)
        return item.version

    jobs = [job(repo, [tag]) for tag in (*ALL[:2], ALL[5])]
    builds = build_all(jobs, make, threads=2, stop=threading.Event())
    assert next(builds).result == "1.0.5"
    quick_done.set()
    assert sorted(str(one.result) for one in builds) == ["1.0.0", "1.0.1"]


def test_a_source_that_has_used_up_its_time_fails_and_no_other_does(repo: GitRepo) -> None:
    def make(item: Item, _chart: Chart, _snapshot: Snapshot) -> str:
        time.sleep(0.4)
        return item.version

    busy = source_of(more=", limits: {sourceTime: 1s}")
    items = (*(item_of(busy, Release(tag)) for tag in ALL[:6]), item_of(source_of(name="b"), Release(ALL[6])))
    built = list(build_all([job_of(repo, items)], make, threads=1, stop=threading.Event()))
    done = [one.result for one in built if one.result]
    assert (done[:2], done[-1]) == (["1.0.0", "1.0.1"], "1.0.6")
    assert [str(one.error) for one in built if one.error] == [
        f"{tag}: the work on this source takes longer than 1s; what is done stays done, the next run goes on; allow "
        "more under limits: sourceTime"
        for tag in ALL[len(done) - 1 : 6]
    ]
    assert len(done) < 5


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

    def read_asset(self, asset: Asset, seconds: float) -> bytes:
        return b"\xff" if asset.size == 1 else b"from: asset\n"


def find(repo: GitRepo, tag: str, *assets: Asset) -> Any:
    item = item_of(source_of("controller-registration"), Release(tag, assets=assets))
    with WorkingRepository(repo.path).snapshots([tag], []) as found:
        snapshot = found[tag]
        assert isinstance(snapshot, Snapshot)
        return find_registration(item, snapshot, Assets("x", list), Budget())


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
