"""index.yaml: read it, write its entries as Helm does, add new ones without touching a byte of the earlier ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from chart_releaser import yamlio
from chart_releaser.errors import ChartError, DestinationError
from chart_releaser.helmyaml import as_string
from chart_releaser.index_splice import splice
from chart_releaser.index_text import Bare, Document, read
from chart_releaser.versions import helm_order

Entry = dict[str, Any]

_DIGEST = re.compile(r"[0-9a-f]{64}")
_TEXTS = ("apiVersion", "appVersion", "condition", "description", "home", "icon", "kubeVersion", "name", "tags", "type")
_LISTS = ("keywords", "sources")


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
    def parse(cls, text: str | None, *, where: str = "index.yaml") -> Index:
        """Read an index; none at all, or one of nothing but space, is an empty one.

        Unknown fields are kept. DestinationError if the whole is no index: malformed YAML, not a mapping, no
        `apiVersion: v1`, `entries` that is no mapping of lists, aliases, too large or too deep. What is wrong with
        single entries is in `problems`.
        """
        if text is None or not text.strip():
            return cls("", {}, where, Document({}))
        document = read(text, where=where)
        version = document.data.get("apiVersion")
        if version != "v1":
            has = "no apiVersion" if version is None else f"apiVersion {version}"
            raise DestinationError(f"{where}: no Helm repository index: it has {has}, expected apiVersion: v1")
        entries = document.data.get("entries")
        if entries is None:
            entries = {}
        if not isinstance(entries, dict):
            raise DestinationError(f"{where}: entries is not a mapping of chart names to lists")
        for name, versions in entries.items():
            if versions is not None and not isinstance(versions, list):
                raise DestinationError(f"{where}: entries: {name} is not a list of the chart's versions")
        return cls(text, {name: versions or [] for name, versions in entries.items()}, where, document)

    @cached_property
    def _by_version(self) -> dict[str, dict[str, Entry]]:
        found: dict[str, dict[str, Entry]] = {}
        for name, entries in self.entries.items():
            versions = found.setdefault(name, {})
            for entry in entries:
                if isinstance(entry, dict) and isinstance(version := entry.get("version"), str) and version:
                    versions.setdefault(str(version), entry)
        return found

    def versions(self, name: str) -> frozenset[str]:
        """The versions that are listed under that chart name, exactly as they are written."""
        return frozenset(self._by_version.get(name, ()))

    def entry(self, name: str, version: str) -> Entry | None:
        """The entry of exactly that name and version; the first one if there are several."""
        return self._by_version.get(name, {}).get(version)

    @cached_property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with single entries, each in one line that names the entry."""
        found = list(self._document.repeated)
        for name, entries in self.entries.items():
            seen: set[str] = set()
            for number, entry in enumerate(entries, 1):
                version = entry.get("version") if isinstance(entry, dict) else None
                label = f"{name} {version}" if isinstance(version, str) and version else f"{name}, entry {number}"
                found += [f"{label}: {problem}" for problem in _problems(name, entry)]
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

    def _missing(self, new: Iterable[Mapping[str, Any]]) -> dict[str, list[Entry]]:
        added: dict[str, dict[str, Entry]] = {}
        for entry in new:
            name, version = entry.get("name"), entry.get("version")
            if not isinstance(name, str) or not isinstance(version, str) or not name or not version:
                raise ValueError(f"an index entry without name or version: {entry!r}")
            if version not in self._by_version.get(name, ()):
                added.setdefault(name, {}).setdefault(version, dict(entry))
        return {name: sorted(added[name].values(), key=_order) for name in sorted(added)}

    def _rewrite(self, added: dict[str, list[tuple[int, Entry]]], generated: datetime) -> str:
        entries = {name: list(listed) for name, listed in self.entries.items()}
        for name, placed in added.items():
            listed = entries.setdefault(name, [])
            for before, entry in reversed(placed):
                listed.insert(before, entry)
        data = {**self._document.data, "apiVersion": "v1", "entries": entries, "generated": timestamp(generated)}
        return yamlio.dump(_plain(data))


def merge(text: str | None, new: Iterable[Mapping[str, Any]], *, generated: datetime, where: str = "index.yaml") -> str:
    """`Index.merge` on a text."""
    return Index.parse(text, where=where).merge(new, generated=generated)


