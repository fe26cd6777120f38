"""What the page shows of an index: checked texts and addresses, in a form that stays small for many versions."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from chart_releaser.charts.chart import REVISION_ANNOTATION
from chart_releaser.index.index import Index
from chart_releaser.versions import helm_order

_EPOCH = date(1970, 1, 1).toordinal()
_LONGEST_TEXT = 500
_LONGEST_NAME = 256
_LONGEST_URL = 2048

# Control characters, marks that change the direction of what follows, line separators, and what UTF-8 can't express.
_UNSEEN = re.compile(
    "[\\s\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]+"
)
_URL = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?=[Tt ])")
_REVISION = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_FORGE = re.compile(r"(github|gitlab|gitea|forgejo|codeberg)\.", re.IGNORECASE)

# Stands for the version in a text. No text has one of its own: control characters are taken out.
_VERSION = "\x01"


@dataclass(frozen=True)
class Row:
    """A chart in the overview: texts that may hold any character, addresses that are safe to link."""

    name: str
    description: str
    version: str
    """The newest one that is no prerelease; the newest prerelease if there is nothing else."""
    app_version: str
    upstream: str
    """Address of the repository that it comes from; empty if none is known."""
    upstream_title: str
    released: str
    """The day, as 2025-11-22; empty if unknown."""
    deprecated: bool


@dataclass(frozen=True)
class Contents:
    """All that the page shows."""

    rows: Sequence[Row]
    data: Mapping[str, Any]
    """JSON values for the script; see `contents`."""
    versions: int
    updated: str
    """The day of the newest version; empty if there is none."""


def contents(index: Index, repositories: Mapping[str, str]) -> Contents:
    """Take from the index what the page shows, charts in alphabetical order, versions newest first.

    `repositories` has the address of the repository that each configured chart comes from. Where a version names it as
    a source it is shown as its upstream: the other sources are what upstream itself says.

    Entries that are no entries, such as those of a hand-edited file, are left out; so are names and versions with
    spaces or characters that can't be seen, which Helm could not install anyway.

    `data` is made for size. `texts` holds texts once, with U+0001 in place of the version. `dependencies` holds lists
    of [name, alias, condition, version, repository] once, as numbers of texts. `charts` has a list a chart: name,
    description, number of the newest version, versions, and then a column for each other field, which is a list with a
    value for each version, or the value alone if it is the same for all: application version, day since 1970, address
    of the package, upstream repository, dependencies, needed Kubernetes version (-1: none; else numbers of texts or of
    dependencies), revision, and flags: 1 if deprecated, plus 2 if a library.
    """
    tables = _Tables()
    rows, charts = [], []
    for name in sorted(index.entries, key=str):
        found = _chart(name, index.entries[name], repositories.get(name, ""), tables) if _is_name(name) else None
        if found is not None:
            rows.append(found[0])
            charts.append(found[1])
    data = {"texts": tables.texts.values, "dependencies": tables.dependencies.values, "charts": charts}
    return Contents(rows, data, sum(len(chart[3]) for chart in charts), tables.updated)


def link(url: object) -> str:
    """The address if it is one that can be linked: http or https, of characters that URLs have; else the empty text."""
    if not isinstance(url, str) or len(url) > _LONGEST_URL or not _URL.fullmatch(url):
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    # A user name in an address is how one host is made to look like another.
    return str(url) if parts.scheme in ("http", "https") and parts.netloc and "@" not in parts.netloc else ""


def clean(text: object, longest: int = _LONGEST_TEXT) -> str:
    """A text of one line without what can't be seen; the empty text for anything else."""
    return _clean(str(text), longest) if isinstance(text, str) else ""


class _Table:
    """Values, each once, known by their numbers."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._numbers: dict[Hashable, int] = {}

    def number(self, value: Hashable) -> int:
        """The value's number; -1 for an empty one."""
        if not value:
            return -1
        found = self._numbers.get(value)
        if found is None:
            found = self._numbers[value] = len(self.values)
            self.values.append(value)
        return found


class _Tables:
    def __init__(self) -> None:
        self.texts = _Table()
        self.dependencies = _Table()
        self.updated = ""

    def text(self, text: str, version: str) -> int:
        return self.texts.number(text.replace(version, _VERSION))


