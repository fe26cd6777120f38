"""Does values.schema.json still accept a chart's defaults after the switches came in?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from chart_releaser import helmyaml, yamlio
from chart_releaser.chart import Chart
from chart_releaser.errors import ChartError

_SCHEMA_FILE = "values.schema.json"


def new_schema_errors(before: Chart, after: Chart) -> Iterator[tuple[str, str]]:
    """Yield (schema file, error) for each error that the defaults of `after` have and those of `before` had not.

    Both are the same chart, sub-charts in the same order. Many a schema asks for values that only the user can give,
    so upstream's own errors are no fault. As in Helm, a chart sees its parent's values for it, and each schema of the
    tree is asked. References to other files or hosts are not followed.
    """
    if any(_SCHEMA_FILE in chart.files for chart in _charts(before)):
        yield from _compare(before, after, {}, {})


def _charts(chart: Chart) -> Iterator[Chart]:
    yield chart
    for subchart in chart.subcharts:
        yield from _charts(subchart)


def _compare(
    before: Chart, after: Chart, given_before: dict[str, Any], given_after: dict[str, Any]
) -> Iterator[tuple[str, str]]:
    values_before = _coalesce(before, given_before)
    values_after = _coalesce(after, given_after)
    if _SCHEMA_FILE in before.files:
        where = f"{before.path}/{_SCHEMA_FILE}"
        schema = before.files[_SCHEMA_FILE]
        known = _errors(schema, values_before, where)
        for identity, error in _errors(schema, values_after, where).items():
            if identity not in known:
                yield where, error
    for old, new in zip(before.subcharts, after.subcharts, strict=True):
        yield from _compare(old, new, _section(values_before, old.name), _section(values_after, new.name))


def _section(values: dict[str, Any], name: str) -> dict[str, Any]:
    own = values.get(name)
    section = dict(own) if isinstance(own, dict) else {}
    if isinstance(values.get("global"), dict):
        section["global"] = _merge(values["global"], section.get("global", {}))
    return section


def _coalesce(chart: Chart, given: dict[str, Any]) -> dict[str, Any]:
    where = f"{chart.path}/values.yaml"
    own = helmyaml.construct(yamlio.compose(chart.values or "", where=where), where=where)
    values: dict[str, Any] = _merge(given, own if isinstance(own, dict) else {})
    for subchart in chart.subcharts:
        below = _coalesce(subchart, _section(values, subchart.name))
        if isinstance(values.get(subchart.name, {}), dict):
            values[subchart.name] = below
    return values


def _merge(given: Any, defaults: Any) -> Any:
    if not isinstance(given, dict) or not isinstance(defaults, dict):
        return given
    merged = dict(defaults)
    for key, value in given.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(value, defaults[key]) if key in defaults else value
    return merged


def _errors(schema: bytes, values: dict[str, Any], where: str) -> dict[Any, str]:
    """Return the schema's complaints about `values`: what identifies each, and its text."""
    import jsonschema.validators
    import referencing

    try:
        parsed = json.loads(schema)
    except ValueError as error:
        raise ChartError(f"{where} is no JSON: {error}") from error
    try:
        validator_class = jsonschema.validators.validator_for(parsed, default=jsonschema.Draft7Validator)
        validator = validator_class(parsed, registry=referencing.Registry())
        return {_identity(error): f"{error.json_path}: {error.message}" for error in validator.iter_errors(values)}
    except Exception:  # schemas come in every quality, and Helm's library takes other ones than this
        return {}


def _identity(error: Any) -> Any:
    """Tell errors apart by where they are: most messages quote the values, which have changed."""
    names_the_key = error.validator in ("additionalProperties", "unevaluatedProperties", "propertyNames")
    return error.json_path, tuple(error.absolute_schema_path), error.message if names_the_key else ""
