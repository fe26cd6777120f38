"""Releases: names and bodies; what goes over the wire is in tests/integration/test_github_destination.py."""

from __future__ import annotations

import pytest

from chart_releaser.destinations.github_releases import _body, plain_name


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a-1.0.0.tgz", "a-1.0.0.tgz"),
        ("a-1.0.0+b.1.tgz", "a-1.0.0.b.1.tgz"),
        ("a_é-1.tgz", "a_.-1.tgz"),
        ("a-1.0.0+é+1.tgz", "a-1.0.0.1.tgz"),
        (".a-1.tgz.", "a-1.tgz"),
    ],
)
def test_the_name_that_github_gives_an_asset(given: str, expected: str) -> None:
    assert plain_name(given) == plain_name(expected) == expected


@pytest.mark.parametrize("other", ["a-1.0.0-b.1.tgz", "a-1.0.0.b.2.tgz", "a-1.0.0.b.1.tgz.prov"])
def test_the_names_of_different_assets(other: str) -> None:
    assert plain_name("a-1.0.0+b.1.tgz") != plain_name(other)


@pytest.mark.parametrize("length", [0, 124_999, 125_000])
def test_a_body_within_the_limit_stays_as_it_is(length: int) -> None:
    assert _body("x" * length) == "x" * length


def test_a_body_beyond_the_limit_says_where_the_rest_is() -> None:
    body = _body("x" * 125_001)
    assert len(body) == 125_000
    assert body.endswith("The complete notes are in the package, in `RELEASE.md`.")
