"""The data behind index.html: cleaned texts and checked addresses from an index, compact even for many versions."""

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
from chart_releaser.versions import helm_sort_key

_EPOCH = date(1970, 1, 1).toordinal()
_LONGEST_TEXT = 500
_LONGEST_NAME = 256
_LONGEST_URL = 2048

# Control characters, bidirectional marks (which can make a name look like another), line separators, and surrogates,
# which can't be encoded as UTF-8.
_INVISIBLE = re.compile(
    "[\\s\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]+"
)
_URL = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?=[Tt ])")
_REVISION = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_FORGE = re.compile(r"(github|gitlab|gitea|forgejo|codeberg)\.", re.IGNORECASE)

# Placeholder for the version in a text. It can't clash: `visible_text` removes control characters.
_VERSION = "\x01"


@dataclass(frozen=True)
class ChartRow:
    """A chart in the overview. Its texts are not escaped yet; its addresses are safe to link."""

    name: str
    description: str
    version: str
    """The newest stable version, or the newest prerelease if no version is stable."""
    app_version: str
    upstream: str
    """Address of the upstream repository; empty if unknown."""
    upstream_title: str
    released: str
    """Release day of `version`, as 2025-11-22; empty if unknown."""
    deprecated: bool


@dataclass(frozen=True)
class PageContents:
    """Everything that the page shows."""

    rows: Sequence[ChartRow]
    data: Mapping[str, Any]
    """JSON values for the script; `page_contents` describes them."""
    versions: int
    updated: str
    """The most recent release day of any version; empty if unknown."""


def page_contents(index: Index, repositories: Mapping[str, str]) -> PageContents:
    """Return what the page shows of `index`: charts in alphabetical order, versions newest first.

    `repositories` maps the name of each configured chart to the address of its upstream repository. That address is
    shown as a version's upstream if the version lists it among its sources; the other sources are upstream's own words.

    Malformed entries, as in a hand-edited file, are left out. So are names and versions with spaces or invisible
    characters, which Helm could not install anyway.

    `data` is built for size, since the script is embedded in the page:

    - `texts` is a table of distinct texts, with U+0001 in place of the version that a text belongs to;
    - `dependencies` is a table of distinct lists of [name, alias, condition, version, repository], each an index into
      `texts`;
    - `charts` has one list per chart: name, description, index of the newest version, versions, and one column per
      other field. A column is a list with a value per version, or a single value if all versions share it. The columns
      are application version, day since 1970, package address, upstream repository, dependencies, required Kubernetes
      version (these as indexes into the tables, -1 for none), revision, and flags (1 deprecated, 2 library).
    """
    tables = _Tables()
    rows, charts = [], []
    for name in sorted(index.entries, key=str):
        if not _is_name(name):
            continue
        chart = _chart(name, index.entries[name], repositories.get(name, ""), tables)
        if chart is not None:
            rows.append(chart[0])
            charts.append(chart[1])
    data = {"texts": tables.texts.values, "dependencies": tables.dependencies.values, "charts": charts}
    return PageContents(rows, data, sum(len(chart[3]) for chart in charts), tables.updated)


def safe_link(url: object) -> str:
    """Return `url` if it is safe to link: http or https, made of URL characters only; otherwise the empty string."""
    if not isinstance(url, str) or len(url) > _LONGEST_URL or not _URL.fullmatch(url):
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    # No user name: in https://github.com@evil.example/ it makes one host look like another.
    return str(url) if parts.scheme in ("http", "https") and parts.netloc and "@" not in parts.netloc else ""


def visible_text(text: object, longest: int = _LONGEST_TEXT) -> str:
    """Return `text` as one line of at most `longest` visible characters; the empty string if it is not a string."""
    return _clean(str(text), longest) if isinstance(text, str) else ""


