"""What Helm demands of a Chart.yaml."""

from __future__ import annotations

import pytest

from chart_releaser import yamlio
from chart_releaser.errors import ChartError
from chart_releaser.helm import yaml as helmyaml
from chart_releaser.helm.chart_rules import check_metadata


def check(text: str) -> None:
    metadata = helmyaml.construct(yamlio.compose(f"name: c\n{text}", where="w"), where="w")
    assert isinstance(metadata, dict)
    check_metadata(metadata, where="c/Chart.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "version: not one\n",  # it is replaced anyway
        "appVersion: 1.10\ndeprecated: true\ntype: library\nkeywords: [a, 1, ~]\nown: [x]\n",
        "annotations: {a: 1, b: true}\nmaintainers: [{name: a, email: 1}]\nsources:\nhome: ~\n",
        "dependencies: [{name: a}, {name: a, alias: b, tags: [x], enabled: true, import-values: [x, {child: a}]}]\n",
    ],
)
def test_taken(text: str) -> None:
    check(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("appVersion: [1]\n", "appVersion must be a text, so Helm would not load this chart"),
        ("deprecated: 'yes'\n", "deprecated must be true or false"),
        ("keywords: a\n", "keywords must be a list of texts"),
        ("sources: [{a: b}]\n", "sources must be a list of texts"),
        ("annotations: {a: [b]}\n", "annotations must be a mapping of texts to texts"),
        ("annotations: [a]\n", "annotations must be a mapping of texts to texts"),
        ("maintainers: [~]\n", "maintainers must be a list of mappings"),
        ("maintainers: [{name: [x]}]\n", "maintainers: name must be a text"),
        ("type: operator\n", "type is 'operator', which is neither application nor library"),
        ("dependencies: {name: a}\n", "dependencies must be a list of mappings"),
        ("dependencies: [a]\n", "dependencies must be a list of mappings"),
        ("dependencies: [{version: 1.0.0}]\n", "a dependency has no name"),
        ("dependencies: [{name: a, tags: x}]\n", "dependencies: tags must be a list of texts"),
        ("dependencies: [{name: a, import-values: {}}]\n", "dependencies: import-values must be a list"),
        ("dependencies: [{name: a, alias: a.b}]\n", "dependency a has an alias that Helm does not accept: 'a.b'"),
        ("dependencies: [{name: a}, {name: a}]\n", "two dependencies are called a; give one of them an alias"),
        ("dependencies: [{name: a}, {name: b, alias: a}]\n", "two dependencies are called a"),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(ChartError, match=f"^c/Chart.yaml: {message}"):
        check(text)
