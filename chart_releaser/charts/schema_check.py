"""Does values.schema.json still accept a chart's defaults after the switches came in?

Schemas are upstream's, and a regular expression in one can take Python for ever, where Helm's engine is linear. So they
are asked in a process of their own, by `answer`, which ends when its time or memory is used up.
"""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from chart_releaser import children, environment, yamlio
from chart_releaser.charts.chart import Chart
from chart_releaser.charts.dependencies import instances
from chart_releaser.errors import ChartError
from chart_releaser.helm import yaml as helmyaml

_SCHEMA_FILE = "values.schema.json"
_SECONDS = 10.0
_MOST_BYTES = 64 << 20
"""Of all questions about a chart; each holds a schema, and twice the values that it is about."""
_MEMORY = 1 << 30
_LONGEST = 500  # characters of an error, of which many quote the values
# Isolated, Python looks neither at the current directory nor at its variables. What this process was told by those, to
# find itself and its libraries, comes behind Python's own modules.
_BOOTSTRAP = """
import json, resource, sys
paths, memory, seconds = json.loads(sys.argv[1])
for what, limit in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, seconds)):
    try:
        resource.setrlimit(what, (limit, limit))
    except (OSError, ValueError):
        pass  # a lower one holds already, or the system has none
sys.path += [path for path in paths if path not in sys.path]
from chart_releaser.charts.schema_check import answer
answer(sys.stdin, sys.stdout)
"""


def new_schema_errors(before: Chart, after: Chart, seconds: float = math.inf) -> Iterator[tuple[str, str]]:
    """Yield (schema file, error) for each error that the defaults of `after` have and those of `before` had not.

    Both are the same chart, with the same sub-charts. Many a schema asks for values that only the user can give, so
    upstream's own errors are no fault. As in Helm, a chart sees its parent's values for it, and each schema of the
    tree is asked. References to other files or hosts are not followed: whatever they would say, it is allowed. So is
    what a regular expression would say that Python does not understand.

    Raises ChartError if this takes longer than 10 seconds, or `seconds` if they are less, or does not come to an end
    in another way.
    """
    for chart in _charts(before):
        _schema(chart)
    if all(old.values == new.values for old, new in zip(_charts(before), _charts(after), strict=True)):
        return
    places: list[str] = []
    given = bytearray()
    for question in _questions(before, after, {}, {}):
        places.append(question["where"])
        given += json.dumps(question).encode() + b"\n"
        if len(given) > _MOST_BYTES:
            raise ChartError(
                f"{places[-1]}: the schemas of this chart and the values that each sees have more than "
                f"{_MOST_BYTES >> 20} MiB, too much to check"
            )
    if not places:
        return
    for where, errors in zip(places, _ask(places, bytes(given), min(seconds, _SECONDS)), strict=True):
        for error in errors:
            yield where, error


def _ask(places: list[str], given: bytes, seconds: float) -> list[list[str]]:
    """Return the new errors of each question, a line of `given`. Raises ChartError if they can't be found out."""
    why = "the check gave no result"
    try:
        told = [_paths(), _MEMORY, math.ceil(seconds) + 1]
        command = [sys.executable, "-I", "-c", _BOOTSTRAP, json.dumps(told)]
        done = children.run_command(
            command, given=given, env=environment.python_environment(os.environ), seconds=seconds
        )
        written = done.stdout
        if done.returncode:
            why = "it takes too much memory" if b"MemoryError" in done.stderr else "the check crashed"
    except subprocess.TimeoutExpired as error:
        written, why = error.stdout or b"", f"it takes more than {seconds:g} seconds"
    except OSError as error:
        written, why = b"", f"Python could not be started: {error.strerror}"
    answers: list[list[str]] = []
    for where, line in zip(places, [*written.split(b"\n"), *[b""] * len(places)], strict=False):
        try:
            found = json.loads(line)
        except ValueError:
            found = why
        if isinstance(found, str):
            raise ChartError(
                f"{where} can't be checked against the switches of sub-charts: {found}",
                remedy="upstream has to correct it, or leave the release out with versions:",
            )
        answers.append(found)
    return answers


