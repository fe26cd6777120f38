"""A controller-registration becomes a chart whose values are the deployment's own."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from chart_releaser.charts.registration import registration_chart
from chart_releaser.errors import ChartError

REGISTRATION = """\
---
apiVersion: core.gardener.cloud/v1beta1
kind: ControllerRegistration
metadata:
  name: provider-x
spec:
  deployment:
    deploymentRefs:
    - name: provider-x
  resources:
  - kind: Infrastructure
    type: x
"""
V1 = """\
apiVersion: core.gardener.cloud/v1
kind: ControllerDeployment
metadata:
  name: NAME
helm:
  rawChart: H4sIAAAAAAAA/+3
  values:
    image:
      repository: example.org/x
      tag: v2
    gone: 1
    replicas: 3
"""
NO_VALUES = V1.split("  values:", maxsplit=1)[0]
CHART = "rawChart: H4sIAAAAAAAA/+3"
SHAPES = {
    "v1": V1.replace("NAME", "provider-x") + REGISTRATION,
    "v1beta1": """\
# made by hand
---
apiVersion: core.gardener.cloud/v1beta1
kind: ControllerDeployment
metadata:
  name: provider-x
type: helm
providerConfig:
  chart: H4sIAAAAAAAA/+3
  values:
    image: {tag: v2}  # the tag
"""
    + REGISTRATION,
    "registration alone": """\
apiVersion: core.gardener.cloud/v1alpha1
kind: ControllerRegistration
metadata:
  name: provider-x
spec:
  resources: [{kind: Infrastructure, type: x}]
  deployment:
    type: helm
    providerConfig:
      values:
        image:
          tag: v2
      chart: |
        H4sIAAAAAAAA/+3
        AAAA
""",
    "injectGardenKubeconfig before rawChart": V1.replace(
        "  rawChart", "  injectGardenKubeconfig: true\n  rawChart"
    ).replace("helm:", "injectGardenKubeconfig: true\nhelm:")
    + "--- \n" + REGISTRATION.removeprefix("---\n") + "...\n",
    "ociRepository": V1.replace(CHART, "ociRepository:\n    ref: example.org/x:v2\n    digest: 'sha256:1'")
    + REGISTRATION,
    "several deployments": V1.replace("NAME", "one") + "---\n" + V1.replace("NAME", "two").replace("gone: 1", "on: 'y'")
    + REGISTRATION,
    "no values": NO_VALUES + REGISTRATION,
    "empty values": NO_VALUES + "  values: {}\n" + REGISTRATION,
    "null values": NO_VALUES + "  values:\n" + REGISTRATION,
    "nulls": V1.replace("gone: 1", "nothing:\n    some: {nothing: ~, thing: 1, list: [~], 'a \"\\': {é: null}}")
    + REGISTRATION,
    "several with nulls": V1.replace("NAME", "one").replace("gone: 1", "gone: ~") + "---\n"
    + V1.replace("NAME", "two"),
    "several, some without values": NO_VALUES.replace("NAME", "one") + "---\n"
    + V1.replace("NAME", "two")
    + "---\n" + NO_VALUES.replace("NAME", "three") + "  values: ~\n",
    "CRLF": (V1 + REGISTRATION).replace("\n", "\r\n"),
    "comments and empty documents": f"# licence\n---\n# nothing\n---\n{V1}# end\n---\n{REGISTRATION}---\n",
    "a text with ---": V1.replace("gone: 1", 'gone: "--- x"\n    script: |\n      a\n      ---\n      b')
    + REGISTRATION,
    "templates are data": V1.replace("NAME", '"{{ .Values.name }}"')
    .replace("gone: 1", "gone: '{{ fail \"x\" }}{{{{- end -}}'")
    + REGISTRATION.replace("type: x", "type: '{{/* x */}}'\n    note: |\n      {{ range }}\n      {{- }}"),
    "JSON": '{"apiVersion": "core.gardener.cloud/v1", "kind": "ControllerDeployment", "metadata": {"name": "x"}, '
    '"helm": {"values": {"image": {"tag": "v2"}, "n": null}, "rawChart": "H4sI"}}\n',
    "flow": "{apiVersion: core.gardener.cloud/v1, kind: ControllerDeployment, "
    "metadata: {name: x, labels: {a: , b: y}}, helm: {rawChart: H4sI, values: {a: , b: [1, ~, ]}}}\n",
    "anchors": V1.replace("image:\n", "image: &image\n")
    .replace("gone: 1", "other: *image\n    merged: {<<: *image, tag: v3}")
    + REGISTRATION,
    "other objects": V1 + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"
    "---\napiVersion: operator.gardener.cloud/v1alpha1\nkind: Extension\nmetadata: {name: e}\n" + REGISTRATION,
    "an empty text by its tag": V1.replace(
        "gone: 1", "empty: !!str\n    nothing: !!null\n    quoted: [!!null '', !!null ~]"
    ),
    "empty lines at the end of the values": NO_VALUES + "  values:\n    a: |+\n      b\n\n" + REGISTRATION,
    "empty lines at the end of the document": V1 + REGISTRATION + "  note: |+\n    a\n\n\n---\n"
    + REGISTRATION.removeprefix("---\n") + '  note: "a\\n  \\n"\n',
    "a name to quote": V1.replace("NAME", "'1.10'") + "---\n" + V1.replace("NAME", "'Grü\"ße'"),
}  # fmt: skip

AWKWARD = (
    V1.split("    image:", maxsplit=1)[0].replace("NAME", "x")
    + r"""
    scientific: "1e3"
    hex: "0x1"
    bool: "on"
    yes: "yes"
    date: 2020-01-01
    dateText: "2020-01-01"
    time: 12:30:45
    octal: 010
    octalText: "010"
    version: 1.10
    versionText: "1.10"
    tagged: !!str 1e3
    int: 9007199254740991
    thousand: 1000000
    big: 12345678
    negative: -5
    float: 1.5
    tiny: 1e-7
    huge: 1.5e+300
    "null": null
    tilde: "~"
    empty: ""
    list: []
    map: {}
    equals: "="
    underscore: "1_000"
    multi: |
      a
        b: {{ c }}

      d
    folded: >-
      a
      b
    keep: |+
      a

    lead: |2
        two
      none
    unicode: "é\u2028\t\0\U0001F600"
    literal: "a\nb \n c"
    "key with: colon": 1
    ? "{{ key }}"
    : x
    ~x: y
    "y": 1
