"""Semantic versions: tags read as versions, Helm's order of versions, the window of tracked minors."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from semver import Version

from chart_releaser.helm.version_ranges import LONGEST, PRE_AND_BUILD, Range, strict_version

__all__ = ["Range", "Window", "chart_version", "helm_order", "parse_tag", "precedence"]

_LENIENT = re.compile(rf"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?P<rest>{PRE_AND_BUILD})")


def parse_tag(tag: str, prefix: str = "") -> Version | None:
    """The version that a tag names: `prefix`, at most one `v`, then strict semantic versioning 2.0.0; else None."""
    if not tag.startswith(prefix):
        return None
    return strict_version(tag.removeprefix(prefix).removeprefix("v"))


def chart_version(tag: str, prefix: str = "") -> str:
    """The tag without prefix and leading `v`, exactly as written. ValueError if it is no semantic version."""
    if parse_tag(tag, prefix) is None:
        raise ValueError(f"{tag!r} is no semantic version{f' with the prefix {prefix!r}' if prefix else ''}")
    return tag.removeprefix(prefix).removeprefix("v")


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

    def select(self, versions: Iterable[Version]) -> list[Version]:
        """The tracked ones among `versions`, newest first."""
        eligible = [version for version in versions if self._eligible(version)]
        eligible.sort(key=lambda version: (precedence(version), version.build or ""), reverse=True)
        tracked = self._tracked(eligible)
        chosen: list[Version] = []
        for version in eligible:
            if _minor(version) in tracked:
                chosen.append(version)
                if self.patches == "latest":
                    tracked.remove(_minor(version))
        return chosen

    def reason(self, version: Version, selected: Iterable[Version]) -> str | None:
        """Why `version` is not among `selected`, the outcome of `select`; None if it is."""
        return self.reasons(selected)(version)

    def reasons(self, selected: Iterable[Version]) -> Callable[[Version], str | None]:
        """`reason` for many versions, with the same `selected`."""
        chosen = list(selected)
        exact, minors = set(map(Version.to_tuple, chosen)), set(map(_minor, chosen))

        def reason(version: Version) -> str | None:
            if version.to_tuple() in exact:
                return None
            if version.prerelease and not self.prereleases:
                return "prerelease"
            if not self._eligible(version):
                return f"outside the range {self.range}"
            if _minor(version) in minors:
                return f"not the newest patch of {version.major}.{version.minor}"
            return f"older than the last {self.minors} minors" if self.minors > 1 else "older than the last minor"

        return reason

    def complete(self, seen: Iterable[Version]) -> bool:
        """Whether no release can belong to the window that was created before all of those in `seen`.

        `seen` are all versions of the newest releases by creation. The reasoning rests on this: within a major, the
        first release of a minor comes before those of higher minors, and the patches of a minor come in order.
        """
        known = list(seen)
        eligible = [version for version in known if self._eligible(version)]
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

    def _eligible(self, version: Version) -> bool:
        if version.prerelease and not self.prereleases:
            return False
        return self.range is None or self.range.matches(version, prereleases=self.prereleases)

    def _tracked(self, eligible: Iterable[Version]) -> set[tuple[int, int]]:
        return set(sorted(set(map(_minor, eligible)), reverse=True)[: self.minors])


def _minor(version: Version) -> tuple[int, int]:
    return version.major, version.minor
