"""Bounds on reading one git tree, against content made to exhaust memory or time."""

from __future__ import annotations

from dataclasses import dataclass

from chart_releaser.errors import SnapshotError


@dataclass(frozen=True)
class TreeLimits:
    """The bounds on one walk through a tree. Sizes are in bytes."""

    file: int = 20 << 20
    walk: int = 200 << 20
    files: int = 20_000
    steps: int = 500_000
    """Tree entries visited and path components resolved."""
    depth: int = 64
    """Nested directories."""
    links: int = 40
    """Links followed for one path, as many as Linux follows."""
    target: int = 4096
    """The length of a link's target."""
    tree: int = 2 << 20
    """The size of a tree object, the listing of one directory."""


@dataclass
class WalkBudget:
    """Counts the steps and files of one walk. Its methods raise SnapshotError beyond the limits."""

    limits: TreeLimits
    steps: int = 0
    files: int = 0

    def step(self, path: str) -> None:
        """Count one step of the walk below `path`."""
        self.steps += 1
        if self.steps > self.limits.steps:
            raise SnapshotError(f"{path} has more than {self.limits.steps} entries, too many for a chart")

    def file(self, path: str) -> None:
        """Count one file below `path`."""
        self.files += 1
        if self.files > self.limits.files:
            raise SnapshotError(f"{path} holds more than {self.limits.files} files, too many for a chart")
