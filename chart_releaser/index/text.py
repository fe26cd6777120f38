"""The text of an index.yaml: its data, and the places where lines can be added without touching the others.

One pass over libyaml's events gives both. That is four times as fast as loading (there are no nodes and no resolvers),
needs no recursion however deep the text is nested, keeps every scalar as it is written, and knows to the character
where each entry begins, so that nothing has to be guessed from the look of a line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from chart_releaser import yamlio
from chart_releaser.errors import BrokenIndexError, YamlError

MAX_CHARACTERS = 200_000_000
MAX_DEPTH = 100

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("y", "Y", "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"), False),
}
# What Helm's YAML reader takes for a number. Dates are no numbers to it: it gives their text to fields that hold text.
_NUMBER = re.compile(
    r"[-+]?(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|(?:\.[0-9_]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)"
)
_STRING_TAGS = (None, "!", "tag:yaml.org,2002:str")


class Bare(str):
    """A scalar that stands unquoted and is a number to Helm; the characters are those of the text."""

    __slots__ = ()


@dataclass
class ChartPlace:
    """Where the list of one chart is: character offsets of its key, of its items, and of what follows it."""

    key: int
    items: list[int] = field(default_factory=list)
    end: int | None = None
    """None if the value is no list that further items could be added to (`[]`, null)."""


@dataclass
class Document:
    """An index as data, and where its parts are in the text (absent where lines can't be added: flow style)."""

    data: dict[str, Any]
    charts: dict[str, ChartPlace] = field(default_factory=dict)
    charts_end: int | None = None
    generated: tuple[int, int] | None = None
    end: int | None = None
    repeated: list[str] = field(default_factory=list)
    """Keys that occur twice, in words; the last one counts, the lists of a repeated chart are joined."""


def read(text: str, *, where: str) -> Document:
    """Read an index. The data are texts, booleans, null, lists and mappings; numbers stay texts, marked as `Bare`.

    BrokenIndexError, with `where` and the line: malformed YAML, no mapping, a second document, aliases, tags other than
    string, keys that are no scalars, a repeated top-level key, more than 200 million characters or 100 levels.
    """
    if len(text) > MAX_CHARACTERS:
        raise BrokenIndexError(
            f"{where}: {len(text):,} characters", remedy=f"an index of at most {MAX_CHARACTERS:,} is read"
        )
    try:
        yamlio.check_directives(text, where)
    except YamlError as error:
        raise BrokenIndexError.of(error) from error
    try:
        with yamlio.gc_paused():
            return _Reader(text, where).read()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        line = f":{mark.line + 1}" if mark is not None else ""
        raise BrokenIndexError(f"{where}{line}: malformed YAML: {' '.join(str(problem).split())}") from error
    except UnicodeError as error:
        raise BrokenIndexError(f"{where}: not UTF-8: {error}") from error


class _Reader:
    def __init__(self, text: str, where: str) -> None:
        self._text = text
        self._where = where
        # libyaml doesn't count a byte order mark.
        self._shift = int(text.startswith("\ufeff"))

    def _fail(self, event: Any, what: str, remedy: str = "") -> BrokenIndexError:
        return BrokenIndexError(f"{self._where}:{event.start_mark.line + 1}: {what}", remedy=remedy)

    def read(self) -> Document:  # noqa: C901 - one loop over a million events; calls would double its time
        document = Document({})
        documents = 0
        root: Any = None
        # The open collections, and for each the key that waits for its value (lists never have one).
        stack: list[Any] = []
        keys: list[str | None] = []
        scalar, end_of_mapping, end_of_list = yaml.ScalarEvent, yaml.MappingEndEvent, yaml.SequenceEndEvent
        start_of_mapping = yaml.MappingStartEvent
        open_chart = ChartPlace(0)
        events: Any = yaml.parse(self._text, Loader=_Loader)
        for event in events:
            kind = type(event)
            if kind is scalar:
                if event.anchor is not None or event.tag is not None:
                    self._check_plain(event)
                text = event.value
                value: Any = text
                is_key = bool(stack) and type(stack[-1]) is dict and keys[-1] is None
                if is_key:
                    depth = len(stack)
                    if text in stack[-1]:
                        self._repeat(document, event, depth)
                    if depth == 2 and keys[0] == "entries":
                        place = ChartPlace(event.start_mark.index + self._shift)
                        # The second of two equal keys is no place to add anything: the first one is.
                        document.charts.setdefault(text, place)
                        open_chart = place
                    keys[-1] = text
                    continue
                if event.implicit[0]:
                    if text in _CONSTANTS:
                        value = _CONSTANTS[text]
                    elif text[0] in "0123456789+-." and _NUMBER.fullmatch(text):
                        value = Bare(text)
            elif kind is end_of_mapping or kind is end_of_list:
                stack.pop()
                keys.pop()
                depth = len(stack)
                if depth < 3 and event.start_mark.index == event.end_mark.index:  # block style has no closing bracket
                    index = event.start_mark.index + self._shift
                    if depth == 2 and keys[0] == "entries" and kind is end_of_list:
                        open_chart.end = index
                    elif depth == 1 and keys[0] == "entries":
                        document.charts_end = index
                    elif depth == 0:
                        document.end = index
                if stack and type(stack[-1]) is dict:
                    keys[-1] = None
                continue
            elif kind is start_of_mapping or kind is yaml.SequenceStartEvent:
                if event.anchor is not None or event.tag is not None:
                    self._check_plain(event)
                value = {} if kind is start_of_mapping else []
            elif kind is yaml.AliasEvent:
                raise self._fail(event, "an alias (*name)", "an index has none, write its value out")
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    raise self._fail(event, "a second YAML document", "an index is one")
                continue
            else:
                continue

            # A value: where does it belong?
            if not stack:
                root = value
            else:
                parent = stack[-1]
                if type(parent) is list:
                    parent.append(value)
                    if len(stack) == 3 and keys[0] == "entries":
                        open_chart.items.append(event.start_mark.index + self._shift)
                else:
                    key = keys[-1]
                    if key is None:
                        raise self._fail(event, "a key that is not text")
                    if len(stack) == 1 and key == "generated" and kind is scalar:
                        document.generated = (
                            event.start_mark.index + self._shift,
                            event.end_mark.index + self._shift,
                        )
                    if len(stack) == 2 and keys[0] == "entries" and type(parent.get(key)) is list and value == []:
                        value = parent[key]  # a repeated chart: its lists are joined
                    parent[key] = value
                    if kind is scalar:
                        keys[-1] = None
            if kind is not scalar:
                if len(stack) == MAX_DEPTH:
                    raise self._fail(event, f"nested deeper than {MAX_DEPTH} levels")
                stack.append(value)
                keys.append(None)
        if type(root) is not dict:
            raise BrokenIndexError(f"{self._where}: no Helm repository index: not a mapping with entries")
        document.data = root
        return document

    def _check_plain(self, event: Any) -> None:
        if event.anchor is not None:
            raise self._fail(event, "an anchor (&name)", "an index has none, write the values out")
        if event.tag not in _STRING_TAGS or not isinstance(event, yaml.ScalarEvent):
            raise self._fail(event, f"a value with the tag {event.tag}", "an index has none")

    def _repeat(self, document: Document, event: Any, depth: int) -> None:
        if depth == 1:
            raise self._fail(event, f"the key {event.value} occurs twice", "keep one")
        document.repeated.append(f"line {event.start_mark.line + 1}: the key {event.value} occurs twice")
