"""Entries of an index: build one from a package's Chart.yaml, and check one for everything that Helm refuses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from chart_releaser.errors import ChartError
from chart_releaser.helm.yaml import as_string

Entry = dict[str, Any]

_DIGEST = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
_TEXTS = ("apiVersion", "appVersion", "condition", "description", "home", "icon", "kubeVersion", "name", "tags", "type")
_LISTS = ("keywords", "sources")
# Helm's loader is strict: any other field makes it refuse the whole index. See ChartVersion in Helm's
# pkg/repo/index.go, and Metadata, Maintainer and Dependency in pkg/chart.
ENTRY_FIELDS = frozenset(
    (*_TEXTS, *_LISTS, "annotations", "dependencies", "deprecated", "maintainers", "version")
) | frozenset(("checksum", "created", "digest", "engine", "removed", "tillerVersion", "url", "urls"))
_FIELDS_BELOW = {
    "maintainers": frozenset(("name", "email", "url")),
    "dependencies": frozenset(
        ("name", "version", "repository", "condition", "tags", "enabled", "import-values", "alias")
    ),
}
ITEM_FIELDS = frozenset().union(*_FIELDS_BELOW.values())
"""The fields of maintainers and dependencies."""


def timestamp(time: datetime) -> str:
    """Return a time as Helm writes it: RFC 3339 in UTC, without trailing zeros in the fraction.

    Raises ValueError for a time without a time zone.
    """
    if time.tzinfo is None:
        raise ValueError("a time without a time zone")
    utc = time.astimezone(UTC)
    fraction = f".{utc.microsecond:06}".rstrip("0") if utc.microsecond else ""
    return f"{utc:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def build_entry(metadata: Mapping[str, Any], *, digest: str, url: str, created: datetime) -> Entry:
    """Return the index entry of a package.

    `metadata` is its Chart.yaml with the types of YAML; numbers and booleans are converted to text as Helm does.
    `digest` is the SHA-256 in bare hex, `url` the package's address.

    Fields that Helm does not know are omitted, because a single one makes strict readers reject the whole index. Empty
    fields are omitted as in Helm. Raises ChartError for a field of the wrong type, and without a name or version.
    """
    fields: Entry = {key: _text(metadata, key) for key in (*_TEXTS, "version")}
    fields |= {key: _texts(metadata, key) for key in _LISTS}
    fields["annotations"] = {
        str(key): _text(annotations, key) for annotations in (_mapping(metadata, "annotations"),) for key in annotations
    }
    fields["maintainers"] = [
        {key: text for key in ("name", "email", "url") if (text := _text(maintainer, key, "maintainers"))}
        for maintainer in _mappings(metadata, "maintainers")
    ]
    fields["dependencies"] = [_dependency(dependency) for dependency in _mappings(metadata, "dependencies")]
    fields["deprecated"] = _boolean(metadata, "deprecated")
    fields = {key: value for key, value in fields.items() if value}
    for key in ("name", "version"):
        if key not in fields:
            raise ChartError(f"Chart.yaml has no {key}", remedy="add one")
    return {**fields, "created": timestamp(created), "digest": digest, "urls": [url]}


def _dependency(dependency: Mapping[str, Any]) -> Entry:
    where = "dependencies"
    fields: Entry = {key: _text(dependency, key, where) for key in ("name", "version", "condition", "alias")}
    fields["tags"] = _texts(dependency, "tags", where)
    fields["enabled"] = _boolean(dependency, "enabled", where)
    imports = dependency.get("import-values") or []
    if not isinstance(imports, list):
        raise _wrong(where, "import-values", "a list")
    fields["import-values"] = imports
    # Helm writes the repository even if it is empty.
    return {key: value for key, value in fields.items() if value} | {
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


def entry_problems(name: str, entry: Any) -> list[str]:
    """Return what is wrong with an entry listed under the chart name `name`, a few words for each problem."""
    if not isinstance(entry, dict):
        return ["not a mapping"]
    problems = []
    if not isinstance(entry.get("version"), str) or not entry["version"]:
        problems.append("no version")
    if not isinstance(entry.get("name"), str) or not entry["name"]:
        problems.append("no name")
    elif entry["name"] != name:
        problems.append(f"named {entry['name']}")
    for key in (*_TEXTS, "version", "digest"):
        value = entry.get(key)
        if value is not None and type(value) is not str:
            problems.append(
                f"{key} is {_shown(value)}, which Helm does not read as text, so it rejects the whole index; "
                "put it in quotes"
            )
    for key in ("deprecated", "removed"):
        if not isinstance(entry.get(key), bool | None):
            problems.append(f"{key} is neither true nor false, so Helm rejects the whole index")
    for key in _LISTS:
        value = entry.get(key)
        if value is not None and not (isinstance(value, list) and all(type(item) is str for item in value)):
            problems.append(f"{key} is not a list of texts, so Helm rejects the whole index; put each in quotes")
    created = entry.get("created")
    if created is not None and not (type(created) is str and _TIME.fullmatch(created)):
        problems.append("created is not a time that Helm can read, so it rejects the whole index")
    urls = entry.get("urls")
    if not isinstance(urls, list) or not urls or not all(type(url) is str and url for url in urls):
        problems.append("no urls")
    digest = entry.get("digest")
    if not digest:
        problems.append("no digest")
    elif not is_digest(digest):
        problems.append("the digest is not a SHA-256")
    return problems


def rejecting_problems(name: str, entry: Any) -> list[str]:
    """Return those of an entry's problems for which Helm refuses the whole index."""
    if not isinstance(entry, dict):
        return ["not a mapping, so Helm rejects the whole index"]
    problems = [problem for problem in entry_problems(name, entry) if "rejects the whole index" in problem]
    if fields := find_unknown_fields(entry):
        problems.append(f"unknown field{'s' if len(fields) > 1 else ''} {', '.join(fields)}")
    return problems


def is_digest(value: Any) -> bool:
    """Whether `value` is a SHA-256 in bare hex, as in an index."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str) else "a mapping" if isinstance(value, dict) else "a list"


def find_unknown_fields(entry: Mapping[str, Any]) -> list[str]:
    """Return the fields of an entry that make Helm refuse the whole index."""
    unknown = sorted(set(entry) - ENTRY_FIELDS)
    for key, known in _FIELDS_BELOW.items():
        items = entry.get(key)
        names = (
            {name for item in items if isinstance(item, dict) for name in item} if isinstance(items, list) else set()
        )
        unknown += sorted(f"{key}.{name}" for name in names - known)
    return unknown


def without_unknown_fields(entry: Mapping[str, Any]) -> Entry:
    """Return an entry without the fields that Helm does not know."""
    fields = {key: value for key, value in entry.items() if key in ENTRY_FIELDS}
    for key, known in _FIELDS_BELOW.items():
        if isinstance(items := fields.get(key), list):
            fields[key] = [
                {name: value for name, value in item.items() if name in known} if isinstance(item, dict) else item
                for item in items
            ]
    return fields


def digest_and_url(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Return the digest and the first URL of an entry as text, or "" if they are missing or malformed."""
    urls = entry.get("urls")
    return str(entry.get("digest") or ""), str(urls[0]) if isinstance(urls, list) and urls else ""
