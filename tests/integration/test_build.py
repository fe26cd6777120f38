"""Builds run ahead of whoever takes them, in order, bounded, and end when they are told to."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from chart_releaser.budget import Budget
from chart_releaser.charts.chart import Chart
from chart_releaser.commands import build
from chart_releaser.commands.assembly import find_registration
from chart_releaser.commands.build import BuildFailure, BuildSuccess, ProcessChart
from chart_releaser.commands.run import Run
from chart_releaser.config.parse import Source, parse_config
from chart_releaser.errors import ChartError, UpstreamError
from chart_releaser.git.local import WorkingRepository
from chart_releaser.git.snapshot import Snapshot, Snapshots
from chart_releaser.location import Location, Server
from chart_releaser.upstream.plan import Item, make_candidate, make_item
from chart_releaser.upstream.releases import Asset, GitUpstream, Release, Upstream
from chart_releaser.upstream.repositories import Repositories
from tests.gitrepo import Content, GitRepo

T = TypeVar("T")
CHART: dict[str | bytes, Content | None] = {"c/Chart.yaml": "apiVersion: v2\nname: c\nversion: 0.0.1\n"}


def source_of(charts: str = "c", name: str = "a", more: str = "", repo: str = "./0") -> Source:
    text = f"sources: [{{name: {name}, repo: {repo}, charts: [{charts}]{more}}}]"
    return parse_config(text, file="config.yaml", base=Path("/"), server=Server()).sources[0]


def item(source: Source, release: Release) -> Item:
    candidate = make_candidate(source, release)
    assert candidate is not None
    return make_item(source, candidate)


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


@dataclass
class Fakes(Repositories):
    """Several repositories `/0`, `/1`, …, each of them `path`; those in `errors` can't be read."""

    path: Path = Path()
    errors: dict[str, Exception] = field(default_factory=dict)

    def upstream(self, location: Location) -> Upstream:
        return GitUpstream(str(location), list)

    def open(self, location: Location, seconds: float) -> Fake:
        return Fake(self.path, self.errors.get(str(location)))


class Told:
    """A reporter that keeps the progress."""

    def __init__(self) -> None:
        self.bars: list[tuple[str, int, int]] = []

    def step(self, text: str) -> None:
        """Not looked at."""

    detail = failure = success = step

    def detail_each(self, texts: Iterable[str]) -> None:
        """Not looked at either."""

    def progress(self, what: str, done: int, total: int) -> None:
        self.bars.append((what, done, total))


@dataclass
class Builds:
    """`build_all` on several repositories that are all the same one."""

    repo: GitRepo
    reporter: Told = field(default_factory=Told)
    stop: threading.Event = field(default_factory=threading.Event)

    def of(
        self, groups: Sequence[Sequence[str]], make: ProcessChart[T], *, threads: int = 1, broken: Sequence[int] = ()
    ) -> Generator[BuildSuccess[T] | BuildFailure, None, None]:
        """Build the tags of each group from a repository of its own."""
        sources = [source_of(repo=f"./{number}") for number in range(len(groups))]
        items = [item(source, Release(tag)) for source, tags in zip(sources, groups, strict=True) for tag in tags]
        return self.of_items(items, make, threads=threads, broken=broken)

    def of_items(
        self, items: Sequence[Item], make: ProcessChart[T], *, threads: int = 1, broken: Sequence[int] = ()
    ) -> Generator[BuildSuccess[T] | BuildFailure, None, None]:
        errors: dict[str, Exception] = {f"/{number}": UpstreamError("gone") for number in broken}
        fakes = Fakes(Server(), None, Path(), lambda _text: None, path=self.repo.path, errors=errors)
        run = Run((), fakes, self.reporter, threads, stop=self.stop)
        return build.build_all(run, items, make, "taking")


def result(outcome: BuildSuccess[T] | BuildFailure) -> T:
    assert isinstance(outcome, BuildSuccess), outcome
    return outcome.result


@pytest.fixture
def builds(repo: GitRepo) -> Builds:
    """What builds from copies of the repository."""
    return Builds(repo)


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


def test_each_repositorys_items_in_order(builds: Builds) -> None:
    groups = [ALL[:3], ALL[3:5], ALL[5:9]]
    for threads in (1, 2, 8):
        built = [result(one) for one in builds.of(groups, version, threads=threads)]
        assert sorted(built) == sorted(tag.removeprefix("v") for tag in ALL[:9])
        for group in groups:
            own = [tag.removeprefix("v") for tag in group]
            assert [one for one in built if one in own] == own
    assert Fake.opened == 0


def test_the_progress_tells_what_is_built_and_what_is_taken(builds: Builds) -> None:
    for _ in builds.of([ALL[:2]], version):
        pass
    assert builds.reporter.bars == [
        ("building a v1.0.0", 0, 2),
        ("taking a v1.0.0", 0, 2),
        ("building a v1.0.1", 1, 2),
        ("taking a v1.0.1", 1, 2),
        ("building ", 2, 2),
        ("taking", 2, 2),
    ]


def test_the_progress_ends_with_whoever_leaves_early(builds: Builds) -> None:
    outcomes = builds.of([ALL], version)
    next(outcomes)
    outcomes.close()
    assert builds.reporter.bars[-1] == ("taking", 20, 20)


def test_a_slow_repository_holds_up_no_other(builds: Builds) -> None:
    others_done = threading.Event()

    def make(item: Item, _chart: Chart, _snapshot: Snapshot) -> str:
        if item.version == "1.0.0":
            assert others_done.wait(30)
        return item.version

    outcomes = builds.of([ALL[:1], ALL[1:3], ALL[3:5]], make, threads=2)
    first = [result(next(outcomes)) for _ in range(4)]
    others_done.set()
    assert (sorted(first), [result(one) for one in outcomes]) == (["1.0.1", "1.0.2", "1.0.3", "1.0.4"], ["1.0.0"])


