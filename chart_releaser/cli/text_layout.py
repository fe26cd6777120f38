"""Text in aligned columns and in lines of a limited width."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence


def align_columns(rows: Sequence[Sequence[str]], width: int | None = None) -> list[str]:
    """Return `rows` as lines with aligned columns; the last column is not padded.

    If `width` limits the lines, the last column is wrapped between words and continues below itself.
    """
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = []
    for row in rows:
        before = "".join(f"{cell.ljust(size)}  " for cell, size in zip(row[:-1], widths, strict=True))
        text = f"{before}{row[-1]}".rstrip()
        if width is None or len(text) <= width:
            lines.append(text)
        else:
            lines += wrap_text(row[-1], width, before, " " * min(len(before), width // 2))
    return lines


def wrap_text(text: str, width: int | None, first: str = "", others: str = "") -> list[str]:
    """Return `text` wrapped between words to `width`; `first` begins the first line, `others` the other lines."""
    if width is None:
        return [first + text]
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )
