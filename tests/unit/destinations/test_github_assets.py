"""The names and files of a release's assets, and which drafts may be this program's."""

from __future__ import annotations

from typing import Any

import pytest

from chart_releaser.destinations.github_assets import AssetFile, find_asset, may_be_ours, normalize_asset_name


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


DRAFT = {"tag_name": "a-1.0.0+b", "name": "a-1.0.0+b", "draft": True, "assets": [{"name": "a-1.0.0.b.tgz"}]}


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        (DRAFT, True),
        ({**DRAFT, "assets": []}, True),
        ({**DRAFT, "assets": [{"name": "a-1.0.0.b.tgz"}, {"name": "a-1.0.0.b.tgz.prov"}]}, True),
        ({**DRAFT, "name": "Release of spring"}, False),
        ({**DRAFT, "assets": [{"name": "a-1.0.0.b.tgz"}, {"name": "notes.pdf"}]}, False),
        ({**DRAFT, "name": "Release of spring", "draft": False}, True),
    ],
)
def test_which_releases_may_be_ours(release: dict[str, Any], expected: bool) -> None:
    assert may_be_ours(release) is expected


def test_an_asset_is_known_by_its_name_and_else_by_its_digest() -> None:
    file = AssetFile("a-1.0.0+b.tgz", b"", "00ff", "application/gzip")
    renamed = {"name": "other.tgz", "digest": "sha256:00ff"}
    named = {"name": "a-1.0.0.b.tgz", "digest": None}
    assert find_asset({"assets": [renamed, named]}, file) == named
    assert find_asset({"assets": [renamed]}, file) == renamed
    assert find_asset({"assets": [{"name": "other.tgz", "digest": "sha256:00"}]}, file) is None
    assert find_asset({"assets": None}, file) is None
