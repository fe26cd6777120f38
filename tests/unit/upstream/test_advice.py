"""What is said of a source that takes nothing: the key that is meant, and nothing that would publish another chart."""

from __future__ import annotations

from pathlib import Path

import pytest

from chart_releaser.config.parse import Source, parse_config
from chart_releaser.upstream.advice import explain_nothing
from chart_releaser.upstream.passed_over import Cause, Reason

MANY = [
    *(f"kube-prometheus-stack-88.{n}.0" for n in range(5)),
    "prometheus-node-exporter-4.1.0",
    "alertmanager-1.0.0",
]


def source(name: str, more: str = "", charts: str = "charts/x") -> Source:
    text = f"sources:\n- {{name: {name}, repo: o/r, charts: [{charts}]{more}}}\n"
    return parse_config(text, file="config.yaml", base=Path()).sources[0]


def remedy(of: Source, tags: list[str], cause: Cause = Cause.NO_VERSION) -> str:
    return explain_nothing(of, tags, [(tag, Reason(cause)) for tag in tags], only_tags=False)[1]


def test_the_prefix_that_fits_the_source_is_suggested() -> None:
    fits = "set tagPrefix: prometheus-node-exporter- if they are meant"
    assert remedy(source("prometheus-node-exporter"), MANY) == fits
    assert remedy(source("exporter", charts="charts/prometheus-node-exporter"), MANY) == fits
    assert remedy(source("x"), ["lib/x/v1.0.0", "lib/y/v1.0.0"]) == "set tagPrefix: lib/x/ if they are meant"
    assert remedy(
        source("y"), ["@acme/x@1.0.0", "@acme/y@1.0.0"]
    ) == "set tagPrefix: '@acme/y@' if they are meant".replace("'", "")


def test_where_none_fits_they_are_listed() -> None:
    assert remedy(source("other"), MANY) == (
        "set tagPrefix: to the one that is meant: kube-prometheus-stack-, prometheus-node-exporter-, alertmanager-"
    )
    assert remedy(source("other"), ["etcd-1.0.0"]) == "set tagPrefix: etcd- if they are meant"


def test_a_prefix_that_no_tag_has() -> None:
    wanted = source("agent-operator", ", tagPrefix: agent-operator-")
    listed = (
        "check repo: and tagPrefix:, tags begin with kube-prometheus-stack-, prometheus-node-exporter-, alertmanager-"
    )
    assert remedy(wanted, MANY) == listed
    near = source("a", ", tagPrefix: alertmanger-")
    assert remedy(near, MANY) == "did you mean tagPrefix: alertmanager-?"


@pytest.mark.parametrize(
    ("only_tags", "said"), [(True, "set follow: tags to take the tags"), (False, "check repo: if")]
)
def test_no_releases(only_tags: bool, said: str) -> None:
    assert said in explain_nothing(source("a"), [], [], only_tags=only_tags)[1]
