"""Markdown for the summary of a job in GitHub Actions, in which text from outside stays text.

GitHub makes links, mentions and references out of the text that Markdown leaves, so escaping is not enough: `@name`
and `https://…` work whichever way they are written. Nothing of the kind happens inside code:
https://github.github.com/gfm/#code-spans, https://github.github.com/gfm/#tables-extension-
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_LINK = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]+)?(?:/[A-Za-z0-9._~%+/-]*)?")


class RawMarkdown(str):
    """Words of this program: Markdown as it stands."""

    __slots__ = ()


class Link(str):
    """Where a published package is: a link, if it is a web address without odd characters."""

    __slots__ = ()


def markdown_table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]], clean: Callable[[str], str]
) -> str:
    """Return a headline and a table. `title` and cells that are not `Words` are shown as code, after `clean`."""
    lines = [f"### {_inline(title, clean)}", "", _row(header), _row(["---"] * len(header))]
    lines += [_row([_inline(cell, clean).replace("|", "\\|") for cell in row]) for row in rows]
    return "\n".join([*lines, "", ""])


def code_span(text: str) -> str:
    """Return a code span that shows `text` in one line; the empty text for nothing."""
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
