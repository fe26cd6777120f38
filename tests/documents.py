"""The project's own documents as values: their fenced blocks with what stands above each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

_FENCE = re.compile(r"^```(\w*)$")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, the last line of prose above it, and its heading of level 2."""

    language: str
    text: str
    caption: str
    section: str

    @property
    def filename(self) -> str | None:
        """The file that the block is, where its first line is a comment with a path."""
        found = re.match(r"# ([\w./-]+\.ya?ml)\n", self.text)
        return found[1] if found else None


def blocks(path: Path) -> Iterator[Block]:
    """The fenced blocks of a document, in order."""
    language: str | None = None
    caption = section = ""
    lines: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        fence = _FENCE.match(line)
        if language is None and fence:
            language, lines = fence[1], []
        elif language is not None and line == "```":
            yield Block(language, "".join(f"{one}\n" for one in lines), caption, section)
            language = None
        elif language is not None:
            lines.append(line)
        elif line.startswith("## "):
            section = line.removeprefix("## ")
        elif line.strip():
            caption = line
    assert language is None, f"{path.name}: a block without an end"
