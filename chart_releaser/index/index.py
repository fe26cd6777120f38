"""index.yaml: read it, write its entries as Helm does, add new ones without touching a byte of the earlier ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from chart_releaser import yamlio
from chart_releaser.errors import BrokenIndexError
from chart_releaser.index.entry import Entry, entry, entry_problems, timestamp
from chart_releaser.index.splice import cut, splice
from chart_releaser.index.text import Bare, Document, read
from chart_releaser.versions import helm_sort_key

__all__ = ["Entry", "Index", "entry", "entry_problems", "timestamp"]

INDEX = "index.yaml"
"""What every Helm repository calls its index."""
TOP_FIELDS = frozenset(("annotations", "apiVersion", "entries", "generated", "publicKeys", "serverInfo"))
"""What Helm knows at the top of an index; it refuses one that has more: IndexFile in its pkg/repo/index.go."""


@dataclass(frozen=True, eq=False)
class Index:
    """A Helm repository's index: its text, and what is in it."""

    text: str
    """As it was read; empty if there is no index yet."""
    entries: dict[str, list[Any]]
    """Chart name to its entries, in the order of the text. Entries that `problems` names may have any shape."""
    where: str
    """What messages call it."""
    _document: Document

    @classmethod
    def parse(cls, text: str | None, *, where: str = INDEX) -> Index:
        """Read an index; none at all, or one of nothing but space, is an empty one.

        Unknown fields are kept. BrokenIndexError if the whole is no index: malformed YAML, not a mapping, no
        `apiVersion: v1`, `entries` that is no mapping of lists, aliases, too large or too deep. What is wrong with
        single entries is in `problems`.
        """
        if text is None or not text.strip():
            return cls("", {}, where, Document({}))
        document = read(text, where=where)
        version = document.data.get("apiVersion")
        if version != "v1":
            has = "no apiVersion" if version is None else f"apiVersion {version}"
            raise BrokenIndexError(f"{where}: no Helm repository index: it has {has}, expected apiVersion: v1")
        entries = document.data.get("entries")
        if entries is None:
            entries = {}
        if not isinstance(entries, dict):
            raise BrokenIndexError(f"{where}: entries is not a mapping of chart names to lists")
        for name, versions in entries.items():
            if versions is not None and not isinstance(versions, list):
                raise BrokenIndexError(f"{where}: entries: {name} is not a list of the chart's versions")
        return cls(text, {name: versions or [] for name, versions in entries.items()}, where, document)

    @property
    def faults(self) -> tuple[str, ...]:
        """What Helm refuses of the whole, its entries apart: doubled keys, top-level fields that it does not know."""
        unknown = sorted(set(self._document.data) - TOP_FIELDS)
        return (*self._document.repeated, *(f"the field {name} does not belong in an index" for name in unknown))

    @cached_property
    def _by_version(self) -> dict[str, dict[str, Entry]]:
        found: dict[str, dict[str, Entry]] = {}
        for name, entries in self.entries.items():
            versions = found.setdefault(name, {})
            for item in entries:
                if isinstance(item, dict) and isinstance(version := item.get("version"), str) and version:
                    versions.setdefault(str(version), item)
        return found

    def versions(self, name: str) -> frozenset[str]:
        """The versions that are listed under that chart name, exactly as they are written."""
        return frozenset(self._by_version.get(name, ()))

    def entry(self, name: str, version: str) -> Entry | None:
        """The entry of exactly that name and version; the first one if there are several."""
        return self._by_version.get(name, {}).get(version)

    @property
    def size(self) -> int:
        """The characters of the text."""
        return len(self.text)

    def size_of(self, name: str) -> int:
        """The characters that the entries of a chart take up, 0 for one that is not listed."""
        place = self._document.charts.get(name)
        if place is not None and place.end is not None:
            return place.end - place.key
        entries = self.entries.get(name)
        return len(yamlio.dump(_plain(entries))) if entries else 0

    @cached_property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with single entries, each in one line that names the entry."""
        found = list(self._document.repeated)
        for name, entries in self.entries.items():
            seen: set[str] = set()
            for number, item in enumerate(entries, 1):
                version = item.get("version") if isinstance(item, dict) else None
                label = f"{name} {version}" if isinstance(version, str) and version else f"{name}, entry {number}"
                found += [f"{label}: {problem}" for problem in entry_problems(name, item)]
                if isinstance(version, str) and version:
                    if version in seen:
                        found.append(f"{label}: listed twice")
                    seen.add(version)
        return tuple(found)

    def merge(self, new: Iterable[Mapping[str, Any]], *, generated: datetime) -> str:
        """The text with the new entries in it; the same text if there are none.

        A name and version that is listed already stays as it is. Every earlier entry stays byte for byte, in its place
        and order; a new one goes before the first entry that Helm sorts after it, a new chart to its alphabetical
        place. Only where the text has no room for lines (JSON and other flow style) it is written anew with the same
        data. `generated` becomes the time of the index. ValueError for an entry without name or version.
        """
        added = {name: _placed(self.entries.get(name, []), entries) for name, entries in self._missing(new).items()}
        if self.text:
            if not added:
                return self.text
            spliced = splice(self.text, self._document, added, generated=timestamp(generated))
            if spliced is not None:
                return spliced
        return self._rewrite(added, generated)

    def without(self, drop: Callable[[str, Any], bool], *, generated: datetime, tidy: bool = False) -> Index:
        """The index without the entries for which `drop(chart name, entry)` is true; the same if there are none.

        What stays does so byte for byte, unless the text has no room for that (see `merge`): then it is written anew
        with the same data. `tidy` writes it anew in any case, without doubled keys and unknown top-level fields.
        """
        dropped = {
            name: found
            for name, listed in self.entries.items()
            if (found := {number for number, item in enumerate(listed) if drop(name, item)})
        }
        if not dropped and not tidy:
            return self
        entries = {
            name: kept
            for name, listed in self.entries.items()
            if (kept := [item for number, item in enumerate(listed) if number not in dropped.get(name, ())])
        }
        time = timestamp(generated)
        if not tidy:
            text = cut(self.text, self._document, dropped, generated=time)
            if text is not None:
                return Index.parse(text, where=self.where)
        data = {key: value for key, value in self._document.data.items() if not tidy or key in TOP_FIELDS}
        data |= {"apiVersion": "v1", "entries": entries, "generated": time}
        return Index.parse(yamlio.dump(_plain(data)), where=self.where)

    def _missing(self, new: Iterable[Mapping[str, Any]]) -> dict[str, list[Entry]]:
        added: dict[str, dict[str, Entry]] = {}
        for item in new:
            name, version = item.get("name"), item.get("version")
            if not isinstance(name, str) or not isinstance(version, str) or not name or not version:
                raise ValueError(f"an index entry without name or version: {item!r}")
            if version not in self._by_version.get(name, ()):
                added.setdefault(name, {}).setdefault(version, _plain(dict(item)))
        return {name: sorted(added[name].values(), key=_order) for name in sorted(added)}

    def _rewrite(self, added: dict[str, list[tuple[int, Entry]]], generated: datetime) -> str:
        entries = {name: list(listed) for name, listed in self.entries.items()}
        for name, placed in added.items():
            listed = entries.setdefault(name, [])
            for before, item in reversed(placed):
                listed.insert(before, item)
        data = {**self._document.data, "apiVersion": "v1", "entries": entries, "generated": timestamp(generated)}
        return yamlio.dump(_plain(data))


def _order(entry: Any) -> Any:
    version = entry.get("version") if isinstance(entry, dict) else None
    return helm_sort_key(str(version) if isinstance(version, str) else "")


def _placed(listed: list[Any], entries: list[Entry]) -> list[tuple[int, Entry]]:
    """Each new entry with the number of the listed one that it goes before: the first that Helm sorts after it."""
    orders = [_order(entry) for entry in listed]
    return [
        (next((at for at, other in enumerate(orders) if own < other), len(orders)), entry)
        for entry, own in ((entry, _order(entry)) for entry in entries)
    ]


def _plain(value: Any) -> Any:
    """The value without marks of how it was written."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Bare) else value
