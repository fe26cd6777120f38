"""What of an index a run with nothing to publish needs, kept between runs: a long index takes a second to read."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chart_releaser.index import Index

_FORMAT = "chart-releaser excerpt 2"  # to be raised with any change of what is taken from an index, or how
_MAX_BYTES = 100 * 1024 * 1024


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
        self.sizes = sizes

    @classmethod
    def of(cls, index: Index) -> Excerpt:
        """Take it from an index."""
        charts: dict[str, dict[str, tuple[str, str]]] = {}
        for name in index.entries:
            listed = {version: index.entry(name, version) or {} for version in sorted(index.versions(name))}
            charts[str(name)] = {version: digest_and_url(entry) for version, entry in listed.items()}
        return cls(charts, index.size, {str(name): index.size_of(name) for name in index.entries})

    def versions(self, name: str) -> frozenset[str]:
        """See `Index.versions`."""
        return frozenset(self.charts.get(name, ()))

    def size_of(self, name: str) -> int:
        """See `Index.size_of`."""
        return self.sizes.get(name, 0)

    def entry(self, name: str, version: str) -> Mapping[str, Any] | None:
        """See `Index.entry`; of the entry only `digest` and the first of `urls`."""
        found = self.charts.get(name, {}).get(version)
        return None if found is None else {"digest": found[0], "urls": [found[1]]}


class KeptExcerpt:
    """The excerpt of one index in a file. Whatever can't be read or written there is as if it had never been kept."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, blob: str) -> Excerpt | None:
        """Return the excerpt of the index whose content git calls `blob`, None if it is not what is kept."""
        try:
            if self._path.stat().st_size > _MAX_BYTES:
                return None
            head, _, body = self._path.read_bytes().partition(b"\n")
            if head != _head(blob, body):
                return None
            return Excerpt(*json.loads(body))
        except (OSError, ValueError):
            return None

    def keep(self, blob: str, excerpt: Excerpt) -> None:
        """Keep the excerpt of an index for the next run, in place of the one before.

        Two runs at once may spoil it for each other: the checksum tells.
        """
        body = json.dumps([excerpt.charts, excerpt.size, excerpt.sizes], separators=(",", ":")).encode()
        staged = self._path.with_name(f"{self._path.name}.new")
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                staged.write_bytes(_head(blob, body) + b"\n" + body)
                staged.replace(self._path)
            finally:
                staged.unlink(missing_ok=True)


def digest_and_url(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Return the digest and the first address of an entry, whatever shape they have; empty where there is none."""
    urls = entry.get("urls")
    return str(entry.get("digest") or ""), str(urls[0]) if isinstance(urls, list) and urls else ""


def blob_name(data: bytes) -> str:
    """Return what git calls a file's content: the SHA-1 of it with a header."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _head(blob: str, body: bytes) -> bytes:
    return f"{_FORMAT} {blob} {hashlib.sha256(body).hexdigest()}".encode()
