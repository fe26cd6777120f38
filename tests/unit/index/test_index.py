"""Indexes as values: what is read, what is refused, and that merging leaves every earlier byte alone."""

from __future__ import annotations

import gc
import json
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from chart_releaser.errors import BrokenIndexError, ChartError, DestinationError
from chart_releaser.index import text as index_text
from chart_releaser.index.index import Index, build_entry, timestamp
from chart_releaser.versions import helm_sort_key

NOW = datetime(2025, 11, 22, 1, 2, 3, 456000, tzinfo=UTC)

TEXT = """\
apiVersion: v1
entries:
  beta:
  - apiVersion: v2
    created: "2025-10-10T07:30:52.001089437Z"
    dependencies:
    - condition: controller.enabled
      name: controller
      repository: ""
    description: A chart
    digest: 7025401985bf03428d4ab15f94c18fae638df84aa73fd45d682c1d43d8f72fac
    name: beta
    urls:
    - https://charts.example.org/beta-1.10.0.tgz
    version: 1.10.0
  - apiVersion: v2
    created: "2025-10-09T07:30:52Z"
    digest: 8025401985bf03428d4ab15f94c18fae638df84aa73fd45d682c1d43d8f72fac
    name: beta
    urls:
    - https://charts.example.org/beta-1.9.0.tgz
    version: 1.9.0
  delta:
  - apiVersion: v2
    created: "2025-10-09T07:30:52Z"
    digest: 9025401985bf03428d4ab15f94c18fae638df84aa73fd45d682c1d43d8f72fac
    name: delta
    urls:
    - delta-0.1.0.tgz
    version: 0.1.0
generated: "2025-11-21T13:00:30.771586047Z"
"""


def new(name: str, version: str, **more: Any) -> dict[str, Any]:
    metadata = {"apiVersion": "v2", "name": name, "version": version, **more}
    return build_entry(metadata, digest="ab" * 32, url=f"{name}-{version}.tgz", created=NOW)


def without_time(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("generated:")]


def is_subsequence(lines: list[str], of: list[str]) -> bool:
    remaining = iter(of)
    return all(line in remaining for line in lines)


def test_what_is_listed() -> None:
    index = Index.parse(TEXT)
    assert index.versions("beta") == {"1.10.0", "1.9.0"}
    assert index.versions("gamma") == frozenset()
    found = index.entry("beta", "1.10.0")
    assert found is not None
    assert found["dependencies"] == [{"condition": "controller.enabled", "name": "controller", "repository": ""}]
    assert found["created"] == "2025-10-10T07:30:52.001089437Z"
    assert index.entry("beta", "v1.10.0") is None
    assert index.problems == ()


@pytest.mark.parametrize("text", [None, "", "\n  \n"])
def test_no_index_is_an_empty_one(text: str | None) -> None:
    assert Index.parse(text).entries == {}
    assert Index.parse(text).merge([], generated=NOW) == (
        'apiVersion: v1\nentries: {}\ngenerated: "2025-11-22T01:02:03.456Z"\n'
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "index.yaml: no Helm repository index: not a mapping with entries"),
        ("hello", "not a mapping"),
        ("# only a comment\n", "not a mapping"),
        ("entries: {}", "it has no apiVersion, expected apiVersion: v1"),
        ("apiVersion: v2\nentries: {}", "it has apiVersion v2"),
        ("apiVersion: v1\nentries: []", "entries is not a mapping"),
        ("apiVersion: v1\nentries: [[a]]", "entries is not a mapping"),
        ("apiVersion: v1\nentries:\n  a: b", "entries: a is not a list"),
        ("apiVersion: v1\nentries: {a: [}", "index.yaml:2: malformed YAML"),
        ("apiVersion: v1\nentries: &a {}\n", "index.yaml:2: an anchor"),
        ("apiVersion: v1\nentries: {a: [&x {}, *x]}\n", "an anchor"),
        ("apiVersion: v1\nentries:\n  a: !!set {b}\n", "index.yaml:3: a value with the tag"),
        ("apiVersion: v1\nentries: {}\n---\na: b\n", "index.yaml:3: a second YAML document"),
        ("apiVersion: v1\n? [a]\n: b\n", "a key that is not text"),
        ("apiVersion: v1\nentries: {}\nentries: {}\n", "index.yaml:3: the key entries occurs twice"),
        ("apiVersion: v1\x00\n", "malformed YAML"),
        ("apiVersion: v1\ud800\n", "not UTF-8"),
        ("apiVersion: v1\nentries: {a: " + "[" * 200_000, "nested deeper than 100 levels"),
    ],
)
def test_what_is_no_index_is_refused(text: str, message: str) -> None:
    with pytest.raises(DestinationError) as caught:
        Index.parse(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_text, "MAX_CHARACTERS", 10)
    with pytest.raises(DestinationError, match="at most 10 is read"):
        Index.parse(TEXT)


