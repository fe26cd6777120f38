"""What a chart is by itself: whether it renders anything."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from chart_releaser.budget import Budget
from chart_releaser.charts.chart import Chart
from chart_releaser.charts.loader import read_chart
from tests.memorytree import MemoryTree, below


def read(files: Mapping[str, str | bytes], path: str = "c") -> Chart:
    with Budget().spending() as budget:
        return read_chart(MemoryTree(files), path, budget)


@pytest.mark.parametrize(
    ("files", "helper"),
    [
        ({"templates/_a.tpl": ""}, True),
        ({}, True),
        ({"templates/NOTES.txt": "", "templates/sub/_b.yaml": ""}, True),
        ({"templates/a.yaml": ""}, False),
        ({"templates/sub/a.tpl": ""}, False),
        ({"crds/a.yaml": ""}, False),
        ({"charts/s/Chart.yaml": "name: s\n"}, True),
        ({"charts/s/Chart.yaml": "name: s\n", "charts/s/templates/x.yaml": ""}, False),
        ({"Chart.yaml": "name: c\ntype: library\n", "templates/a.yaml": ""}, True),
        ({"Chart.yaml": "name: c\ntype: application\n", "templates/a.yaml": ""}, False),
    ],
)
def test_charts_that_render_nothing_by_themselves(files: Mapping[str, str], *, helper: bool) -> None:
    filled = {path: text or "kind: ConfigMap\n" for path, text in files.items()}
    assert read(below("c", {"Chart.yaml": "name: c\n", **filled})).is_helper is helper


@pytest.mark.parametrize(
    ("template", "is_helper"),
    [
        ("", True),
        ('{{/* a comment }} in it */}}\n{{- define "x" -}}\n{{ if .a }}b{{ else }}c{{ end }}\n{{- end }}\n', True),
        ('{{ define "x" }}{{ range .y }}{{ with . }}z{{ end }}{{ end }}{{ end }}\n\n{{define "w"}}{{end}}', True),
        ('{{ define "x" }}y{{ end }}\nkind: ConfigMap\n', False),
        ('{{ define "x" }}y{{ end }}{{ include "x" . }}', False),
        ("{{ if .Values.on }}kind: ConfigMap{{ end }}", False),
        ('{{ define "x" }}never ended', False),
        ("kind: ConfigMap", False),
    ],
)
def test_a_helper_is_known_by_what_it_renders_whatever_its_files_are_called(template: str, is_helper: bool) -> None:
    chart = Chart(path="c", chart_yaml="name: c\n", files={"templates/helpers.yaml": template.encode()})
    assert chart.is_helper is is_helper
