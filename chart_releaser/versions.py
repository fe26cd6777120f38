"""Semantic versions: tags read as versions, Helm's order of versions, the window of tracked minors."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from semver import Version

from chart_releaser.helm.version_ranges import LONGEST, PRE_AND_BUILD, Range, strict_version

__all__ = ["Range", "Window", "helm_order", "parse_tag", "precedence"]

_LENIENT = re.compile(rf"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?P<rest>{PRE_AND_BUILD})")


def parse_tag(tag: str, prefix: str = "") -> Version | None:
    """The version that a tag names: `prefix`, at most one `v`, then strict semantic versioning 2.0.0; else None.

    Its text is what stands in the tag, to the letter.
    """
    if not tag.startswith(prefix):
        return None
    return strict_version(tag.removeprefix(prefix).removeprefix("v"))


def precedence(version: Version) -> tuple[Any, ...]:
    """Sort key for the order of semantic versions, much quicker than comparing them: https://semver.org/#spec-item-11."""
    numbers = version.major, version.minor, version.patch
    if not version.prerelease:
        return (*numbers, 1)
    parts = version.prerelease.split(".")
    return (*numbers, 0, tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts))


def _newest_first(left: Version | None, right: Version | None) -> int:
    if left is None or right is None:
        return (left is None) - (right is None)
    return right.compare(left)


_order_key = functools.cmp_to_key(_newest_first)


def helm_order(version: str) -> Any:
    """Sort key for versions as Helm sorts an index: newest first, what Helm can't read last.

    Helm reads leniently (Masterminds/semver `NewVersion`): an optional `v`, one to three numbers, zeros before them.
    """
    match = _LENIENT.fullmatch(version) if len(version) <= LONGEST else None
    if match is None:
        return _order_key(None)
    numbers = ".".join(str(int(number or 0)) for number in match.group(1, 2, 3))
    return _order_key(strict_version(numbers + match["rest"]))


@dataclass(frozen=True)
class Window:
    """Which versions of a source are tracked: the newest `minors` minor releases, every patch of each or the newest."""

    minors: int = 3
    patches: Literal["all", "latest"] = "all"
    range: Range | None = None
    prereleases: bool = False

    def allows(self, version: Version) -> bool:
        """Whether `version` may be tracked at all: it is in the range, and no prerelease where those don't count."""
        if version.prerelease and not self.prereleases:
            return False
        return self.range is None or self.range.matches(version, prereleases=self.prereleases)

    def select(self, versions: Iterable[Version]) -> list[Version]:
        """The tracked ones among `versions`, newest first."""
        eligible = [version for version in versions if self.allows(version)]
        eligible.sort(key=lambda version: (precedence(version), version.build or ""), reverse=True)
        tracked = self._tracked(eligible)
        chosen: list[Version] = []
        for version in eligible:
            if _minor(version) in tracked:
                chosen.append(version)
                if self.patches == "latest":
                    tracked.remove(_minor(version))
        return chosen

    def complete(self, seen: Iterable[Version]) -> bool:
        """Whether no release can belong to the window that was created before all of those in `seen`.

        `seen` are all versions of the newest releases by creation. The reasoning rests on this: within a major, the
        first release of a minor comes before those of higher minors, and the patches of a minor come in order.
        """
        known = list(seen)
        eligible = [version for version in known if self.allows(version)]
        tracked = self._tracked(eligible)
        if len(tracked) == self.minors:
            lowest = min(tracked)
            # Where the window reaches into a lower major, every minor of the higher ones belongs to it.
            begun = {(major, 0) for major, _ in tracked if major > lowest[0]}
            return all(self._closed(minor, known) for minor in tracked | begun)
        floor = self.range.floor if self.range is not None else None
        if floor is None:
            return False
        majors = {version.major for version in eligible if version.major > floor.major}
        return all(self._closed(minor, known) for minor in ((floor.major, floor.minor), *((m, 0) for m in majors)))

    def _closed(self, minor: tuple[int, int], known: list[Version]) -> bool:
        """Whether all eligible versions of `minor`, and of the minors above it in its major, are among `known`."""
        # A minor's prereleases come while the minor before it is current, so they ask for one minor more.
        last = (minor[0], minor[1] - 2) if self.prereleases else minor
        begins = (version for version in known if version.patch == 0 and not version.prerelease)
        return any(version.major == minor[0] and _minor(version) <= last for version in begins)

    def _tracked(self, eligible: Iterable[Version]) -> set[tuple[int, int]]:
        return set(sorted(set(map(_minor, eligible)), reverse=True)[: self.minors])


def _minor(version: Version) -> tuple[int, int]:
    return version.major, version.minor
