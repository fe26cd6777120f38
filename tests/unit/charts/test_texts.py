"""Chart.yaml and values.yaml as they are edited; what comes out at the end is in test_assemble.py."""

from __future__ import annotations

import pytest

from chart_releaser.charts.chart import Chart
from chart_releaser.charts.texts import MetadataEdit, edit_values

TEXT = "# top\nname: c # n\ndependencies:\n- name: a # first\n  version: 1\n# end\n"


def edit(text: str) -> MetadataEdit:
    return MetadataEdit(Chart(path="c", chart_yaml=text))


def test_nothing_to_change_changes_nothing() -> None:
    same = edit(TEXT)
    same.set("name", "c")
    same.append("dependencies", [])
    same.set_in_items("dependencies", "version", {0: 1})
    assert same.text == TEXT


def test_each_change_is_made_in_place() -> None:
    changed = edit(TEXT)
    changed.set("name", "d")
    changed.set_in_items("dependencies", "version", {0: "2.0.0"})
    changed.append("dependencies", [{"name": "b"}])
    changed.put("annotations", "k", "v")
    assert changed.text == (
        "# top\nname: d # n\ndependencies:\n- name: a # first\n  version: 2.0.0\n- name: b\n# end\n"
        "annotations:\n  k: v\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "name: &n c\nown: *n\ndependencies: [{name: a, version: 1}]\n",
        "name: c\ndependencies: &d\n- name: a\n  version: &v 1\nown: *v\n",
        "? name\n: c\ndependencies:\n- ? version\n  : 1\n",
    ],
)
def test_what_can_not_be_edited_is_written_anew(text: str) -> None:
    changed = edit(text)
    changed.set("name", "d")
    changed.set_in_items("dependencies", "version", {0: "2.0.0"})
    metadata = Chart(path="c", chart_yaml=changed.text).metadata
    before = Chart(path="c", chart_yaml=text).metadata
    assert metadata["name"] == "d"
    assert {key: value for key, value in metadata.items() if key not in ("name", "dependencies")} == {
        key: value for key, value in before.items() if key not in ("name", "dependencies")
    }
    assert isinstance(metadata["dependencies"], list)
    assert isinstance(metadata["dependencies"][0], dict)
    assert metadata["dependencies"][0]["version"] == "2.0.0"


def test_values_that_need_not_be() -> None:
    assert edit_values(Chart(path="c", chart_yaml="name: c\n"), "v1", {}) is None
    assert edit_values(Chart(path="c", chart_yaml="name: c\n", values="# x"), "v1", {}) == "# x"
