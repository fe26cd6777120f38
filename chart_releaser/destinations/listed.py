"""The entries of an index, each with the package that it refers to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chart_releaser.destinations.findings import StoredPackage
from chart_releaser.index.entry import entry_problems, find_unknown_fields
from chart_releaser.index.index import Index
from chart_releaser.versions import parse_tag


@dataclass(eq=False)
class ListedEntry:
    """An entry of the index: `chart` is the name that it is listed under, `stored` the package at its address."""

    chart: str
    item: Any
    version: str
    url: str
    place: str
    """Its address in canonical form, the same for all entries that refer to one package."""
    stored: StoredPackage | None
    problems: list[str]
    unknown: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        """`<name>-<version>`, with the name inside the entry."""
        name = self.item.get("name") if isinstance(self.item, dict) else None
        return f"{name if isinstance(name, str) and name else self.chart}-{self.version}"


def is_strict_version(version: str) -> bool:
    """Tell whether `version` is a semantic version without a leading `v`, which Helm tolerates."""
    return parse_tag(version) is not None and not version.startswith("v")


def is_package_label(text: str) -> bool:
    """Tell whether `text` can be read as `<name>-<version>`, split at any dash."""
    return any(is_strict_version(text[at + 1 :]) for at, character in enumerate(text) if character == "-" and at)


def match_packages(index: Index, stored: Sequence[StoredPackage], locate: Callable[[str], str]) -> list[ListedEntry]:
    """Return the entries of `index`, matched with the packages in `stored` by `locate`, an `Auditable.locate`."""
    by_place = {locate(item.url): item for item in stored if item.state == "published"}
    entries = []
    for chart, items in index.entries.items():
        for item in items:
            fields: Mapping[str, Any] = item if isinstance(item, dict) else {}
            version, urls = fields.get("version"), fields.get("urls")
            url = urls[0] if isinstance(urls, list) and urls and type(urls[0]) is str else ""
            place = locate(url) if url else ""
            entries.append(
                ListedEntry(
                    chart,
                    item,
                    version if isinstance(version, str) else "",
                    url,
                    place,
                    by_place.get(place),
                    entry_problems(chart, item),
                    find_unknown_fields(fields),
                )
            )
    return entries


def find_unknown_digests(listed: Sequence[ListedEntry]) -> dict[str, StoredPackage | None]:
    """Return the addresses in the index for which no digest is known, each with its package if that is stored here."""
    return {item.url: item.stored for item in listed if item.url and (item.stored is None or not item.stored.digest)}
