"""Convert a Gardener controller-registration to a chart whose values are those of its deployment."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from chart_releaser import yamlio
from chart_releaser.charts.chart import Chart
from chart_releaser.config.model import REGISTRATION
from chart_releaser.errors import ChartError, YamlError
from chart_releaser.helm import yaml as helmyaml
from chart_releaser.helm.yaml import Value

ASSET = f"{REGISTRATION}.yaml"
# Where repositories keep it, in order of preference. The release's asset comes last.
PATHS = (
    f"examples/{ASSET}",
    f"example/{ASSET}",
    f"example/registration/{ASSET}",
    f"deploy/extension/base/{ASSET}",
)
BASES = tuple(path for path in PATHS if "/base/" in path)
"""Those of PATHS that are in a kustomize base: drafts, in which `latest` stands for the release's image."""

_MAX_CHARACTERS = 1_500_000  # about the largest object that a cluster accepts: etcd's default request limit
_API_GROUP = "core.gardener.cloud/"
_PACKAGES = ("rawChart", "chart", "ociRepository")
_VALUES = ".Values.values"
# Characters that make Helm's toYaml return nothing, or a space in the case of U+0085.
_UNUSABLE = re.compile("[\x7f-\x9f\ufffe\uffff]")
_Absent = Literal["missing", "null"] | None
"""How a deployment without values was written; None for one with values."""
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@dataclass(frozen=True)
class _Deployment:
    """A Helm deployment: the mapping that contains `values`, and the mappings on the path to it."""

    name: str
    holder: yaml.MappingNode
    ancestors: tuple[yaml.MappingNode, ...]


def registration_chart(text: str, *, source: str, where: str) -> Chart:
    """Return the chart `controller` of `source` for a controller-registration, called `where` in messages.

    With one deployment, `values` holds the deployment's values. With several, `deployments.<name>.values` holds those
    of each, and `values` overrides all of them. Template syntax in the text is escaped. Raises ChartError for a text
    that is not a registration, or whose deployment has no chart.
    """
    try:
        documents = yamlio.compose_all(text, where=where, max_characters=_MAX_CHARACTERS)
    except YamlError as error:
        raise ChartError.of(error) from error
    deployments = [deployment for document in documents for deployment in _deployments(document, where)]
    if not deployments:
        raise ChartError(f"{where} holds no Helm deployment", remedy="a ControllerDeployment with a chart is expected")
    for name, count in Counter(deployment.name for deployment in deployments).items():
        if count > 1:
            raise ChartError(f"{where} holds two deployments called {name}")
    sections: list[tuple[str, yaml.Node]] = []  # name of a deployment, its values
    insertions: dict[str, tuple[str, _Absent]] = {}  # by the marker that they replace
    own_mark = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()  # can't occur in the text itself
    for number, deployment in enumerate(deployments):
        marker = f"values-{number}-{own_mark}"
        own, absent = _take_values(deployment, marker, where)
        _check_characters(own, deployment.name, where)
        sections.append((deployment.name, own))
        layers = [f"({_VALUES} | default dict)"]
        if len(deployments) > 1:
            name = json.dumps(deployment.name, ensure_ascii=False)
            layers.insert(0, f"(deepCopy ((index .Values.deployments {name}).values | default dict))")
        nulls = _nulls(_construct(own, where))
        if nulls:  # Helm drops nulls from a sub-chart's values, but the deployment's chart needs them
            layers.insert(0, f"(fromJson {json.dumps(json.dumps(nulls))})")
        insertions[marker] = (_VALUES if len(layers) == 1 else f"mergeOverwrite {' '.join(layers)}", absent)
    for node in _all_nodes(documents):
        if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">") and node.value != node.value.rstrip() + "\n":
            node.style = '"'  # a block scalar with unusual trailing space, which is easily lost: quote it
    template = _insert_values(_escape(_serialize(documents)), own_mark, insertions)
    return Chart(
        path=where,
        chart_yaml=yamlio.dump(
            {
                "apiVersion": "v2",
                "name": "controller",
                "description": f"Helmchart for controllerregistration of {source}",
                "version": "0.0.0",
            },
            sort_keys=False,
        ),
        values=_serialize([_values(sections)]).removeprefix("---\n"),
        files={f"templates/{ASSET}": template.encode()},
    )


