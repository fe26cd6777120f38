"""The notes in a release's body; what goes over the wire is in tests/integration/test_github_destination.py."""

from __future__ import annotations

import pytest

from chart_releaser.destinations.github_releases import _truncate_notes


@pytest.mark.parametrize("length", [0, 124_999, 125_000])
def test_a_body_within_the_limit_stays_as_it_is(length: int) -> None:
    assert _truncate_notes("x" * length) == "x" * length


def test_a_body_beyond_the_limit_says_where_the_rest_is() -> None:
    body = _truncate_notes("x" * 125_001)
    assert len(body) == 125_000
    assert body.endswith("The complete notes are in the package, in `RELEASE.md`.")
