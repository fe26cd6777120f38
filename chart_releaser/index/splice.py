"""New entries as additional lines in the text of an index.

Why the outcome is certain without reading it a second time: the text was parsed, and every place is one that the parser
itself reported as the beginning of a list item, of a chart's key, or of what ends such a block. Only whole lines are
put there, indented as the items (keys) of that very block are. At such a place the parser is at the beginning of a
line with a token ahead that ends whatever is deeper than the block, so what comes before reads as before; the added
lines begin in that column and end where they began, so what comes after does, too. Anchors, which could tie the parts
together, are refused when reading. What remains is whether the added lines say what they should, and those are parsed
by themselves. Where one of the conditions is not met there is no outcome, and the caller writes the text anew.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from chart_releaser import yamledit, yamlio
from chart_releaser.index.text import Bare, ChartPlace, Document, read

_SIMPLE_SCALAR = re.compile(r"[^\n|>][^\n]*")


def splice(
    text: str, document: Document, added: Mapping[str, Sequence[tuple[int, dict[str, Any]]]], *, generated: str
) -> str | None:
    """Return the text with the entries and the new time, everything else as it was; None if it has no room for lines.

    `added`: for each chart the entries, in their order, each with the number of the listed entry that it goes before.
    """
    try:
        edits = _Splicer(text, document).edits(added, generated)
    except _NoRoomError:
        return None
    return yamledit.apply_edits(text, edits)


def cut(text: str, document: Document, dropped: Mapping[str, Collection[int]], *, generated: str) -> str | None:
    """Return the text without these entries and with the new time, everything else as it was; None where that can't be.

    `dropped`: for each chart the numbers of its entries that go; a chart without any goes, too, the last one can't.
    """
    try:
        edits = _Splicer(text, document).cuts(dropped, generated)
    except _NoRoomError:
        return None
    return yamledit.apply_edits(text, edits)


class _NoRoomError(Exception):
    """The text is not laid out in a way that lets lines be added."""


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
        # Where an item ends a list and a new chart follows that list both have the same place: the item comes first.
        return [*items, *charts, self._generated(generated)]

    def cuts(self, dropped: Mapping[str, Collection[int]], generated: str) -> list[yamledit.Edit]:
        charts = self._document.charts
        if self._document.repeated or self._document.charts_end is None:
            raise _NoRoomError
        found: list[yamledit.Edit] = []
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
                found.append(yamledit.Edit(self._line_start(place.key)[0], self._line_start(following[name])[0], ""))
                continue
            starts = [*(self._dash(item)[0] for item in place.items), self._line_start(place.end)[0]]
            found += [yamledit.Edit(starts[number], starts[number + 1], "") for number in sorted(dropped[name])]
        return [*found, self._generated(generated)]

    def _item(self, place: ChartPlace, before: int, entry: dict[str, Any]) -> yamledit.Edit:
        if not place.items or place.end is None:
            raise _NoRoomError
        # In a list all dashes are in one column.
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
        """Where the line of what is at `index` begins, and its column; nothing but spaces may be between them."""
        start = self._text.rfind("\n", 0, index) + 1
        column = index - start
        if self._text[start:index] != " " * column:
            raise _NoRoomError
        return start, column

    def _dash(self, index: int) -> tuple[int, int]:
        """Where the line of the list item at `index` begins, and the column of its dash."""
        start = self._text.rfind("\n", 0, index) + 1
        match = re.fullmatch(r"( *)- +", self._text[start:index])
        if match is None:
            raise _NoRoomError
        return start, len(match[1])

    def _indent(self, block: str, column: int) -> str:
        # The dumper escapes line breaks inside of strings: each line of the block is a line of its layout.
        return "".join(" " * column + line + self._newline for line in block.removesuffix("\n").split("\n"))

    def _check(self, block: str, meant: Any) -> None:
        lines = "".join(f"  {line}\n" for line in block.removesuffix("\n").split("\n"))
        if not _same(read(f"value:\n{lines}", where="new entries").data["value"], meant):
            raise _NoRoomError


def _same(found: Any, meant: Any) -> bool:
    if isinstance(meant, Mapping):
        return (
            isinstance(found, dict)
            and found.keys() == meant.keys()
            and all(_same(found[key], value) for key, value in meant.items())
        )
    if isinstance(meant, list):
        return isinstance(found, list) and len(found) == len(meant) and all(map(_same, found, meant))
    if isinstance(meant, str):
        return type(found) is str and found == meant
    if meant is None or isinstance(meant, bool):
        return found is meant
    return isinstance(found, Bare)