def timestamp(time: datetime) -> str:
    """A time as Helm writes it: RFC 3339 in UTC, a fraction without zeros at its end. ValueError without a zone."""
    if time.tzinfo is None:
        raise ValueError("a time without a zone")
    utc = time.astimezone(UTC)
    fraction = f".{utc.microsecond:06}".rstrip("0") if utc.microsecond else ""
    return f"{utc:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def entry(metadata: Mapping[str, Any], *, digest: str, url: str, created: datetime) -> Entry:
    """The index entry of a package: what Helm knows of its Chart.yaml, the SHA-256 in bare hex, the address.

    `metadata` is Chart.yaml with the types of YAML; numbers and booleans become the texts that Helm makes of them.

    Fields that Helm does not know are left out, for one of them makes strict readers reject the whole file; so does a
    field of another type than Helm's, which is a ChartError. Empty fields are left out as Helm does.
    """
    found: Entry = {key: _text(metadata, key) for key in (*_TEXTS, "version")}
    found |= {key: _texts(metadata, key) for key in _LISTS}
    found["annotations"] = {
        str(key): _text(annotations, key) for annotations in (_mapping(metadata, "annotations"),) for key in annotations
    }
    found["maintainers"] = [
        {key: text for key in ("name", "email", "url") if (text := _text(maintainer, key, "maintainers"))}
        for maintainer in _mappings(metadata, "maintainers")
    ]
    found["dependencies"] = [_dependency(dependency) for dependency in _mappings(metadata, "dependencies")]
    found["deprecated"] = _boolean(metadata, "deprecated")
    found = {key: value for key, value in found.items() if value}
    for key in ("name", "version"):
        if key not in found:
            raise ChartError(f"Chart.yaml has no {key}; add one")
    return {**found, "created": timestamp(created), "digest": digest, "urls": [url]}


def _dependency(dependency: Mapping[str, Any]) -> Entry:
    where = "dependencies"
    found: Entry = {key: _text(dependency, key, where) for key in ("name", "version", "condition", "alias")}
    found["tags"] = _texts(dependency, "tags", where)
    found["enabled"] = _boolean(dependency, "enabled", where)
    imports = dependency.get("import-values") or []
    if not isinstance(imports, list):
        raise _wrong(where, "import-values", "a list")
    found["import-values"] = imports
    # Helm writes the repository even if it is empty.
    return {key: value for key, value in found.items() if value} | {
        "repository": _text(dependency, "repository", where)
    }


def _wrong(where: str, key: str, expected: str) -> ChartError:
    return ChartError(f"Chart.yaml: {where + ': ' if where else ''}{key} is not {expected}, which Helm expects")


def _text(mapping: Mapping[str, Any], key: str, where: str = "") -> str:
    value = mapping.get(key)
    if isinstance(value, list | Mapping):
        raise _wrong(where, key, "text")
    return as_string(value)


def _boolean(mapping: Mapping[str, Any], key: str, where: str = "") -> bool:
    value = mapping.get(key)
    if value is not None and not isinstance(value, bool):
        raise _wrong(where, key, "true or false")
    return bool(value)


def _texts(mapping: Mapping[str, Any], key: str, where: str = "") -> list[str]:
    value = mapping.get(key) or []
    if not isinstance(value, list) or any(isinstance(item, list | Mapping) for item in value):
        raise _wrong(where, key, "a list of texts")
    return [as_string(item) for item in value]


def _mapping(metadata: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = metadata.get(key) or {}
    if not isinstance(value, Mapping):
        raise _wrong("", key, "a mapping")
    return value


def _mappings(metadata: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = metadata.get(key) or []
    if not isinstance(value, list) or not all(item is None or isinstance(item, Mapping) for item in value):
        raise _wrong("", key, "a list of mappings")
    return [item for item in value if item is not None]


def _problems(name: str, entry: Any) -> list[str]:
    if not isinstance(entry, dict):
        return ["not a mapping"]
    found = []
    if not isinstance(entry.get("version"), str) or not entry["version"]:
        found.append("no version")
    if not isinstance(entry.get("name"), str) or not entry["name"]:
        found.append("no name")
    elif entry["name"] != name:
        found.append(f"named {entry['name']}")
    for key in (*_TEXTS, "version", "digest"):
        value = entry.get(key)
        if value is not None and type(value) is not str:
            found.append(
                f"{key} is {_shown(value)}, which is no text to Helm: it rejects the whole index; put it in quotes"
            )
    urls = entry.get("urls")
    if not isinstance(urls, list) or not urls or not all(isinstance(url, str) and url for url in urls):
        found.append("no urls")
    digest = entry.get("digest")
    if not digest:
        found.append("no digest")
    elif not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        found.append("the digest is no SHA-256")
    return found


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str) else "a mapping" if isinstance(value, dict) else "a list"


def _order(entry: Any) -> Any:
    version = entry.get("version") if isinstance(entry, dict) else None
    return helm_order(str(version) if isinstance(version, str) else "")


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
