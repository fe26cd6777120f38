"""Draws colour, progress bars and tables for a terminal with rich.

Imported only if there is a terminal. Texts have been through `Console.clean` and are data to rich: no markup, no emoji,
no highlighting.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

_BAR = 20
_BAR_FROM = 60  # columns; narrower terminals get no bar
_SHORTEST_NAME = 10
_COUNTED = {"published": "green", "failed": "red", "waiting": "yellow"}


class Terminal:
    """Draws for one terminal of `width` columns and returns the text to write there, coloured if `colours`."""

    def __init__(self, stream: TextIO, *, width: int, colours: bool) -> None:
        self._console = Console(
            file=stream,
            width=width,
            height=25,  # not used, but otherwise rich asks the terminal
            force_terminal=True,
            color_system="standard" if colours else None,
            no_color=not colours,
            legacy_windows=False,
            markup=False,
            emoji=False,
            highlight=False,
        )

    def style_line(self, text: str, style: str) -> str:
        """Return one line in a style of rich, such as `red`, neither wrapped nor cut."""
        return self._render(Text(text, style))

    def progress(self, what: str, done: int, total: int) -> str:
        """Return the progress line. It leaves the last column free, so that it can be erased."""
        return self.status(f"{done}/{total}, {total - done} left: {what}", done / total)

    def status(self, text: str, share: float | None = None) -> str:
        """Return a line that can be erased, with a bar for `share` in front if there is room."""
        room = shutil.get_terminal_size().columns - 1
        bar = ""
        if share is not None and room + 1 >= _BAR_FROM:
            bar = self._render(ProgressBar(100, 100 * share, width=_BAR, complete_style="green")) + " "
            room -= _BAR + 1
        line = Text(text)
        line.truncate(room)
        return bar + line.plain

    def table(self, header: Sequence[str], rows: Sequence[tuple[str, Sequence[int]]]) -> list[str]:
        """Return a table of counts as lines that fit the terminal; the first column is cut to what the counts leave."""
        drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="")
        room = self._console.width - sum(len(title) + 2 for title in header[1:])
        drawn.add_column(header[0], overflow="ellipsis", no_wrap=True, max_width=max(room, _SHORTEST_NAME))
        for title in header[1:]:
            drawn.add_column(title, justify="right", min_width=max(map(len, title.split())))
        for name, counts in rows:
            styles = [_COUNTED.get(title, "") if count else "" for title, count in zip(header[1:], counts, strict=True)]
            drawn.add_row(Text(name), *(Text(str(count), style) for count, style in zip(counts, styles, strict=True)))
        return self._render(drawn).splitlines()

    def _render(self, what: RenderableType) -> str:
        with self._console.capture() as captured:
            self._console.print(what, end="", soft_wrap=isinstance(what, Text))
        return captured.get()
