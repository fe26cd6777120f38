"""Edit YAML texts in place: set keys and values, and keep every other character."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from chart_releaser import yamlio
from chart_releaser.errors import YamlError


@dataclass(frozen=True)
class Edit:
    """Replaces the characters from `start` up to `end` by `text`; with equal offsets it inserts."""

    start: int
    end: int
    text: str


def apply_edits(text: str, edits: Sequence[Edit]) -> str:
    """Return `text` with the edits applied. Insertions at the same offset keep their order.

    Raises ValueError if edits overlap.
    """
    pieces: list[str] = []
    at = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if edit.start < at:
            raise ValueError(f"edits overlap at character {edit.start}")
        pieces += [text[at : edit.start], edit.text]
        at = edit.end
    pieces.append(text[at:])
    return "".join(pieces)


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _fields(mapping: yaml.Node | None) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    """Return the nodes of each key and value by the key's text. The last of repeated keys counts, as in YAML."""
    items = mapping.value if isinstance(mapping, yaml.MappingNode) else ()
    return {name.value: (name, value) for name, value in items if isinstance(name, yaml.ScalarNode)}


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and not node.style and node.value in {"", "~", "null", "Null", "NULL"}


def _blocks(added: Mapping[str, Any], *, indent: int, newline: str) -> str:
    return _indented(yamlio.dump(dict(added), sort_keys=False), indent, newline)


def _indented(block: str, indent: int, newline: str) -> str:
    return "".join(" " * indent + line + newline for line in block.splitlines())


def _line_start(text: str, index: int) -> int:
    return text.rfind("\n", 0, index) + 1


def _after_line(text: str, index: int) -> int:
    end = text.find("\n", index)
    return len(text) if end < 0 else end + 1


def _root(text: str, where: str) -> yaml.MappingNode | None:
    """Return the root mapping, or None for an empty document."""
    node = yamlio.compose(text, where=where)
    if node is None or _is_null(node):
        return None
    if not isinstance(node, yaml.MappingNode):
        raise YamlError(f"{where}:{yamlio.line_of(node)}: expected a mapping of keys and values")
    return node


def _append(text: str, root: yaml.MappingNode | None, added: Mapping[str, Any]) -> Edit:
    """Return the edit that adds keys at the end of the root mapping."""
    newline = _newline(text)
    if root is None:
        kept = text
        if text.strip() and _is_null_document(text):
            kept = "\n".join(line for line in text.splitlines() if line.lstrip().startswith("#"))
        gap = "" if not kept or kept.endswith("\n") else newline
        return Edit(0, len(text), kept + gap + _blocks(added, indent=0, newline=newline))
    if root.flow_style:
        return _flow_edit(text, root, added)
    indent = root.value[0][0].start_mark.column
    # libyaml ends a mapping before trailing comments. New keys go after these unless an end-of-document marker follows.
    at = root.end_mark.index if text[root.end_mark.index :].strip() else len(text)
    gap = "" if text[:at].endswith("\n") else newline
    return Edit(at, at, gap + _blocks(added, indent=indent, newline=newline))


def _is_null_document(text: str) -> bool:
    return any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines())


def _flow_edit(text: str, mapping: yaml.MappingNode, added: Mapping[str, Any]) -> Edit:
    at = text.index("{", mapping.start_mark.index) + 1
    return Edit(at, at, _flow_items(added) + (", " if mapping.value else ""))


def _flow_items(added: Mapping[str, Any]) -> str:
    return ", ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in added.items())


def set_key(text: str, key: str, value: Any, *, where: str) -> str:
    """Return `text` with `key` of the root mapping set to `value`; a new key is added at the end.

    Raises YamlError, with `where` as the name of the text, if its root is not a mapping.
    """
    root = _root(text, where)
    field = _fields(root).get(key)
    if root is None or field is None:
        return apply_edits(text, [_append(text, root, {key: value})])
    name, old = field
    if root.flow_style:
        return apply_edits(text, [Edit(old.start_mark.index, old.end_mark.index, json.dumps(value))])
    if isinstance(old, yaml.ScalarNode) and not isinstance(value, dict | list) and old.style not in ("|", ">"):
        return apply_edits(text, [_scalar_edit(text, name, old, value)])
    start = _line_start(text, name.start_mark.index)
    end = _end_of_value(text, old)
    newline = _newline(text)
    block = _blocks({key: value}, indent=name.start_mark.column, newline=newline)
    return apply_edits(text, [Edit(start, end, block)])


