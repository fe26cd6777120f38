"""Read index.yaml, and add or remove entries without changing a byte of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from chart_releaser import yamlio
from chart_releaser.errors import BrokenIndexError
from chart_releaser.index.entry import Entry, build_entry, entry_problems, rejecting_problems, timestamp
from chart_releaser.index.splice import insert_entries, remove_entries
from chart_releaser.index.text import Document, UnquotedNumber, parse_document
from chart_releaser.versions import helm_sort_key

__all__ = ["Entry", "Index", "build_entry", "entry_problems", "timestamp"]

INDEX = "index.yaml"
"""The file name of the index in every Helm repository."""
TOP_FIELDS = frozenset(("annotations", "apiVersion", "entries", "generated", "publicKeys", "serverInfo"))
"""The top-level fields of an index. Helm refuses others: IndexFile in pkg/repo/index.go."""


@dataclass(frozen=True, eq=False)
class Index:
    """The index of a Helm repository: its text and the parsed entries."""

    text: str
    """The text as it was read; "" if there is no index yet."""
    entries: dict[str, list[Any]]
    """The entries by chart name, in the order of the text. Entries that `problems` names may have any shape."""
    where: str
    """The name of the index in messages."""
    _document: Document

    @classmethod
    def parse(cls, text: str | None, *, where: str = INDEX) -> Index:
        """Parse an index. None, or a blank text, is an empty index.

        Unknown fields are kept. Problems of single entries are in `problems`. Raises BrokenIndexError if the text as a
        whole is not an index: malformed YAML, not a mapping, no `apiVersion: v1`, `entries` that is not a mapping of
        lists, aliases, too large or too deep.
        """
        if text is None or not text.strip():
            return cls("", {}, where, Document({}))
        document = parse_document(text, where=where)
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
        """What makes Helm refuse the index apart from its entries: repeated keys and unknown top-level fields."""
        unknown = sorted(set(self._document.data) - TOP_FIELDS)
        return (*self._document.repeated, *(f"the field {name} does not belong in an index" for name in unknown))

    @cached_property
    def _by_version(self) -> dict[str, dict[str, Entry]]:
        result: dict[str, dict[str, Entry]] = {}
        for name, entries in self.entries.items():
            versions = result.setdefault(name, {})
            for item in entries:
                if isinstance(item, dict) and isinstance(version := item.get("version"), str) and version:
                    versions.setdefault(str(version), item)
        return result

    def versions(self, name: str) -> frozenset[str]:
        """Return the versions listed under a chart name, exactly as written."""
        return frozenset(self._by_version.get(name, ()))

    def entry(self, name: str, version: str) -> Entry | None:
        """Return the entry with exactly that name and version, the first if there are several, or None."""
        return self._by_version.get(name, {}).get(version)

    @property
    def size(self) -> int:
        """The length of the text in characters."""
        return len(self.text)

    def size_of(self, name: str) -> int:
        """Return the length of a chart's entries in characters, 0 if it is not listed."""
        place = self._document.charts.get(name)
        if place is not None and place.end is not None:
            return place.end - place.key
        entries = self.entries.get(name)
        return len(yamlio.dump(_plain(entries))) if entries else 0

    @cached_property
    def problems(self) -> tuple[str, ...]:
        """The problems of single entries, one line each that names the entry."""
        problems = list(self._document.repeated)
        for name, entries in self.entries.items():
            seen: set[str] = set()
            for number, item in enumerate(entries, 1):
                version = item.get("version") if isinstance(item, dict) else None
                label = f"{name} {version}" if isinstance(version, str) and version else f"{name}, entry {number}"
                problems += [f"{label}: {problem}" for problem in entry_problems(name, item)]
                if isinstance(version, str) and version:
                    if version in seen:
                        problems.append(f"{label}: listed twice")
                    seen.add(version)
        return tuple(problems)

    @cached_property
    def rejections(self) -> tuple[str, ...]:
        """The reasons for which Helm refuses the whole index, each with the entry's name."""
        reasons = [*self.faults, *self._document.repeated]
        for name, entries in self.entries.items():
            for number, item in enumerate(entries, 1):
                version = item.get("version") if isinstance(item, dict) else None
                label = f"{name} {version}" if isinstance(version, str) and version else f"{name}, entry {number}"
                reasons += [f"{label}: {problem}" for problem in rejecting_problems(name, item)]
        return tuple(dict.fromkeys(reasons))

    def merge(self, new: Iterable[Mapping[str, Any]], *, generated: datetime) -> str:
        """Return the text with the new entries added, or the same text if all are already listed.

        A listed name and version is never replaced. Existing entries stay byte for byte, in their place and order. A
        new entry goes before the first one that Helm sorts after it, and a new chart to its alphabetical place. Only a
        text to which no lines can be added (JSON and other flow style) is dumped again with the same data. `generated`
        becomes the time of the index. Raises ValueError for an entry without name or version.
        """
        added = {name: _placed(self.entries.get(name, []), entries) for name, entries in self._missing(new).items()}
        if self.text:
            if not added:
                return self.text
            spliced = insert_entries(self.text, self._document, added, generated=timestamp(generated))
            if spliced is not None:
                return spliced
        return self._rewrite(added, generated)

    def without(self, drop: Callable[[str, Any], bool], *, generated: datetime, tidy: bool = False) -> Index:
        """Return the index without the entries for which `drop(chart name, entry)` is true; `self` if there are none.

        The other entries stay byte for byte if the layout allows it (see `merge`). `tidy` dumps the index in any case,
        without repeated keys and unknown top-level fields.
        """
        dropped = {
            name: numbers
            for name, listed in self.entries.items()
            if (numbers := {number for number, item in enumerate(listed) if drop(name, item)})
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
            text = remove_entries(self.text, self._document, dropped, generated=time)
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
    """Pair each new entry with the index of the listed one to insert it before: the first that Helm sorts after it."""
    orders = [_order(entry) for entry in listed]
    return [
        (next((at for at, other in enumerate(orders) if own < other), len(orders)), entry)
        for entry, own in ((entry, _order(entry)) for entry in entries)
    ]


def _plain(value: Any) -> Any:
    """Return `value` with each UnquotedNumber replaced by a plain string."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, UnquotedNumber) else value
