"""Does values.schema.json still accept a chart's defaults after the switches came in?

Schemas are upstream's, and a regular expression in one can take Python for ever, where Helm's engine is linear. So they
are asked in a process of their own, which is this module run as a program: it ends when its time is over.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from chart_releaser import helmyaml, yamlio
from chart_releaser.chart import Chart
from chart_releaser.errors import ChartError

_SCHEMA_FILE = "values.schema.json"
_SECONDS = 10


def new_schema_errors(before: Chart, after: Chart) -> Iterator[tuple[str, str]]:
    """Yield (schema file, error) for each error that the defaults of `after` have and those of `before` had not.

    Both are the same chart, sub-charts in the same order. Many a schema asks for values that only the user can give,
    so upstream's own errors are no fault. As in Helm, a chart sees its parent's values for it, and each schema of the
    tree is asked. References to other files or hosts are not followed.
    """
    for chart in _charts(before):
        _schema(chart)
    if all(old.values == new.values for old, new in zip(_charts(before), _charts(after), strict=True)):
        return
    questions = list(_questions(before, after, {}, {}))
    if not questions:
        return
    for question, errors in zip(questions, _ask(questions), strict=True):
        for error in errors:
            yield question["where"], error


def _ask(questions: list[dict[str, Any]]) -> list[list[str]]:
    """Return the new errors of each question; none where they can't be found out in time or not at all."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__],
            input=json.dumps(questions).encode(),
            capture_output=True,
            timeout=_SECONDS,
            check=True,
        )
        answers: list[list[str]] = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return [[] for _ in questions]
    return answers


def _charts(chart: Chart) -> Iterator[Chart]:
    yield chart
    for subchart in chart.subcharts:
        yield from _charts(subchart)


def _questions(
    before: Chart, after: Chart, given_before: dict[str, Any], given_after: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    values_before = _coalesce(before, given_before)
    values_after = _coalesce(after, given_after)
    schema = _schema(before)
    if schema is not None:
        where = f"{before.path}/{_SCHEMA_FILE}"
        yield {"where": where, "schema": schema, "before": values_before, "after": values_after}
    for old, new in zip(before.subcharts, after.subcharts, strict=True):
        yield from _questions(old, new, _section(values_before, old.name), _section(values_after, new.name))


def _schema(chart: Chart) -> Any:
    """Return the chart's schema, None if it has none. Raises ChartError for a file that is no JSON."""
    if _SCHEMA_FILE not in chart.files:
        return None
    try:
        return json.loads(chart.files[_SCHEMA_FILE])
    except (ValueError, RecursionError) as error:
        where = f"{chart.path}/{_SCHEMA_FILE}"
        raise ChartError(f"{where} is no JSON that can be read: {error}; upstream has to correct it") from error


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


def _errors(schema: Any, values: dict[str, Any]) -> dict[Any, str]:
    """Return the schema's complaints about `values`: what identifies each, and its text."""
    import jsonschema.validators
    import referencing

    try:
        validator_class = jsonschema.validators.validator_for(schema, default=jsonschema.Draft7Validator)
        validator = validator_class(schema, registry=referencing.Registry())
        return {_identity(error): f"{error.json_path}: {error.message}" for error in validator.iter_errors(values)}
    except Exception:  # schemas come in every quality, and Helm's library takes other ones than this
        return {}


def _identity(error: Any) -> Any:
    """Tell errors apart by where they are: most messages quote the values, which have changed."""
    names_the_key = error.validator in ("additionalProperties", "unevaluatedProperties", "propertyNames")
    return error.json_path, tuple(error.absolute_schema_path), error.message if names_the_key else ""


def _new(question: dict[str, Any]) -> list[str]:
    known = _errors(question["schema"], question["before"])
    found = _errors(question["schema"], question["after"])
    return [error for identity, error in found.items() if identity not in known]


if __name__ == "__main__":
    json.dump([_new(question) for question in json.load(sys.stdin)], sys.stdout)
