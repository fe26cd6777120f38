"""Set versions in the text of a configuration file, and keep everything else as its author wrote it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

from chart_releaser import yamlio
from chart_releaser.errors import ChartReleaserError, YamlError
from chart_releaser.yamledit import Edit, apply_edits

if TYPE_CHECKING:
    from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

_WHERE = "the configuration file"
_BYTE_ORDER_MARK = "\ufeff"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]*", re.ASCII)
_STRING = "tag:yaml.org,2002:str"


def set_versions(text: str, new: Mapping[str, str], *, file: str = _WHERE) -> str:
    """Return `text` with the `version` of each source in `new`, which maps names to versions, changed.

    Nothing else changes: quotes, comments, order and line ends stay byte for byte. A source without `version` gets one
    after its name. The result is parsed again, and must differ only in these versions. `file` names the configuration
    in messages.

    Raises ChartReleaserError for an unknown source, for a version that is an alias (`*name`) of a value that other
    sources use, and if anything else would change; YamlError for malformed YAML.
    """
    mark = _BYTE_ORDER_MARK if text.startswith(_BYTE_ORDER_MARK) else ""
    body = text.removeprefix(mark)
    expected = yamlio.load(body, where=file)
    document = _Document(body, file)
    sources = [(name, node) for name, node in document.sources() if name in new]
    if unknown := sorted(set(new) - {name for name, _ in sources}):
        raise ChartReleaserError(f"{file} has no source called {', '.join(unknown)}", remedy="nothing was changed")
    versions: dict[int, str] = {}  # by the id of the version's node
    edits: list[Edit] = []
    aliases: list[tuple[str, ScalarNode, ScalarNode]] = []
    for name, source in sources:
        pair = _pair(source, "version")
        if pair is None:
            edits.append(document.insertion(source, new[name]))
            continue
        key, value = pair
        if not _is_scalar(value):
            raise ChartReleaserError(f"{file}:{_line(key)}: version of {name} is not text", remedy="write it in quotes")
        if _is_alias(key, value):
            aliases.append((name, key, value))
            continue
        versions[id(value)] = new[name]
        if value.value != new[name] or value.tag != _STRING:
            edits.append(document.replacement(key, value, new[name]))
    for name, key, anchored in aliases:
        if versions.get(id(anchored), anchored.value) != new[name]:
            raise ChartReleaserError(
                f"{file}:{_line(key)}: version of {name} is an alias of line {_line(anchored)}, which other sources"
                f" use, too",
                remedy=f"write {new[name]} in its place, nothing was changed",
            )
    result = apply_edits(body, edits)
    _check(expected, result, new, file)
    return mark + result


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _is_scalar(node: Node) -> TypeGuard[ScalarNode]:
    return isinstance(node.value, str)


def _pair(mapping: MappingNode, name: str) -> tuple[ScalarNode, Node] | None:
    """Return the key `name`, in any letter case, and its value.

    The last of repeated keys counts, as for YAML readers.
    """
    pairs = [(key, value) for key, value in mapping.value if _is_scalar(key) and key.value.lower() == name]
    return pairs[-1] if pairs else None


def _is_alias(key: Node, value: Node) -> bool:
    """Whether `value` is an alias: ruamel.yaml then returns the anchored node, which always precedes the key."""
    return bool(value.start_mark.index < key.end_mark.index)


class _Document:
    """The text of a configuration with the nodes of ruamel.yaml."""

    def __init__(self, text: str, file: str) -> None:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError
        from ruamel.yaml.tokens import ScalarToken

        self._text, self._file = text, file
        # ruamel.yaml rejects tabs at the end of a line, which YAML allows. Only offsets are used, and they stay the
        # same.
        read = text.replace("\t", " ")
        try:
            self._root: Node | None = YAML(pure=True).compose(read)
            # The start of a node includes its anchor and tag; that of a token does not.
            scalars = [token for token in YAML(pure=True).scan(read) if isinstance(token, ScalarToken)]
        except YAMLError as error:
            raise ChartReleaserError(
                f"{file} is written in a way that can't be edited", remedy="set the versions by hand"
            ) from error
        self._starts = {token.end_mark.index: token.start_mark.index for token in scalars}

    def sources(self) -> Iterator[tuple[str, MappingNode]]:
        """Yield name and node of each source that has a name."""
        from ruamel.yaml.nodes import MappingNode, SequenceNode

        pair = _pair(self._root, "sources") if isinstance(self._root, MappingNode) else None
        if pair is None or not isinstance(pair[1], SequenceNode):
            return
        for source in pair[1].value:
            name = _pair(source, "name") if isinstance(source, MappingNode) else None
            if name is not None and _is_scalar(name[1]):
                yield name[1].value, source

    def _span(self, node: ScalarNode) -> tuple[int, int]:
        """Return start and end of a scalar without its anchor and tag, and without the line breaks after it."""
        end = node.end_mark.index
        start = self._starts.get(end, end)
        return start, start + len(self._text[start:end].rstrip())

    def replacement(self, key: ScalarNode, node: ScalarNode, version: str) -> Edit:
        """Return the edit that replaces `node`, the scalar value of `key`, by `version`."""
        if node.start_mark.index < node.end_mark.index:
            start, end = self._span(node)
        else:  # an empty value, whose mark may be several lines further down
            start = end = self._text.find(":", key.end_mark.index) + 1
        space = " " if start == end and not self._text[:start].endswith(" ") else ""
        return Edit(start, end, space + _scalar(version, node.style))

    def insertion(self, source: MappingNode, version: str) -> Edit:
        """Return the edit that inserts `version: …` after the source's name, in the same style.

        Raises ChartReleaserError for a source in flow style whose name is an alias.
        """
        pair = _pair(source, "name")
        assert pair is not None  # noqa: S101 - `sources` yields only sources with a name
        key, name = pair
        assert _is_scalar(name)  # noqa: S101
        entry = f"{_scalar('version', key.style)}: {_scalar(version, name.style)}"
        alias = _is_alias(key, name)
        end = key.end_mark.index if alias else self._span(name)[1]
        if source.flow_style:
            if alias:
                raise ChartReleaserError(
                    f"{self._file}:{_line(key)}: {name.value} has no version and its name is an alias",
                    remedy="add a version by hand",
                )
            return Edit(end, end, f", {entry}")
        newline = "\r\n" if "\r\n" in self._text else "\n"
        line_end = self._text.find("\n", end)
        if line_end < 0:
            line_end = len(self._text)
        elif self._text[:line_end].endswith("\r"):
            line_end -= 1
        return Edit(line_end, line_end, f"{newline}{' ' * key.start_mark.column}{entry}")


def _scalar(text: str, style: str | None) -> str:
    """Return `text` in quotes of the given style; unquoted only if every reader reads it as a string."""
    if style == "'" and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    if style != '"' and _PLAIN.fullmatch(text) and _is_string(text):
        return text
    return json.dumps(text, ensure_ascii=False)


def _is_string(text: str) -> bool:
    try:
        float(text)  # such as 1e3, which some readers read as a number
    except ValueError:
        return bool(yamlio.load(text, where="") == text)
    return False


def _check(expected: Any, after: str, new: Mapping[str, str], file: str) -> None:
    """Raise ChartReleaserError unless `after` equals `expected` with the versions in `new`."""
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
            f"{file} is written so that a new version would also change something else",
            remedy=f"set {', '.join(sorted(new))} by hand",
        )


def _entries(config: Any) -> Iterator[dict[str, Any]]:
    """Yield the sources of a loaded configuration, which the caller may change in place."""
    for key, value in config.items():
        if str(key).lower() == "sources":
            yield from (entry for entry in value if isinstance(entry, dict))