class _Table:
    """Distinct values, referred to by their index."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._indexes: dict[Hashable, int] = {}

    def add(self, value: Hashable) -> int:
        """Return the index of `value`, added if it is new; -1 for an empty value."""
        if not value:
            return -1
        index = self._indexes.get(value)
        if index is None:
            index = self._indexes[value] = len(self.values)
            self.values.append(value)
        return index


class _Tables:
    def __init__(self) -> None:
        self.texts = _Table()
        self.dependencies = _Table()
        self.updated = ""

    def text(self, text: str, version: str) -> int:
        return self.texts.add(text.replace(version, _VERSION))


def _chart(name: str, listed: Sequence[Any], repository: str, tables: _Tables) -> tuple[ChartRow, list[Any]] | None:
    """Return a chart's row and its data, or None if none of its entries can be shown."""
    entries: dict[str, Mapping[str, Any]] = {}
    for entry in listed:
        if isinstance(entry, dict) and _is_name(version := entry.get("version")):
            entries.setdefault(str(version), entry)
    if not entries:
        return None
    versions = sorted(entries, key=helm_sort_key)
    # Without `-` before the build metadata it is stable.
    newest = next((at for at, version in enumerate(versions) if "-" not in version.partition("+")[0]), 0)
    details = [_details(version, entries[version], repository, tables) for version in versions]
    columns = [column[0] if len(set(column)) == 1 else list(column) for column in zip(*details, strict=True)]
    entry = entries[versions[newest]]
    upstream = _upstream(entry.get("sources"), repository)
    row = ChartRow(
        name=str(name),
        description=visible_text(entry.get("description")),
        version=versions[newest],
        app_version=visible_text(entry.get("appVersion"), _LONGEST_NAME),
        upstream=upstream,
        upstream_title=_repository_title(upstream),
        released=_day(entry.get("created")),
        deprecated=entry.get("deprecated") is True,
    )
    return row, [row.name, row.description, newest, versions, *columns]


def _details(version: str, entry: Mapping[str, Any], repository: str, tables: _Tables) -> tuple[int | str, ...]:
    """Return the values of one version for the columns that `page_contents` describes."""
    urls = entry.get("urls")
    annotations = entry.get("annotations")
    revision = annotations.get(REVISION_ANNOTATION) if isinstance(annotations, dict) else None
    released = _day(entry.get("created"))
    tables.updated = max(tables.updated, released)
    return (
        tables.text(visible_text(entry.get("appVersion"), _LONGEST_NAME), version),
        date.fromisoformat(released).toordinal() - _EPOCH if released else -1,
        tables.text(_package_link(urls[0]) if isinstance(urls, list) and urls else "", version),
        tables.text(_upstream(entry.get("sources"), repository), version),
        tables.dependencies.add(_dependencies(entry.get("dependencies"), version, tables)),
        tables.text(visible_text(entry.get("kubeVersion"), _LONGEST_NAME), version),
        str(revision) if isinstance(revision, str) and _REVISION.fullmatch(revision) else "",
        (1 if entry.get("deprecated") is True else 0) + (2 if entry.get("type") == "library" else 0),
    )


def _dependencies(listed: object, version: str, tables: _Tables) -> tuple[tuple[int, ...], ...]:
    if not isinstance(listed, list):
        return ()
    fields = ("name", "alias", "condition", "version", "repository")
    return tuple(
        tuple(tables.text(visible_text(item.get(field), _LONGEST_URL), version) for field in fields)
        for item in listed
        if isinstance(item, dict) and visible_text(item.get("name"))
    )


def _package_link(url: object) -> str:
    """Return the address of a package if it is safe to link; it may be relative, as page and index are side by side."""
    if absolute := safe_link(url):
        return absolute
    if not isinstance(url, str) or len(url) > _LONGEST_URL or not _URL.fullmatch(url):
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return "" if parts.scheme or parts.netloc or not parts.path or url.startswith("//") else str(url)


def _upstream(sources: object, repository: str) -> str:
    """Return the upstream repository: `repository` if `sources` has it, else the first source that is a repository."""
    links = [source for item in sources if (source := _source_link(item))] if isinstance(sources, list) else []
    if repository in links:
        return repository
    return next((source for source in links if _is_repository(source)), links[0] if links else "")


@lru_cache(maxsize=4096)
def _source_link(source: object) -> str:
    return safe_link(source)


@lru_cache(maxsize=4096)
def _is_repository(url: str) -> bool:
    parts = urlsplit(url)
    return _FORGE.match(parts.netloc) is not None and len([part for part in parts.path.split("/") if part]) >= 2


def _repository_title(url: str) -> str:
    """Return a short title for a repository: owner/name on a well-known forge, otherwise host and path."""
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
    # Cut first: the pattern need not run over megabytes that would be cut off anyway.
    visible = _INVISIBLE.sub(" ", text[: longest * 4]).strip()
    return visible if len(visible) <= longest else f"{visible[: longest - 1]}…"
