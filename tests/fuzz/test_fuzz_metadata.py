"""Chart.yaml: taken and understood as the true Helm does, and published with nothing changed but what is documented."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import strategies as st

from chart_releaser.budget import Budget
from chart_releaser.charts.chart import REVISION_ANNOTATION, Chart
from chart_releaser.charts.loader import read_chart
from chart_releaser.charts.package import build_package
from chart_releaser.errors import ChartError
from chart_releaser.helm import yaml as helmyaml
from chart_releaser.index import entry as index_entry
from tests.fuzz.oracle import indexed, linted
from tests.fuzz.running import batch_of, prop
from tests.fuzz.texts import SCALAR, flow
from tests.helm import Helm
from tests.memorytree import ORIGIN, MemoryTree, below, published, tgz

BATCH = 25
TIME = datetime(2025, 1, 1, tzinfo=UTC)
# Helm: its isValidSemver, by Masterminds/semver's NewVersion and a check for what is printable
SOUND_VERSION = re.compile(
    r"v?[0-9]+(\.[0-9]+)?(\.[0-9]+)?(-(0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z.-]+)?"
)

NAME = st.sampled_from(
    [
        "c",
        "c",
        "'c'",
        "c1",
        "a.b",
        "1.10",
        "010",
        "1e3",
        "y",
        "'on'",
        "a_b",
        "A-B",
        "&n c",
        "!!str 1",
        ".",
        "..",
        "c/d",
        "''",
    ]
)
VERSION = st.sampled_from(
    [
        "0.1.0",
        "0.1.0",
        "'0.1.0'",
        "v1.2.3",
        "1.2",
        "1",
        "01.2.3",
        "1.2.3-rc.1+b",
        "1.2.3-01",
        "x",
        "1.10",
        "''",
        "1.2.3.4",
        "~",
    ]
)
TYPE = st.sampled_from(["application", "library", "''", "~", "other", "Application"])
DEPENDENCY_FIELDS = st.lists(
    st.tuples(
        st.sampled_from(["version", "repository", "condition", "tags", "enabled", "alias", "import-values", "other"]),
        st.one_of(
            st.sampled_from(
                ["0.1.0", "'>=0'", "true", "[a]", "[a, 1]", "a", "one_two", "a.b", "[{child: a, parent: b}]", "''"]
            ),
            flow(),
        ),
    ),
    max_size=3,
    unique_by=lambda field: field[0],
)
DEPENDENCIES = st.lists(
    st.tuples(st.sampled_from(["s", "s", "'s'", "t", "''", "1"]), DEPENDENCY_FIELDS, st.booleans()), max_size=2
)
MAINTAINERS = st.lists(
    st.dictionaries(st.sampled_from(["name", "email", "url", "other"]), flow(), max_size=3), max_size=2
).map(
    lambda items: (
        "".join("\n- {" + ", ".join(f"{key}: {value}" for key, value in item.items()) + "}" for item in items) or " []"
    )
)
TEXT_FIELDS = ("kubeVersion", "appVersion", "description", "home", "icon", "condition", "tags", "engine", "other")
FIELDS = st.one_of(
    st.tuples(st.sampled_from(TEXT_FIELDS), SCALAR),
    st.tuples(st.sampled_from(TEXT_FIELDS), SCALAR),
    st.tuples(
        st.sampled_from(["keywords", "sources"]),
        st.lists(SCALAR, max_size=3).map(lambda items: "".join(f"\n- {item}" for item in items)),
    ),
    st.tuples(
        st.just("annotations"),
        st.lists(SCALAR, max_size=3).map(lambda items: "".join(f"\n  k{n}: {item}" for n, item in enumerate(items))),
    ),
    st.tuples(st.just("deprecated"), st.sampled_from(["true", "false", "yes", "on", "'true'", "1", "~", "y", "[]"])),
    st.tuples(st.just("type"), TYPE),
    st.tuples(st.just("maintainers"), MAINTAINERS),
    st.tuples(
        st.sampled_from(["keywords", "sources", "annotations", "maintainers", "dependencies", "name", "other"]), flow()
    ),
    st.tuples(
        st.sampled_from(["description", "home"]),
        st.sampled_from(["|\n  a\n  b\n", ">-\n  a\n\n  b", "a\n  b", "'a\n  b'", "|+\n  a\n\n"]),
    ),
)
LINE_BETWEEN = st.sampled_from(
    ["", "", "", "# a comment", "   # indented", "# é: [", "---", "...", "\t", "? x", "%YAML 1.1"]
)
ODD_KEYS = st.sampled_from(
    [
        "Name: x",
        "NAME: x",
        "appversion: 1.10",
        "AppVersion: z",
        "apiversion: v9",
        "Version: 9.9.9",
        "Description: d",
        "Keywords: [k]",
        "'name': d",
        '"appVersion": "7"',
        "1: x",
        "~: x",
        "[a]: x",
        "{a: b}: x",
        "on: x",
        "? appVersion\n: 5",
        "<<: {appVersion: m}",
        "<<: [{home: a}, {home: b, icon: c}]",
        "anchor: &m {description: m}\n<<: *m",
        "home: &h x\nicon: *h",
        "x: *unknown",
        "name: second",
        "de\u017fcription: d",
        "<<: {Icon: i}",
    ]
)


def dependencies(items: list[tuple[str, list[tuple[str, str]], bool]]) -> str:
    lines = ""
    for name, fields, is_flow in items:
        pairs = [("name", name), *fields]
        if is_flow:
            lines += "\n- {" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"
        else:
            lines += "\n- " + "\n  ".join(f"{key}: {value}" for key, value in pairs)
    return lines


@st.composite
def chart_yamls(draw: st.DrawFn) -> bytes:
    fields = draw(st.lists(FIELDS, max_size=4, unique_by=lambda field: field[0]))
    lines = [
        f"{key}: {value}" if not value.startswith("\n") else f"{key}:{value}" for key, value in fields if key != "name"
    ]
    lines.append(f"name: {draw(NAME)}")
    lines.append(f"version: {draw(VERSION)}")
    if draw(st.integers(0, 9)):
        lines.append(f"apiVersion: {draw(st.sampled_from(['v2', 'v2', 'v1', 'v3', '2', 'true']))}")
    if draw(st.integers(0, 2)) == 0:
        lines.append(f"dependencies:{dependencies(draw(DEPENDENCIES))}")
    if draw(st.integers(0, 3)) == 0:
        lines.append(draw(ODD_KEYS))
    lines = draw(st.permutations(lines))
    between = draw(st.lists(LINE_BETWEEN, min_size=len(lines), max_size=len(lines))) if draw(st.booleans()) else []
    text = "".join(
        f"{line}\n{between[number] + chr(10) if number < len(between) and between[number] else ''}"
        for number, line in enumerate(lines)
    )
    if draw(st.integers(0, 9)) == 0:
        text = text.replace("\n", "\r\n")
    for what_helm_can_not_write in ("\\x7f", "\\ufeff", "\\e", "\\N", "\\L"):
        text = text.replace(what_helm_can_not_write, "")
    data = text.encode()
    if draw(st.integers(0, 19)) == 0:
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(st.binary(min_size=1, max_size=2)) + data[at + draw(st.integers(0, 2)) :]
    return (b"\xef\xbb\xbf" if draw(st.integers(0, 9)) == 0 else b"") + data


SUBCHART = {"charts/s/Chart.yaml": "apiVersion: v2\nname: s\nversion: 0.1.0\n", "charts/s/templates/x.yaml": "a: b\n"}


def files(chart_yaml: bytes) -> dict[str, str | bytes]:
    return {"Chart.yaml": chart_yaml, **SUBCHART}


def ours(chart_yaml: bytes) -> Chart | ChartError:
    try:
        return read_chart(MemoryTree({f"c/{path}": data for path, data in files(chart_yaml).items()}), "c", Budget())
    except ChartError as error:
        return error


STRICTER = (
    # The name is a directory and the beginning of a file's and a tag's name.
    "is not a chart name that Helm accepts",
    # Edits would have to tell them apart; Helm reads the first one and passes over the others.
    "a second YAML document begins here",
    # It stands for no chart, and `helm package` refuses it.
    "a dependency has no name",
    # Later releases of Helm refuse it.
    "two dependencies are called",
    # Which of two spellings counts in Helm is a matter of luck.
    "; keep one",
    # The text can't be put right, and is in no real chart.
    "keys from an anchor",
    # Helm gives up only if it is made of aliases.
    "nested deeper than",
)
"""What is refused of a Chart.yaml that Helm takes, and why."""


def sanitized(value: Any) -> Any:
    """A value of an entry with texts as Helm cleans them when it loads a chart."""
    if isinstance(value, dict):
        return {key: sanitized(item) for key, item in value.items()}
    if isinstance(value, list):
        return [sanitized(item) for item in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    text = "" if value is None else str(value)
    return "".join(" " if c.isspace() else c for c in text if c.isspace() or c.isprintable())


def entry(chart: Chart) -> dict[str, Any]:
    made = index_entry.build_entry(chart.metadata, digest="", url="", created=TIME)
    cleaned: dict[str, Any] = sanitized(
        {key: value for key, value in made.items() if key not in ("digest", "urls", "created")}
    )
    return cleaned


@prop(examples=12, batch=BATCH, cases=batch_of(chart_yamls(), BATCH))
def test_a_chart_yaml_is_what_it_is_to_helm(helm: Helm, cases: list[bytes]) -> None:
    with TemporaryDirectory() as folder:
        theirs = indexed(helm, [tgz("c", files(text)) for text in cases], Path(folder) / "up")
    different: list[tuple[object, ...]] = []
    for text, helms in zip(cases, theirs, strict=True):
        mine = ours(text)
        if isinstance(mine, ChartError):
            # Helm reads the first document of a text and does not look at the others.
            is_behind = "malformed YAML" in str(mine) and re.search(rb"(?m)^(---|\.\.\.|%)", text)
            if helms is not None and not is_behind and not any(reason in str(mine) for reason in STRICTER):
                different.append(("refused", str(mine), text))
        elif helms is None:
            # The version is set by the release, so that upstream's own is not looked at.
            if SOUND_VERSION.fullmatch(helmyaml.as_string(mine.metadata.get("version"))):
                different.append(("Helm refuses", mine.metadata, text))
        elif {"apiVersion": "v1"} | entry(mine) != sanitized(helms):  # v1 is what Helm adds where there is none
            different.append((f"Helm sees {helms}", entry(mine), text))
    assert not different, "\n".join(map(str, different))


NOT_PUBLISHED = ("which is not in its charts directory at this tag",)
"""Why a chart that Helm loads is not published."""


@prop(examples=8, batch=BATCH, cases=batch_of(chart_yamls(), BATCH))
def test_what_is_published_is_what_was_there_but_for_the_documented_edits(helm: Helm, cases: list[bytes]) -> None:
    different: list[tuple[object, ...]] = []
    finished: list[tuple[bytes, Chart]] = []
    for text in cases:
        if isinstance(ours(text), ChartError):
            continue
        try:
            finished.append((text, published(below("c", files(text)))))
        except ChartError as error:
            if not any(reason in str(error) for reason in NOT_PUBLISHED):
                different.append(("not published", str(error), text))
    with TemporaryDirectory() as folder:
        before = indexed(helm, [tgz("c", files(text)) for text, _ in finished], Path(folder) / "before")
        after = indexed(helm, [build_package(chart, 0).data for _, chart in finished], Path(folder) / "after")
        complaints = linted(helm, Path(folder) / "before"), linted(helm, Path(folder) / "after")
    for number, ((text, chart), upstream, helms) in enumerate(zip(finished, before, after, strict=True)):
        if news := {line for line in complaints[1].get(number, ()) if line not in complaints[0].get(number, ())}:
            different.append(("helm lint complains", news, text))
        if helms is None:
            different.append(("Helm refuses", chart.chart_yaml, text))
        elif upstream is not None and helms != edited(upstream):
            different.append((f"Helm sees {helms}", edited(upstream), text))
        elif sanitized(helms) != entry(chart):
            different.append((f"Helm would list {helms}", entry(chart), text))
    assert not different, "\n".join(map(str, different))


def edited(upstream: dict[str, Any]) -> dict[str, Any]:
    """What Helm should see of a published chart, after what it sees of upstream's: docs/charts.md has the edits."""
    after = {**upstream, "name": "product", "apiVersion": "v2", "version": ORIGIN.version}
    after["appVersion"] = upstream.get("appVersion") or ORIGIN.tag
    after["annotations"] = {**upstream.get("annotations", {}), REVISION_ANNOTATION: ORIGIN.commit}
    sources = upstream.get("sources", [])
    after["sources"] = sources if ORIGIN.repository in sources else [*sources, ORIGIN.repository]
    declared = [
        {**dependency, "version": ORIGIN.version} if "version" in dependency else dependency
        for dependency in upstream.get("dependencies", [])
    ]
    own = {"name": "s", "condition": "s.enabled", "repository": ""}
    after["dependencies"] = declared if any(one["name"] == "s" for one in declared) else [*declared, own]
    return after
