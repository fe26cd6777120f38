"""Which complaints of values.schema.json are new, and so ours."""

from __future__ import annotations

import dataclasses
import json

import pytest

from chart_releaser import schema_check
from chart_releaser.chart import Chart
from chart_releaser.errors import ChartError
from chart_releaser.schema_check import new_schema_errors


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
        {"$ref": "#"},
        {"type": "nonsense"},
        {"properties": []},
        {"patternProperties": {"(?P<": {}}},
        {"properties": {"a": {"type": "number", "minimum": 1, "exclusiveMinimum": True}}},
        ["no schema"],
        True,
    ],
)
def test_schemas_that_can_not_be_followed_hinder_nothing(schema: object) -> None:
    assert errors("a: x\n", "a: x\ns: {enabled: false}\n", schema) == []


def test_a_schema_that_is_no_json_is_an_error() -> None:
    for text in ("{", "[" * 100_000):
        with pytest.raises(ChartError, match=r"^c/values\.schema\.json is no JSON that can be read: .*; upstream has"):
            errors("", "", text)


def test_a_regular_expression_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_check, "_SECONDS", 2)
    schema = {"properties": {"big": {"pattern": "(a+)+$"}}}
    big = "a" * 40 + "!"
    assert errors(f"big: {big}\n", f"big: {big}\ns: {{enabled: false}}\n", schema) == []


def test_a_sub_chart_is_asked_with_its_parents_values_for_it() -> None:
    sub = made("a: x\n", CLOSED, name="s")
    before = made("s: {a: y}\nglobal: {g: 1}\n", None, sub)
    after = dataclasses.replace(before, values="s: {enabled: true, a: y}\nglobal: {g: 1}\n")
    found = list(new_schema_errors(before, after))
    assert [where for where, _ in found] == ["s/values.schema.json"]
