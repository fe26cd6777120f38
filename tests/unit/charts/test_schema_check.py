"""Which complaints of values.schema.json are new, and so ours."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from chart_releaser.charts import schema_check
from chart_releaser.charts.chart import Chart
from chart_releaser.charts.schema_check import new_schema_errors
from chart_releaser.errors import ChartError
from tests.memorytree import published


def made(values: str, schema: object, *subcharts: Chart, name: str = "c") -> Chart:
    text = schema if isinstance(schema, str) else json.dumps(schema)
    files = {} if schema is None else {"values.schema.json": text.encode()}
    return Chart(path=name, chart_yaml=f"name: {name}\n", values=values, files=files, subcharts=subcharts)


def errors(before: str, after: str, schema: object) -> list[str]:
    chart = made(before, schema)
    return [error for _, error in new_schema_errors(chart, dataclasses.replace(chart, values=after))]


CLOSED = {"additionalProperties": False, "properties": {"a": {"type": "string"}}}


def test_what_the_switch_breaks_is_new() -> None:
    assert errors("a: x\n", "a: x\ns: {enabled: false}\n", CLOSED) == [
        "$: Additional properties are not allowed ('s' was unexpected)"
    ]
    assert errors("s: {}\n", "s: {enabled: false}\n", {"properties": {"s": CLOSED}}) != []
    assert errors("a: latest\n", "a: v1\n", {"properties": {"a": {"enum": ["latest"]}}}) != []


@pytest.mark.parametrize(
    "schema",
    [
        {"required": ["must"]},
        {"minProperties": 5},
        {"oneOf": [{"required": ["x"]}, {"required": ["y"]}]},
        {"properties": {"a": {"type": "integer"}}},
        {"type": "array"},
    ],
)
def test_what_failed_before_is_no_fault_although_its_message_quotes_the_new_values(schema: object) -> None:
    assert errors("a: x\n", "a: x\ns: {enabled: false}\n", schema) == []


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"s": {"$ref": "https://example.org/schema.json"}}},
        {"properties": {"s": {"$ref": "file:///etc/passwd"}}},
        {"properties": {"s": {"$ref": "other.json"}}},
        {"properties": {"s": {"$ref": "#/definitions/none"}}},
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "$dynamicRef": "https://example.org/schema.json"},
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "unevaluatedProperties": False,
            "$ref": "other.json",
        },
        {"patternProperties": {"(?P<": {}}},
        {"patternProperties": {"\\pL": {}}, "additionalProperties": False},
        {"properties": {"a": {"pattern": r"^[\w-\.]+$"}}},
        {"properties": {"a": {"type": "number", "minimum": 1, "exclusiveMinimum": True}}},
        True,
    ],
)
def test_what_can_not_be_followed_hinders_nothing(schema: object) -> None:
    assert errors("a: x\n", "a: x\ns: {enabled: false}\n", schema) == []


def test_a_schema_that_is_no_json_is_an_error() -> None:
    for text in ("{", "[" * 100_000):
        with pytest.raises(ChartError, match=r"^c/values\.schema\.json is not valid JSON: .*; upstream has"):
            errors("", "", text)


def test_what_can_be_followed_is_asked_all_the_same() -> None:
    for more in ({"pattern": "\\pL"}, {"$ref": "other.json"}, {"allOf": [{"$ref": "https://example.org/s.json"}]}):
        schema = {"properties": {"a": {"allOf": [more, {"enum": ["x"]}]}}}
        assert errors("a: x\n", "a: z\n", schema) == ["$.a: 'z' is not one of ['x']"]


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"$ref": "#"}, "it refers to itself, or is nested too deeply"),
        ({"type": "nonsense"}, r"it is not a valid schema \(UnknownType: .*\)"),
        ({"properties": []}, r"it is not a valid schema \(AttributeError: .*\)"),
        (["no schema"], r"it is not a valid schema \(.*\)"),
        ({"properties": {"big": {"pattern": "(a+)+$"}}}, "it takes more than 2 seconds"),
    ],
)
def test_a_check_that_does_not_come_to_an_end_is_no_pass(schema: object, why: str) -> None:
    big = f"big: {'a' * 40}!\n"
    chart = made(big, schema)
    with pytest.raises(ChartError) as caught:
        list(new_schema_errors(chart, dataclasses.replace(chart, values=f"{big}s: {{enabled: false}}\n"), 2))
    where = "c/values.schema.json can't be checked against the switches of sub-charts"
    advice = "upstream has to correct it, or leave the release out with versions:"
    assert re.fullmatch(f"{re.escape(where)}: {why}; {re.escape(advice)}", str(caught.value))


def test_the_schema_that_took_too_long_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = made(f"big: {'a' * 40}!\n", {"properties": {"big": {"pattern": "(a+)+$"}}}, name="slow")
    before = made("a: x\n", CLOSED | {"additionalProperties": True}, slow)
    after = dataclasses.replace(before, values="a: x\nslow: {enabled: false}\n")
    monkeypatch.setattr(schema_check, "_SECONDS", 2)
    with pytest.raises(
        ChartError, match=r"^slow/values\.schema\.json can't be checked .*: it takes more than 2 seconds;"
    ):
        list(new_schema_errors(before, after))


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_check, "_MEMORY", 80 << 20)
    schema = {"properties": {"a": {"enum": ["x"]}}, "description": "long " * 10_000_000}
    with pytest.raises(ChartError, match=r"can't be checked .*: it takes too much memory;"):
        errors("a: x\n", "a: y\n", schema)


def test_a_sub_chart_is_asked_with_its_parents_values_for_it() -> None:
    sub = made("a: x\n", CLOSED, name="s")
    before = made("s: {a: y}\nglobal: {g: 1}\n", None, sub)
    after = dataclasses.replace(before, values="s: {enabled: true, a: y}\nglobal: {g: 1}\n")
    found = list(new_schema_errors(before, after))
    assert [where for where, _ in found] == ["s/values.schema.json"]


def test_what_has_to_be_asked_is_bounded() -> None:
    """Each schema is asked with all that its chart sees, and everything global is seen by all."""
    files = {
        "c/Chart.yaml": "apiVersion: v2\nname: c\nversion: 0.1.0\n",
        "c/values.yaml": f"global: {{x: {'y' * 10**6}}}\n",
    }
    for number in range(100):
        files[f"c/charts/s{number}/Chart.yaml"] = f"apiVersion: v2\nname: s{number}\nversion: 0.1.0\n"
        files[f"c/charts/s{number}/templates/x.yaml"] = "a: b\n"
        files[f"c/charts/s{number}/values.schema.json"] = "{}"
    with pytest.raises(ChartError, match=r"have more than 64 MiB, too much to check$"):
        published(files)


def test_a_sub_chart_is_asked_under_each_of_its_aliases() -> None:
    schema = {
        "properties": {"one": {"properties": {"lib": {"additionalProperties": False, "properties": {"global": {}}}}}}
    }
    sub = dataclasses.replace(
        made("a: x\n", None, made("", None, name="lib"), name="s"), chart_yaml="name: s\nversion: 0.1.0\n"
    )
    declared = "dependencies: [{name: s, version: 0.1.0, alias: one}, {name: s, version: 0.1.0, alias: two}]\n"
    before = dataclasses.replace(made("two: {a: 5}\n", schema, sub), chart_yaml=f"name: c\n{declared}")
    after = dataclasses.replace(before, subcharts=(dataclasses.replace(sub, values="a: x\nlib: {enabled: true}\n"),))
    assert [error for _, error in new_schema_errors(before, after)] == [
        "$.one.lib: Additional properties are not allowed ('enabled' was unexpected)"
    ]


@pytest.mark.parametrize("draft", ["draft/2020-12/schema", "draft/2019-09/schema"])
def test_newer_drafts_are_asked_as_helm_3_reads_them_too(draft: str) -> None:
    dialect = {"$schema": f"https://json-schema.org/{draft}"}
    is_text = {"properties": {"s": {"properties": {"enabled": {"type": "string"}}}}}
    change = ("a: x\ns: {}\n", "a: x\ns: {enabled: false}\n")
    for keyword in ("dependencies", "dependentSchemas"):  # of draft 7, and of its successors
        assert errors(*change, {**dialect, keyword: {"a": is_text}}) == ["$.s.enabled: False is not of type 'string'"]
    assert (
        errors(*change, {"$schema": "http://json-schema.org/draft-07/schema#", "dependentSchemas": {"a": is_text}})
        == []
    )
