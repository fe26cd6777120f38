"""Which charts would have one package name, and what is said about them."""

from __future__ import annotations

import pytest

from chart_releaser.destinations.namesakes import PackageNames, find_namesake, identify_chart
from chart_releaser.errors import ConflictError
from chart_releaser.index.index import Index
from tests.charts import index_text, listed, packed

LONG, SHORT = ("a", "1.0.0-b-2.0.0"), ("a-1.0.0-b", "2.0.0")


def index(*charts: tuple[str, str]) -> Index:
    return Index.parse(index_text(*(listed(name, version, "x.tgz", b"") for name, version in charts)))


@pytest.mark.parametrize(
    ("own", "there", "found"),
    [
        (SHORT, [LONG], LONG),
        (LONG, [SHORT], SHORT),
        (LONG, [LONG], None),
        (("a", "1.0.0"), [("a", "1.0.1"), ("a-1.0.0", "1.0.0")], None),
        (("a-b", "1.0.0-c"), [("a", "b-1.0.0-c")], ("a", "b-1.0.0-c")),
        (("a-1.0.0", "2.0.0-c"), [("a", "1.0.0-2.0.0-c"), ("a-1.0.0-2.0.0", "c")], ("a", "1.0.0-2.0.0-c")),
        (("a", "1.0.0+b"), [("a", "1.0.0-b")], None),
    ],
)
def test_namesakes(own: tuple[str, str], there: list[tuple[str, str]], found: tuple[str, str] | None) -> None:
    assert find_namesake(index(*there), *own) == found


def test_a_name_is_taken_by_the_first_who_claims_it_and_by_what_is_listed() -> None:
    names = PackageNames(index(("c", "1.0.0-1.0.0")))
    names.claim(*LONG)
    names.claim(*LONG)
    names.claim("a", "2.0.0")
    with pytest.raises(ConflictError) as caught:
        names.claim(*SHORT)
    assert str(caught.value) == (
        "the package of a-1.0.0-b 2.0.0 would be called a-1.0.0-b-2.0.0.tgz, and a 1.0.0-b-2.0.0 has it; "
        "rename one of the two sources, or exclude this version with versions:"
    )
    with pytest.raises(ConflictError, match=r"c 1\.0\.0-1\.0\.0 has it"):
        names.claim("c-1.0.0", "1.0.0")


def test_what_is_in_a_package() -> None:
    assert identify_chart(packed(*LONG), "x.tgz") == LONG
    for data in (b"", b"no archive", packed("a", "1.0.0", chart_yaml=": :"), packed("a", "1.0.0", chart_yaml="[]")):
        assert identify_chart(data, "x.tgz") is None