"""
).replace("\\0", "")


def deployment_values(documents: list[Any]) -> dict[str, Any]:
    """Return the values of the only deployment among these documents."""
    (values,) = [document["helm"]["values"] for document in documents if document["kind"] == "ControllerDeployment"]
    assert isinstance(values, dict)
    return values


@pytest.mark.parametrize("shape", ["v1", "v1beta1", "registration alone", "ociRepository", "CRLF", "JSON"])
def test_the_deployments_values_are_the_charts_values(shape: str) -> None:
    chart = registration_chart(SHAPES[shape], source="provider-x", where="here.yaml")
    assert chart.name == "controller"
    assert chart.metadata["description"] == "Helmchart for controllerregistration of provider-x"
    assert yaml.safe_load(chart.values or "")["values"]["image"]["tag"] == "v2"
    template = chart.files["templates/controller-registration.yaml"].decode()
    assert template.count("{{") == 1
    assert "v2" not in template.replace("example.org/x:v2", "")


def test_several_deployments_have_values_each() -> None:
    chart = registration_chart(SHAPES["several deployments"], source="s", where="w")
    values = yaml.safe_load(chart.values or "")
    assert values["values"] == {}
    assert {name: below["values"]["image"]["tag"] for name, below in values["deployments"].items()} == {
        "one": "v2",
        "two": "v2",
    }
    assert '"on"' in (chart.values or "") or "on: 'y'" in (chart.values or "")


def test_values_keep_how_they_were_written() -> None:
    chart = registration_chart(AWKWARD, source="s", where="w")
    assert "version: 1.10\n" in (chart.values or "")
    assert 'versionText: "1.10"\n' in (chart.values or "")
    assert 'tagged: "1e3"\n' in (chart.values or "")


def test_a_marker_in_the_text_is_no_marker() -> None:
    text = V1.replace("NAME", "values-of-deployment-0").replace("gone: 1", "gone: values-of-deployment-0-")
    chart = registration_chart(text, source="s", where="w")
    template = chart.files["templates/controller-registration.yaml"].decode()
    assert "name: values-of-deployment-0\n" in template
    assert yaml.safe_load(chart.values or "")["values"]["gone"] == "values-of-deployment-0-"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "^w holds no Helm deployment"),
        ("# nothing\n---\n", "^w holds no Helm deployment"),
        (REGISTRATION, "^w holds no Helm deployment"),
        ("- a list\n", "^w:1: a document that is not a Kubernetes object"),
        ("a: [\n", "^w:2:1: malformed YAML"),
        ("a: &a [*a]\n", "^w:1: an alias refers to a node"),
        (V1.replace("  rawChart: H4sIAAAAAAAA/+3\n", ""), "^w:6: ControllerDeployment NAME has no chart"),
        (V1.replace("H4sIAAAAAAAA/+3", ""), "^w:6: ControllerDeployment NAME has no chart"),
        (V1.replace("rawChart: H4sIAAAAAAAA/+3", "ociRepository: {}"), "has no chart"),
        (V1.split("helm:", maxsplit=1)[0], "^w:1: ControllerDeployment NAME has no chart"),
        (NO_VALUES + "  values: text\n", "^w:7: the values of NAME are no mapping"),
        (NO_VALUES + "  values: [1]\n", "^w:7: the values of NAME are no mapping"),
        (f"{V1}---\n{V1}", "^w holds two deployments called NAME"),
    ],
)
def test_what_is_no_registration_is_an_error(text: str, message: str) -> None:
    with pytest.raises(ChartError, match=message):
        registration_chart(text, source="s", where="w")


def test_a_deployment_that_is_not_by_helm_is_left_alone() -> None:
    custom = (
        "---\napiVersion: core.gardener.cloud/v1beta1\nkind: ControllerDeployment\nmetadata: {name: c}\ntype: own\n"
    )
    chart = registration_chart(V1 + custom, source="s", where="w")
    assert "type: own" in chart.files["templates/controller-registration.yaml"].decode()


@pytest.mark.parametrize("character", ["\\x7f", "\\x85", "\\x9f", "\\uFFFE"])
def test_values_that_helm_would_drop_are_refused(character: str) -> None:
    text = V1.replace("gone: 1", f'gone: "a{character}"')
    with pytest.raises(
        ChartError, match=r"^w:11: the values of NAME have a control character, which Helm can't pass on$"
    ):
        registration_chart(text, source="s", where="w")
    registration_chart(
        text.replace(f"a{character}", "\\e\\u2028\\ufeff").replace("NAME", f'"{character}"'), source="s", where="w"
    )