def _get(node: yaml.Node | None, key: str) -> yaml.Node | None:
    result = None
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if isinstance(name, yaml.ScalarNode) and name.value == key:
                result = value  # the last duplicate wins, as for YAML readers
    return result


def _text(node: yaml.Node | None) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def _deployments(document: yaml.Node, where: str) -> list[_Deployment]:
    """Return the Helm deployments of a document (at most one), in any shape that Gardener's API has had."""
    if not isinstance(document, yaml.MappingNode):
        raise ChartError(f"{where}:{yamlio.line_of(document)}: a document that is not a Kubernetes object")
    if not _text(_get(document, "apiVersion")).startswith(_API_GROUP):
        return []
    name = _text(_get(_get(document, "metadata"), "name"))
    kind = _text(_get(document, "kind"))
    ancestors: tuple[yaml.Node | None, ...] = (document,)
    described: yaml.Node | None = document
    if kind == "ControllerRegistration":
        spec = _get(document, "spec")
        described = _get(spec, "deployment")
        ancestors = (document, spec, described)
    elif kind != "ControllerDeployment":
        return []
    holder = _get(described, "helm")
    if holder is None and _text(_get(described, "type")) == "helm":
        holder = _get(described, "providerConfig")
    if not isinstance(holder, yaml.MappingNode):
        if kind == "ControllerDeployment" and _text(_get(described, "type")) in ("", "helm"):
            raise ChartError(f"{where}:{yamlio.line_of(document)}: ControllerDeployment {name} has no chart")
        return []
    package = next((node for key in _PACKAGES if (node := _get(holder, key)) is not None), None)
    if package is None or _is_null(package) or not package.value:
        raise ChartError(f"{where}:{yamlio.line_of(holder)}: {kind} {name} has no chart")
    mappings = tuple(node for node in ancestors if isinstance(node, yaml.MappingNode))
    return [_Deployment(name, holder, mappings)]


def _take_values(deployment: _Deployment, marker: str, where: str) -> tuple[yaml.Node, _Absent]:
    """Replace the deployment's values by a marker.

    Return them, and how their absence was written if there were none.
    """
    own: yaml.Node = yaml.MappingNode("tag:yaml.org,2002:map", [], flow_style=True)
    absent: _Absent = "missing"
    items = []
    for key, value in deployment.holder.value:
        if key.value != "values":
            items.append((key, value))
        elif isinstance(value, yaml.MappingNode):
            own, absent = value, None
        elif _is_null(value):
            absent = "null"
        else:
            raise ChartError(f"{where}:{yamlio.line_of(value)}: the values of {deployment.name} are no mapping")
    # Put the values first: Helm trims the end of a document, and the trimmed lines could belong to the last value.
    deployment.holder.value = [(_string("values"), _string(marker)), *items]
    for mapping in (*deployment.ancestors, deployment.holder):
        mapping.flow_style = False
    return own, absent


def _check_characters(values: yaml.Node, name: str, where: str) -> None:
    for node in _all_nodes([values]):
        if isinstance(node, yaml.ScalarNode) and _UNUSABLE.search(node.value):
            line = yamlio.line_of(node)
            raise ChartError(f"{where}:{line}: the values of {name} have a control character, which Helm can't pass on")


def _values(sections: Sequence[tuple[str, yaml.Node]]) -> yaml.Node:
    """Return the chart's values: those of the single deployment, or of each one and a common set of overrides."""
    if len(sections) == 1:
        return _mapping(("values", sections[0][1]))
    deployments = _mapping(*((name, _mapping(("values", own))) for name, own in sections))
    nothing = yaml.MappingNode("tag:yaml.org,2002:map", [], flow_style=True)
    return _mapping(("values", nothing), ("deployments", deployments))


