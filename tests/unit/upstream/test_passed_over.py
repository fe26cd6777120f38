"""Why a version is not tracked, as a value and in words."""

from __future__ import annotations

import pytest
from semver import Version

from chart_releaser.upstream.passed_over import Cause, Reason, explain_versions
from chart_releaser.versions import Range, Window

RELEASED = [
    Version.parse(text)
    for text in ["1.0.0", "1.1.0", "1.1.1", "1.2.0", "1.2.1", "1.2.2", "2.0.0", "2.1.0", "2.1.1", "2.2.0-rc.1"]
]


@pytest.mark.parametrize(
    ("window", "version", "reason"),
    [
        (Window(), "2.2.0-rc.1", Reason(Cause.PRERELEASE)),
        (Window(), "1.1.1", Reason(Cause.OLD_MINOR, 3)),
        (Window(minors=1), "2.0.0", Reason(Cause.OLD_MINOR, 1)),
        (Window(range=Range.parse("<2")), "2.0.0", Reason(Cause.OUTSIDE_RANGE, "<2")),
        (Window(patches="latest"), "1.2.1", Reason(Cause.OLD_PATCH, "1.2")),
        (Window(patches="latest"), "1.0.0", Reason(Cause.OLD_MINOR, 3)),
    ],
)
def test_what_keeps_a_version_out_of_a_window(window: Window, version: str, reason: Reason) -> None:
    assert explain_versions(window, window.select(RELEASED))(Version.parse(version)) == reason


def test_of_versions_that_differ_in_build_metadata_one_is_the_newest_patch() -> None:
    window, twins = Window(patches="latest"), [Version.parse("1.0.0+a"), Version.parse("1.0.0+b")]
    assert explain_versions(window, window.select(twins))(twins[0]) == Reason(Cause.OLD_PATCH, "1.0")


@pytest.mark.parametrize(
    ("reason", "one", "several"),
    [
        (Reason(Cause.NO_VERSION), "no semantic version", None),
        (Reason(Cause.PRERELEASE), "prerelease", None),
        (Reason(Cause.OUTSIDE_RANGE, "{<2}"), "outside the range {<2}", None),
        (Reason(Cause.OLD_PATCH, "1.2"), "not the newest patch of 1.2", "not the newest patch of its minor"),
        (Reason(Cause.OLD_MINOR, 3), "older than the last 3 minors", None),
        (Reason(Cause.OLD_MINOR, 1), "older than the last minor", None),
        (Reason(Cause.SAME_VERSION, "v{}1.2.3"), "the same version as v{}1.2.3", "second tag of a version"),
        (Reason(Cause.NO_PATH), "no chart path is for this version", None),
    ],
)
def test_the_words(reason: Reason, one: str, several: str | None) -> None:
    assert str(reason) == one
    assert reason.kind == (several or one)


def test_every_cause_has_words() -> None:
    assert all(str(Reason(cause, "x")) for cause in Cause)
