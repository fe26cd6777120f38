"""Locate values in a configuration file, and describe what is wrong with them for users."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from chart_releaser import yamlio
from chart_releaser.errors import close_matches, did_you_mean

KeyPath = tuple[str | int, ...]
_MEANT = {
    "path": ("charts", "directory"),
    "paths": ("charts",),
    "url": ("repo",),
    "git": ("repo",),
    "tag": ("version",),
    "range": ("versions",),
    "folder": ("directory",),
}
"""Names that other tools use for our keys, and that do not resemble them."""
# Values and keys are shown as written, except for characters that control a terminal.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True)
class Place:
    """A value's node and its line, from 1; in a mapping, the line of its key."""

    line: int
    node: yaml.Node


class Problems:
    """Collects the problems of a configuration file."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._problems: list[tuple[int, str]] = []

    def add(self, line: int, path: KeyPath, what: str) -> None:
        """Add a problem of the value at `path`, in `line`."""
        key = f"{format_path(path)}: " if path else ""
        text = _CONTROL.sub(lambda match: ascii(match[0])[1:-1], f"{key}{' '.join(what.split())}")
        entry = (line, f"{self._file}:{line}: {text}")
        if entry not in self._problems:
            self._problems.append(entry)

    def __bool__(self) -> bool:
        return bool(self._problems)

    def lines(self) -> list[str]:
        """Return all problems as `file:line: key: what`, in the order of the file."""
        return [text for _, text in sorted(self._problems, key=lambda entry: entry[0])]


def format_path(path: KeyPath) -> str:
    """Return `path` as text, such as sources[3].charts."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


class ConfigTree:
    """A YAML document as Python values with canonical keys, and the place of each value in the file.

    The letter case of keys is ignored, as in gardener-chart-releaser. `keys` has the known keys by path, in which all
    list indices are 0. A key that occurs twice, in whatever case, is a problem.
    """

    def __init__(self, root: yaml.Node, keys: Mapping[KeyPath, Iterable[str]], problems: Problems) -> None:
        self._keys = {path: {name.lower(): name for name in names} for path, names in keys.items()}
        self._problems = problems
        self._constructor = yaml.constructor.SafeConstructor()
        self.places: dict[KeyPath, Place] = {(): Place(root.start_mark.line + 1, root)}
        self.value = self._value(root, ())

    def line(self, path: KeyPath) -> int:
        """Return the line of the value at `path`, or of the innermost value that contains it."""
        while path not in self.places:
            path = path[:-1]
        return self.places[path].line

    def at(self, path: KeyPath) -> Any:
        """Return the value at `path`, or None if there is none."""
        value: Any = self.value
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def _value(self, node: yaml.Node, path: KeyPath) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            for index, child in enumerate(node.value):
                self.places[(*path, index)] = Place(child.start_mark.line + 1, child)
            return [self._value(child, (*path, index)) for index, child in enumerate(node.value)]
        try:
            return self._constructor.construct_object(node)
        except (yaml.YAMLError, *yamlio.CONSTRUCTION_ERRORS):
            if not node.tag.startswith("tag:yaml.org,2002:"):
                self._problems.add(node.start_mark.line + 1, path, f"has the YAML tag {node.tag}, which is not known")
            return node.value

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        known = self._keys.get(tuple(0 if isinstance(step, int) else step for step in path), {})
        own = self._pairs(node, path, known)
        first: dict[str, yaml.Node] = {}
        for name, key, _ in own:
            if name in first:
                line = first[name].start_mark.line + 1
                same = f" as {first[name].value}" if first[name].value != key.value else ""
                what = f"the same key{same} is in line {line}" if same else f"the key is also in line {line}"
                self._problems.add(key.start_mark.line + 1, (*path, key.value), f"{what}; keep one of them")
            first.setdefault(name, key)
        try:
            self._constructor.flatten_mapping(node)
        except yaml.YAMLError as error:
            problem = getattr(error, "problem", None) or str(error)
            self._problems.add(node.start_mark.line + 1, path, f"a merge (<<) can't be read: {problem}")
        values: dict[str, Any] = {}
        for name, key, child in self._pairs(node, path, known):
            if first.get(name, key) is not key:
                continue  # the first of repeated keys counts, and an own key before a merged one
            self.places[(*path, name)] = Place(key.start_mark.line + 1, child)
            values[name] = self._value(child, (*path, name))
        return values

    def _pairs(
        self, node: yaml.MappingNode, path: KeyPath, known: Mapping[str, str]
    ) -> list[tuple[str, yaml.Node, yaml.Node]]:
        pairs: list[tuple[str, yaml.Node, yaml.Node]] = []
        for key, value in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            if isinstance(key, yaml.ScalarNode):
                pairs.append((known.get(key.value.lower(), key.value), key, value))
            else:
                self._problems.add(key.start_mark.line + 1, path, "has a key that is not plain text")
        return pairs