def test_malformed_entries_are_listed_and_the_others_work() -> None:
    text = """\
apiVersion: v1
entries:
  a:
  - name: a
    version: 1.0.0
    urls: [a.tgz]
    digest: abababababababababababababababababababababababababababababababab
    unknown: {kept: true}
  - just text
  - name: a
    urls: [a.tgz]
  - name: b
    version: 1.10
    appVersion: true
    urls: []
    digest: 12
  - name: a
    version: 1.0.0
    version: 1.0.0
    urls: [a.tgz]
    digest: sha256:12
  b:
  b: []
"""
    index = Index.parse(text)
    assert index.versions("a") == {"1.0.0", "1.10"}
    first = index.entry("a", "1.0.0")
    assert first is not None
    assert first["unknown"] == {"kept": True}
    rejected = "which Helm does not read as text, so it rejects the whole index; put it in quotes"
    assert index.problems == (
        "line 19: the key version occurs twice",
        "line 23: the key b occurs twice",
        "a, entry 2: not a mapping",
        "a, entry 3: no version",
        "a, entry 3: no digest",
        "a 1.10: named b",
        f"a 1.10: appVersion is true, {rejected}",
        f"a 1.10: version is 1.10, {rejected}",
        f"a 1.10: digest is 12, {rejected}",
        "a 1.10: no urls",
        "a 1.10: the digest is not a SHA-256",
        "a 1.0.0: the digest is not a SHA-256",
        "a 1.0.0: listed twice",
    )


@pytest.mark.parametrize("was_enabled", [True, False])
@pytest.mark.parametrize("text", [TEXT, "[", "a: *b"])
def test_the_garbage_collector_is_left_as_it_was(text: str, was_enabled: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if was_enabled else gc.disable)()
        with suppress(DestinationError):
            Index.parse(text)
        assert gc.isenabled() is was_enabled
    finally:
        (gc.enable if before else gc.disable)()


def test_nothing_new_returns_the_very_text() -> None:
    again = [new("beta", "1.9.0"), new("delta", "0.1.0")]
    assert Index.parse(TEXT).merge(again, generated=NOW) is TEXT
    assert Index.parse(TEXT).merge([], generated=NOW) is TEXT


def test_new_entries_go_to_their_places() -> None:
    merged = Index.parse(TEXT).merge(
        [
            new("beta", "1.9.1"),
            new("beta", "1.8.0"),
            new("beta", "2.0.0"),
            new("alpha", "1.0.0"),
            new("gamma", "1.0.0", description="n: o"),
            new("gamma", "1.1.0"),
            new("zeta", "1.0.0"),
            new("delta", "0.0.9"),
            new("delta", "nonsense"),
            new("beta", "1.9.0", description="too late"),
        ],
        generated=NOW,
    )
    index = Index.parse(merged)
    assert {name: [entry["version"] for entry in entries] for name, entries in index.entries.items()} == {
        "alpha": ["1.0.0"],
        "beta": ["2.0.0", "1.10.0", "1.9.1", "1.9.0", "1.8.0"],
        "delta": ["0.1.0", "0.0.9", "nonsense"],
        "gamma": ["1.1.0", "1.0.0"],
        "zeta": ["1.0.0"],
    }
    assert list(index.entries) == sorted(index.entries)
    assert is_subsequence(without_time(TEXT), without_time(merged))
    assert index.problems == ()
    assert index.entry("gamma", "1.0.0") == new("gamma", "1.0.0", description="n: o")
    assert merged.endswith('\ngenerated: "2025-11-22T01:02:03.456Z"\n')
    assert merged.count("generated:") == 1


