"""Where charts are published to: the interface of every destination, and the values that it takes and returns.

`update` works with any `Destination`. It calls `open`, then `prepare`, then `publish` for each package that the index
lacks, and at last `finish` with the results, even after an interrupt or a rate limit, so that every published package
is indexed. While a slow upstream holds up the run, it may also call `finish` for what is published so far.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from chart_releaser.destinations.findings import StoredPackage
from chart_releaser.index.index import Index

PAGE = "index.html"
"""The page for people, beside the index."""
Page = Callable[[Index, str | None], str | None]
"""Renders the page, given the index that is about to be written and the text of the existing index.html, if any.

Returns None to leave an existing page alone, because it was not generated."""


class PublishablePackage(Protocol):
    """A package, as far as a destination needs to know it."""

    @property
    def name(self) -> str:
        """The chart's name."""

    @property
    def version(self) -> str:
        """The chart's version, exactly as in its Chart.yaml."""

    @property
    def filename(self) -> str:
        """`<name>-<version>.tgz`."""

    @property
    def data(self) -> bytes:
        """The archive."""

    @property
    def digest(self) -> str:
        """The SHA-256 of `data`, bare hex."""

    @property
    def provenance(self) -> bytes | None:
        """The provenance file `<filename>.prov` for `helm verify`, or None if the package is not signed."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Chart.yaml as Helm reads it."""


@dataclass(frozen=True)
class Published:
    """A package that can be downloaded from the destination. `finish` adds it to the index."""

    entry: Mapping[str, Any]
    """Its index entry: `name`, `version`, `digest`, `urls` and so on."""
    adopted: bool = False
    """Whether it existed with the same digest, because of an earlier run or another one at the same time."""

    @property
    def name(self) -> str:
        """The chart's name."""
        return str(self.entry["name"])

    @property
    def version(self) -> str:
        """The chart's version."""
        return str(self.entry["version"])

    @property
    def url(self) -> str:
        """The address in the index; relative to the index if the destination has no address of its own."""
        return str(next(iter(self.entry.get("urls") or ()), ""))

    @property
    def digest(self) -> str:
        """The SHA-256 of the package, bare hex."""
        return str(self.entry["digest"])


class Listing(Protocol):
    """The contents of an index. `Index` implements it, and so does an excerpt that knows only part of each entry."""

    def versions(self, name: str) -> frozenset[str]:
        """Return the versions listed for the chart `name`, exactly as written."""

    def entry(self, name: str, version: str) -> Mapping[str, Any] | None:
        """Return the entry of exactly that name and version, with `digest` and `urls` at least; None if not listed."""

    @property
    def rejections(self) -> tuple[str, ...]:
        """The reasons for which Helm refuses the whole index."""

    @property
    def size(self) -> int:
        """The size of the whole index in characters."""

    def size_of(self, name: str) -> int:
        """Return the size of a chart's entries in characters, 0 if the chart is not listed."""


class Destination(Protocol):
    """A Helm repository that packages can be added to.

    Every implementation guarantees:

    - the index only lists packages that can be downloaded with the listed digest;
    - a published name and version never changes;
    - a run that is killed at any moment leaves a working repository, and the next run adopts or repairs the leftovers;
    - runs at the same time do not lose each other's entries;
    - without anything new, nothing is written.
    """

    @property
    def title(self) -> str:
        """A short name for messages: `directory /srv/charts`, `gardener-community/gardener-charts`."""

    def open(self) -> Listing:
        """Return the contents of the current index, without writing anything.

        Raises DestinationError if the destination can't be written to or its index can't be used.
        """

    def prepare(self, tags: Sequence[str]) -> None:
        """Prepare to publish the packages called `tags` (`<name>-<version>`). Called once, before the first `publish`.

        Raises DestinationError if nothing can be published; then nothing was created.
        """

    def publish(self, package: PublishablePackage, notes: str, *, latest: bool = False) -> Published:
        """Make `package` available for download, without touching the index.

        `notes` are upstream's release notes in Markdown. `latest` marks it as the latest release, if the destination
        has such a mark.

        Raises ConflictError if that name and version exists with another digest; nothing is overwritten. Raises
        DestinationError if this package can't be published, and RateLimitError if no package can for now.
        """

    def finish(self, published: Sequence[Published]) -> None:
        """Add `published` to the index in one write, and keep what others have added in the meantime.

        Writes nothing if there is nothing to add. Raises DestinationError if it fails; the packages stay, and the next
        run lists them. Raises ConflictError if somebody has listed one of them with another digest: their entry stays,
        and the other packages are listed.
        """


class Auditable(Destination, Protocol):
    """A destination that `verify` can audit and repair."""

    def open_index(self) -> Index:
        """Return the whole index; otherwise like `open`."""

    def stored(self) -> Sequence[StoredPackage]:
        """Return every package, and every place that lacks its package. Raises DestinationError if unreadable."""

    def locate(self, url: str) -> str:
        """Return `url` in a canonical form, the same for all spellings of a package's address in this destination."""

    def fetch(self, url: str, stored: StoredPackage | None) -> bytes | None:
        """Return the bytes of the package at `url`, or None only if it is definitely absent. Thread-safe.

        `stored` is that package if it belongs to this destination. Raises DestinationError if its presence is unknown.
        """

    def discard(self, stored: StoredPackage) -> None:
        """Delete a draft, if it still exists. Raises DestinationError if that fails or it is no longer a draft."""

    def rewrite(self, change: Callable[[Index], Index], message: str) -> None:
        """Replace the index by the result of `change`, in one write. An unreadable index counts as empty.

        `change` is called again if somebody else changes the index in the meantime. `message` describes the change.
        Raises DestinationError if it fails.
        """
