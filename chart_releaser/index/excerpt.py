"""The excerpt of an index that a run with nothing to publish needs; `scan.py` reads it without parsing the whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Excerpt:
    """The versions of each chart in an index, with digest and first URL. Implements `destinations.Listing`."""

    def __init__(
        self, charts: Mapping[str, Mapping[str, tuple[str, str]]], size: int, sizes: Mapping[str, int]
    ) -> None:
        """`charts` maps name and version to digest and URL, "" if the index has none.

        `size` is the size of the index, `sizes` that of each chart's entries, in characters.
        """
        self.charts = charts
        self.size = size
        self._sizes = sizes

    @property
    def rejections(self) -> tuple[str, ...]:
        """Nothing: an index for which Helm might refuse it is parsed."""
        return ()

    def versions(self, name: str) -> frozenset[str]:
        """See `Index.versions`."""
        return frozenset(self.charts.get(name, ()))

    def size_of(self, name: str) -> int:
        """See `Index.size_of`."""
        return self._sizes.get(name, 0)

    def entry(self, name: str, version: str) -> Mapping[str, Any] | None:
        """See `Index.entry`. The entry has only `digest` and the first of `urls`."""
        pair = self.charts.get(name, {}).get(version)
        return None if pair is None else {"digest": pair[0], "urls": [pair[1]]}
