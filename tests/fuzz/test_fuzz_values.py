"""values.yaml: after the edits it says what it said and the switches and tags, in the same order, with all comments."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import strategies as st

from chart_releaser import yamlio
from chart_releaser.charts.chart import Chart
from chart_releaser.charts.texts import edit_values
from chart_releaser.errors import ChartError, YamlError
from chart_releaser.helm import yaml as helmyaml
from chart_releaser.helm.yaml import Value
from tests.fuzz.running import prop
from tests.fuzz.texts import SCALAR, flow
from tests.helm import Helm
from tests.memorytree import ORIGIN, below, chart, export, published

SWITCHES = {"sub": False, "helper": True, "a.b": False}
KEYS = st.sampled_from(
    ["a", "b", "sub", "helper", "image", "tag", "global", "enabled", "'sub'", '"tag"', "x y", "1", "on", "é"]
)
TAGS = st.sampled_from(
    ["latest", "latest", "'latest'", '"latest"', "latest # now", "&t latest", "!!str latest", "v1", "[latest]"]
)
COMMENTS = st.sampled_from(["", "", "", "# about it", "#tag: latest", "  # in: [", "# a\n\n# b", ""])


@st.composite
def blocks(draw: st.DrawFn, indent: int = 0) -> str:
    """The lines of a mapping in block style, with comments, anchors and all styles of values."""
    lines = ""
    for number, key in enumerate(
        draw(st.lists(KEYS, min_size=indent and 1, max_size=4, unique_by=lambda key: key.strip("'\"")))
    ):
        space = " " * indent
        comment = draw(COMMENTS)
        lines += "".join(f"{space}{line}\n" for line in comment.split("\n")) if comment else ""
        kind = draw(st.integers(0, 8))
        if key.strip("'\"") == "tag" and kind < 6:
            value = draw(TAGS).replace("&t", f"&t{indent}{number}")
        elif kind <= 2 and indent < 6:
            below = indent + draw(st.sampled_from([2, 2, 4]))
            value = (
                draw(st.sampled_from(["", " # first", f" &n{indent}{number}", " !!map"]))
                + "\n"
                + draw(blocks(below)).rstrip("\n")
            )
            lines += f"{space}{key}:{value}\n"
            continue
        elif kind == 3:
            items = draw(st.lists(st.one_of(SCALAR, st.just("tag: latest"), flow()), min_size=1, max_size=3))
            lines += f"{space}{key}:\n" + "".join(f"{space}- {item}\n" for item in items)
            continue
        elif kind == 4:
            value = draw(
                st.sampled_from(
                    ["|\n@  tag: latest\n@  # no comment", ">-\n@  a\n@  b", "|+\n@  a\n", "'a\n@  b'", "a\n@  b"]
                )
            )
            value = value.replace("@", space)
        elif kind == 5 and "&n" in lines:
            value = "*" + re.findall(r"&(n\w+)", lines)[0]
        else:
            value = draw(flow())
        lines += f"{space}{key}: {value}{draw(st.sampled_from(['', '', '', '  # behind']))}\n"
    return lines


@st.composite
def values_yamls(draw: st.DrawFn) -> str:
    if draw(st.integers(0, 9)) == 0:
        return draw(flow()) + draw(st.sampled_from(["", "\n", "\n# end"]))
    text = draw(st.sampled_from(["", "", "# head\n", "---\n", "\n\n"])) + draw(blocks())
    text += draw(st.sampled_from(["", "", "# end\n", "...\n", "\n\n", "# a: b"]))
    if draw(st.integers(0, 5)) == 0:
        text = text.replace("\n", "\r\n")
    return text.rstrip("\n") if draw(st.integers(0, 5)) == 0 else text


def expected(value: Value, switches: dict[str, bool]) -> Value:
    """The edits on plain values, as docs/charts.md has them."""

    def tagged(value: Value) -> Value:
        if isinstance(value, list):
            return [tagged(item) for item in value]
        if isinstance(value, dict):
            return {
                key: ORIGIN.tag if (key, item) == ("tag", "latest") else tagged(item) for key, item in value.items()
            }
        return value

    wanted = tagged(value if value is not None else {})
    assert isinstance(wanted, dict)
    for name, enabled in switches.items():
        at: dict[str, Any] = wanted
        *parents, last = [*name.split("."), "enabled"]
        for part in parents:
            if at.get(part) is None:
                at[part] = {}
            at = at[part]
            if not isinstance(at, dict):
                raise NoPlaceError
        if at.get(last) is None:
            at[last] = enabled
    return wanted


def outcome(text: str) -> Value:
    """What a text should say after the edits; None if it is no mapping, or has no place for a switch."""
    try:
        before = read(text)
        return expected(before, SWITCHES) if before is None or isinstance(before, dict) else None
    except (YamlError, NoPlaceError):
        return None


class NoPlaceError(Exception):
    """Something else stands where a switch should be."""


def read(text: str) -> Value:
    return helmyaml.construct(yamlio.compose(text, where="v"), where="v")


def comments(text: str) -> list[str]:
    """The comments of a text, as the scanner of PyYAML leaves them between tokens."""
    found, at = [], 0
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        found += re.findall(r"#[^\r\n]*", text[at : token.start_mark.index])
        at = max(at, token.end_mark.index)
    return found + re.findall(r"#[^\r\n]*", text[at:])


def keys(value: Value) -> Any:
    """The keys in their order, all the way down."""
    if isinstance(value, dict):
        return [(key, keys(item)) for key, item in value.items()]
    return [keys(item) for item in value] if isinstance(value, list) else None


def without(after: Any, before: Any) -> Any:
    """The keys of `after` without those that `before` has not."""
    if not isinstance(before, list) or not isinstance(after, list):
        return before
    if before and not isinstance(before[0], tuple):
        return [without(new, old) for new, old in zip(after, before, strict=True)]
    old = dict(before)
    return [(key, without(below, old[key])) for key, below in after if key in old]


@prop(examples=60, text=values_yamls())
def test_the_edits_and_nothing_else(text: str) -> None:
    source = Chart(path="c", chart_yaml="name: c\n", values=text)
    wanted = outcome(text)
    if wanted is None:
        with pytest.raises(ChartError):
            edit_values(source, ORIGIN.tag, SWITCHES)
        return
    before = read(text)
    try:
        edited = edit_values(source, ORIGIN.tag, SWITCHES)
    except ChartError as error:
        if not any(reason in str(error) for reason in NOT_EDITED):
            raise AssertionError(f"{error}: {text!r}") from error
        return
    assert edited is not None
    assert read(edited) == wanted
    assert comments(edited) == comments(text)
    assert without(keys(read(edited)), keys(before)) == keys(before)


NOT_EDITED = (
    "written in a way in which",
    "is written in a way that can't be edited",
    "refers to an anchor in an unexpected way",
)
"""Texts that are refused rather than edited without certainty."""


@prop(examples=8, text=values_yamls())
def test_helm_sees_the_edited_values(helm: Helm, text: str) -> None:
    files = {
        **chart("c", template="values: {{ toJson .Values | b64enc }}", values=text),
        "charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 0.1.0\n",
        "charts/sub/templates/x.yaml": "a: {{ 1 }}\n",
    }
    try:
        finished = published(below("c", files))
        wanted = expected(read(text), {"sub": False})
    except (ChartError, YamlError, NoPlaceError, AssertionError):
        return
    with TemporaryDirectory() as folder:
        done = helm("template", export(finished, Path(folder)), check=False)
    if done.returncode != 0:
        # Infinity and the like are no JSON, which is what Helm makes of values; the same before the edits.
        assert "unsupported value" in done.stderr or "cannot load values.yaml" in done.stderr, (done.stderr, text)
        return
    # A switch that is neither true nor false leaves the sub-chart on, whose object is there then, too.
    parts = [document for document in yaml.safe_load_all(done.stdout) if document and "values" in document]
    shown = json.loads(base64.b64decode(parts[0]["values"]))
    assert comparable(shown) == comparable(wanted), text


def comparable(value: Any) -> Any:
    """Values with numbers as JSON has them, and without the globals that Helm hands down to the sub-chart."""
    found = json.loads(json.dumps(value), parse_int=float)
    if isinstance(found.get("sub"), dict):
        found["sub"].pop("global", None)
    return found