def _chart(name: str, listed: Sequence[Any], repository: str, tables: _Tables) -> tuple[Row, list[Any]] | None:
    """A chart's row and its data; None if none of its entries can be shown."""
    entries: dict[str, Mapping[str, Any]] = {}
    for entry in listed:
        if isinstance(entry, dict) and _is_name(version := entry.get("version")):
            entries.setdefault(str(version), entry)
    if not entries:
        return None
    versions = sorted(entries, key=helm_order)
    newest = next((at for at, version in enumerate(versions) if "-" not in version.partition("+")[0]), 0)
    details = [_details(version, entries[version], repository, tables) for version in versions]
    columns = [column[0] if len(set(column)) == 1 else list(column) for column in zip(*details, strict=True)]
    entry = entries[versions[newest]]
    upstream = _upstream(entry.get("sources"), repository)
    row = Row(
        name=str(name),
        description=clean(entry.get("description")),
        version=versions[newest],
        app_version=clean(entry.get("appVersion"), _LONGEST_NAME),
        upstream=upstream,
        upstream_title=_repository_title(upstream),
        released=_day(entry.get("created")),
        deprecated=entry.get("deprecated") is True,
    )
    return row, [row.name, row.description, newest, versions, *columns]


def _details(version: str, entry: Mapping[str, Any], repository: str, tables: _Tables) -> tuple[int | str, ...]:
    """The columns of `contents`."""
    urls = entry.get("urls")
    annotations = entry.get("annotations")
    revision = annotations.get(REVISION_ANNOTATION) if isinstance(annotations, dict) else None
    released = _day(entry.get("created"))
    tables.updated = max(tables.updated, released)
    return (
        tables.text(clean(entry.get("appVersion"), _LONGEST_NAME), version),
        date.fromisoformat(released).toordinal() - _EPOCH if released else -1,
        tables.text(_package_link(urls[0]) if isinstance(urls, list) and urls else "", version),
        tables.text(_upstream(entry.get("sources"), repository), version),
        tables.dependencies.number(_dependencies(entry.get("dependencies"), version, tables)),
        tables.text(clean(entry.get("kubeVersion"), _LONGEST_NAME), version),
        str(revision) if isinstance(revision, str) and _REVISION.fullmatch(revision) else "",
        (1 if entry.get("deprecated") is True else 0) + (2 if entry.get("type") == "library" else 0),
    )


def _dependencies(listed: object, version: str, tables: _Tables) -> tuple[tuple[int, ...], ...]:
    if not isinstance(listed, list):
        return ()
    fields = ("name", "alias", "condition", "version", "repository")
    return tuple(
        tuple(tables.text(clean(item.get(field), _LONGEST_URL), version) for field in fields)
        for item in listed
        if isinstance(item, dict) and clean(item.get("name"))
    )


def _package_link(url: object) -> str:
    """The address of a package, which may be relative to the index and thereby to the page beside it."""
    if found := link(url):
        return found
    if not isinstance(url, str) or len(url) > _LONGEST_URL or not _URL.fullmatch(url):
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return "" if parts.scheme or parts.netloc or not parts.path or url.startswith("//") else str(url)


def _upstream(sources: object, repository: str) -> str:
    """The repository that a chart comes from: `repository` if it is among its sources, else the first that is one."""
    links = [found for source in sources if (found := _source_link(source))] if isinstance(sources, list) else []
    if repository in links:
        return repository
    return next((found for found in links if _is_repository(found)), links[0] if links else "")


@lru_cache(maxsize=4096)
def _source_link(source: object) -> str:
    return link(source)


@lru_cache(maxsize=4096)
def _is_repository(url: str) -> bool:
    parts = urlsplit(url)
    return _FORGE.match(parts.netloc) is not None and len([part for part in parts.path.split("/") if part]) >= 2


def _repository_title(url: str) -> str:
    """The address in short, for people: owner/name for a repository on a server known for them."""
    parts = urlsplit(url)
    path = parts.path.strip("/")
    if not _is_repository(url):
        return f"{parts.netloc}/{path}".rstrip("/")
    return "/".join(path.split("/")[:2]).removesuffix(".git")


def _is_name(text: object) -> bool:
    return isinstance(text, str) and 0 < len(text) <= _LONGEST_NAME and text.isprintable() and " " not in text


def _day(created: object) -> str:
    match = _DATE.match(created) if isinstance(created, str) else None
    if match is None:
        return ""
    try:
        date.fromisoformat(match[0])
    except ValueError:
        return ""
    return match[0]


@lru_cache(maxsize=4096)
def _clean(text: str, longest: int) -> str:
    found = _UNSEEN.sub(" ", text[: longest * 4]).strip()
    return found if len(found) <= longest else f"{found[: longest - 1]}…"
