"""What of an index a run with nothing to publish needs: `index_scan` finds it without parsing the whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Excerpt:
    """The versions of each chart that an index lists, with digest and first address. See `destinations.Listing`."""

    def __init__(
        self, charts: Mapping[str, Mapping[str, tuple[str, str]]], size: int, sizes: Mapping[str, int]
    ) -> None:
        """`charts`: name to version to digest and address; empty where the index has none.

        `size` is that of the index, `sizes` those of each chart's entries, in characters.
        """
        self.charts = charts
        self.size = size
        self._sizes = sizes

    def versions(self, name: str) -> frozenset[str]:
        """See `Index.versions`."""
        return frozenset(self.charts.get(name, ()))

    def size_of(self, name: str) -> int:
        """See `Index.size_of`."""
        return self._sizes.get(name, 0)

    def entry(self, name: str, version: str) -> Mapping[str, Any] | None:
        """See `Index.entry`; of the entry only `digest` and the first of `urls`."""
        found = self.charts.get(name, {}).get(version)
        return None if found is None else {"digest": found[0], "urls": [found[1]]}
