"""The names and files of a release's assets, and which drafts may be this program's."""

from __future__ import annotations

import pytest

from chart_releaser.destinations.github_assets import normalize_asset_name


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
    assert normalize_asset_name(given) == normalize_asset_name(expected) == expected


@pytest.mark.parametrize("other", ["a-1.0.0-b.1.tgz", "a-1.0.0.b.2.tgz", "a-1.0.0.b.1.tgz.prov"])
def test_the_names_of_different_assets(other: str) -> None:
    assert normalize_asset_name("a-1.0.0+b.1.tgz") != normalize_asset_name(other)
