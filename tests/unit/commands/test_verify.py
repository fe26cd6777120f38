"""The story of `verify` against a destination in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest

from chart_releaser.commands.verify import verify
from chart_releaser.destinations import PublishablePackage, Published
from chart_releaser.destinations.findings import StoredPackage
from chart_releaser.errors import BrokenIndexError, DestinationError
from chart_releaser.index.index import Index
from tests.charts import index_text, listed, packed


class Memory:
    """Packages by file name, each `<name>-<version>.tgz`; what `errors` names can't be fetched."""

    title = "memory"

    def __init__(self, text: str, files: dict[str, bytes], drafts: Sequence[str] = ()) -> None:
        self.text = text
        self.files = files
        self.drafts = list(drafts)
        self.errors: set[str] = set()
        self.refuses = ""
        self.fetched: list[str] = []
        self.writes = 0
        self.running = self.most = 0
        self._lock = threading.Lock()

    def open(self) -> Index:
        return Index.parse(self.text)

    def prepare(self, tags: Sequence[str]) -> None:
        raise NotImplementedError

    def publish(self, package: PublishablePackage, notes: str, *, latest: bool = False) -> Published:
        raise NotImplementedError

    def finish(self, published: Sequence[Published]) -> None:
        raise NotImplementedError

    def open_index(self) -> Index:
        return self.open()

    def stored(self) -> Sequence[StoredPackage]:
        found = [StoredPackage(name, name.removesuffix(".tgz"), name, name, None, "published") for name in self.files]
        return [*found, *(StoredPackage(label, label, "", "", None, "draft") for label in self.drafts)]

    def locate(self, url: str) -> str:
        return url

    def fetch(self, url: str, stored: StoredPackage | None) -> bytes | None:
        with self._lock:
            self.fetched.append(url)
            self.running += 1
            self.most = max(self.most, self.running)
        threading.Event().wait(0.002)
        with self._lock:
            self.running -= 1
        if url in self.errors:
            raise DestinationError("the network is down")
        return self.files.get(url)

    def discard(self, stored: StoredPackage) -> None:
        if self.refuses:
            raise DestinationError(self.refuses)
        self.writes += 1
        self.drafts.remove(stored.label)

    def rewrite(self, change: Callable[[Index], Index], message: str) -> None:
        if self.refuses:
            raise DestinationError(self.refuses)
        self.writes += 1
        try:
            index = self.open()
        except BrokenIndexError:
            index = Index.parse(None)
        self.text = change(index).text


def charts(count: int) -> dict[str, bytes]:
    return {f"c-1.{number}.0.tgz": packed("c", f"1.{number}.0") for number in range(count)}


def index_of(files: dict[str, bytes]) -> str:
    return index_text(*(listed("c", name[2:-4], name, data) for name, data in files.items()))


def test_each_package_is_fetched_once_and_a_bounded_number_at_a_time() -> None:
    files = charts(40)
    target = Memory(index_of(dict(list(files.items())[:20])), files)
    report = verify(target, repair=True, threads=5, stop=threading.Event())
    assert sorted(target.fetched) == sorted(files)
    assert 1 < target.most <= 5
    assert len(report.repaired) == 20
    assert target.writes == 1


def test_a_failed_fetch_is_asked_once_and_concludes_nothing() -> None:
    files = charts(4)
    target = Memory(index_of(files), files)
    target.errors = set(files)
    report = verify(target, repair=True, threads=2, stop=threading.Event())
    assert [finding.kind for finding in report.findings] == ["unchecked"] * 4
    assert (len(target.fetched), target.writes, report.exit_code) == (4, 0, 1)
    target.text = "{"
    report = verify(target, repair=True, threads=2, stop=threading.Event())
    assert [finding.kind for finding in report.findings] == ["unreadable"] + ["unchecked"] * 4
    assert target.text == "{"


def test_a_bug_is_no_finding() -> None:
    target = Memory(index_of(charts(1)), charts(1))
    target.fetch = lambda url, stored: 1 / 0  # type: ignore[method-assign,assignment,return-value]
    with pytest.raises(ZeroDivisionError):
        verify(target, repair=True, threads=2, stop=threading.Event())


def test_what_could_not_be_repaired_is_in_the_report() -> None:
    target = Memory(index_of(charts(1)), charts(2), drafts=["c-2.0.0"])
    target.refuses = "the branch is protected; allow pushes to it"
    report = verify(target, repair=True, threads=2, stop=threading.Event())
    assert [finding.repaired for finding in report.findings] == [False, False]
    assert all("could not be repaired: the branch is protected" in finding.text for finding in report.findings)
    assert report.exit_code == 1
    document = report.as_json()
    assert (document["entries"], document["packages"], len(document["findings"])) == (1, 2, 2)


def test_drafts_go_after_the_index_and_a_stop_leaves_them() -> None:
    target = Memory(index_of(charts(1)), charts(2), drafts=["c-2.0.0", "c-3.0.0"])
    stop = threading.Event()
    rewrite = target.rewrite

    def stopping(change: Callable[[Index], Index], message: str) -> None:
        rewrite(change, message)
        stop.set()

    target.rewrite = stopping  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        verify(target, repair=True, threads=2, stop=stop)
    assert target.writes == 1
    assert len(target.drafts) == 2
    verify(target, repair=True, threads=2, stop=threading.Event())
    assert target.drafts == []
