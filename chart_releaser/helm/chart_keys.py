"""The keys of a Chart.yaml in other letter case than Helm's, which takes them all the same, put right in its text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import yaml

from chart_releaser import yamlio
from chart_releaser.errors import ChartError, YamlError
from chart_releaser.helm.chart_rules import DEPENDENCY_FIELDS, FIELDS, MAINTAINER_FIELDS
from chart_releaser.yamlio import Edit, apply_edits


def with_known_keys(text: str, *, where: str) -> str:
    """Return a Chart.yaml's text with `appversion` as `appVersion`, and so on.

    Helm reads Chart.yaml through Go's encoding/json, to which the case of letters in a key does not matter. Raises
    ChartError, naming `where`, for a text that is no YAML, and for a key that is there in two spellings: which one
    counts is a matter of luck.
    """
    try:
        root = yamlio.compose(text, where=where)
    except YamlError as error:
        raise ChartError(str(error)) from error
    edits: dict[int, Edit] = {}
    for mapping, fields in _mappings(root):
        for key in _misspelt(mapping, fields, where):
            written = text[key.start_mark.index : key.end_mark.index]
            if written not in (key.value, f'"{key.value}"', f"'{key.value}'"):
                raise ChartError(f"{where}:{yamlio.line_of(key)}: the key {key.value} is not written as Helm has it")
            edits[key.start_mark.index] = Edit(
                key.start_mark.index, key.end_mark.index, written.replace(key.value, fields[key.value.lower()])
            )
    return apply_edits(text, list(edits.values()))


def _mappings(root: yaml.Node | None) -> Iterator[tuple[yaml.MappingNode, dict[str, str]]]:
    if not isinstance(root, yaml.MappingNode):
        return
    yield root, _by_lower_case(FIELDS)
    lists = {"maintainers": _by_lower_case(MAINTAINER_FIELDS), "dependencies": _by_lower_case(DEPENDENCY_FIELDS)}
    for key, value in root.value:
        if isinstance(key, yaml.ScalarNode) and key.value.lower() in lists and isinstance(value, yaml.SequenceNode):
            for item in value.value:
                if isinstance(item, yaml.MappingNode):
                    yield item, lists[key.value.lower()]


def _by_lower_case(fields: Iterable[str]) -> dict[str, str]:
    return {field.lower(): field for field in fields}


def _misspelt(mapping: yaml.MappingNode, fields: dict[str, str], where: str) -> Iterator[yaml.ScalarNode]:
    seen: dict[str, str] = {}
    for key, _ in mapping.value:
        if not isinstance(key, yaml.ScalarNode) or key.value.lower() not in fields:
            continue
        first = seen.setdefault(key.value.lower(), key.value)
        if key.value != first:
            raise ChartError(f"{where}:{yamlio.line_of(key)}: the key {first} is there as {key.value}, too; keep one")
        if key.value != fields[key.value.lower()]:
            yield key
