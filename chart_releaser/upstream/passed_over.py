"""Reasons why a source does not track a tag, as values and in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from semver import Version

from chart_releaser.versions import Window


class Cause(Enum):
    """A kind of reason, in words; `{}` is replaced by the reason's detail."""

    NO_VERSION = "no semantic version"
    PRERELEASE = "prerelease"
    OUTSIDE_RANGE = "outside the range {}"
    OLD_PATCH = "not the newest patch of {}"
    OLD_MINOR = "older than the last {}"
    SAME_VERSION = "the same version as {}"
    NO_PATH = "no chart path is for this version"


# Words for several tags at once, where the details differ.
_WITHOUT_DETAIL = {
    Cause.OLD_PATCH: "not the newest patch of its minor",
    Cause.SAME_VERSION: "second tag of a version",
}


@dataclass(frozen=True)
class Reason:
    """Why a tag is not tracked.

    `detail` completes the words of `cause`: a range, a minor release, a number of minors, or the tag taken instead.
    """

    cause: Cause
    detail: str | int = ""

    def __str__(self) -> str:
        """Return the reason for a single tag: `not the newest patch of 1.2`."""
        detail = self.detail
        if self.cause is Cause.OLD_MINOR:
            detail = "minor" if detail == 1 else f"{detail} minors"
        return str(self.cause.value).format(detail)

    @property
    def kind(self) -> str:
        """The reason for a group of tags: `not the newest patch of its minor`."""
        return _WITHOUT_DETAIL.get(self.cause) or str(self)


def explain_versions(window: Window, selected: Iterable[Version]) -> Callable[[Version], Reason]:
    """Return a function that explains why `window` left a version out of `selected`."""
    minors = {(version.major, version.minor) for version in selected}

    def reason(version: Version) -> Reason:
        if version.prerelease and not window.prereleases:
            return Reason(Cause.PRERELEASE)
        if not window.allows(version):
            return Reason(Cause.OUTSIDE_RANGE, str(window.range))
        if (version.major, version.minor) in minors:
            return Reason(Cause.OLD_PATCH, f"{version.major}.{version.minor}")
        return Reason(Cause.OLD_MINOR, window.minors)

    return reason
