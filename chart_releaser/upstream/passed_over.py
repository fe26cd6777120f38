"""Why a tag of a source is not tracked: the reasons as values, and their words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from semver import Version

from chart_releaser.versions import Window


class Cause(Enum):
    """Why a tag is passed over, in words; `{}` stands for what a reason adds."""

    NO_VERSION = "no semantic version"
    PRERELEASE = "prerelease"
    OUTSIDE_RANGE = "outside the range {}"
    OLD_PATCH = "not the newest patch of {}"
    OLD_MINOR = "older than the last {}"
    SAME_VERSION = "the same version as {}"
    NO_PATH = "no chart path is for this version"


_TOGETHER = {
    Cause.OLD_PATCH: "not the newest patch of its minor",
    Cause.SAME_VERSION: "second tag of a version",
}


@dataclass(frozen=True)
class Reason:
    """Why a tag is passed over; `detail` is the range, the minor, the number of minors, or the tag that is taken."""

    cause: Cause
    detail: str | int = ""

    def __str__(self) -> str:
        """The reason as one tag has it: `not the newest patch of 1.2`."""
        detail = self.detail
        if self.cause is Cause.OLD_MINOR:
            detail = "minor" if detail == 1 else f"{detail} minors"
        return str(self.cause.value).format(detail)

    @property
    def kind(self) -> str:
        """The reason as several tags have it that are counted: `not the newest patch of its minor`."""
        return _TOGETHER.get(self.cause) or str(self)


def explain_versions(window: Window, selected: Iterable[Version]) -> Callable[[Version], Reason]:
    """Return what tells why a version is not among `selected`, those that `window` selects."""
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
