"""Add entries to an index with chart_releaser.index, as its own process: `python -m bench.merge INDEX ENTRIES`."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from chart_releaser.index.index import Index


def main() -> None:
    """Add the entries in the JSON file ENTRIES to the file INDEX, in place, as Helm does."""
    target = Path(sys.argv[1])
    entries = json.loads(Path(sys.argv[2]).read_text())
    target.write_text(Index.parse(target.read_text()).merge(entries, generated=datetime.now(UTC)))


if __name__ == "__main__":
    main()