def test_the_lines_of_an_added_entry() -> None:
    added = new("delta", "0.2.0", dependencies=[{"name": "x", "condition": "x.enabled"}], appVersion="1.10")
    merged = Index.parse(TEXT).merge([added], generated=NOW)
    block = """\
  - apiVersion: v2
    appVersion: "1.10"
    created: "2025-11-22T01:02:03.456Z"
    dependencies:
    - condition: x.enabled
      name: x
      repository: ""
    digest: abababababababababababababababababababababababababababababababab
    name: delta
    urls:
    - delta-0.2.0.tgz
    version: 0.2.0
"""
    head, tail = TEXT.split("  delta:\n")
    expected = head + "  delta:\n" + block + tail
    assert without_time(merged) == without_time(expected)


def test_the_order_of_earlier_entries_stays() -> None:
    text = TEXT.replace("version: 1.10.0", "version: 1.0.0")
    index = Index.parse(Index.parse(text).merge([new("beta", "1.5.0")], generated=NOW))
    assert [entry["version"] for entry in index.entries["beta"]] == ["1.5.0", "1.0.0", "1.9.0"]


def test_build_metadata_is_another_version() -> None:
    text = Index.parse(None).merge([new("a", "1.0.0+a")], generated=NOW)
    index = Index.parse(Index.parse(text).merge([new("a", "1.0.0+b"), new("a", "1.0.0")], generated=NOW))
    assert index.versions("a") == {"1.0.0+a", "1.0.0+b", "1.0.0"}
    assert index.entries["a"][0]["version"] == "1.0.0+a"


def indented(text: str) -> str:
    """As most other programs write lists: indented."""
    lines = []
    inside = False
    for line in text.splitlines(keepends=True):
        inside = (inside and line.startswith("  ")) or line.startswith("entries")
        lines.append("  " + line if inside and line.startswith("  ") and line[2] in " -" else line)
    return "".join(lines)


SPLICED: dict[str, Callable[[str], str]] = {
    "as Helm writes": lambda text: text,
    "lists indented": indented,
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "byte order mark": lambda text: "\ufeff" + text,
    "document markers": lambda text: f"---\n{text}...\n",
    "comments": lambda text: text.replace("  - api", "  # comment: [\n  - api").replace(
        "generated", "# end\ngenerated"
    ),
    "blank lines": lambda text: text.replace("\n  - api", "\n\n  - api").replace("generated", "\n\ngenerated"),
    "quoted keys": lambda text: text.replace("  beta:", '  "beta":').replace("entries:", "'entries':"),
    "folded text": lambda text: text.replace("A chart", ">+\n      A chart\n\n      of  - x\n\n"),
    "block text at the end": lambda text: text.replace(
        "    version: 0.1.0\n", "    version: 0.1.0\n    x: |+\n      a\n\n"
    ),
    "quoted text over lines": lambda text: text.replace("A chart", '"A chart\n  - name: x\n    of"'),
    "plain text over lines": lambda text: text.replace("A chart", "A chart\n      - name x\n      of"),
    "no time": lambda text: "".join(line for line in text.splitlines(True) if not line.startswith("generated")),
    "time first": lambda text: "generated: 2020-01-01\n" + SPLICED["no time"](text),
    "wide": lambda text: text.replace("\n  - api", "\n  -   api").replace("\n    ", "\n      "),
    "flow entries": lambda text: text.replace("generated", "  x:\n  - {name: x, version: 1.0.0}\ngenerated"),
    "not only ASCII": lambda text: text.replace("A chart", '"Ä — 図 🎈\u2028 chart"'),
    "unknown fields": lambda text: text.replace("entries:", "annotations:\n  a: b\nentries:") + "serverInfo: {}\n",
}
REWRITTEN: dict[str, Callable[[str], str]] = {
    "JSON": lambda text: json.dumps(yaml.safe_load(text)),
    "flow lists": lambda text: (
        SPLICED["no time"](text)
        .replace("  delta:\n", "  delta: [\n")
        .replace(
            '  - apiVersion: v2\n    created: "2025-10-09T07:30:52Z"\n    digest: 90', "  {apiVersion: v2, digest: 90"
        )
        .replace(
            "\n    name: delta\n    urls:\n    - delta-0.1.0.tgz\n    version: 0.1.0", ", name: delta, version: 0.1.0}]"
        )
    ),
    "null chart": lambda text: text[: text.index("  delta:")] + "  delta:\ngenerated: x\n",
    "dash alone": lambda text: text.replace("  - apiVersion", "  -\n    apiVersion"),
    "lone CR": lambda text: text.replace("\n", "\r"),
}
ADDED = [new("beta", "1.9.5"), new("beta", "1.0.0"), new("delta", "0.0.1"), new("aa", "1.0.0"), new("zz", "1.0.0")]


