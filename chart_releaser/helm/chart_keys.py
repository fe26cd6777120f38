"""Correct the letter case of keys in Chart.yaml and requirements.yaml, which Go reads case-insensitively."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import yaml

from chart_releaser import yamlio
from chart_releaser.errors import ChartError, YamlError
from chart_releaser.helm import yaml as helmyaml
from chart_releaser.helm.chart_rules import DEPENDENCY_FIELDS, FIELDS, MAINTAINER_FIELDS
from chart_releaser.helm.yaml import Value
from chart_releaser.yamledit import Edit, apply_edits


def correct_key_case(text: str, *, where: str) -> str:
    """Return the text of a Chart.yaml with its keys spelled as in Helm's documentation: `appversion` as `appVersion`.

    Helm reads Chart.yaml through Go's encoding/json, which ignores the letter case of keys. `where` names the text in
    messages. Raises ChartError for invalid YAML, for a key in two spellings (which one Go takes is undefined), and for
    a key that can't be corrected in the text, such as one merged in by `<<`.
    """
    try:
        root = yamlio.compose(text, where=where)
        edits: dict[int, Edit] = {}
        for mapping, fields in _mappings(root):
            for key in _misspelt(mapping, fields, where):
                spelling = text[key.start_mark.index : key.end_mark.index]
                if spelling not in (key.value, f'"{key.value}"', f"'{key.value}'"):
                    line = yamlio.line_of(key)
                    raise ChartError(f"{where}:{line}: the key {key.value} is not spelled as in Helm's documentation")
                edits[key.start_mark.index] = Edit(
                    key.start_mark.index, key.end_mark.index, spelling.replace(key.value, fields[_folded(key.value)])
                )
        changed = apply_edits(text, list(edits.values()))
        before = helmyaml.construct(root, where=where)
        after = helmyaml.construct(yamlio.compose(changed, where=where), where=where) if edits else before
    except YamlError as error:
        raise ChartError.of(error) from error
    if isinstance(before, dict) and (known := canonical_keys(before, where=where)) != after:
        different = sorted(key for key in before if key not in known) or ["dependencies or maintainers"]
        raise ChartError(
            f"{where}: keys from an anchor are not spelled as in Helm's documentation: {', '.join(different)}",
            remedy="upstream would have to correct the spelling",
        )
    return changed


def canonical_keys(metadata: Mapping[str, Value], *, where: str) -> dict[str, Value]:
    """Return the fields of a Chart.yaml or requirements.yaml under the names that Helm reads their keys as.

    Raises ChartError, with `where` as the name of the file, for a key in two spellings.
    """
    result = _rename_keys(metadata, FIELDS, where)
    for key, fields in (("maintainers", MAINTAINER_FIELDS), ("dependencies", DEPENDENCY_FIELDS)):
        items = result.get(key)
        if isinstance(items, list):
            result[key] = [_rename_keys(item, fields, where) if isinstance(item, dict) else item for item in items]
    return result


def _rename_keys(mapping: Mapping[str, Value], fields: Iterable[str], where: str) -> dict[str, Value]:
    names = _by_folded(fields)
    result: dict[str, Value] = {}
    for key, value in mapping.items():
        name = names.get(_folded(key), key)
        if name in result:
            raise ChartError(f"{where}: the key {name} occurs in two spellings", remedy="keep one")
        result[name] = value
    return result


def _folded(key: str) -> str:
    """Return `key` folded so that keys which Go's encoding/json treats as the same are equal; it reads \u017f as s."""
    return key.replace("\u017f", "s").lower()  # lower() turns the Kelvin sign \u212a into k, as Go does


def _mappings(root: yaml.Node | None) -> Iterator[tuple[yaml.MappingNode, dict[str, str]]]:
    if not isinstance(root, yaml.MappingNode):
        return
    yield root, _by_folded(FIELDS)
    lists = {"maintainers": _by_folded(MAINTAINER_FIELDS), "dependencies": _by_folded(DEPENDENCY_FIELDS)}
    for key, value in root.value:
        if isinstance(key, yaml.ScalarNode) and _folded(key.value) in lists and isinstance(value, yaml.SequenceNode):
            for item in value.value:
                if isinstance(item, yaml.MappingNode):
                    yield item, lists[_folded(key.value)]


def _by_folded(fields: Iterable[str]) -> dict[str, str]:
    return {_folded(field): field for field in fields}


def _misspelt(mapping: yaml.MappingNode, fields: dict[str, str], where: str) -> Iterator[yaml.ScalarNode]:
    seen: dict[str, str] = {}
    for key, _ in mapping.value:
        if not isinstance(key, yaml.ScalarNode) or _folded(key.value) not in fields:
            continue
        first = seen.setdefault(_folded(key.value), key.value)
        if key.value != first:
            raise ChartError(
                f"{where}:{yamlio.line_of(key)}: the key {first} also occurs as {key.value}", remedy="keep one"
            )
        if key.value != fields[_folded(key.value)]:
            yield key
