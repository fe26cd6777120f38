"""New versions in a configuration file: these alone change, in every way of writing YAML."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chart_releaser import yamlio
from chart_releaser.config.edit import set_versions
from chart_releaser.errors import ChartReleaserError, YamlError

REAL = """---
# what is published
destination:
  owner: "o"   # us

sources:
  - name: "etcd"   # a comment with v1.2.3
    version: "1.2.3"   # keep me
    repo: 'o/etcd'
    charts:
      - "charts/etcd"
  - repo: o/b
    version: v1.2.3\t
    name: b
    charts: [ x,  y ]
  # the last
  -   version: '0.1.0'
      name: c
      repo: o/c
      charts: [x]"""


def test_the_named_versions_change_and_nothing_else() -> None:
    changed = set_versions(REAL, {"etcd": "1.3.0", "b": "v2.0.0-rc.1", "c": "0.2.0"})
    assert changed == (
        REAL.replace('"1.2.3"', '"1.3.0"')
        .replace("version: v1.2.3", "version: v2.0.0-rc.1")
        .replace("'0.1.0'", "'0.2.0'")
    )


@pytest.mark.parametrize("new", [{}, {"etcd": "1.2.3"}, {"etcd": "1.2.3", "b": "v1.2.3", "c": "0.1.0"}])
def test_without_news_the_file_stays_as_it_is(new: dict[str, str]) -> None:
    assert set_versions(REAL, new) == REAL


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("version: v1", "version: v9.0.0"),
        ("version:   v1", "version:   v9.0.0"),
        ("version: &v v1", "version: &v v9.0.0"),
        ("version: !!str v1", "version: !!str v9.0.0"),
        ("version: &v !!str 'v1'", "version: &v !!str 'v9.0.0'"),
        ('version: "v\\x31"', 'version: "v9.0.0"'),
        ("version: 'it''s'", "version: 'v9.0.0'"),
        ('"version": v1', '"version": v9.0.0'),
        ("Version: v1", "Version: v9.0.0"),
        ("version: 1.10", "version: v9.0.0"),
        ("version:", "version: v9.0.0"),
        ("version: # none", "version: v9.0.0 # none"),
        ("version: ~", "version: v9.0.0"),
        ("version: v1 # v1 v1", "version: v9.0.0 # v1 v1"),
        ("version:\n    v1", "version:\n    v9.0.0"),
        ("version: |\n    v1", "version: v9.0.0"),
        ("version: >-\n    v1\n\n    v2", "version: v9.0.0"),
        ("version: v1\n   v2", "version: v9.0.0"),
        ('version: "v1\n    v2"', 'version: "v9.0.0"'),
        ("? version\n  : v1", "? version\n  : v9.0.0"),
    ],
)
@pytest.mark.parametrize("end", ["", "\n", "\n\n# the end\n", "\n- name: b\n  version: v1\n"])
def test_ways_to_write_a_version(before: str, after: str, end: str) -> None:
    text = f"sources:\n- name: a\n  {before}{end}"
    assert set_versions(text, {"a": "v9.0.0"}) == f"sources:\n- name: a\n  {after}{end}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("- name: a\n  repo: x\n", "- name: a\n  version: v2.0.0\n  repo: x\n"),
        ("- name: a # c\n", "- name: a # c\n  version: v2.0.0\n"),
        ("- name: a", "- name: a\n  version: v2.0.0"),
        ('-   repo: x\n    name: "a"\n', '-   repo: x\n    name: "a"\n    version: "v2.0.0"\n'),
        ("- 'name': 'a'\n", "- 'name': 'a'\n  'version': 'v2.0.0'\n"),
        ("- name: a\r\n  repo: x\r\n", "- name: a\r\n  version: v2.0.0\r\n  repo: x\r\n"),
        ("- {name: a, repo: x}\n", "- {name: a, version: v2.0.0, repo: x}\n"),
        ("- {name: a}", "- {name: a, version: v2.0.0}"),
        ('- {"name": "a"}', '- {"name": "a", "version": "v2.0.0"}'),
        ("- {\n  name: a  # c\n  }\n", "- {\n  name: a, version: v2.0.0  # c\n  }\n"),
        ("- name: |-\n    a\n  repo: x\n", "- name: |-\n    a\n  version: v2.0.0\n  repo: x\n"),
        ("- &a\n  name: a\n  repo: x\n", "- &a\n  name: a\n  version: v2.0.0\n  repo: x\n"),
    ],
)
def test_a_source_without_a_version_gets_one(before: str, after: str) -> None:
    assert set_versions("sources:\n" + before, {"a": "v2.0.0"}) == "sources:\n" + after


def test_an_alias_as_name() -> None:
    text = "sources:\n- repo: &n a\n  name: *n # c\n"
    assert set_versions(text, {"a": "v1.0.0"}) == text + "  version: v1.0.0\n"
    with pytest.raises(ChartReleaserError, match="add a version by hand"):
        set_versions("sources:\n- {repo: &n a, name: *n }\n", {"a": "v1.0.0"})


@pytest.mark.parametrize(
    ("version", "written"), [("1.10", '"1.10"'), ("1e3", '"1e3"'), ("1.10.0", "1.10.0"), ("no", '"no"')]
)
def test_what_is_no_string_without_quotes_gets_them(version: str, written: str) -> None:
    assert set_versions("sources: [{name: a, version: v1}]", {"a": version}) == (
        f"sources: [{{name: a, version: {written}}}]"
    )


def test_line_ends_and_a_byte_order_mark_stay() -> None:
    text = "\ufeff" + REAL.replace("\n", "\r\n")
    assert set_versions(text, {"etcd": "1.3.0"}) == text.replace('"1.2.3"', '"1.3.0"')


def test_aliases() -> None:
    shared = "sources:\n- {name: a, version: &v v1.0.0}\n- {name: b, version: *v }\n- {name: c, version: v1.0.0}\n"
    assert set_versions(shared, {"a": "v2.0.0", "b": "v2.0.0"}) == shared.replace("&v v1.0.0", "&v v2.0.0")
    assert set_versions(shared, {"b": "v1.0.0", "c": "v3.0.0"}) == shared.replace("n: v1.0.0", "n: v3.0.0")
    with pytest.raises(ChartReleaserError, match=r"file:3: version of b is an alias of line 2.*write v2.0.0"):
        set_versions(shared, {"b": "v2.0.0"})
    with pytest.raises(ChartReleaserError, match="set a by hand"):
        set_versions(shared, {"a": "v2.0.0"})


def test_a_merged_version_is_not_changed_for_others() -> None:
    text = "sources:\n- &a\n  name: a\n  version: v1\n- <<: *a\n  name: b\n"
    assert set_versions(text, {"b": "v2.0.0"}) == text + "  version: v2.0.0\n"
    with pytest.raises(ChartReleaserError, match="set a by hand"):
        set_versions(text, {"a": "v2.0.0"})
    assert set_versions(text, {"a": "v3", "b": "v3"}) == text.replace("v1", "v3") + "  version: v3\n"


def test_what_can_not_be_set() -> None:
    with pytest.raises(ChartReleaserError, match="no source called x, y"):
        set_versions(REAL, {"y": "1", "x": "1", "etcd": "1.3.0"})
    with pytest.raises(ChartReleaserError, match="no source called a"):
        set_versions("", {"a": "1"})
    with pytest.raises(ChartReleaserError, match="file:1: version of a is not text"):
        set_versions("sources: [{name: a, version: [1]}]", {"a": "1"})
    with pytest.raises(ChartReleaserError, match="by hand"):
        set_versions("sources:\n- ? name\n  : a\n", {"a": "v1.0.0"})
    with pytest.raises(ChartReleaserError, match="by hand"):
        set_versions("sources: [{name: a, version}]", {"a": "v1.0.0"})
    with pytest.raises(YamlError):
        set_versions("sources: [", {"a": "1"})


def test_tabs_stay() -> None:
    text = 'sources:\t# a\tb\n- {name: a,\tversion:\tv1\t, x: "a\t\\\n\tb"}\t\n'
    assert set_versions(text, {"a": "v2.0.0"}) == text.replace("v1", "v2.0.0")


SPACE = st.sampled_from(["", " ", "  ", "\t"])
COMMENT = st.sampled_from(["", " # v1.0.0", "  # ünï 🚀 version: v1.0.0", " #"])
QUOTE = st.sampled_from(["", "'", '"', "&anchor ", "!!str "])
VERSION = st.from_regex(r"v?(0|[1-9][0-9]?)\.[0-9]\.[0-9](-(rc|e)\.[1-9])?(\+[a-e]{1,3})?", fullmatch=True)


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, str, dict[str, str]]:
    """A configuration, the same with other versions, and these."""
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    indent = draw(st.sampled_from(["", "  ", "   "]))
    lead = draw(st.sampled_from(["- ", "-   "]))
    pieces: list[tuple[str, str]] = []
    new: dict[str, str] = {}

    def both(text: str) -> None:
        pieces.append((text, text))

    both(draw(st.sampled_from(["", "\ufeff", "---" + newline, "# 🚀 ä" + newline])))
    both("destination: {directory: 'ö'}" + draw(COMMENT) + newline + "sources:" + newline)
    for number in range(draw(st.integers(1, 4))):
        name, old, later = f"s{number}", draw(VERSION), draw(VERSION)
        quote = draw(QUOTE)
        mark = quote if quote in {"'", '"'} else ""
        head = quote.replace("anchor", f"anchor{number}") if not mark else ""
        changes = draw(st.booleans())
        if changes:
            new[name] = later
        version = tuple(f"{head}{mark}{text}{mark}" for text in (old, later if changes else old))
        rows: list[tuple[str, str]] = [(f"name: {name}",) * 2, (f"version: {version[0]}", f"version: {version[1]}")]
        rows += [("repo: o/ä🚀", "repo: o/ä🚀"), ("charts: [x, 'v1.0.0']",) * 2]
        if draw(st.booleans()):
            both(indent + lead + "{" + draw(SPACE))
            pieces += [(f"{a}, ", f"{b}, ") for a, b in draw(st.permutations(rows))]
            both("}" + draw(SPACE) + draw(COMMENT) + newline)
        else:
            for row, (a, b) in enumerate(draw(st.permutations(rows))):
                tail = draw(SPACE) + draw(COMMENT) + newline
                start = indent + (lead if row == 0 else " " * len(lead))
                pieces.append((start + a + tail, start + b + tail))
    cut = draw(st.booleans())
    before, after = ("".join(piece[side] for piece in pieces) for side in (0, 1))
    return (before.rstrip("\r\n"), after.rstrip("\r\n"), new) if cut else (before, after, new)


@given(documents())
def test_only_the_version_changes_in_any_style(document: tuple[str, str, dict[str, str]]) -> None:
    before, after, new = document
    assert set_versions(before, new) == after
    assert set_versions(after, new) == after
    loaded = yamlio.load(after.removeprefix("\ufeff"), where="after")
    assert {s["name"]: s["version"] for s in loaded["sources"] if s["name"] in new} == new