@pytest.mark.parametrize("style", SPLICED)
def test_other_layouts_keep_their_bytes(style: str) -> None:
    text = SPLICED[style](TEXT)
    merged = Index.parse(text).merge(ADDED, generated=NOW)
    assert is_subsequence(without_time(text), without_time(merged))
    check_merged(text, merged)
    if style == "CRLF":
        assert merged.count("\n") == merged.count("\r\n")


@pytest.mark.parametrize("style", REWRITTEN)
def test_text_without_room_for_lines_is_written_anew(style: str) -> None:
    text = REWRITTEN[style](TEXT)
    check_merged(text, Index.parse(text).merge(ADDED, generated=NOW))


def check_merged(text: str, merged: str) -> None:
    before, after = Index.parse(text), Index.parse(merged)
    for name, entries in before.entries.items():
        assert [entry for entry in after.entries[name] if entry not in ADDED] == entries
    for added in ADDED:
        assert after.entry(added["name"], added["version"]) == added
    assert sum(map(len, after.entries.values())) == sum(map(len, before.entries.values())) + len(ADDED)
    data = yaml.safe_load(merged)
    assert data.pop("generated") == "2025-11-22T01:02:03.456Z"
    earlier = yaml.safe_load(text)
    earlier.pop("generated", None)
    assert {**data, "entries": None} == {**earlier, "entries": None}


def test_a_rewrite_keeps_texts_as_texts() -> None:
    text = '{"apiVersion": "v1", "entries": {"a": [{"name": "a", "version": "1.10", "created": 2025-01-01T00:00:00Z, '
    text += '"appVersion": 1e3, "deprecated": yes, "description": null, "n": "null"}]}}'
    rewritten = Index.parse(text).merge([new("b", "1.0.0")], generated=NOW)
    assert yaml.safe_load(rewritten)["entries"]["a"] == [
        {
            "name": "a",
            "version": "1.10",
            "created": "2025-01-01T00:00:00Z",
            "appVersion": "1e3",
            "deprecated": True,
            "description": None,
            "n": "null",
        }
    ]


def test_a_repeated_chart_keeps_all_entries() -> None:
    text = TEXT.replace("generated", "  beta:\n  - name: beta\n    version: 0.5.0\ngenerated")
    merged = Index.parse(text).merge([new("beta", "0.4.0"), new("beta", "1.9.1")], generated=NOW)
    assert is_subsequence(without_time(text), without_time(merged))
    assert Index.parse(merged).versions("beta") == {"1.10.0", "1.9.1", "1.9.0", "0.5.0", "0.4.0"}


def test_an_entry_without_name_or_version_is_a_mistake() -> None:
    for broken in ({"name": "a"}, {"version": "1.0.0"}, {"name": "a", "version": 1}):
        with pytest.raises(ValueError, match="without name or version"):
            Index.parse(TEXT).merge([broken], generated=NOW)