def _scalar_edit(text: str, name: yaml.Node, old: yaml.ScalarNode, value: Any) -> Edit:
    new = yamlio.dump([value]).strip().removeprefix("- ")
    if not old.value and not old.style:
        colon = text.index(":", name.end_mark.index)
        return Edit(colon + 1, colon + 1, f" {new}")
    return Edit(old.start_mark.index, old.end_mark.index, new)


def set_in_items(text: str, key: str, field: str, new: Mapping[int, Any], *, where: str) -> str:
    """Return `text` with `field` changed in items of the list under root key `key`.

    `new` maps the index of an item (from 0) to the field's new value. Raises YamlError unless the item is a mapping
    that has the field with a scalar value.
    """
    root = _root(text, where)
    listing = _fields(root).get(key)
    items = listing[1].value if listing is not None and isinstance(listing[1], yaml.SequenceNode) else []
    edits = []
    for number, value in new.items():
        item = items[number] if number < len(items) else None
        pair = _fields(item).get(field)
        if pair is None or not isinstance(pair[1], yaml.ScalarNode):
            raise YamlError(f"{where}: {key}[{number}].{field} can't be set")
        edits.append(_scalar_edit(text, pair[0], pair[1], value))
    return apply_edits(text, edits)


def append_items(text: str, key: str, items: Sequence[Any], *, where: str) -> str:
    """Return `text` with `items` appended to the list under root key `key`. Anything else there is replaced.

    Raises YamlError like `set_key`.
    """
    root = _root(text, where)
    field = _fields(root).get(key)
    if field is None or not isinstance(field[1], yaml.SequenceNode):
        return set_key(text, key, list(items), where=where)
    old = field[1]
    if old.flow_style:
        at = old.end_mark.index - 1
        entries = ", ".join(map(json.dumps, items))
        return apply_edits(text, [Edit(at, at, (", " if old.value else "") + entries)])
    at = _end_of_value(text, old)
    newline = _newline(text)
    gap = "" if text[:at].endswith("\n") else newline
    block = _indented(yamlio.dump(list(items), sort_keys=False), old.start_mark.column, newline)
    return apply_edits(text, [Edit(at, at, gap + block)])


def _end_of_value(text: str, node: yaml.Node) -> int:
    """Return the offset at which the lines of a value end. libyaml's end mark lies after the comments that follow."""
    end = node.end_mark.index
    if end > 0 and text[end - 1 : end] != "\n":
        return _after_line(text, end)
    while end > 0:
        start = _line_start(text, end - 1)
        line = text[start:end].strip()
        if start <= node.start_mark.index or (line and not line.startswith("#")):
            return end
        end = start
    return end


def insert_below(text: str, added: Mapping[str, Mapping[str, Any]], *, where: str) -> str:
    """Return `text` with the keys of `added` set below each parent, a key of the root mapping.

    Missing parents are added at the end; other keys below a parent stay. The text is parsed once, however many keys
    are added. Raises YamlError if the value of a parent is not a mapping.
    """
    root = _root(text, where)
    fields = _fields(root)
    edits: list[Edit] = []
    for parent, values in added.items():
        if parent in fields:
            edits += _edits_below(text, *fields[parent], values, where)
    new = {parent: dict(values) for parent, values in added.items() if parent not in fields}
    if new:
        edits.append(_append(text, root, new))
    return apply_edits(text, edits)


