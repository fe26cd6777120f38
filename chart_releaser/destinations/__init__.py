"""Where charts are published to: what every destination can do, and the values that go in and out.

`update` is written once, against `Destination`. It calls `open` first, `publish` for each package that the index lacks,
and `finish` with what `publish` returned, also after an interrupt or at a rate limit: what is finished gets indexed.
Where a slow upstream keeps the others waiting, `finish` is called for these already, and once more at the end.
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
"""Makes the page for people: from the index that is about to be written and the text of the present index.html (None if
there is none) to the new text. None: leave it alone, such as when it is not ours."""


class PublishablePackage(Protocol):
    """What a destination needs to know of a package."""

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
        """What goes beside it as `<filename>.prov`, so that `helm verify` can check it; None for nothing."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Chart.yaml as Helm reads it."""


@dataclass(frozen=True)
class Published:
    """A package that can be downloaded from the destination; once `finish` was given it, the index lists it."""

    entry: Mapping[str, Any]
    """Its entry for the index: `name`, `version`, `digest`, `urls` and so on."""
    adopted: bool = False
    """It was there already, with the same digest: left by an earlier run, or published by another one meanwhile."""

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
        """The address in the index; relative to the repository where the destination has no address of its own."""
        return str(next(iter(self.entry.get("urls") or ()), ""))

    @property
    def digest(self) -> str:
        """The SHA-256 of the package, bare hex."""
        return str(self.entry["digest"])


class Listing(Protocol):
    """What an index lists. An `Index` is one; others know less of each entry."""

    def versions(self, name: str) -> frozenset[str]:
        """The versions that are listed under that chart name, exactly as they are written."""

    def entry(self, name: str, version: str) -> Mapping[str, Any] | None:
        """The entry of exactly that name and version, or of it at least `digest` and `urls`."""

    @property
    def size(self) -> int:
        """The characters of the whole index."""

    def size_of(self, name: str) -> int:
        """The characters that the entries of a chart take up, 0 for one that is not listed."""


class Destination(Protocol):
    """A Helm repository that packages can be added to.

    Its promises: an index never lists what can't be downloaded with the listed digest; a published name and version
    never changes; a run that is killed at any moment leaves a repository that works, and what it left is adopted or
    mended by the next one; several runs at once lose no entry; without anything new nothing is written.
    """

    @property
    def title(self) -> str:
        """What it is, in a few words for people: `directory /srv/charts`, `gardener-community/gardener-charts`."""

    def open(self) -> Listing:
        """Make sure that it can be written to, and return what its present index lists. Writes nothing.

        DestinationError with the remedy if it can't be written to or its index can't be used.
        """

    def prepare(self, tags: Sequence[str]) -> None:
        """Get ready to publish packages called `tags` (`<name>-<version>`). Called once, before the first `publish`.

        DestinationError with the remedy if nothing could be published; then nothing was made.
        """

    def publish(self, package: PublishablePackage, notes: str, *, latest: bool = False) -> Published:
        """Put a package where it can be downloaded; the index is not touched.

        `notes`: upstream's release notes, Markdown. `latest`: mark it as the newest release, where there is a mark.
        ConflictError if that name and version is there with another digest: nothing was overwritten.
        DestinationError if this package can't be published, though others may be. RateLimitError if none can for now.
        """

    def finish(self, published: Sequence[Published]) -> None:
        """Add what was published to the index, in one write, keeping what others added meanwhile.

        Without anything to add nothing is written. DestinationError if it fails; the packages stay, for the next run.
        ConflictError if someone listed one of them with another digest meanwhile: that entry stays, the others were
        added.
        """


class Auditable(Destination, Protocol):
    """A destination that `verify` can look through and put right."""

    def open_index(self) -> Index:
        """See `open`; return the whole index."""

    def stored(self) -> Sequence[StoredPackage]:
        """Return every package that is there, and the places that lack one. DestinationError if they can't be read."""

    def locate(self, url: str) -> str:
        """Return an address in a form in which all ways to write that of one package of this destination are equal."""

    def fetch(self, url: str, stored: StoredPackage | None) -> bytes | None:
        """Return the bytes of a package; None only if it is definitely not there. Safe to call from several threads.

        `stored` is the package at `url` if it is one of this destination's. DestinationError if nobody can tell.
        """

    def discard(self, stored: StoredPackage) -> None:
        """Delete a draft; that it is gone already is as good. DestinationError if it fails, or is a draft no more."""

    def rewrite(self, change: Callable[[Index], Index], message: str) -> None:
        """Replace the index by what `change` makes of it, in one write; an index that can't be read counts as empty.

        What others add meanwhile is kept: `change` is asked again. DestinationError if it fails.
        """