def test_repositories_take_turns(builds: Builds) -> None:
    """One with many releases keeps no other waiting."""
    outcomes = builds.of([ALL, ALL[:2]], version, threads=2)
    first = []
    for _ in range(6):
        time.sleep(0.1)  # as long as both have something
        first.append(result(next(outcomes)))
    outcomes.close()
    assert first.count("1.0.1") == 2


def test_slow_repositories_do_not_take_up_all_the_threads(builds: Builds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_SLOW_SECONDS", 0.1)
    quick_done = threading.Event()

    def make(item: Item, _chart: Chart, _snapshot: Snapshot) -> str:
        if item.version != "1.0.5":
            assert quick_done.wait(30)
        return item.version

    outcomes = builds.of([[tag] for tag in (*ALL[:2], ALL[5])], make, threads=2)
    assert result(next(outcomes)) == "1.0.5"
    quick_done.set()
    assert sorted(result(one) for one in outcomes) == ["1.0.0", "1.0.1"]


def test_a_source_that_has_used_up_its_time_fails_and_no_other_does(builds: Builds) -> None:
    def make(item: Item, _chart: Chart, _snapshot: Snapshot) -> str:
        time.sleep(0.4)
        return item.version

    busy = source_of(more=", limits: {sourceTime: 1s}")
    items = (*(item(busy, Release(tag)) for tag in ALL[:6]), item(source_of(name="b"), Release(ALL[6])))
    outcomes = list(builds.of_items(items, make))
    done = [one.result for one in outcomes if isinstance(one, BuildSuccess)]
    assert (done[:2], done[-1]) == (["1.0.0", "1.0.1"], "1.0.6")
    assert [str(one.error) for one in outcomes if isinstance(one, BuildFailure)] == [
        f"{tag}: the work on this source takes longer than 1s; what is done is kept, the next run continues; allow "
        "more under limits: sourceTime"
        for tag in ALL[len(done) - 1 : 6]
    ]
    assert len(done) < 5


def test_no_more_repositories_at_a_time_than_threads(builds: Builds) -> None:
    most: list[int] = []

    def make(_item: Item, _chart: Chart, _snapshot: Snapshot) -> None:
        most.append(Fake.opened)
        time.sleep(0.005)

    assert len(list(builds.of([[tag] for tag in ALL], make, threads=3))) == 20
    assert max(most) <= 3


def test_what_is_not_taken_is_not_built_without_end(builds: Builds) -> None:
    made: list[str] = []

    def make(item: Item, _chart: Chart, _snapshot: Snapshot) -> None:
        made.append(item.version)

    outcomes = builds.of([ALL], make)
    next(outcomes)
    time.sleep(0.3)
    assert len(made) <= 7
    outcomes.close()
    time.sleep(0.3)
    assert len(made) <= 7
    assert Fake.opened == 0


def test_a_stop_ends_it(builds: Builds) -> None:
    outcomes = builds.of([ALL, ALL], version)
    next(outcomes)
    builds.stop.set()
    assert len(list(outcomes)) <= 1


def test_one_releases_failure_is_its_own(builds: Builds) -> None:
    builds.repo.release("v1.1.0", {"c/Chart.yaml": None})

    def make(item: Item, _chart: Chart, _snapshot: Snapshot) -> str:
        if item.version == "1.0.2":
            raise KeyError("a bug")
        return item.version

    tags = ["v1.1.0", "v9.9.9", "v1.0.2", "v1.0.1"]
    outcomes = list(builds.of([tags], make))
    kinds = [type(one.error if isinstance(one, BuildFailure) else one.result).__name__ for one in outcomes]
    assert kinds == ["ChartError", "SnapshotError", "KeyError", "str"]
    assert [one.item.release.tag for one in outcomes] == tags


def test_a_repository_that_cannot_be_read_fails_all_its_items_and_no_other(builds: Builds) -> None:
    outcomes = list(builds.of([ALL[:2], ALL[2:4]], version, broken=[0]))
    assert [str(one.error) for one in outcomes[:2] if isinstance(one, BuildFailure)] == ["gone", "gone"]
    assert [result(one) for one in outcomes[2:]] == ["1.0.2", "1.0.3"]


# --- registrations


class Assets(GitUpstream):
    """An upstream with one asset."""

    def read_asset(self, asset: Asset, seconds: float) -> bytes:
        return b"\xff" if asset.size == 1 else b"from: asset\n"


def find(repo: GitRepo, tag: str, *assets: Asset) -> Any:
    wanted = item(source_of("controller-registration"), Release(tag, assets=assets))
    with WorkingRepository(repo.path).snapshots([tag], []) as found:
        snapshot = found[tag]
        assert isinstance(snapshot, Snapshot)
        return find_registration(wanted, snapshot, Assets("x", list), Budget())


def test_an_asset_comes_before_a_kustomize_base(repo: GitRepo) -> None:
    """The base is a draft: `latest` stands there for the image that the asset names."""
    base = "deploy/extension/base/controller-registration.yaml"
    repo.release("v3.0.0", {base: "from: base\n"})
    asset = Asset("controller-registration.yaml", "https://api/1", 9, None)
    assert find(repo, "v3.0.0", asset).where == "asset controller-registration.yaml"
    assert find(repo, "v3.0.0").where == base
    repo.release("v3.1.0", {"example/controller-registration.yaml": "from: tree\n"})
    assert find(repo, "v3.1.0", asset).where == "example/controller-registration.yaml"


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
