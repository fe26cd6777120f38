"""The words of `verify`: what a destination holds, what is wrong with it, and what would put that right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from chart_releaser.index.index import Index

Kind = Literal[
    "unreadable", "malformed", "missing", "digest", "unchecked", "unlisted", "conflict", "draft", "broken", "version"
]


@dataclass(frozen=True)
class StoredPackage:
    """A package that a destination holds, or the place for one.

    `place` is its release's tag or its file's name; `label` the `<name>-<version>` that it has to be, empty for a
    package that is none of this program's; `url` what an index entry would say; `digest` the bare SHA-256, None until
    it is known. `state` is "published", "draft" (nobody can download it yet) or "broken" (there is no whole package:
    `what` and `remedy` say more). `created` is since when it is there; `handle` is for the destination alone.
    """

    place: str
    label: str
    filename: str
    url: str
    digest: str | None
    state: Literal["published", "draft", "broken"]
    what: str = ""
    remedy: str = ""
    created: datetime | None = None
    handle: Any = None

    @property
    def description(self) -> str:
        """What messages call it."""
        return f"the package {self.filename}" + ("" if self.place == self.filename else f" of release {self.place}")


@dataclass(frozen=True)
class Repair:
    """What `--repair` does about a finding, without changing a package.

    `drop` is an item of the index with the chart name that it is listed under, `add` an entry for the index; `tidy`
    writes the index without doubled and unknown keys; `discard` is a draft to delete.
    """

    drop: tuple[str, Any] | None = None
    add: Mapping[str, Any] | None = None
    tidy: bool = False
    discard: StoredPackage | None = None


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be: what, what to do, and what `--repair` does about it, if anything."""

    kind: Kind
    chart: str
    version: str
    what: str
    remedy: str
    repair: Repair | None = None
    repaired: bool = False

    def as_json(self) -> dict[str, Any]:
        """The finding for `verify --json`."""
        return {
            "kind": self.kind,
            "chart": self.chart,
            "version": self.version,
            "what": self.what,
            "remedy": self.remedy,
            "repairable": self.repair is not None,
            "repaired": self.repaired,
        }

    @property
    def text(self) -> str:
        """The finding in one line."""
        name = " ".join(filter(None, (self.chart, self.version)))
        return " ".join(f"{f'{name}: ' if name else ''}{self.what}; {self.remedy}".split())


def repair_index(index: Index, repairs: Sequence[Repair], now: datetime) -> Index:
    """Return `index` with all `repairs` that concern it.

    Entries are dropped by all that they say, so one that somebody has put right or published anew meanwhile stays.
    """
    drops: dict[str, list[Any]] = {}
    for repair in repairs:
        if repair.drop is not None:
            chart, item = repair.drop
            drops.setdefault(chart, []).append(item)
    kept = index.without(
        lambda chart, item: item in drops.get(chart, ()),
        generated=now,
        tidy=any(repair.tidy for repair in repairs),
    )
    entries = [repair.add for repair in repairs if repair.add is not None]
    return Index.parse(kept.merge(entries, generated=now), where=index.where)