def _paths() -> list[str]:
    """Return where the package and its libraries are found: never by looking into the current directory first."""
    here = Path.cwd()
    paths = [path for path in sys.path if Path(path).is_absolute() and Path(path).resolve() != here]
    return [*paths, str(Path(__file__).resolve().parents[2])]


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
    news = instances(after)
    for name, old in instances(before).items():
        yield from _questions(old, news[name], _section(values_before, name), _section(values_after, name))


def _schema(chart: Chart) -> Any:
    """Return the chart's schema, None if it has none. Raises ChartError for a file that is no JSON."""
    if _SCHEMA_FILE not in chart.files:
        return None
    try:
        return json.loads(chart.files[_SCHEMA_FILE])
    except (ValueError, RecursionError) as error:
        where = f"{chart.path}/{_SCHEMA_FILE}"
        raise ChartError(f"{where} is not valid JSON: {error}", remedy="upstream has to correct it") from error


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
    for name, subchart in instances(chart).items():
        below = _coalesce(subchart, _section(values, name))
        if isinstance(values.get(name, {}), dict):
            values[name] = below
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


def answer(questions: IO[str], answers: IO[str]) -> None:
    """Write a line for each question: its new errors as a list, or a text that says why they can't be found out."""
    for line in questions:
        question = json.loads(line)
        try:
            said: list[str] | str = _new(question)
        except RecursionError:
            said = "it refers to itself, or is nested too deeply"
        except MemoryError:
            raise
        except Exception as error:  # schemas come in every quality
            said = f"it is not a valid schema ({type(error).__name__}: {' '.join(str(error).split())[:_LONGEST]})"
        answers.write(f"{json.dumps(said)}\n")
        answers.flush()


def _new(question: dict[str, Any]) -> list[str]:
    known = _errors(question["schema"], question["before"])
    found = _errors(question["schema"], question["after"])
    return [error for identity, error in found.items() if identity not in known]


def _errors(schema: Any, values: dict[str, Any]) -> dict[Any, str]:
    """Return the schema's complaints about `values`: what identifies each, and its text.

    Helm 4 knows all drafts. Helm 3 knows none but 4, 6 and 7, and reads every other schema much as one of draft 7.
    """
    import jsonschema
    from jsonschema.validators import validator_for

    own = validator_for(schema, default=jsonschema.Draft7Validator)
    helm3 = own if own in (jsonschema.Draft4Validator, jsonschema.Draft6Validator) else jsonschema.Draft7Validator
    return {**_errors_of(own, schema, values), **({} if helm3 is own else _errors_of(helm3, schema, values))}


def _errors_of(validator_class: Any, schema: Any, values: dict[str, Any]) -> dict[Any, str]:
    import jsonschema.validators
    import referencing

    lenient = {name: _lenient(check) for name, check in validator_class.VALIDATORS.items() if name in _LENIENT}
    lenient_class: Any = jsonschema.validators.extend(validator_class, lenient)  # type: ignore[no-untyped-call]
    validator = lenient_class(schema, registry=referencing.Registry())
    return {
        _identity(error): f"{error.json_path}: {error.message}"[:_LONGEST] for error in validator.iter_errors(values)
    }


_LENIENT = (
    *("$ref", "$dynamicRef", "$recursiveRef", "unevaluatedProperties", "unevaluatedItems"),
    *("pattern", "patternProperties", "additionalProperties"),
)
"""Keywords that may need what can't be followed: references to elsewhere, expressions in another dialect."""


def _lenient(check: Any) -> Any:
    """Return a keyword's check that allows everything where it can't be followed."""
    import referencing.exceptions

    def checked(*arguments: Any) -> Iterator[Any]:
        try:
            yield from check(*arguments) or ()
        except (referencing.exceptions.Unresolvable, re.error):
            return

    return checked


def _identity(error: Any) -> Any:
    """Tell errors apart by where they are: most messages quote the values, which have changed."""
    names_the_key = error.validator in ("additionalProperties", "unevaluatedProperties", "propertyNames")
    return error.json_path, tuple(error.absolute_schema_path), error.message if names_the_key else ""
