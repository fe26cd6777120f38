"""Registrations: the true Helm renders, document by document, what upstream wrote."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import strategies as st

from chart_releaser import yamlio
from chart_releaser.charts.package import chart_files
from chart_releaser.charts.registration import registration_chart
from chart_releaser.errors import ChartError, YamlError
from chart_releaser.helm import yaml as helmyaml
from tests.fuzz.running import batch_of, prop
from tests.fuzz.texts import SCALAR, flow
from tests.helm import Helm
from tests.memorytree import write

BATCH = 15

TEMPLATES = st.sampled_from(
    ["'{{ .Values.x }}'", '"{{/* x */}}"', "'{{ fail \"x\" }}'", "'}}{{'", "'{{{{ end }}'", "'{{-'"]
)
SCALARS = st.one_of(
    SCALAR, SCALAR, TEMPLATES, st.sampled_from(["~", "null", "", "{}", "[]", "'---'", "'--- x'", '"a\\nb"'])
)
KEYS = st.sampled_from(
    ["image", "tag", "replicas", "'1'", '"a b"', "on", "é", "'{{x}}'", "config", "values", "helm", '"q\\"q"']
)
COMMENTS = st.sampled_from(["", "", "", "# about", "# {{ x }}", "# --- "])


@st.composite
def blocks(draw: st.DrawFn, indent: int) -> str:
    lines, space = "", " " * indent
    for number, key in enumerate(draw(st.lists(KEYS, min_size=1, max_size=3, unique_by=lambda key: key.strip("'\"")))):
        comment = draw(COMMENTS)
        lines += f"{space}{comment}\n" if comment else ""
        kind = draw(st.integers(0, 7))
        if kind <= 1 and indent < 8:
            anchor = f" &n{indent}{number}" if draw(st.booleans()) else ""
            lines += f"{space}{key}:{anchor}\n{draw(blocks(indent + 2))}"
        elif kind == 2:
            items = draw(st.lists(SCALARS, min_size=1, max_size=3))
            lines += f"{space}{key}:\n" + "".join(f"{space}- {item}\n" for item in items)
        elif kind == 3:
            text = draw(
                st.sampled_from(["|\n@  a\n@  ---\n@  {{ b }}", ">-\n@  a\n@  b", "|+\n@  a\n", "|2-\n@    a\n@  b"])
            )
            lines += f"{space}{key}: {text.replace('@', space)}\n"
        elif kind == 4 and (anchors := re.findall(r"&(n\w+)\n", lines)):
            lines += f"{space}{key}: *{anchors[0]}\n"
        else:
            lines += f"{space}{key}: {draw(flow(SCALARS))}\n"
    return lines


VALUES = st.one_of(
    st.just(""),
    st.sampled_from(["@values:\n", "@values: {}\n", "@values: ~\n"]),
    blocks(6).map(lambda text: "@values:\n" + text),
)
PACKAGES = st.sampled_from(
    ["@rawChart: H4sI\n", "@ociRepository:\n@  ref: example.org/x:v2\n", "@rawChart: |\n@  H4sI\n@  AAAA\n"]
)
NAMES = st.sampled_from(["provider-x", "'1.10'", "one", "two", '"{{ .x }}"', "'Grü\"ße'", "a.b"])


@st.composite
def deployments(draw: st.DrawFn) -> str:
    head = "apiVersion: core.gardener.cloud/{}\nkind: {}\nmetadata:\n  name: {}\n"
    own = draw(VALUES)
    package = draw(PACKAGES)
    shape = draw(st.sampled_from(["v1", "v1", "v1beta1", "old"]))
    if shape == "v1":
        parts = draw(st.permutations([package, own]))
        inject = draw(st.sampled_from(["", "", "injectGardenKubeconfig: true\n"]))
        return (
            head.format("v1", "ControllerDeployment", draw(NAMES))
            + inject
            + "helm:\n"
            + "".join(parts).replace("@", "    ")
        )
    package = "@chart: H4sI\n"
    parts = draw(st.permutations([package, own]))
    if shape == "v1beta1":
        provider = "providerConfig:\n" + "".join(parts).replace("@", "    ")
        both = draw(st.permutations(["type: helm\n", provider]))
        return head.format("v1beta1", "ControllerDeployment", draw(NAMES)) + "".join(both)
    text = head.format("v1alpha1", "ControllerRegistration", draw(NAMES))
    return text + "spec:\n deployment:\n   type: helm\n   providerConfig:\n" + "".join(parts).replace("@", "     ")


OTHERS = st.sampled_from(
    [
        "apiVersion: core.gardener.cloud/v1beta1\nkind: ControllerRegistration\nmetadata:\n  name: provider-x\nspec:\n"
        "  deployment:\n    deploymentRefs:\n    - name: provider-x\n"
        "  resources:\n  - {kind: Infrastructure, type: '{{ x }}'}\n",
        "# only a comment\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: '{{ b }}', c: \"1e3\"}\n",
    ]
)  # fmt: skip


@st.composite
def registrations(draw: st.DrawFn) -> str:
    parts = draw(st.permutations([*draw(st.lists(st.one_of(deployments(), OTHERS), max_size=2)), draw(deployments())]))
    text = draw(st.sampled_from(["", "---\n", "# licence\n"])) + "---\n".join(parts)
    return text.replace("\n", "\r\n") if draw(st.integers(0, 9)) == 0 else text


def documents(text: str) -> list[Any]:
    found = [helmyaml.construct(node, where="helm") for node in yamlio.compose_all(text, where="helm")]
    return sorted(map(comparable, found), key=lambda document: json.dumps(document, sort_keys=True))


def comparable(value: Any) -> Any:
    """Values as Helm can hand them on: through JSON, in which all numbers are alike."""
    return json.loads(json.dumps(value), parse_int=float)


def rendered(helm: Helm, charts: dict[int, dict[str, bytes]]) -> dict[int, str]:
    """What each chart renders: all are sub-charts of one, below a chart of their own each."""
    outer: dict[str, str | bytes] = {"Chart.yaml": "apiVersion: v2\nname: outer\nversion: 0.1.0\n"}
    for number, files in charts.items():
        outer[f"charts/p{number}/Chart.yaml"] = f"apiVersion: v2\nname: p{number}\nversion: 0.1.0\n"
        outer |= {f"charts/p{number}/charts/controller/{path}": data for path, data in files.items()}
    with TemporaryDirectory() as name:
        folder = write(outer, Path(name))
        out = helm("template", folder).stdout
    found = dict.fromkeys(charts, "")
    for piece in re.split(r"(?m)^---\n(?=# Source: outer/charts/p)", out)[1:]:
        source, _, text = piece.partition("\n")
        found[int(source.split("/")[2][1:])] += f"---\n{text}"
    return found


@prop(examples=8, batch=BATCH, cases=batch_of(registrations(), BATCH))
def test_it_renders_what_upstream_wrote(helm: Helm, cases: list[str]) -> None:
    charts, originals = {}, {}
    for number, text in enumerate(cases):
        try:
            original = documents(text)
            made = registration_chart(text, source="s", where="w")
        except (ChartError, YamlError):
            continue
        if not all(math.isfinite(value) for value in scalars(original) if isinstance(value, float)):
            continue  # Helm makes JSON of values, which has no such numbers
        charts[number] = dict(chart_files(made))
        originals[number] = original
    before = rendered(helm, charts)
    different = [
        (cases[number], before[number], original)
        for number, original in originals.items()
        if documents(before[number]) != original
    ]
    assert not different, "\n\n".join(map(str, different))


def scalars(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [scalar for item in value.values() for scalar in scalars(item)]
    if isinstance(value, list):
        return [scalar for item in value for scalar in scalars(item)]
    return [value]
