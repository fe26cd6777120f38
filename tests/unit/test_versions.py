"""Tags as versions, ranges as Helm reads them, and which versions a window holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from semver import Version

from chart_releaser.versions import Range, Window, helm_sort_key, parse_tag, precedence_key

TABLE = Path(__file__).parents[1] / "data" / "helm_ranges.txt"


def versions(*texts: str) -> list[Version]:
    return [Version.parse(text) for text in texts]


@pytest.mark.parametrize(
    ("tag", "prefix", "version"),
    [
        ("v1.2.3", "", "1.2.3"),
        ("1.2.3", "", "1.2.3"),
        ("1.2.3-rc.1+build.5", "", "1.2.3-rc.1+build.5"),
        ("etcd-v3.5.0", "etcd-", "3.5.0"),
        ("etcd-3.5.0", "etcd-", "3.5.0"),
        ("v3.5.0", "v", "3.5.0"),
    ],
)
def test_a_tag_names_a_version(tag: str, prefix: str, version: str) -> None:
    assert str(parse_tag(tag, prefix)) == version


@pytest.mark.parametrize(
    "tag",
    [
        "",
        "v",
        "latest",
        "1.2",
        "vv1.2.3",
        "V1.2.3",
        "1.2.3.4",
        "01.2.3",
        "1.2.3-01",
        "1.2.3-",
        "1.2.3\n",
        " 1.2.3",
        "pkg/apis/v1.137.0",
        "١.٢.٣",
        "1.2.3-é",
        "18446744073709551616.0.0",
        "1.2." + "3" * 5000,
        "1.2.3-" + "a" * 300,
    ],
)
def test_what_is_no_semantic_version(tag: str) -> None:
    assert parse_tag(tag) is None


def test_the_prefix_must_be_there() -> None:
    assert parse_tag("v3.5.0", "etcd-") is None
    assert parse_tag("etcd-v3.5.0") is None


def table() -> list[tuple[str, frozenset[str], list[str]]]:
    _, first, *lines = TABLE.read_text().splitlines()
    known = first.split()[1:]
    split = (line.rpartition("=>") for line in lines)
    return [(text.strip(), frozenset(matched.split()), known) for text, _, matched in split]


@pytest.mark.parametrize(
    ("text", "matched", "known"), table(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_range_means_what_helm_says(text: str, matched: frozenset[str], known: list[str]) -> None:
    parsed = Range.parse(text)
    assert {version for version in known if parsed.matches(Version.parse(version))} == matched
    assert str(parsed) == text
    assert parsed == Range.parse(text)
    assert hash(parsed) == hash(Range.parse(text))


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("^*", "0.0.1 7.8.9", "1.0.0-rc.1"),
        (">=1.2<2", "1.2.0 1.9.9", "1.1.9 2.0.0 1.2.3-rc.1"),
    ],
)
def test_where_the_range_is_read_another_way_than_helm_reads_it(text: str, inside: str, outside: str) -> None:
    parsed = Range.parse(text)
    assert all(map(parsed.matches, versions(*inside.split())))
    assert not any(map(parsed.matches, versions(*outside.split())))


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("<2", "1.9.9 1.0.0-rc.1", "2.0.0 2.0.0-rc.1"),
        ("<2.0.0", "2.0.0-rc.1 1.9.9", "2.0.0"),
        ("2.x", "2.0.0-rc.1 2.9.9-rc.1", "3.0.0-rc.1 1.9.9"),
        ("~1.2.3", "1.2.3 1.2.4-rc.1", "1.2.3-rc.1 1.3.0-rc.1"),
        (">1.2", "1.3.0-rc.1 1.3.0", "1.2.9 1.2.9-rc.1"),
        ("<=1.2", "1.2.9 1.2.9-rc.1", "1.3.0-rc.1"),
        ("!=1.x", "2.0.0-rc.1 0.9.0", "1.0.0-rc.1 1.9.0"),
    ],
)
def test_prereleases_on_request(text: str, inside: str, outside: str) -> None:
    parsed = Range.parse(text)
    for version in versions(*inside.split()):
        assert parsed.matches(version, prereleases=True), version
    for version in versions(*outside.split()):
        assert not parsed.matches(version, prereleases=True), version


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "it is empty"),
        ("  ", "it is empty"),
        ("1 ||", "one side of ||"),
        ("|| 1", "one side of ||"),
        ("latest", "'latest' is not understood"),
        (">=", "'>=' is not understood"),
        ("V1", "not understood"),
        ("==1", "not understood"),
        (">>1", "not understood"),
        ("1.2.3.4", "not understood"),
        (">=1, bogus", "'bogus' is not understood"),
        ("1 -2", "not understood"),
        ("1 - 2 - 3", "'- 3' is not understood"),
        ("1,,2", "',2' is not understood"),
        (", 1", "', 1' is not understood"),
        ("1,", "after the last comma"),
        ("1|2", "not understood"),
        ("1.2.3-01", "must not begin with 0"),
        ("99999999999999999999", "too large"),
        ("9" * 5000, "too long"),
        ("١.x", "not understood"),
    ],
)
def test_a_malformed_range_says_what_is_wrong(text: str, what: str) -> None:
    with pytest.raises(ValueError, match="range") as caught:
        Range.parse(text)
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "too long" in what or "write for example" in str(caught.value)


@given(st.text(alphabet="0123456789.xX*v<>=!~^-|, rc+", max_size=20))
def test_any_text_is_a_range_or_an_error(text: str) -> None:
    try:
        parsed = Range.parse(text)
    except ValueError:
        return
    parsed.matches(Version.parse("1.2.3"))


@pytest.mark.parametrize(
    ("text", "floor"),
    [
        (">=1.20 <2", "1.20.0-0"),
        ("<2", None),
        ("^1.2.3", "1.2.3"),
        ("1 || 2", "1.0.0-0"),
        ("1 || <3", None),
        ("!=1", None),
    ],
)
def test_the_floor_of_a_range(text: str, floor: str | None) -> None:
    found = Range.parse(text).floor
    assert (found and str(found)) == floor


def test_helm_order() -> None:
    ordered = [
        "2.0.0",
        "v1.10",
        "1.9.3",
        "v1.9.3",
        "1.9.3-rc.10",
        "1.9.3-rc.9",
        "1",
        "01.0.0",
        "0.1.0",
        "",
        "1.0.0-01",
        "x",
    ]
    assert sorted(ordered, key=helm_sort_key) == ordered
    backwards = ordered[::-1]
    assert sorted(backwards, key=helm_sort_key) == [
        *["2.0.0", "v1.10", "v1.9.3", "1.9.3", "1.9.3-rc.10", "1.9.3-rc.9", "01.0.0", "1", "0.1.0", "x", "1.0.0-01", ""]
    ]


RELEASED = versions("1.0.0", "1.1.0", "1.1.1", "1.2.0", "1.2.1", "1.2.2", "2.0.0", "2.1.0", "2.1.1", "2.2.0-rc.1")


@pytest.mark.parametrize(
    ("window", "selected"),
    [
        (Window(), "2.1.1 2.1.0 2.0.0 1.2.2 1.2.1 1.2.0"),
        (Window(minors=1), "2.1.1 2.1.0"),
        (Window(minors=9), "2.1.1 2.1.0 2.0.0 1.2.2 1.2.1 1.2.0 1.1.1 1.1.0 1.0.0"),
        (Window(patches="latest"), "2.1.1 2.0.0 1.2.2"),
        (Window(range=Range.parse("<2"), minors=2), "1.2.2 1.2.1 1.2.0 1.1.1 1.1.0"),
        (Window(range=Range.parse("!=1.2.2"), patches="latest"), "2.1.1 2.0.0 1.2.1"),
        (Window(prereleases=True, minors=2), "2.2.0-rc.1 2.1.1 2.1.0"),
        (Window(range=Range.parse(">=9")), ""),
        (Window(range=Range.parse(">=2.2-0")), ""),
    ],
)
def test_select(window: Window, selected: str) -> None:
    assert list(map(str, window.select(RELEASED))) == selected.split()
    assert list(map(str, window.select(reversed(RELEASED)))) == selected.split()


def test_versions_that_differ_in_build_metadata_only() -> None:
    twins = versions("1.0.0+a", "1.0.0+b")
    assert list(map(str, Window().select(twins))) == ["1.0.0+b", "1.0.0+a"]
    selected = Window(patches="latest").select(twins)
    assert list(map(str, selected)) == ["1.0.0+b"]


@pytest.mark.parametrize(
    ("window", "seen", "complete"),
    [
        (Window(), "", False),
        (Window(), "1.3.0 1.2.5 1.1.9", False),
        (Window(), "1.3.1 1.3.0 1.2.0 1.1.9", False),
        (Window(), "1.3.1 1.3.0 1.2.0 1.1.9 1.1.0", True),
        (Window(), "1.3.1 1.2.7 1.1.9 1.0.0", True),
        (Window(), "1.3.1 1.2.7 1.1.9 0.9.0", False),
        (Window(), "2.0.0 1.9.4 1.8.7 1.8.0", True),
        (Window(), "2.0.1 1.9.4 1.8.7 1.8.0", False),
        (Window(minors=2), "2.1.0 1.9.0 1.8.0", False),
        (Window(minors=2), "2.1.0 2.0.0 1.9.0 1.8.0", True),
        (Window(), "1.3.0 1.2.0 1.1.9 1.1.0-rc.1", False),
        (Window(minors=1), "1.3.1 1.2.0", True),
        (Window(range=Range.parse("<2"), minors=2), "3.0.0 2.0.0 1.9.0 1.8.5", False),
        (Window(range=Range.parse("<2"), minors=2), "3.0.0 2.0.0 1.9.0 1.8.5 1.8.0", True),
        (Window(range=Range.parse(">=1.2.3"), minors=2), "1.3.0 1.2.3 1.2.1", False),
        (Window(range=Range.parse(">=1.2.3"), minors=2), "1.3.0 1.2.4 1.2.0", True),
        (Window(range=Range.parse("~1.2")), "1.3.0 1.2.3", False),
        (Window(range=Range.parse("~1.2")), "1.3.0 1.2.3 1.2.0", True),
        (Window(range=Range.parse(">=1.2")), "2.0.1 1.3.0 1.2.3 1.2.0", False),
        (Window(range=Range.parse(">=1.2")), "2.0.1 2.0.0 1.3.0 1.2.3 1.2.0", True),
        (Window(range=Range.parse("!=1.2")), "1.3.0 1.2.0", False),
        (Window(prereleases=True, minors=1), "1.3.0-rc.1 1.2.0", False),
        (Window(prereleases=True, minors=1), "1.3.0 1.3.0-rc.1 1.2.0 1.1.0", True),
        (Window(), "1.3.0 1.2.0 1.1.5000", False),
    ],
)
def test_complete(window: Window, seen: str, complete: bool) -> None:
    assert window.is_complete(versions(*seen.split())) is complete


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(1, 4)), unique_by=lambda m: m[:2], min_size=1),
    st.data(),
)
def test_complete_never_stops_too_early(minors: list[tuple[int, int, int]], data: st.DataObject) -> None:
    """Any interleaving of minors that keeps patches, and first releases within a major, in order."""
    waiting = {minor[:2]: [Version(*minor[:2], patch) for patch in range(minor[2])] for minor in minors}
    created: list[Version] = []
    while waiting:
        started = {(version.major, version.minor) for version in created}
        possible = [
            minor
            for minor in sorted(waiting)
            if minor in started or not any(o < minor and o[0] == minor[0] and o not in started for o in waiting)
        ]
        minor = data.draw(st.sampled_from(possible))
        created.append(waiting[minor].pop(0))
        if not waiting[minor]:
            del waiting[minor]
    text = data.draw(st.sampled_from(["*", "<2", ">=1.1", "~1.2", "^1.1.2", "!=1.2.1"]))
    window = Window(minors=data.draw(st.integers(1, 3)), range=Range.parse(text))
    newest_first = created[::-1]
    for count in range(len(newest_first)):
        seen = newest_first[:count]
        # majors begin in order, too: what comes before a major's first release is of lower majors
        if window.is_complete(seen) and {v.major for v in newest_first[count:]} <= {v.major for v in seen}:
            assert window.select(seen) == window.select(newest_first)


def test_the_quick_sort_key_orders_as_semver_does() -> None:
    parts = ["0", "2", "10", "alpha", "rc", "a-b", "9a", "-", "1-0"]
    pres = ["", *(f"-{one}" for one in parts), *(f"-{one}.{two}" for one in parts for two in parts)]
    known = [Version.parse(f"{number}{pre}") for number in ("1.2.3", "1.10.0") for pre in [*pres, "+build", "-rc+b"]]
    for one in known:
        for two in known:
            left, right = precedence_key(one), precedence_key(two)
            assert (left > right) - (left < right) == one.compare(two), f"{one} and {two}"
