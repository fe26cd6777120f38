"""Insert entries into the text of an index, or remove them, as whole lines.

The result need not be parsed again, for these reasons. The text was parsed, and lines are inserted only where the
parser reported the beginning of a list item, of a chart's key, or of the token that ends such a block. They are
indented like the items (keys) of that block. At such a place the parser is at the beginning of a line whose token
closes everything deeper than the block, so the text before it keeps its meaning. The inserted lines begin and end in
the same column, so the text after them does as well. Anchors, which could connect the parts, were refused by the
parser. The inserted lines are parsed by themselves to check that they mean what they should. If a condition is not met
there is no result, and the caller dumps the index again.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from chart_releaser import yamledit, yamlio
from chart_releaser.index.text import ChartPlace, Document, UnquotedNumber, parse_document

_SIMPLE_SCALAR = re.compile(r"[^\n|>][^\n]*")


def insert_entries(
    text: str, document: Document, added: Mapping[str, Sequence[tuple[int, dict[str, Any]]]], *, generated: str
) -> str | None:
    """Return the text with the entries and the new time added, or None if lines can't be inserted.

    `added` has the new entries of each chart in order, each with the index of the listed entry to insert it before.
    """
    try:
        edits = _Splicer(text, document).edits(added, generated)
    except _NoRoomError:
        return None
    return yamledit.apply_edits(text, edits)


def remove_entries(
    text: str, document: Document, dropped: Mapping[str, Collection[int]], *, generated: str
) -> str | None:
    """Return the text without some entries and with the new time, or None if their lines can't be removed.

    `dropped` has the indices of the entries to remove by chart. A chart that loses all entries is removed; if no chart
    would be left the result is None.
    """
    try:
        edits = _Splicer(text, document).cuts(dropped, generated)
    except _NoRoomError:
        return None
    return yamledit.apply_edits(text, edits)


class _NoRoomError(Exception):
    """The layout of the text does not allow lines to be inserted or removed."""


class _Splicer:
    def __init__(self, text: str, document: Document) -> None:
        self._text = text
        self._document = document
        self._newline = "\r\n" if "\r\n" in text else "\n"

    def edits(self, added: Mapping[str, Sequence[tuple[int, dict[str, Any]]]], generated: str) -> list[yamledit.Edit]:
        items: list[yamledit.Edit] = []
        charts: list[yamledit.Edit] = []
        for name in sorted(added):
            place = self._document.charts.get(name)
            if place is None:
                charts.append(self._chart(name, [entry for _, entry in added[name]]))
            else:
                items += [self._item(place, before, entry) for before, entry in added[name]]
        # A new last item of a list and a new chart after that list have the same offset: items come first.
        return [*items, *charts, self._generated(generated)]

    def cuts(self, dropped: Mapping[str, Collection[int]], generated: str) -> list[yamledit.Edit]:
        charts = self._document.charts
        if self._document.repeated or self._document.charts_end is None:
            raise _NoRoomError
        edits: list[yamledit.Edit] = []
        ends = [*sorted(place.key for place in charts.values())[1:], self._document.charts_end]
        following = dict(zip(sorted(charts, key=lambda name: charts[name].key), ends, strict=True))
        gone = {name for name in dropped if len(dropped[name]) == len(charts[name].items)}
        if len(gone) == len(charts):
            raise _NoRoomError
        for name in dropped:
            place = charts[name]
            if place.end is None:
                raise _NoRoomError
            if name in gone:
                edits.append(yamledit.Edit(self._line_start(place.key)[0], self._line_start(following[name])[0], ""))
                continue
            starts = [*(self._dash(item)[0] for item in place.items), self._line_start(place.end)[0]]
            edits += [yamledit.Edit(starts[number], starts[number + 1], "") for number in sorted(dropped[name])]
        return [*edits, self._generated(generated)]

    def _item(self, place: ChartPlace, before: int, entry: dict[str, Any]) -> yamledit.Edit:
        if not place.items or place.end is None:
            raise _NoRoomError
        # All dashes of a list are in the same column.
        start, column = self._dash(place.items[min(before, len(place.items) - 1)])
        if before >= len(place.items):
            start, _ = self._line_start(place.end)
        block = yamlio.dump([entry])
        self._check(block, [entry])
        return yamledit.Edit(start, start, self._indent(block, column))

    def _chart(self, name: str, entries: list[dict[str, Any]]) -> yamledit.Edit:
        charts = self._document.charts
        end = self._document.charts_end
        if not charts or end is None:
            raise _NoRoomError
        following = next((place.key for other, place in charts.items() if other > name), None)
        _, column = self._line_start(next(iter(charts.values())).key)
        start, _ = self._line_start(end if following is None else following)
        block = yamlio.dump({name: entries})
        self._check(block, {name: entries})
        return yamledit.Edit(start, start, self._indent(block, column))

    def _generated(self, generated: str) -> yamledit.Edit:
        if self._document.generated is not None:
            start, end = self._document.generated
            if not _SIMPLE_SCALAR.fullmatch(self._text, start, end):
                raise _NoRoomError
            return yamledit.Edit(start, end, f'"{generated}"')
        if self._document.end is None or "generated" in self._document.data:
            raise _NoRoomError
        start, column = self._line_start(self._document.end)
        if column:
            raise _NoRoomError
        return yamledit.Edit(start, start, f'generated: "{generated}"{self._newline}')

    def _line_start(self, index: int) -> tuple[int, int]:
        """Return the start of the line that contains `index`, and the column. Only spaces may precede it."""
        start = self._text.rfind("\n", 0, index) + 1
        column = index - start
        if self._text[start:index] != " " * column:
            raise _NoRoomError
        return start, column

    def _dash(self, index: int) -> tuple[int, int]:
        """Return the start of the line of the list item at `index`, and the column of its dash."""
        start = self._text.rfind("\n", 0, index) + 1
        match = re.fullmatch(r"( *)- +", self._text[start:index])
        if match is None:
            raise _NoRoomError
        return start, len(match[1])

    def _indent(self, block: str, column: int) -> str:
        # The dumper escapes line breaks inside strings, so every line break belongs to the layout.
        return "".join(" " * column + line + self._newline for line in block.removesuffix("\n").split("\n"))

    def _check(self, block: str, meant: Any) -> None:
        lines = "".join(f"  {line}\n" for line in block.removesuffix("\n").split("\n"))
        if not _same(parse_document(f"value:\n{lines}", where="new entries").data["value"], meant):
            raise _NoRoomError


def _same(parsed: Any, meant: Any) -> bool:
    if isinstance(meant, Mapping):
        return (
            isinstance(parsed, dict)
            and parsed.keys() == meant.keys()
            and all(_same(parsed[key], value) for key, value in meant.items())
        )
    if isinstance(meant, list):
        return isinstance(parsed, list) and len(parsed) == len(meant) and all(map(_same, parsed, meant))
    if isinstance(meant, str):
        return type(parsed) is str and parsed == meant
    if meant is None or isinstance(meant, bool):
        return parsed is meant
    return isinstance(parsed, UnquotedNumber)