AWKWARD = [
    *(
        "1e3",
        "12e4567",
        "1.10",
        "0x1",
        "1_000",
        "y",
        "n",
        "on",
        "off",
        "yes",
        "No",
        "=",
        "<<",
        "2025-01-01",
        "~",
        "null",
    ),
    *("Null", "true", "0o7", ".inf", "-.INF", ".nan", "12:30", "1:2:3", "007", "08", "+1", "-1", ".5", "5.", "1,000"),
    *(
        " x",
        "x ",
        "a: b",
        "a #b",
        "# a",
        "- a",
        "? a",
        "[a",
        "{a",
        "*a",
        "&a",
        "!a",
        "|",
        ">",
        "%a",
        "@a",
        "`a",
        "'",
        '"',
    ),
    *(
        "a\nb",
        "a\n",
        "\na",
        "\ta",
        "\x07",
        "\x7f",
        "\x85",
        "\u2028",
        "\ufeff",
        "🎈",
        "é",
        "---",
        "...",
        "a:",
        ":",
        "-",
        ",",
    ),
    *("0b1", "1e+3", "2001-12-14t21:59:43.10-05:00", "x" * 500 + " " + "y" * 500, "{{ .Values }}", "\\n", "a\\", "1 2"),
]


@pytest.mark.parametrize("text", AWKWARD)
def test_awkward_texts_stay_texts(text: str) -> None:
    added = new("a", "1.0.0", description=text, appVersion=text, annotations={text: text}, keywords=[text])
    for merged in (Index.parse(None).merge([added], generated=NOW), Index.parse(TEXT).merge([added], generated=NOW)):
        assert Index.parse(merged).entry("a", "1.0.0") == added
        assert Index.parse(merged).problems == ()
        assert yaml.safe_load(merged)["entries"]["a"] == [added]


def test_the_fields_of_an_entry() -> None:
    metadata = {
        "apiVersion": "v2",
        "name": "a",
        "version": "1.0.0",
        "appVersion": 1.1,
        "home": "",
        "icon": None,
        "description": "d",
        "deprecated": True,
        "keywords": ["k", 1],
        "sources": [],
        "maintainers": [{"name": "m", "email": "e", "phone": "1"}, None],
        "annotations": {"a": True},
        "kubeVersion": ">= 1.20",
        "type": "application",
        "invented": "x",
        "urls": ["forged"],
        "dependencies": [
            {"name": "d", "repository": "", "condition": "d.enabled", "invented": 1},
            {"name": "e", "version": ">=1", "alias": "f", "tags": ["t"], "enabled": True, "import-values": ["x"]},
        ],
    }
    created = datetime(2025, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))
    assert build_entry(metadata, digest="00" * 32, url="u", created=created) == {
        "apiVersion": "v2",
        "name": "a",
        "version": "1.0.0",
        "appVersion": "1.1",
        "description": "d",
        "deprecated": True,
        "keywords": ["k", "1"],
        "maintainers": [{"name": "m", "email": "e"}],
        "annotations": {"a": "true"},
        "kubeVersion": ">= 1.20",
        "type": "application",
        "created": "2025-01-01T00:00:00Z",
        "digest": "00" * 32,
        "urls": ["u"],
        "dependencies": [
            {"name": "d", "repository": "", "condition": "d.enabled"},
            {
                "name": "e",
                "version": ">=1",
                "repository": "",
                "alias": "f",
                "tags": ["t"],
                "enabled": True,
                "import-values": ["x"],
            },
        ],
    }


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"name": ""}, "Chart.yaml has no name"),
        ({"version": None}, "Chart.yaml has no version"),
        ({"home": ["x"]}, "Chart.yaml: home is not text"),
        ({"deprecated": "yes"}, "deprecated is not true or false"),
        ({"keywords": "x"}, "keywords is not a list of texts"),
        ({"sources": [{}]}, "sources is not a list of texts"),
        ({"annotations": ["x"]}, "annotations is not a mapping"),
        ({"maintainers": ["x"]}, "maintainers is not a list of mappings"),
        ({"maintainers": [{"name": []}]}, "Chart.yaml: maintainers: name is not text"),
        ({"dependencies": [{"name": "x", "enabled": 1}]}, "dependencies: enabled is not true or false"),
        ({"dependencies": [{"name": "x", "import-values": "y"}]}, "dependencies: import-values is not a list"),
    ],
)
def test_fields_of_other_types_are_refused(field: dict[str, Any], message: str) -> None:
    with pytest.raises(ChartError, match=message):
        new("a", "1.0.0", **field) if not field.keys() & {"name", "version"} else build_entry(
            {"name": "a", "version": "1.0.0", **field}, digest="", url="", created=NOW
        )