def _construct(node: yaml.Node, where: str) -> Value:
    try:
        return helmyaml.construct(node, where=where)
    except YamlError as error:
        raise ChartError.of(error) from error


def _nulls(values: Value) -> dict[str, Value]:
    """Return only the keys of `values` that are null, with the mappings that contain them."""
    nulls: dict[str, Value] = {}
    for key, value in values.items() if isinstance(values, dict) else ():
        below = _nulls(value)
        if value is None or below:
            nulls[key] = below or None
    return nulls


def _mapping(*items: tuple[str, yaml.Node]) -> yaml.MappingNode:
    return yaml.MappingNode("tag:yaml.org,2002:map", [(_string(key), value) for key, value in items], flow_style=False)


def _string(text: str) -> yaml.ScalarNode:
    plain = yamlio.dump([text]) == f"- {text}\n"
    return yaml.ScalarNode("tag:yaml.org,2002:str", text, style=None if plain else '"')


def _is_null(node: yaml.Node) -> bool:
    if not isinstance(node, yaml.ScalarNode) or node.value not in ("", "~", "null", "Null", "NULL"):
        return False
    is_plain = isinstance(node.tag, yamlio.ImplicitTag) and not node.style
    return is_plain or (node.tag == "tag:yaml.org,2002:null" and not isinstance(node.tag, yamlio.ImplicitTag))


def _serialize(nodes: Sequence[yaml.Node]) -> str:
    # Serializing nodes instead of values keeps plain scalars plain, with the type that Kubernetes reads.
    for node in _all_nodes(nodes):
        if isinstance(node, yaml.ScalarNode) and _is_null(node):
            node.value, node.style = "null", None  # the dumper would write quotes for an empty scalar
        has_tag = not isinstance(node.tag, yamlio.ImplicitTag)
        if isinstance(node, yaml.ScalarNode) and has_tag and not node.style and node.tag.endswith(":str"):
            node.style = _string(node.value).style  # the dumper omits a !!str tag that PyYAML does not need
        node.tag = str(node.tag)  # libyaml's dumper does not accept a subclass of str
    return str(yaml.serialize_all(nodes, Dumper=_Dumper, width=2**31 - 1, allow_unicode=True, explicit_start=True))


def _all_nodes(roots: Sequence[yaml.Node]) -> list[yaml.Node]:
    nodes: dict[int, yaml.Node] = {}
    stack = list(roots)
    while stack:
        node = stack.pop()
        if id(node) not in nodes:
            nodes[id(node)] = node
            stack.extend(yamlio.child_nodes(node))
    return list(nodes.values())


def _escape(text: str) -> str:
    """Escape `text` so that a Go template renders it unchanged."""
    return text.replace("{{", '{{ "{{" }}')


def _insert_values(template: str, own_mark: str, insertions: Mapping[str, tuple[str, _Absent]]) -> str:
    """Replace the marker of each deployment by the template expression for its values."""
    left = dict(insertions)

    def insert(match: re.Match[str]) -> str:
        indent, marker = match.groups()
        expression, absent = left.pop(marker)
        below = len(indent) + 2
        if absent is None:
            return f"{indent}values: {{{{- toYaml ({expression}) | nindent {below} }}}}\n"
        text = f"{{{{- with {expression} }}}}\n{indent}values: {{{{- toYaml . | nindent {below} }}}}\n"
        if absent == "null":
            text += f"{{{{- else }}}}\n{indent}values: null\n"
        return text + "{{- end }}\n"

    template = re.sub(rf"(?m)^( *)values: (values-[0-9]+-{own_mark})\n", insert, template)
    if left:
        raise AssertionError(f"no line for {next(iter(left))}")
    return template
