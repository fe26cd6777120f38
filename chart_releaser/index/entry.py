"""One entry of an index: made from a package's Chart.yaml, and checked for what Helm refuses."""

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
# Helm's loader is strict, another field makes it refuse the whole index: ChartVersion in its pkg/repo/index.go, and
# Metadata, Maintainer and Dependency in its pkg/chart.
_FIELDS = frozenset(
    (*_TEXTS, *_LISTS, "annotations", "dependencies", "deprecated", "maintainers", "version")
) | frozenset(("checksum", "created", "digest", "engine", "removed", "tillerVersion", "url", "urls"))
_FIELDS_BELOW = {
    "maintainers": frozenset(("name", "email", "url")),
    "dependencies": frozenset(
        ("name", "version", "repository", "condition", "tags", "enabled", "import-values", "alias")
    ),
}


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
            raise ChartError(f"Chart.yaml has no {key}", remedy="add one")
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


def entry_problems(name: str, entry: Any) -> list[str]:
    """What is wrong with one entry that is listed under the chart name `name`, in a few words each."""
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
                f"{key} is {_shown(value)}, which Helm does not read as text, so it rejects the whole index; "
                "put it in quotes"
            )
    for key in ("deprecated", "removed"):
        if not isinstance(entry.get(key), bool | None):
            found.append(f"{key} is neither true nor false, so Helm rejects the whole index")
    for key in _LISTS:
        value = entry.get(key)
        if value is not None and not (isinstance(value, list) and all(type(item) is str for item in value)):
            found.append(f"{key} is not a list of texts, so Helm rejects the whole index; put each in quotes")
    created = entry.get("created")
    if created is not None and not (type(created) is str and _TIME.fullmatch(created)):
        found.append("created is not a time that Helm can read, so it rejects the whole index")
    urls = entry.get("urls")
    if not isinstance(urls, list) or not urls or not all(type(url) is str and url for url in urls):
        found.append("no urls")
    digest = entry.get("digest")
    if not digest:
        found.append("no digest")
    elif not is_digest(digest):
        found.append("the digest is not a SHA-256")
    return found


def is_digest(value: Any) -> bool:
    """Whether it is a SHA-256 in bare hex, as an index has them."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str) else "a mapping" if isinstance(value, dict) else "a list"


def unknown_fields(entry: Mapping[str, Any]) -> list[str]:
    """The fields of an entry for which Helm refuses the whole index."""
    found = sorted(set(entry) - _FIELDS)
    for key, known in _FIELDS_BELOW.items():
        items = entry.get(key)
        names = (
            {name for item in items if isinstance(item, dict) for name in item} if isinstance(items, list) else set()
        )
        found += sorted(f"{key}.{name}" for name in names - known)
    return found


def known_part(entry: Mapping[str, Any]) -> Entry:
    """An entry without the fields that Helm does not know."""
    found = {key: value for key, value in entry.items() if key in _FIELDS}
    for key, known in _FIELDS_BELOW.items():
        if isinstance(items := found.get(key), list):
            found[key] = [
                {name: value for name, value in item.items() if name in known} if isinstance(item, dict) else item
                for item in items
            ]
    return found


def digest_and_url(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Return the digest and the first address of an entry, whatever shape they have; empty where there is none."""
    urls = entry.get("urls")
    return str(entry.get("digest") or ""), str(urls[0]) if isinstance(urls, list) and urls else ""
