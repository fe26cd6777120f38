"""The story of `update` and `export` against destinations and upstreams that fail in every way."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from chart_releaser.commands import build, publishing
from chart_releaser.commands import export as export_module
from chart_releaser.commands.build import BuildFailure
from chart_releaser.commands.export import export
from chart_releaser.commands.export_directory import ExportDirectory
from chart_releaser.commands.report import ReleaseRow, UpdateReport
from chart_releaser.commands.run import Run
from chart_releaser.commands.update import update
from chart_releaser.config.parse import parse_config
from chart_releaser.destinations import Destination, PublishablePackage, Published
from chart_releaser.errors import (
    ChartReleaserError,
    ConflictError,
    DestinationError,
    DestinationUnusableError,
    RateLimitError,
    UpstreamError,
)
from chart_releaser.git.snapshot import Repository
from chart_releaser.index.index import Index, build_entry
from chart_releaser.location import Location, Server
from chart_releaser.upstream.releases import Upstream
from chart_releaser.upstream.repositories import Repositories
from tests.gitrepo import Content, GitRepo

CHART: dict[str | bytes, Content | None] = {"c/Chart.yaml": "apiVersion: v2\nname: c\nversion: 0.0.1\n"}
LIMIT = RateLimitError("wait an hour", remedy="run again")


class Told:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.details: list[str] = []
        self.bars: list[tuple[str, int, int]] = []

    def step(self, text: str) -> None:
        """Not looked at."""

    def success(self, text: str) -> None:
        """Not looked at."""

    def detail(self, text: str) -> None:
        self.details.append(text)

    def detail_each(self, texts: Iterable[str]) -> None:
        for text in texts:
            self.detail(text)

    def failure(self, text: str) -> None:
        self.failures.append(text)

    def progress(self, what: str, done: int, total: int) -> None:
        self.bars.append((what, done, total))


class Memory:
    """A destination in memory that fails when it is told to."""

    title = "memory"

    def __init__(self, **errors: Exception) -> None:
        self.errors = errors
        self.published: list[str] = []
        self.latest: list[str] = []
        self.notes: list[str] = []
        self.finished: list[list[str]] = []
        self.prepared: list[str] = []

    def open(self) -> Index:
        self._fail("open")
        return Index.parse(None, where="index.yaml")

    def prepare(self, tags: Sequence[str]) -> None:
        self._fail("prepare")
        self.prepared += tags

    def publish(self, package: PublishablePackage, notes: str, *, latest: bool = False) -> Published:
        self._fail(f"publish_{package.version.replace('.', '_')}")
        self.published.append(package.version)
        self.latest += [package.version] if latest else []
        self.notes.append(notes)
        when = datetime(2024, 1, 1, tzinfo=UTC)
        return Published(build_entry(package.metadata, digest=package.digest, url=package.filename, created=when))

    def finish(self, published: Sequence[Published]) -> None:
        self.finished.append([item.version for item in published])
        self._fail("finish")

    def _fail(self, when: str) -> None:
        if when in self.errors:
            raise self.errors[when]


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    """A repository with three versions."""
    repo = GitRepo(tmp_path / "repo.git")
    for tag in ("v1.0.0", "v1.1.0", "v1.2.0"):
        repo.release(tag, {**CHART, "c/values.yaml": f"tag: {tag}\n"}, f"Notes of {tag}\n")
    return repo


def run_of(folder: Path, *names: str, repos: dict[str, str] | None = None) -> Run:
    sources = "".join(
        f"  - {{name: {name}, repo: {(repos or {}).get(name, './repo.git')}, charts: [c]}}\n" for name in names
    )
    config = parse_config(f"sources:\n{sources}", file="config.yaml", base=folder, server=Server())
    repositories = Repositories(Server(), None, folder / "cache", lambda _text: None)
    return Run(config.sources, repositories, Told(), threads=2)


def told(run: Run) -> Told:
    assert isinstance(run.reporter, Told)
    return run.reporter


def updated(run: Run, memory: Memory, **options: Any) -> UpdateReport:
    return update(run, cast(Destination, memory), **options)


def versions(rows: Sequence[ReleaseRow]) -> list[str]:
    return [row.version for row in rows]


def test_all_is_published_and_then_listed_once(tmp_path: Path, repo: GitRepo) -> None:
    run, memory = run_of(tmp_path, "a"), Memory()
    report = updated(run, memory)
    assert memory.prepared == ["a-1.2.0", "a-1.1.0", "a-1.0.0"]
    assert memory.published == ["1.2.0", "1.1.0", "1.0.0"]
    assert memory.finished == [["1.2.0", "1.1.0", "1.0.0"]]
    assert [note.strip() for note in memory.notes] == ["Notes of v1.2.0", "Notes of v1.1.0", "Notes of v1.0.0"]
    assert versions(report.published) == versions(report.planned)
    assert memory.latest == []
    assert told(run).bars[-1] == ("publishing", 3, 3)


def test_the_newest_of_one_source_is_marked(tmp_path: Path, repo: GitRepo) -> None:
    run, memory = run_of(tmp_path, "b", "a"), Memory()
    run.marks_latest = run.sources[1]
    updated(run, memory)
    assert memory.latest == ["1.2.0"]


def test_a_dry_run_touches_nothing(tmp_path: Path, repo: GitRepo) -> None:
    memory = Memory(prepare=AssertionError(), finish=AssertionError())
    report = updated(run_of(tmp_path, "a"), memory, dry_run=True)
    assert versions(report.planned) == ["1.2.0", "1.1.0", "1.0.0"]
    assert memory.published == []


@pytest.mark.parametrize("when", ["open", "prepare"])
def test_a_destination_that_cannot_be_used_ends_it_before_anything_is_done(
    tmp_path: Path, repo: GitRepo, when: str
) -> None:
    memory = Memory(**{when: DestinationUnusableError("no")})
    with pytest.raises(DestinationUnusableError):
        updated(run_of(tmp_path, "a"), memory)
    assert (memory.published, memory.finished) == ([], [])


def test_releases_are_listed_while_the_destination_is_opened(
    tmp_path: Path, repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = threading.Event()
    upstream = Repositories.upstream

    def noticed(repositories: Repositories, location: Location) -> Upstream:
        asked.set()
        return upstream(repositories, location)

    monkeypatch.setattr(Repositories, "upstream", noticed)

    class Slow(Memory):
        def open(self) -> Index:
            assert asked.wait(10), "nothing is asked meanwhile"
            return super().open()

    assert versions(updated(run_of(tmp_path, "a"), Slow()).published) == ["1.2.0", "1.1.0", "1.0.0"]


def test_a_destination_that_cannot_be_used_ends_the_asking(
    tmp_path: Path, repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, begun = [], threading.Event()

    def fails(_repositories: Repositories, location: Location) -> Upstream:
        asked.append(location)
        begun.set()
        time.sleep(0.05)
        raise UpstreamError("not reached")

    monkeypatch.setattr(Repositories, "upstream", fails)

    class Closed(Memory):
        def open(self) -> Index:
            assert begun.wait(10)
            raise DestinationUnusableError("no")

    names = [f"s{number}" for number in range(20)]
    run = run_of(tmp_path, *names, repos={name: f"./{name}.git" for name in names})
    with pytest.raises(DestinationUnusableError, match="no"):
        updated(run, Closed())
    assert 1 <= len(asked) <= 6
    assert told(run).failures == [], "what else failed would only distract"


def test_what_cannot_be_published_keeps_no_other_back(tmp_path: Path, repo: GitRepo) -> None:
    run, memory = run_of(tmp_path, "a"), Memory(publish_1_1_0=ConflictError("other content", remedy="compare"))
    report = updated(run, memory)
    assert memory.finished == [["1.2.0", "1.0.0"]]
    assert told(run).failures == ["a v1.1.0: other content; compare"]
    assert report.exit_code == 1


def test_a_limit_of_the_destination_ends_the_run_and_what_is_done_is_listed(tmp_path: Path, repo: GitRepo) -> None:
    run, memory = run_of(tmp_path, "a", "b"), Memory(publish_1_1_0=LIMIT)
    report = updated(run, memory)
    assert memory.finished == [["1.2.0"]]
    assert (report.stopped_early, report.exit_code, report.failed) == ("wait an hour; run again", 3, [])


def test_a_destination_that_breaks_midway(tmp_path: Path, repo: GitRepo) -> None:
    run, memory = run_of(tmp_path, "a"), Memory(publish_1_1_0=DestinationUnusableError("no permission", remedy="ask"))
    report = updated(run, memory)
    assert memory.finished == [["1.2.0"]]
    assert told(run).failures == ["memory: no permission; ask"]
    assert report.exit_code == 1


@pytest.mark.parametrize("error", [DestinationError("push refused", remedy="run again"), LIMIT])
def test_what_could_not_be_listed_is_not_called_published(
    tmp_path: Path, repo: GitRepo, error: ChartReleaserError
) -> None:
    run = run_of(tmp_path, "a")
    report = updated(run, Memory(finish=error))
    assert report.published == []
    assert [row.error for row in report.failed] == [error.what] * 3
    assert told(run).failures == [f"memory: {error.full_message}"]
    assert report.exit_code == 1


def test_a_conflict_in_the_index_is_reported_and_the_others_are_published(tmp_path: Path, repo: GitRepo) -> None:
    report = updated(run_of(tmp_path, "a"), Memory(finish=ConflictError("other content", remedy="compare")))
    assert len(report.published) == 3
    assert report.failed == [ReleaseRow("memory", error="other content", remedy="compare")]


def test_an_upstreams_limit_puts_off_its_sources_only(
    tmp_path: Path, repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(tmp_path, "a", "b", repos={"b": "o/b"})
    honest = run.repositories.upstream

    def limited(location: Location) -> Upstream:
        if "o/b" in str(location):
            raise LIMIT
        return honest(location)

    monkeypatch.setattr(run.repositories, "upstream", limited)
    memory = Memory()
    report = updated(run, memory)
    assert memory.finished == [["1.2.0", "1.1.0", "1.0.0"]]
    assert (report.stopped_early, report.exit_code) == ("wait an hour; run again", 3)
    assert "b: postponed to another run" in told(run).details
    exported = export(run, ExportDirectory(tmp_path / "charts"), packaged=False)
    assert [row.source for row in exported.written] == ["a"]
    assert exported.failures.exit_code == 3


def test_a_limit_met_while_building_puts_off_that_release_only(
    tmp_path: Path, repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = build.build_all

    def limited(*arguments: Any, **options: Any) -> Any:
        for outcome in honest(*arguments, **options):
            yield BuildFailure(outcome.item, LIMIT) if outcome.item.version == "1.1.0" else outcome

    monkeypatch.setattr("chart_releaser.commands.update.build_all", limited)
    memory = Memory()
    report = updated(run_of(tmp_path, "a"), memory)
    assert memory.finished == [["1.2.0", "1.0.0"]]
    assert (report.stopped_early, report.failed) == ("wait an hour; run again", [])


def test_what_is_published_is_listed_while_a_slow_upstream_is_waited_for(
    tmp_path: Path, repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "_IDLE_SECONDS", 0.5)
    shutil.copytree(repo.path, tmp_path / "slow.git")
    run, memory = run_of(tmp_path, "a", "b", repos={"b": "./slow.git"}), Memory()
    honest = run.repositories.open

    def slow(location: Location, seconds: float) -> Repository:
        end = time.monotonic() + 30
        while "slow" in str(location) and seconds > 100 and not memory.finished and time.monotonic() < end:
            time.sleep(0.05)
        return honest(location, seconds)

    monkeypatch.setattr(run.repositories, "open", slow)
    report = updated(run, memory)
    assert memory.finished == [["1.2.0", "1.1.0", "1.0.0"], ["1.2.0", "1.1.0", "1.0.0"]], "a, and then b"
    assert [row.source for row in report.published] == ["a"] * 3 + ["b"] * 3
    assert report.exit_code == 0


def test_an_interrupt_lists_what_is_done(tmp_path: Path, repo: GitRepo) -> None:
    run = run_of(tmp_path, "a")

    class Interrupted(Memory):
        def publish(self, package: PublishablePackage, notes: str, *, latest: bool = False) -> Published:
            published = super().publish(package, notes, latest=latest)
            if len(self.published) == 2:
                run.stop.set()
            return published

    memory = Interrupted()
    report = updated(run, memory)
    assert memory.finished == [["1.2.0", "1.1.0"]]
    assert (report.interrupted, report.exit_code) == (True, 130)


def test_a_second_interrupt_still_lists_what_is_done(tmp_path: Path, repo: GitRepo) -> None:
    class Interrupted(Memory):
        def publish(self, package: PublishablePackage, notes: str, *, latest: bool = False) -> Published:
            if self.published:
                raise KeyboardInterrupt
            return super().publish(package, notes, latest=latest)

    memory = Interrupted()
    report = updated(run_of(tmp_path, "a"), memory)
    assert memory.finished == [["1.2.0"]]
    assert report.interrupted


def test_a_bug_is_kept_for_the_end(tmp_path: Path, repo: GitRepo) -> None:
    report = updated(run_of(tmp_path, "a"), Memory(publish_1_1_0=ZeroDivisionError("x")))
    assert len(report.published) == 2
    assert isinstance(report.bug, ZeroDivisionError)


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_limit_counts_what_was_published(tmp_path: Path, repo: GitRepo, limit: int) -> None:
    run, memory = run_of(tmp_path, "a", "gone", repos={"gone": "./gone"}), Memory()
    report = updated(run, memory, limit=limit)
    assert memory.published == ["1.2.0", "1.1.0", "1.0.0"][:limit]
    assert bool(report.stopped_early) is (limit < 3)


def test_a_failure_before_a_limit_is_made_up_for(tmp_path: Path, repo: GitRepo) -> None:
    memory = Memory(publish_1_2_0=ConflictError("x"))
    report = updated(run_of(tmp_path, "a"), memory, limit=1)
    assert memory.published == ["1.1.0"]
    assert report.stopped_early == "--limit 1 is reached; 1 more wait for the next run"


def test_an_export_asks_each_repository_once_for_each_release(
    tmp_path: Path, repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(tmp_path, "a", "b", "c")
    asked: list[object] = []
    honest = export_module._release_of

    def counted(run: Any, upstream: Any, source: Any) -> Any:
        asked.append(source.name)
        return honest(run, upstream, source)

    monkeypatch.setattr(export_module, "_release_of", counted)
    report = export(run, ExportDirectory(tmp_path / "charts"), packaged=True)
    assert asked == ["a"]
    assert [row.url for row in report.written] == [str(tmp_path / f"charts/{name}-1.2.0.tgz") for name in "abc"]


def test_sources_that_differ_in_their_range_are_asked_for_apart(tmp_path: Path, repo: GitRepo) -> None:
    text = (
        "sources:\n"
        "  - {name: a, repo: ./repo.git, charts: [c]}\n"
        '  - {name: b, repo: ./repo.git, charts: [c], versions: "<1.2"}\n'
        "  - {name: c, repo: ./repo.git, charts: [c], version: 1.0.0}\n"
        "  - {name: d, repo: ./repo.git, charts: [c], tagPrefix: x-}\n"
    )
    run = run_of(tmp_path, "a")
    run.sources = parse_config(text, file="config.yaml", base=tmp_path, server=Server()).sources
    report = export(run, ExportDirectory(tmp_path / "charts"), packaged=False)
    assert [row.tag for row in report.written] == ["v1.2.0", "v1.1.0", "v1.0.0"]
    assert [row.source for row in report.failures.failed] == ["d"]


def test_an_upstream_error_is_an_upstream_error() -> None:
    report = UpdateReport()
    assert report.fail(ReleaseRow("a"), UpstreamError("x", remedy="y")) == "a: x; y"
