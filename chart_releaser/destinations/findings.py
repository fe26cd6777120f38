"""The values that `verify` works with: stored packages, findings, and repairs of the index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from chart_releaser.index.index import Index

FindingKind = Literal[
    "unreadable", "malformed", "missing", "digest", "unchecked", "unlisted", "conflict", "draft", "broken", "version"
]


@dataclass(frozen=True)
class StoredPackage:
    """A package in a destination, or a place that lacks its package.

    - `place`: the tag of its release, or the name of its file.
    - `label`: the `<name>-<version>` that it must contain; empty if this program did not publish it.
    - `url`: the address for an index entry.
    - `digest`: the bare SHA-256, None if not known yet.
    - `state`: "published"; "draft", which can't be downloaded yet; or "broken", without a complete package, in which
      case `what` and `remedy` say more.
    - `created`: when it was published.
    - `handle`: private to the destination.
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
        """Its name in messages: `the package a-1.0.0.tgz of release a-1.0.0`."""
        return f"the package {self.filename}" + ("" if self.place == self.filename else f" of release {self.place}")


@dataclass(frozen=True)
class Repair:
    """How `--repair` resolves a finding without changing a package.

    - `drop`: an index entry to remove, with the chart name that it is listed under.
    - `add`: an index entry to add.
    - `tidy`: rewrite the index without duplicate and unknown keys.
    - `discard`: a draft to delete.
    """

    drop: tuple[str, Any] | None = None
    add: Mapping[str, Any] | None = None
    tidy: bool = False
    discard: StoredPackage | None = None


@dataclass(frozen=True)
class Finding:
    """Something that is wrong: what, what the user can do, and how `--repair` resolves it, if it can."""

    kind: FindingKind
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
    """Return `index` with all `repairs` that concern it applied.

    Entries are dropped by their whole content, so an entry that somebody has corrected in the meantime stays.
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