def _edits_below(text: str, name: yaml.Node, old: yaml.Node, added: Mapping[str, Any], where: str) -> Iterable[Edit]:
    """Yield the edits that put `added` into the mapping `old`, the value of the key `name`."""
    if old.start_mark.index < name.end_mark.index:  # written before its key, so `old` is the target of an alias
        yield _extend_alias(text, name, added, where)
        return
    if _is_null(old):
        flow = f"{{{_flow_items(added)}}}"
        if old.start_mark.index == old.end_mark.index:
            colon = text.index(":", name.end_mark.index)
            yield Edit(colon + 1, colon + 1, f" {flow}")
        else:
            yield Edit(old.start_mark.index, old.end_mark.index, flow)
        return
    if not isinstance(old, yaml.MappingNode):
        key = next(iter(added))
        raise YamlError(
            f"{where}:{yamlio.line_of(old)}: {name.value} is not a mapping, so {name.value}.{key} can't be set"
        )
    fields = _fields(old)
    rest: dict[str, Any] = {}
    for key, value in added.items():
        own, present = fields.get(key, (None, None))
        if own is not None and isinstance(present, yaml.ScalarNode):
            yield _scalar_edit(text, own, present, value)
        else:
            rest[key] = value
    if rest and old.flow_style:
        yield _flow_edit(text, old, rest)
    elif rest:
        # New keys come first, so that a comment after the mapping stays with the key that it describes.
        at = _after_line(text, name.end_mark.index)
        indent = old.value[0][0].start_mark.column
        yield Edit(at, at, _blocks(rest, indent=indent, newline=_newline(text)))


def _extend_alias(text: str, name: yaml.Node, added: Mapping[str, Any], where: str) -> Edit:
    alias = re.compile(r"\s*:\s*(\*[^\s,\[\]{}]+)").match(text, name.end_mark.index)
    if alias is None:
        raise YamlError(f"{where}:{yamlio.line_of(name)}: {name.value} refers to an anchor in an unexpected way")
    return Edit(alias.start(1), alias.end(1), f"{{<<: {alias[1]}, {_flow_items(added)}}}")


def replace_scalars(
    text: str,
    new_value: Callable[[str, yaml.ScalarNode, yaml.MappingNode], str | None],
    *,
    where: str,
    leave: Iterable[Sequence[str]] = (),
) -> tuple[str, yaml.Node | None]:
    """Replace scalar values of mappings: `new_value(key, node, mapping)` gives the new text, or None to leave it.

    What lies below the paths `leave` is not changed. Quotes stay as they are. An alias stands for the one scalar that
    has its anchor. Returns the text and, for checking it, what it should hold: the root node with the new texts in it.
    Raises YamlError for a scalar written in an odd way.
    """
    root = yamlio.compose(text, where=where)
    edits = {}
    left = [node for path in leave if (node := _node_at(root, path)) is not None]
    for key, node, mapping in _scalar_items(root, left):
        new = new_value(key, node, mapping)
        if new is None:
            continue
        # The node may begin with an anchor or a tag, so the value is searched from the end.
        start = text.rfind(node.value, node.start_mark.index, node.end_mark.index)
        if start < 0:
            raise YamlError(
                f"{where}:{yamlio.line_of(node)}: {key}: {node.value} is written in a way that can't be edited"
            )
        quoted = new if node.style else yamlio.dump([new]).strip().removeprefix("- ")
        edits[id(node)] = (node, new, Edit(start, start + len(node.value), quoted))
    for node, new, _ in edits.values():
        node.value, node.tag = new, "tag:yaml.org,2002:str"
    return apply_edits(text, [edit for _, _, edit in edits.values()]), root


def _node_at(root: yaml.Node | None, path: Sequence[str]) -> yaml.Node | None:
    node = root
    for part in path:
        if not isinstance(node, yaml.MappingNode):
            return None
        node = next(
            (value for key, value in node.value if isinstance(key, yaml.ScalarNode) and key.value == part), None
        )
    return node


def _scalar_items(
    root: yaml.Node | None, left: Iterable[yaml.Node]
) -> Iterable[tuple[str, yaml.ScalarNode, yaml.MappingNode]]:
    stack = [root] if root is not None else []
    seen = {id(node) for node in left}
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            stack.extend(node.value)
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                stack.append(value)
                if isinstance(key, yaml.ScalarNode) and isinstance(value, yaml.ScalarNode):
                    yield key.value, value, node
