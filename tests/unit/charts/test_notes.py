"""What is told of charts that can be published, but hardly are what was meant."""

from __future__ import annotations

import dataclasses

import pytest

from chart_releaser.charts.chart import Chart
from chart_releaser.charts.notes import app_version_note, image_note, version_note
from tests.memorytree import ORIGIN, assembled, below, chart, tgz

USE = "image: x:{{ .Values.tag | default .Chart.AppVersion }}\n"


def with_metadata(more: str, template: str = "") -> Chart:
    return Chart(path="c", chart_yaml=f"apiVersion: v2\nname: c\n{more}", files={"templates/a.yaml": template.encode()})


@pytest.mark.parametrize(
    ("own", "version", "is_told"),
    [
        ("1.13.0", "1.14.1", True),
        ("v1.14.1", "1.14.1", False),
        ("1.14.1+a", "1.14.1+b", False),
        ("1.14.1-rc.1", "1.14.1", True),
        ("0.1.0", "1.14.1", False),
        ("0.0.1", "1.14.1", False),
        ("0.1.1", "1.14.1", True),
        ("0.1.0", "0.0.3", False),
        ("1.14", "1.14.1", False),
    ],
)
def test_a_version_that_is_not_the_tags(own: str, version: str, is_told: bool) -> None:
    note = version_note(with_metadata(f"version: {own}\n"), version)
    assert note == (f"c/Chart.yaml has version {own}, but the tag stands for {version}" if is_told else "")


@pytest.mark.parametrize(
    ("app_version", "template", "is_told"),
    [
        ("v0.0.0", USE, True),
        ("0.0.1", USE, True),
        ("latest", USE, True),
        ("0.0.0-dev", USE, True),
        ("v1.2.0", USE, False),
        ("0.1.0", USE, True),
        ("v0.0.0", "app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}\n", False),
        ("v0.0.0", "{{- if .Chart.AppVersion }}\n", False),
        ("v0.0.0", "{{- $tag := .Values.tag | default $.Chart.AppVersion -}}\n", True),
        ("v0.0.0", "", False),
    ],
)
def test_an_app_version_that_no_image_has(app_version: str, template: str, is_told: bool) -> None:
    note = app_version_note(with_metadata(f"appVersion: {app_version}\n", template), "1.2.3")
    assert ("set appVersion: tag" in note, bool(note)) == (is_told, is_told)


def test_the_first_release_is_no_placeholder() -> None:
    assert app_version_note(with_metadata("appVersion: v0.1.0\n", USE), "0.1.0") == ""


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ("image: {repository: a/b, tag: latest}\n", "image.tag (a/b:latest)"),
        ("tag: latest\n", "tag (latest)"),
        ("image: {repository: a/b, tag: main}\n", "image.tag (a/b:main)"),
        ("a: {tag: v0.0.0}\n", "a.tag (v0.0.0)"),
        ("a: {tag: maintenance-1}\n", ""),
        ("image: busybox:edge\n", "image (busybox:edge)"),
        ("a: [{image: 'x/y:latest'}]\n", "a.image (x/y:latest)"),
        ("initImage: example.org:5000/x/y\n", "initImage (example.org:5000/x/y)"),
        ("image: example.org/x/y:v1\n", ""),
        ("image: example.org/x/y@sha256:00\n", ""),
        ("image: x/y\ntag: v1\n", ""),
        ("image: {repository: a/b, tag: ''}\n", ""),
        ("image: ''\n", ""),
        ("", ""),
    ],
)
def test_images_that_can_change_after_the_release(values: str, told: str) -> None:
    note = image_note(Chart(path="c", chart_yaml="name: c\n", values=values))
    assert note == (
        f"c/values.yaml has images without a fixed tag: {told}; set their tags when you install" if told else ""
    )


def test_many_images_are_counted() -> None:
    values = "".join(f"a{n}: {{image: 'x/y{n}:latest'}}\n" for n in range(8))
    assert "a4.image (x/y4:latest) and 3 more;" in image_note(Chart(path="c", chart_yaml="name: c\n", values=values))


def test_notes_are_on_own_charts_at_any_depth_and_on_upstreams_version() -> None:
    more = "dependencies: [{name: f, version: 0.x, repository: 'https://e.org'}]\n"
    files = {
        **chart("c", more=more.replace("0.1.0", "9.0.0")),
        **below("charts/s", {**chart("s", values="x: {image: 'a/b:latest'}\n")}),
        "charts/f.tgz": tgz("f", chart("f", values="image: 'a/b:latest'\n")),
    }
    files["Chart.yaml"] = str(files["Chart.yaml"]).replace("version: 0.1.0", "version: 9.0.0")
    made = assembled(below("c", files), origin=dataclasses.replace(ORIGIN, sets_image_tags=False))
    assert made.notes == (
        "c/Chart.yaml has version 9.0.0, but the tag stands for 1.2.3",
        "c/charts/s/values.yaml has images without a fixed tag: x.image (a/b:latest); set their tags when you install",
    )
