"""Releases: names and bodies; what goes over the wire is in tests/integration/test_github_destination.py."""

from __future__ import annotations

import pytest

from chart_releaser.destinations.github_releases import _body, asset_name
from chart_releaser.github.api import _takes_uploads


@pytest.mark.parametrize(
    ("given", "expected"),
    [("a-1.0.0.tgz", "a-1.0.0.tgz"), ("a-1.0.0+b.1.tgz", "a-1.0.0.b.1.tgz"), ("a_é-1.tgz", "a_.-1.tgz")],
)
def test_the_name_that_github_gives_an_asset(given: str, expected: str) -> None:
    assert asset_name(given) == expected


@pytest.mark.parametrize("length", [0, 124_999, 125_000])
def test_a_body_within_the_limit_stays_as_it_is(length: int) -> None:
    assert _body("x" * length) == "x" * length


def test_a_body_beyond_the_limit_says_where_the_rest_is() -> None:
    body = _body("x" * 125_001)
    assert len(body) == 125_000
    assert body.endswith("The complete notes are in the package, in `RELEASE.md`.")


@pytest.mark.parametrize(
    ("url", "api", "expected"),
    [
        ("https://uploads.github.com/repos/o/r/releases/1/assets", "https://api.github.com", True),
        ("https://uploads.acme.ghe.com/repos/o/r/releases/1/assets", "https://api.acme.ghe.com", True),
        ("https://git.acme.org/api/uploads/repos/o/r", "https://git.acme.org/api/v3", True),
        ("http://uploads.github.com/repos/o/r/releases/1/assets", "https://api.github.com", False),
        ("https://uploads.github.com.evil.org/repos/o/r", "https://api.github.com", False),
        ("https://uploads.git.acme.org/repos/o/r", "https://git.acme.org/api/v3", False),
        ("https://git.acme.org:8443/api/uploads/repos/o/r", "https://git.acme.org/api/v3", False),
    ],
)
def test_the_token_goes_with_uploads_to_its_own_server_only(url: str, api: str, expected: bool) -> None:
    assert _takes_uploads(url, api) is expected
