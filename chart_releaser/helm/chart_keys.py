"""The keys of Chart.yaml and requirements.yaml as Go reads them: in any letter case, put right as Helm has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import yaml

from chart_releaser import yamlio
from chart_releaser.errors import ChartError, YamlError
from chart_releaser.helm import yaml as helmyaml
from chart_releaser.helm.chart_rules import DEPENDENCY_FIELDS, FIELDS, MAINTAINER_FIELDS
from chart_releaser.helm.yaml import Value
from chart_releaser.yamledit import Edit, apply_edits


def with_known_keys(text: str, *, where: str) -> str:
    """Return a Chart.yaml's text with `appversion` as `appVersion`, and so on.

    Helm reads Chart.yaml through Go's encoding/json, to which the case of letters in a key does not matter. Raises
    ChartError, naming `where`, for a text that is no YAML, for a key that occurs in two spellings (which one counts
    is a matter of luck), and for one that can't be put right in the text, such as one that is merged in by `<<`.
    """
    try:
        root = yamlio.compose(text, where=where)
        edits: dict[int, Edit] = {}
        for mapping, fields in _mappings(root):
            for key in _misspelt(mapping, fields, where):
                written = text[key.start_mark.index : key.end_mark.index]
                if written not in (key.value, f'"{key.value}"', f"'{key.value}'"):
                    line = yamlio.line_of(key)
                    raise ChartError(f"{where}:{line}: the key {key.value} is not spelled as in Helm's documentation")
                edits[key.start_mark.index] = Edit(
                    key.start_mark.index, key.end_mark.index, written.replace(key.value, fields[_folded(key.value)])
                )
        changed = apply_edits(text, list(edits.values()))
        wanted = helmyaml.construct(root, where=where)
        found = helmyaml.construct(yamlio.compose(changed, where=where), where=where) if edits else wanted
    except YamlError as error:
        raise ChartError.of(error) from error
    if isinstance(wanted, dict) and (known := known_keys(wanted, where=where)) != found:
        different = sorted(key for key in wanted if key not in known) or ["dependencies or maintainers"]
        raise ChartError(
            f"{where}: keys from an anchor are not spelled as in Helm's documentation: {', '.join(different)}",
            remedy="upstream would have to correct the spelling",
        )
    return changed


def known_keys(metadata: Mapping[str, Value], *, where: str) -> dict[str, Value]:
    """Return the fields of a Chart.yaml or requirements.yaml by the names that Helm takes their keys for.

    Raises ChartError, naming `where`, for a key that occurs in two spellings.
    """
    found = _renamed(metadata, FIELDS, where)
    for key, fields in (("maintainers", MAINTAINER_FIELDS), ("dependencies", DEPENDENCY_FIELDS)):
        items = found.get(key)
        if isinstance(items, list):
            found[key] = [_renamed(item, fields, where) if isinstance(item, dict) else item for item in items]
    return found


def _renamed(mapping: Mapping[str, Value], fields: Iterable[str], where: str) -> dict[str, Value]:
    names = _by_folded(fields)
    found: dict[str, Value] = {}
    for key, value in mapping.items():
        name = names.get(_folded(key), key)
        if name in found:
            raise ChartError(f"{where}: the key {name} occurs in two spellings", remedy="keep one")
        found[name] = value
    return found


def _folded(key: str) -> str:
    """Return `key` so that two that Go's encoding/json takes for the same are equal; \u017f is an s to it."""
    return key.replace("\u017f", "s").lower()  # which makes a k of \u212a, as Go does


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
