"""Semantic versions: parse tags, sort versions as Helm does, and select the tracked minor releases."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from semver import Version

from chart_releaser.helm.version_ranges import LONGEST, PRE_AND_BUILD, Range, strict_version

__all__ = ["Range", "Window", "helm_sort_key", "parse_tag", "precedence_key"]

_IMAGE_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
_LENIENT = re.compile(rf"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?P<rest>{PRE_AND_BUILD})")


def parse_tag(tag: str, prefix: str = "") -> Version | None:
    """Return the version in a tag of the form `prefix`, optional `v`, strict semantic version 2.0.0; else None.

    `str()` of the version is its text in the tag.
    """
    if not tag.startswith(prefix):
        return None
    return strict_version(tag.removeprefix(prefix).removeprefix("v"))


def precedence_key(version: Version) -> tuple[Any, ...]:
    """Return a sort key for the precedence of versions, faster than comparing them: https://semver.org/#spec-item-11."""
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


def helm_sort_key(version: str) -> Any:
    """Return a sort key for the order of an index: newest version first, versions that Helm can't parse last.

    Helm parses leniently (Masterminds/semver `NewVersion`): an optional `v`, one to three numbers, leading zeros.
    """
    match = _LENIENT.fullmatch(version) if len(version) <= LONGEST else None
    if match is None:
        return _order_key(None)
    numbers = ".".join(str(int(number or 0)) for number in match.group(1, 2, 3))
    return _order_key(strict_version(numbers + match["rest"]))


@dataclass(frozen=True)
class Window:
    """The tracked versions of a source: the newest `minors` minor releases, with all patches or the latest of each."""

    minors: int = 3
    patches: Literal["all", "latest"] = "all"
    range: Range | None = None
    prereleases: bool = False

    def allows(self, version: Version) -> bool:
        """Whether `version` is eligible: in the range and, unless prereleases are tracked, not a prerelease."""
        if version.prerelease and not self.prereleases:
            return False
        return self.range is None or self.range.matches(version, prereleases=self.prereleases)

    def select(self, versions: Iterable[Version]) -> list[Version]:
        """Return the tracked versions among `versions`, newest first."""
        eligible = [version for version in versions if self.allows(version)]
        eligible.sort(key=lambda version: (precedence_key(version), version.build or ""), reverse=True)
        tracked = self._tracked(eligible)
        chosen: list[Version] = []
        for version in eligible:
            if _minor(version) in tracked:
                chosen.append(version)
                if self.patches == "latest":
                    tracked.remove(_minor(version))
        return chosen

    def is_complete(self, seen: Iterable[Version]) -> bool:
        """Whether `seen`, the versions of the most recently created releases, contains the whole window.

        If so, older releases need not be listed. This assumes that within a major version the first release of a minor
        was created before those of higher minors, and that the patches of a minor were created in order.
        """
        known = list(seen)
        eligible = [version for version in known if self.allows(version)]
        tracked = self._tracked(eligible)
        if len(tracked) == self.minors:
            lowest = min(tracked)
            # A window that reaches into a lower major contains every minor of the higher ones.
            begun = {(major, 0) for major, _ in tracked if major > lowest[0]}
            return all(self._closed(minor, known) for minor in tracked | begun)
        floor = self.range.floor if self.range is not None else None
        if floor is None:
            return False
        majors = {version.major for version in eligible if version.major > floor.major}
        return all(self._closed(minor, known) for minor in ((floor.major, floor.minor), *((m, 0) for m in majors)))

    def _closed(self, minor: tuple[int, int], known: list[Version]) -> bool:
        """Whether `known` has all eligible versions of `minor` and of the higher minors of its major."""
        # Prereleases of a minor appear while the previous minor is current, so an older minor has to be seen.
        last = (minor[0], minor[1] - 2) if self.prereleases else minor
        begins = (version for version in known if version.patch == 0 and not version.prerelease)
        return any(version.major == minor[0] and _minor(version) <= last for version in begins)

    def _tracked(self, eligible: Iterable[Version]) -> set[tuple[int, int]]:
        return set(sorted(set(map(_minor, eligible)), reverse=True)[: self.minors])


def _minor(version: Version) -> tuple[int, int]:
    return version.major, version.minor


def image_tag(text: str) -> str | None:
    """Return a tag of a release, without its prefix, as a tag of images; None where it can't be one.

    A `+`, which neither images nor labels may have, becomes `_`, as Helm writes it for charts in registries. The rule
    for tags is https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
    """
    tag = text.replace("+", "_")
    return tag if _IMAGE_TAG.fullmatch(tag) else None
