"""New versions into the text of a configuration file, everything else as its author wrote it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from chart_releaser import yamlio
from chart_releaser.errors import ChartReleaserError, YamlError
from chart_releaser.yamlio import Edit, apply_edits

_WHERE = "the configuration file"
_BYTE_ORDER_MARK = "\ufeff"
# An anchor or a tag before a scalar, and what may stand between them and it.
_PROPERTIES = re.compile(r"(?:[&!]\S*\s*(?:#[^\r\n]*\s*)*)*")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]*", re.ASCII)
_RESOLVER: Any = yaml.resolver.Resolver()
_STRING = "tag:yaml.org,2002:str"


def set_versions(text: str, new: Mapping[str, str], *, file: str = _WHERE) -> str:
    """Return `text` with the `version` of each source in `new` (name -> version, as it shall stand there) set.

    Nothing else changes: quotes, comments, order, line ends and the rest stay byte for byte. A source without `version`
    gets one after its name. The result is read again, and has to differ in these versions alone. `file` names the
    configuration in messages.

    Raises ChartReleaserError for a source that is not there, for a version that is an alias (`*name`) of something that
    gets another value, and if the text is such that something else would change; YamlError if it is no YAML.
    """
    mark = _BYTE_ORDER_MARK if text.startswith(_BYTE_ORDER_MARK) else ""
    body = text.removeprefix(mark)
    sources = [(name, node) for name, node in _sources(yamlio.compose(body, where=file)) if name in new]
    if unknown := sorted(set(new) - {name for name, _ in sources}):
        raise ChartReleaserError(f"{file} has no source called {', '.join(unknown)}; nothing was changed")
    wanted: dict[int, str] = {}
    edits: list[Edit] = []
    aliases: list[tuple[str, yaml.ScalarNode, yaml.ScalarNode]] = []
    for name, source in sources:
        found = _pair(source, "version")
        if found is None:
            edits.append(_insertion(body, source, new[name], file))
            continue
        key, value = found
        if not isinstance(value, yaml.ScalarNode):
            raise ChartReleaserError(f"{file}:{_line(key)}: version of {name} is no text; write it in quotes")
        if _is_alias(key, value):
            aliases.append((name, key, value))
            continue
        wanted[id(value)] = new[name]
        if value.value != new[name] or value.tag != _STRING:
            edits.append(_replacement(body, value, new[name]))
    for name, key, anchored in aliases:
        if wanted.get(id(anchored), anchored.value) != new[name]:
            raise ChartReleaserError(
                f"{file}:{_line(key)}: version of {name} is an alias of line {_line(anchored)}, which other sources"
                f" use, too; write {new[name]} in its place, nothing was changed"
            )
    result = apply_edits(body, edits)
    _check(body, result, new, file)
    return mark + result


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _pair(mapping: yaml.MappingNode, name: str) -> tuple[yaml.ScalarNode, yaml.Node] | None:
    """The key `name` in any letter case and its value; of two, the last, which is the one that YAML readers take."""
    pairs = [(k, v) for k, v in mapping.value if isinstance(k, yaml.ScalarNode) and k.value.lower() == name]
    return pairs[-1] if pairs else None


def _sources(root: yaml.Node | None) -> Iterator[tuple[str, yaml.MappingNode]]:
    found = _pair(root, "sources") if isinstance(root, yaml.MappingNode) else None
    if found is None or not isinstance(found[1], yaml.SequenceNode):
        return
    for source in found[1].value:
        name = _pair(source, "name") if isinstance(source, yaml.MappingNode) else None
        if name is not None and isinstance(name[1], yaml.ScalarNode):
            yield name[1].value, source


def _is_alias(key: yaml.Node, value: yaml.Node) -> bool:
    """Whether `value` was written elsewhere: an anchor always stands before its aliases."""
    return bool(value.start_mark.index < key.end_mark.index)


def _span(text: str, node: yaml.ScalarNode) -> tuple[int, int]:
    """Where the scalar itself begins and ends: without anchor and tag before it and line ends after it."""
    start, end = node.start_mark.index, node.end_mark.index
    properties = _PROPERTIES.match(text, start, end)
    begin = properties.end() if properties is not None else start
    return begin, begin + len(text[begin:end].rstrip())


def _replacement(text: str, node: yaml.ScalarNode, version: str) -> Edit:
    start, end = _span(text, node)
    space = " " if start == end and not text[:start].endswith(" ") else ""
    return Edit(start, end, space + _scalar(version, node.style))


def _insertion(text: str, source: yaml.MappingNode, version: str, file: str) -> Edit:
    """`version: …` behind the source's name, in the style of that."""
    pair = _pair(source, "name")
    assert pair is not None  # noqa: S101 - that is how the source was found
    key, name = pair
    assert isinstance(name, yaml.ScalarNode)  # noqa: S101
    entry = f"{_scalar('version', key.style)}: {_scalar(version, name.style)}"
    alias = _is_alias(key, name)
    end = key.end_mark.index if alias else _span(text, name)[1]
    if source.flow_style:
        if alias:
            raise ChartReleaserError(
                f"{file}:{_line(key)}: {name.value} has no version and its name is an alias; add a version by hand"
            )
        return Edit(end, end, f", {entry}")
    line_end = text.find("\n", end)
    if line_end < 0:
        line_end = len(text)
        newline = "\r\n" if "\r\n" in text else "\n"
    elif text[:line_end].endswith("\r"):
        line_end -= 1
        newline = "\r\n"
    else:
        newline = "\n"
    return Edit(line_end, line_end, f"{newline}{' ' * key.start_mark.column}{entry}")


def _scalar(text: str, style: str | None) -> str:
    """`text` in the quotes that stood there; unquoted only where every reader takes it for a string."""
    if style == "'" and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    if style != '"' and _PLAIN.fullmatch(text) and _is_string(text):
        return text
    return json.dumps(text, ensure_ascii=False)


def _is_string(text: str) -> bool:
    if _RESOLVER.resolve(yaml.ScalarNode, text, (True, False)) != _STRING:
        return False
    try:
        float(text)
    except ValueError:
        return True
    return False  # such as 1e3, which only some readers take for a string


def _check(before: str, after: str, new: Mapping[str, str], file: str) -> None:
    """Refuse a result that any reader would find different in more than the versions."""
    expected = yamlio.load(before, where=file)
    for source in _entries(expected):
        keys = {str(key).lower(): str(key) for key in source}
        name = str(source.get(keys.get("name", "name")))
        if name in new:
            source[keys.get("version", "version")] = new[name]
    try:
        same = yamlio.load(after, where=file) == expected
    except YamlError:
        same = False
    if not same:
        raise ChartReleaserError(
            f"{file} is written so that a new version would change something else, too; set {', '.join(sorted(new))}"
            " by hand"
        )


def _entries(config: Any) -> Iterator[dict[str, Any]]:
    """The sources of a loaded configuration, to be changed in place."""
    for key, value in config.items():
        if str(key).lower() == "sources":
            yield from (entry for entry in value if isinstance(entry, dict))
