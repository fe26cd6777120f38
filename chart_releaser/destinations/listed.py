"""The entries of an index beside the packages that they name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chart_releaser.destinations.findings import StoredPackage
from chart_releaser.index.entry import entry_problems, unknown_fields
from chart_releaser.index.index import Index
from chart_releaser.versions import parse_tag


@dataclass(eq=False)
class ListedEntry:
    """An item of the index: `chart` is the name that it is listed under, `stored` the package at its address."""

    chart: str
    item: Any
    version: str
    url: str
    place: str
    """Its address, equal to that of other entries which mean the same package."""
    stored: StoredPackage | None
    problems: list[str]
    unknown: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        """`<name>-<version>`, by the name that the entry gives itself."""
        name = self.item.get("name") if isinstance(self.item, dict) else None
        return f"{name if isinstance(name, str) and name else self.chart}-{self.version}"


def is_strict_version(version: str) -> bool:
    """Whether it is a semantic version without the leading `v` that Helm lets pass."""
    return parse_tag(version) is not None and not version.startswith("v")


def is_package_label(text: str) -> bool:
    """Whether it can be `<name>-<version>`, wherever the dash between them is."""
    return any(is_strict_version(text[at + 1 :]) for at, character in enumerate(text) if character == "-" and at)


def match_packages(index: Index, stored: Sequence[StoredPackage], locate: Callable[[str], str]) -> list[ListedEntry]:
    """Return the items of the index with the packages that they name; `locate` makes spellings of an address equal."""
    by_place = {locate(item.url): item for item in stored if item.state == "published"}
    found = []
    for chart, items in index.entries.items():
        for item in items:
            fields: Mapping[str, Any] = item if isinstance(item, dict) else {}
            version, urls = fields.get("version"), fields.get("urls")
            url = urls[0] if isinstance(urls, list) and urls and type(urls[0]) is str else ""
            place = locate(url) if url else ""
            found.append(
                ListedEntry(
                    chart,
                    item,
                    version if isinstance(version, str) else "",
                    url,
                    place,
                    by_place.get(place),
                    entry_problems(chart, item),
                    unknown_fields(fields),
                )
            )
    return found


def find_unknown_digests(listed: Sequence[ListedEntry]) -> dict[str, StoredPackage | None]:
    """Return the addresses in the index whose packages' digests nobody has told yet."""
    return {item.url: item.stored for item in listed if item.url and (item.stored is None or not item.stored.digest)}
