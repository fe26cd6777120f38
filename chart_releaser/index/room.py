"""Size limits of an index: for an entry, for a chart, and in total, so that no upstream makes it unusable for all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from chart_releaser import yamlio
from chart_releaser.errors import BudgetError, ChartError
from chart_releaser.index.entry import build_entry

MAX_ENTRY = 256 * 1024
"""The longest entry in characters. Every user of the repository downloads all entries."""
MAX_INDEX = 95_000_000
"""The longest index in characters that entries are added to. GitHub rejects files above 100 MiB."""
_INDENT = 2
_ANY_TIME = datetime(2000, 1, 1, 0, 0, 0, 1, tzinfo=UTC)


class Sizes(Protocol):
    """The sizes of an index and its parts, in characters."""

    @property
    def size(self) -> int:
        """The size of the whole text."""

    def size_of(self, name: str) -> int:
        """Return the size of the entries of the chart `name`."""


class PackageInfo(Protocol):
    """The properties of a package that its entry is built from."""

    @property
    def name(self) -> str:
        """The chart's name."""

    @property
    def filename(self) -> str:
        """The package's file name."""

    @property
    def digest(self) -> str:
        """The SHA-256 of the package."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Chart.yaml as Helm reads it."""


class Room:
    """Keeps track of the room left in an index while a run adds entries to it."""

    def __init__(self, index: Sizes) -> None:
        self._index = index
        self._taken: dict[str, int] = {}

    def take(self, package: PackageInfo, index_size: int) -> None:
        """Reserve room for the entry of a package. `index_size` is the limit for all entries of its chart.

        Raises ChartError for an entry that is too large by itself, and BudgetError if it does not fit any more.
        """
        listed = build_entry(package.metadata, digest=package.digest, url=package.filename, created=_ANY_TIME)
        text = yamlio.dump([listed])
        size = len(text) + _INDENT * text.count("\n")
        if size > MAX_ENTRY:
            raise ChartError(
                f"its entry in the index would have {size / 1024:,.0f} KiB, mostly what its Chart.yaml says",
                remedy=f"it may have {MAX_ENTRY // 1024}",
            )
        name = package.name
        own = self._index.size_of(name) + self._taken.get(name, 0) + size
        if own > index_size:
            raise BudgetError(
                f"with this version the entries of {name} would take up {_mib(own)} MiB of the index, more than "
                f"{_mib(index_size)}",
                remedy="leave versions out, or allow more under limits: indexSize",
            )
        total = self._index.size + sum(self._taken.values()) + size
        if total > MAX_INDEX:
            raise BudgetError(
                f"with this version the index would have {total:,} characters",
                remedy=f"at most {MAX_INDEX:,} are written: take charts that nobody needs out of the index, or "
                "publish some to another destination",
            )
        self._taken[name] = self._taken.get(name, 0) + size


def _mib(characters: int) -> str:
    return f"{characters / (1 << 20):.1f}"