def test_times() -> None:
    assert timestamp(datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2025-01-02T03:04:05Z"
    assert timestamp(datetime(2025, 1, 2, 3, 4, 5, 120, tzinfo=UTC)) == "2025-01-02T03:04:05.00012Z"
    with pytest.raises(ValueError, match="zone"):
        timestamp(datetime(2025, 1, 2))  # noqa: DTZ001


texts = st.text(max_size=30)
charts = st.sampled_from(["a", "b-c", "b", "x1", "1", "y", "null", "on", "0x1", "1e3", "z"])
versions = st.builds(
    "{}.{}.{}{}".format, *[st.integers(0, 12)] * 3, st.sampled_from(["", "", "", "-rc.1", "+b", "x", "-dev"])
)
entries = st.builds(lambda n, v, d, a: new(n, v, description=d, annotations={d: a}), charts, versions, texts, texts)


def split_lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if not line.startswith("generated:")]


@settings(max_examples=150, deadline=None)
@given(st.lists(entries, max_size=12), st.lists(entries, max_size=8), st.randoms(use_true_random=False), st.booleans())
def test_any_merge_gives_what_a_mapping_would(
    earlier: list[dict[str, Any]], added: list[dict[str, Any]], rng: random.Random, dumped: bool
) -> None:
    if dumped:
        by_name: dict[str, list[Any]] = {}
        for item in earlier:
            by_name.setdefault(item["name"], []).append(item)
        data = {"apiVersion": "v1", "entries": by_name, "generated": "x"}
        # As PyYAML writes it by default: folded lines, single quotes, and text over several lines.
        text = yaml.safe_dump(data, allow_unicode=rng.random() < 0.5, width=rng.choice([20, 80]), sort_keys=False)
        if "&id" in text:
            return
        if earlier and text.splitlines()[2].startswith("  "):
            assert is_subsequence(split_lines(text), split_lines(Index.parse(text).merge(added, generated=NOW)))
    else:
        text = Index.parse(None).merge(earlier, generated=NOW)
    before = Index.parse(text)
    after = Index.parse(Index.parse(text).merge(added, generated=NOW))
    expected = {name: [item["version"] for item in listed] for name, listed in before.entries.items()}
    for item in added:
        if item["version"] not in expected.setdefault(item["name"], []):
            expected[item["name"]].append(item["version"])
            first = next(
                other for other in added if (other["name"], other["version"]) == (item["name"], item["version"])
            )
            assert after.entry(item["name"], item["version"]) == first
    found = {name: [item["version"] for item in listed] for name, listed in after.entries.items()}
    assert {name: sorted(listed) for name, listed in found.items()} == {n: sorted(v) for n, v in expected.items()}
    for name, listed in before.entries.items():
        kept = [item for item in after.entries[name] if item["version"] in before.versions(name)]
        assert kept == listed
    if not dumped:
        for listed_versions in found.values():
            assert listed_versions == sorted(listed_versions, key=helm_sort_key)


@pytest.mark.parametrize(
    "line",
    ["deprecated: a", "removed: 1", "keywords: [1.0]", "sources: x", "created: yesterday", "appVersion: y", "home: N"],
)
def test_a_field_for_which_helm_rejects_the_whole_index_is_a_problem(line: str) -> None:
    sound = (
        "apiVersion: v1\nentries:\n  a:\n  - name: a\n    version: 1.0.0\n    urls: [u]\n    deprecated: true\n"
        f"    digest: '{'0' * 64}'\n    created: 2025-01-01T00:00:00.5+01:00\n    keywords: ['1', b]\n    sources: []\n"
    )
    assert Index.parse(sound).problems == ()
    key = line.partition(":")[0]
    text = "".join(f"{one}\n" for one in sound.splitlines() if not one.strip().startswith(f"{key}:")) + f"    {line}\n"
    assert [problem for problem in Index.parse(text).problems if f"a 1.0.0: {key} is " in problem]


def test_directives_without_end() -> None:
    with pytest.raises(BrokenIndexError, match="more than 50 lines that begin with %"):
        Index.parse("".join(f"%TAG !a{number}! x\n" for number in range(60)) + "---\napiVersion: v1\nentries: {}\n")
