"""Versions and ranges: read, ordered and matched as the true Helm does."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from hypothesis import strategies as st
from semver import Version

from chart_releaser.versions import Range, helm_sort_key
from tests.fuzz.oracle import indexed
from tests.fuzz.running import batch_of, prop
from tests.helm import Helm
from tests.memorytree import tgz, write

NUMBER = st.sampled_from(
    ["0", "1", "2", "9", "10", "01", "18446744073709551615", "18446744073709551616", "", "-1", "x"]
)
SMALL = st.sampled_from(["0", "1", "2", "3", "10"])
SUFFIX = st.sampled_from(
    [
        "",
        "",
        "",
        "-rc.1",
        "-rc.2",
        "-rc.10",
        "-1",
        "-01",
        "-a",
        "-a.b",
        "-A",
        "-",
        "-rc..1",
        "-0",
        "+b",
        "+b.01",
        "-rc+b",
        "+",
        "-é",
        " ",
    ]
)
VERSION = st.tuples(
    st.sampled_from(["", "", "", "v", "V", "vv", " "]),
    st.lists(SMALL | NUMBER, min_size=1, max_size=4).map(".".join),
    SUFFIX,
).map("".join)


@prop(examples=8, batch=30, versions=batch_of(VERSION, 30))
def test_helm_reads_and_orders_them_alike(helm: Helm, versions: list[str]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        texts = [json.dumps({"apiVersion": "v2", "name": "c", "version": text}) for text in versions]
        read_by_helm = indexed(helm, [tgz("c", {"Chart.yaml": text}) for text in texts], folder / "each")
        sound = list(
            dict.fromkeys(text for text, entry in zip(versions, read_by_helm, strict=True) if entry is not None)
        )
        entries = [{"apiVersion": "v2", "name": "c", "version": text, "urls": ["u"]} for text in sound]
        index = {"apiVersion": "v1", "entries": {"c": entries}, "generated": "2025-01-01T00:00:00Z"}
        (folder / "old.yaml").write_text(json.dumps(index))
        (folder / "new").mkdir()
        helm("repo", "index", folder / "new", "--merge", folder / "old.yaml")
        listed = yaml.load((folder / "new/index.yaml").read_text(), Loader=yaml.BaseLoader)["entries"].get("c") or []
    last = helm_sort_key("no version")
    assert set(sound) == {text for text in versions if helm_sort_key(text) < last}
    helms = [item["version"] for item in listed]
    assert set(helms) <= set(sound)  # of versions that differ in their build only Helm keeps one when it merges
    assert all(helm_sort_key(newer) <= helm_sort_key(older) for newer, older in pairwise(helms)), helms


OPERATOR = st.sampled_from(["", "", "=", "!=", ">", "<", ">=", "=>", "<=", "=<", "~", "~>", "^"])
NUMBERS = st.lists(st.sampled_from(["0", "1", "2", "3", "x", "X", "*", "10"]), min_size=1, max_size=3).map(".".join)
ENDINGS = st.sampled_from(["", "", "", "-0", "-rc.1", "-a", "+b"])


def documented_difference(operator: str, numbers: str, ending: str) -> bool:
    """What Range says of itself: there it follows the library's documentation."""
    return operator == "^" and numbers[0] in "xX*"


COMPARISON = (
    st.tuples(OPERATOR, NUMBERS, ENDINGS)
    .filter(lambda parts: not documented_difference(*parts))
    .flatmap(
        lambda parts: st.sampled_from(["{}{}{}", "{}{}{}", "{} {}{}", "{}v{}{}"]).map(lambda form: form.format(*parts))
    )
)
PARTIAL = st.tuples(NUMBERS, ENDINGS).filter(lambda parts: not documented_difference("", *parts)).map("".join)
ALTERNATIVE = st.one_of(
    st.lists(COMPARISON, min_size=1, max_size=3).flatmap(
        lambda parts: st.sampled_from([", ", " ", ","]).map(lambda separator: separator.join(parts))
    ),
    st.tuples(PARTIAL, PARTIAL).map(" - ".join),
)
RANGES = st.lists(ALTERNATIVE, min_size=1, max_size=2).map(" || ".join)
VERSIONS = [
    *(
        "0.0.0",
        "0.0.1",
        "0.1.0",
        "0.2.3",
        "1.0.0",
        "1.0.1",
        "1.1.0",
        "1.2.2",
        "1.2.3",
        "1.2.4",
        "1.10.0",
        "2.0.0",
        "2.3.1",
        "3.0.0",
    ),
    *(
        "0.0.0-a",
        "0.1.0-rc.1",
        "1.0.0-rc.1",
        "1.2.0-a",
        "1.2.3-rc.1",
        "1.2.3-rc.2",
        "2.0.0-0",
        "2.0.0-rc.1",
        "10.0.0",
        "1.2.3+b",
    ),
]
TEMPLATE = """answers:
{{- range .Values.pairs }}
- {{ semverCompare (index . 0) (index . 1) }}
{{- end }}
"""


def read(text: str) -> Range | None:
    try:
        return Range.parse(text)
    except ValueError:
        return None


@prop(examples=5, batch=40, ranges=batch_of(RANGES, 40))
def test_ranges_match_what_helm_matches(helm: Helm, ranges: list[str]) -> None:
    parsed = {text: found for text in ranges if (found := read(text)) is not None}
    pairs = [[text, version] for text in parsed for version in VERSIONS]
    with TemporaryDirectory() as name:
        files = {"Chart.yaml": "apiVersion: v2\nname: c\nversion: 0.1.0\n", "templates/a.yaml": TEMPLATE}
        folder = write({**files, "pairs.json": json.dumps({"pairs": pairs})}, Path(name))
        answers = yaml.safe_load(helm("template", folder, "--values", folder / "pairs.json").stdout)["answers"]
    ours = [parsed[text].matches(Version.parse(version)) for text, version in pairs]
    assert [pair for pair, mine, helms in zip(pairs, ours, answers or [], strict=True) if mine != helms] == []
