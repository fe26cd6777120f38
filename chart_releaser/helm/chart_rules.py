"""Helm's checks of a Chart.yaml: the types of its fields (pkg/chart) and Metadata.Validate."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from chart_releaser.errors import ChartError
from chart_releaser.helm.yaml import Value, as_string

_NAME = re.compile(r"[a-zA-Z0-9._-]+")
_ALIAS = re.compile(r"[a-zA-Z0-9_-]+")


def _is_text(value: Value) -> bool:
    return not isinstance(value, list | dict)  # Helm converts numbers and booleans to text


def _is_flag(value: Value) -> bool:
    return value is None or isinstance(value, bool)


def _are_texts(value: Value) -> bool:
    return value is None or (isinstance(value, list) and all(map(_is_text, value)))


def _is_table_of_texts(value: Value) -> bool:
    return value is None or (isinstance(value, dict) and all(map(_is_text, value.values())))


def _are_tables(value: Value) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(item, dict) for item in value))


def _is_list(value: Value) -> bool:
    return value is None or isinstance(value, list)


_Check = Callable[[Value], bool]
_KINDS: Mapping[_Check, str] = {
    _is_text: "a text",
    _is_flag: "true or false",
    _are_texts: "a list of texts",
    _is_table_of_texts: "a mapping of texts to texts",
    _are_tables: "a list of mappings",
    _is_list: "a list",
}
FIELDS: Mapping[str, _Check] = {
    **dict.fromkeys(("apiVersion", "name", "version", "kubeVersion", "appVersion", "type"), _is_text),
    **dict.fromkeys(("description", "home", "icon", "condition", "tags"), _is_text),
    "deprecated": _is_flag,
    "keywords": _are_texts,
    "sources": _are_texts,
    "annotations": _is_table_of_texts,
    "maintainers": _are_tables,
    "dependencies": _are_tables,
}
MAINTAINER_FIELDS: Mapping[str, _Check] = dict.fromkeys(("name", "email", "url"), _is_text)
DEPENDENCY_FIELDS: Mapping[str, _Check] = {
    **dict.fromkeys(("name", "version", "repository", "condition", "alias"), _is_text),
    "tags": _are_texts,
    "enabled": _is_flag,
    "import-values": _is_list,
}


def check_metadata(metadata: Mapping[str, Value], *, where: str) -> None:
    """Raise ChartError unless Helm accepts the fields of a Chart.yaml, called `where`. The version is not checked."""
    _check_fields(metadata, FIELDS, where, "")
    for maintainer in _tables(metadata, "maintainers"):
        _check_fields(maintainer, MAINTAINER_FIELDS, where, "maintainers: ")
    check_name(as_string(metadata.get("name")), where=where)
    kind = as_string(metadata.get("type"))
    if kind not in ("", "application", "library"):
        raise ChartError(f"{where}: type is {kind!r}, which is neither application nor library")
    check_dependencies(_tables(metadata, "dependencies"), where=where)


def check_name(name: str, *, where: str) -> None:
    """Raise ChartError unless Helm accepts `name` as a chart's name."""
    if not _NAME.fullmatch(name) or set(name) == {"."}:
        raise ChartError(f"{where}: {name!r} is not a chart name that Helm accepts")


def check_dependencies(dependencies: list[dict[str, Value]], *, where: str) -> None:
    """Raise ChartError unless Helm accepts these dependencies: valid types, a name each, no name or alias twice."""
    seen: set[str] = set()
    for dependency in dependencies:
        _check_fields(dependency, DEPENDENCY_FIELDS, where, "dependencies: ")
        name, alias = as_string(dependency.get("name")), as_string(dependency.get("alias"))
        if not name:
            raise ChartError(f"{where}: a dependency has no name")
        if alias and not _ALIAS.fullmatch(alias):
            raise ChartError(f"{where}: dependency {name} has an alias that Helm does not accept: {alias!r}")
        if (alias or name) in seen:
            raise ChartError(
                f"{where}: two dependencies are called {alias or name}", remedy="give one of them an alias"
            )
        seen.add(alias or name)


def _tables(metadata: Mapping[str, Value], key: str) -> list[dict[str, Value]]:
    value = metadata.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _check_fields(fields: Mapping[str, Value], checks: Mapping[str, _Check], where: str, within: str) -> None:
    for key, value in fields.items():
        check = checks.get(key)
        if check is not None and not check(value):
            raise ChartError(f"{where}: {within}{key} must be {_KINDS[check]}, so Helm would not load this chart")
