"""Markdown tables for the summary of a GitHub Actions job, in which text from outside stays plain text.

Escaping is not enough, because GitHub turns `@name`, `https://…` and references into links even if escaped. Inside code
it does not, so such text is written as code:
https://github.github.com/gfm/#code-spans, https://github.github.com/gfm/#tables-extension-
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_LINK = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]+)?(?:/[A-Za-z0-9._~%+/-]*)?")


class RawMarkdown(str):
    """Text of this program, written as it is."""

    __slots__ = ()


class Link(str):
    """An address, written as a link if it is a web address without unusual characters, otherwise as code."""

    __slots__ = ()


def markdown_table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]], clean: Callable[[str], str]
) -> str:
    """Return a heading and a table. `title` and cells become code after `clean`, except for `RawMarkdown`, `Link`."""
    lines = [f"### {_inline(title, clean)}", "", _row(header), _row(["---"] * len(header))]
    lines += [_row([_inline(cell, clean).replace("|", "\\|") for cell in row]) for row in rows]
    return "\n".join([*lines, "", ""])


def code_span(text: str) -> str:
    """Return a code span that shows `text` in one line; the empty string for an empty text."""
    line = " ".join(text.split())
    if not line:
        return ""
    fence = "`" * (max(map(len, re.findall("`+", line)), default=0) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def _inline(text: str, clean: Callable[[str], str]) -> str:
    if isinstance(text, RawMarkdown):
        return text
    shown = clean(" ".join(text.split()))
    return f"<{shown}>" if isinstance(text, Link) and _LINK.fullmatch(shown) else code_span(shown)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
