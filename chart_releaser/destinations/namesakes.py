"""Detects charts with the same package name: `a` 1.0.0-b-2.0.0 and `a-1.0.0-b` 2.0.0 are both a-1.0.0-b-2.0.0.tgz."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chart_releaser.charts.chart import Chart
from chart_releaser.errors import ChartError, ConflictError
from chart_releaser.helm.archive import Allowance, unpack
from chart_releaser.helm.yaml import as_string

if TYPE_CHECKING:
    from chart_releaser.destinations import Listing


class PackageNames:
    """The package names that are taken, by the index or by an earlier claim."""

    def __init__(self, listing: Listing | None = None) -> None:
        self._listing = listing
        self._claimed: dict[str, tuple[str, str]] = {}

    def claim(self, name: str, version: str) -> None:
        """Claim the package name of a chart. Raises ConflictError if another chart has it."""
        other = self._claimed.setdefault(f"{name}-{version}", (name, version))
        if other == (name, version) and self._listing is not None:
            other = find_namesake(self._listing, name, version) or other
        if other != (name, version):
            raise name_conflict((name, version), other)


def find_namesake(listing: Listing, name: str, version: str) -> tuple[str, str] | None:
    """Return name and version of another chart in `listing` with the same package name, or None."""
    stem = f"{name}-{version}"
    for at, character in enumerate(stem):
        other = stem[:at], stem[at + 1 :]
        if character == "-" and at != len(name) and listing.entry(*other) is not None:
            return other
    return None


def name_conflict(own: tuple[str, str], other: tuple[str, str], where: str = "") -> ConflictError:
    """Return the error for a chart `own` whose package name belongs to `other`, whose package is at `where`."""
    which = f"{where} holds the package of {' '.join(other)}" if where else f"{' '.join(other)} has it"
    return ConflictError(
        f"the package of {' '.join(own)} would be called {'-'.join(own)}.tgz, and {which}",
        remedy="rename one of the two sources, or exclude this version with versions:",
    )


def identify_chart(data: bytes, filename: str) -> tuple[str, str] | None:
    """Return name and version from the Chart.yaml in a package, or None if it can't be read."""
    try:
        text = unpack(data, filename, Allowance()).get("Chart.yaml", b"").decode("utf-8-sig")
        metadata = Chart(path=filename, chart_yaml=text).metadata
    except (ChartError, UnicodeDecodeError):
        return None
    return as_string(metadata.get("name")), as_string(metadata.get("version"))