def describe_error(
    error: Mapping[str, Any], path: KeyPath, tree: ConfigTree, known: Iterable[str], elsewhere: Mapping[str, str]
) -> str:
    """Return a description of one of pydantic's errors, with what to do.

    `known` has the keys that are allowed beside the one at `path`; `elsewhere` maps keys that are not to the reason.
    """
    kind = error["type"]
    context = error.get("ctx", {})
    node = tree.places[path].node if path in tree.places else None
    scalar = node if isinstance(node, yaml.ScalarNode) else None
    if kind == "extra_forbidden":
        return _describe_unknown_key(str(path[-1]), known, elsewhere)
    if kind == "missing":
        return "is missing; add the key"
    if node is not None and node.tag == "tag:yaml.org,2002:null":
        return "has no value; write one or take the key out"
    if kind == "value_error":
        return str(context["error"])
    if kind in {"string_type", "is_instance_of"} and scalar is not None:
        what = scalar.tag.removeprefix("tag:yaml.org,2002:")
        kinds = {"float": "a number", "int": "a number", "bool": "true or false", "timestamp": "a date"}
        return f'{scalar.value} is {kinds.get(what, what)} for YAML; put it in quotes: "{scalar.value}"'
    given = f", not {_describe_node(node)}" if node is not None else ""
    if path == ("destination",) and scalar is not None:
        return f"must be a mapping of keys{given}; write {{owner: …, repo: …}}, or {{directory: …}}"
    if len(path) > 2 and path[-2] == "charts" and kind in {"model_type", "model_attributes_type"}:
        return f"must be a path, or a mapping with path and versions{given}"
    if kind in {"tuple_type", "list_type"}:
        meant = f"; did you mean a list, [{scalar.value}]?" if scalar is not None and len(scalar.value) <= 60 else ""
        return f"must be a list{given}{meant}"
    if kind == "literal_error":
        near = _suggestion(str(error.get("input")), ["all", "latest"])
        return f"must be {context['expected'].replace(chr(39), '')}{given}{near}"
    expected = {
        "string_type": "must be text",
        "is_instance_of": "must be text",
        "int_type": "must be a whole number without quotes",
        "int_from_float": "must be a whole number",
        "bool_type": "must be true or false without quotes",
        "model_type": "must be a mapping of keys",
        "model_attributes_type": "must be a mapping of keys",
        "greater_than_equal": f"must be at least {context.get('ge')}",
        "too_short": "must have at least one entry",
    }
    if kind == "too_short":
        given = ""
    return f"{expected.get(kind, str(error['msg']))}{given}"


def _describe_node(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        text = node.value if len(node.value) <= 60 else f"{node.value[:60]}…"
        return f'"{text}"' if node.style in {'"', "'"} else text or "nothing"
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"


def _describe_unknown_key(key: str, known: Iterable[str], elsewhere: Mapping[str, str]) -> str:
    if key in elsewhere:
        return elsewhere[key]
    names = list(known)
    return f"unknown key{_suggestion(key, names) or '; known are ' + ', '.join(names)}"


def resembles(text: str, name: str) -> bool:
    """Whether the key `text` is probably a misspelling of `name`."""
    return bool(_suggestion(text, [name]))


def _suggestion(text: str, names: Iterable[str]) -> str:
    meant = {name.lower(): name for name in names}
    word = text.lower().replace("_", "").replace("-", "")
    close = [name for name in _MEANT.get(word, ()) if name in meant]
    close += [
        name for name in meant if min(len(name), len(word)) > 2 and (name.startswith(word) or word.startswith(name))
    ]
    close = [meant[name] for name in close[:1]] or close_matches(word, meant.values())
    return f"; {did_you_mean(close)}" if close else ""
