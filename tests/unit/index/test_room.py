"""Room in an index: what one entry, one chart and all of them may take up."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from chart_releaser.errors import BudgetError, ChartError
from chart_releaser.index.index import Index, build_entry
from chart_releaser.index.room import MAX_INDEX, Room
from chart_releaser.index.scan import scan


@dataclass
class Sizes:
    size: int = 0
    charts: dict[str, int] = field(default_factory=dict)

    def size_of(self, name: str) -> int:
        return self.charts.get(name, 0)


@dataclass
class Package:
    name: str = "a"
    more: dict[str, Any] = field(default_factory=dict)
    filename: str = "a-1.0.0.tgz"
    digest: str = "0" * 64

    @property
    def metadata(self) -> dict[str, Any]:
        return {"apiVersion": "v2", "name": self.name, "version": "1.0.0", **self.more}


def test_an_entry_that_is_too_large_by_itself() -> None:
    Room(Sizes()).take(Package(more={"description": "x" * 250_000}), 1 << 20)
    with pytest.raises(ChartError, match=r"^its entry in the index would have 29\d KiB, .* it may have 256$"):
        Room(Sizes()).take(Package(more={"description": "x" * 300_000}), 1 << 20)


def test_what_is_nested_deeply_counts_as_it_is_written() -> None:
    deep: Any = "x"
    for _ in range(60):
        deep = {"k": deep}
    with pytest.raises(ChartError, match="its entry in the index"):
        Room(Sizes()).take(Package(more={"dependencies": [{"name": "b", "import-values": [deep] * 70}]}), 1 << 20)


def test_a_chart_has_its_own_room_and_the_others_theirs() -> None:
    room = Room(Sizes(5000, {"a": 4000, "b": 500}))
    room.take(Package("a"), 5000)
    for _ in range(2):
        room.take(Package("b"), 5000)
    with pytest.raises(BudgetError, match=r"^with this version the entries of a would take .* limits: indexSize$"):
        _fill(room)
    room.take(Package("b"), 5000)


def _fill(room: Room) -> None:
    for _ in range(10):
        room.take(Package("a"), 5000)


def test_an_index_that_is_full_takes_nothing_more() -> None:
    room = Room(Sizes(MAX_INDEX - 300))
    room.take(Package("a"), 1 << 20)
    with pytest.raises(BudgetError, match=rf"^with this version the index would have .* at most {MAX_INDEX:,}"):
        room.take(Package("b"), 1 << 20)


def test_what_is_reserved_is_what_the_index_grows_by() -> None:
    package = Package(more={"description": "é: - x", "keywords": ["a", "b"]})
    item = build_entry(
        package.metadata, digest=package.digest, url=package.filename, created=datetime(2026, 1, 1, tzinfo=UTC)
    )
    before = Index.parse(None).merge([{**item, "name": "b"}, item], generated=datetime(2026, 1, 1, tzinfo=UTC))
    text = Index.parse(before).merge([{**item, "version": "1.0.1"}], generated=datetime(2026, 1, 1, tzinfo=UTC))
    grown = Index.parse(text)
    own = grown.size_of("a") - Index.parse(before).size_of("a")
    assert grown.size - len(before) == own
    with pytest.raises(BudgetError):
        Room(Sizes()).take(package, own)  # the time is shorter here
    Room(Sizes()).take(package, own + 10)
    listing = scan(text.encode())
    assert listing is not None
    for name in ("a", "b", "c"):
        assert 0 <= listing.size_of(name) - grown.size_of(name) <= 4, "bytes, not characters"
    assert Index.parse("apiVersion: v1\nentries: {a: [{name: a, version: 1.0.0}]}").size_of("a") > 20
