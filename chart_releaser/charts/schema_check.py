"""Check that values.schema.json still accepts a chart's default values after switches were added.

Schemas come from upstream, and a regular expression in one can take exponential time in Python, though not in Helm. So
`run_checks` runs in a separate process, with limits on its time and memory.
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
from chart_releaser.charts.dependencies import subchart_instances
from chart_releaser.errors import ChartError
from chart_releaser.helm import yaml as helmyaml

_SCHEMA_FILE = "values.schema.json"
_SECONDS = 10.0
_MAX_BYTES = 64 << 20
"""The size of all checks of a chart; each contains a schema and its values before and after."""
_MEMORY = 1 << 30
_LONGEST = 500  # characters of an error; many quote the values
# `python -I` ignores the current directory and PYTHON* variables, so the search path of this process is passed on. It
# goes after Python's own modules.
_BOOTSTRAP = """
import json, resource, sys
paths, memory, seconds = json.loads(sys.argv[1])
for what, limit in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, seconds)):
    try:
        resource.setrlimit(what, (limit, limit))
    except (OSError, ValueError):
        pass  # a lower limit is in force, or the system has none
sys.path += [path for path in paths if path not in sys.path]
from chart_releaser.charts.schema_check import run_checks
run_checks(sys.stdin, sys.stdout)
"""


def new_schema_errors(before: Chart, after: Chart, seconds: float = math.inf) -> Iterator[tuple[str, str]]:
    """Yield (schema file, error) for each error that the default values of `after` have and those of `before` have not.

    Both are the same chart with the same sub-charts. Errors that upstream's own values have are ignored, because many
    schemas require values that only the user can set. As in Helm, a chart sees its parent's values for it, and all
    schemas of the tree are applied. References to other files or hosts are not followed and allow everything. So do
    regular expressions that Python can't compile.

    Raises ChartError if a schema is invalid, or if the check takes longer than 10 seconds (or `seconds`) or crashes.
    """
    for chart in _charts(before):
        _schema(chart)
    if all(old.values == new.values for old, new in zip(_charts(before), _charts(after), strict=True)):
        return
    places: list[str] = []
    lines = bytearray()
    for check in _checks(before, after, {}, {}):
        places.append(check["where"])
        lines += json.dumps(check).encode() + b"\n"
        if len(lines) > _MAX_BYTES:
            raise ChartError(
                f"{places[-1]}: the schemas of this chart and the values that each sees have more than "
                f"{_MAX_BYTES >> 20} MiB, too much to check"
            )
    if not places:
        return
    for where, errors in zip(places, _run_isolated(places, bytes(lines), min(seconds, _SECONDS)), strict=True):
        for error in errors:
            yield where, error


def _run_isolated(places: list[str], checks: bytes, seconds: float) -> list[list[str]]:
    """Return the new errors of each check, a line of `checks`. Raises ChartError if one can't be run."""
    reason = "the check gave no result"
    try:
        settings = [_paths(), _MEMORY, math.ceil(seconds) + 1]
        command = [sys.executable, "-I", "-c", _BOOTSTRAP, json.dumps(settings)]
        done = children.run_command(
            command, given=checks, env=environment.python_environment(os.environ), seconds=seconds
        )
        written = done.stdout
        if done.returncode:
            reason = "it takes too much memory" if b"MemoryError" in done.stderr else "the check crashed"
    except subprocess.TimeoutExpired as error:
        written, reason = error.stdout or b"", f"it takes more than {seconds:g} seconds"
    except OSError as error:
        written, reason = b"", f"Python could not be started: {error.strerror}"
    results: list[list[str]] = []
    for where, line in zip(places, [*written.split(b"\n"), *[b""] * len(places)], strict=False):
        try:
            result = json.loads(line)
        except ValueError:  # no complete line: the process ended before
            result = reason
        if isinstance(result, str):
            raise ChartError(
                f"{where} can't be checked against the switches of sub-charts: {result}",
                remedy="upstream has to correct it, or leave the release out with versions:",
            )
        results.append(result)
    return results


def _paths() -> list[str]:
    """Return the module search path for the child process, without the current directory."""
    here = Path.cwd()
    paths = [path for path in sys.path if Path(path).is_absolute() and Path(path).resolve() != here]
    return [*paths, str(Path(__file__).resolve().parents[2])]


def _charts(chart: Chart) -> Iterator[Chart]:
    yield chart
    for subchart in chart.subcharts:
        yield from _charts(subchart)


def _checks(
    before: Chart, after: Chart, given_before: dict[str, Any], given_after: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    values_before = _coalesce(before, given_before)
    values_after = _coalesce(after, given_after)
    schema = _schema(before)
    if schema is not None:
        where = f"{before.path}/{_SCHEMA_FILE}"
        yield {"where": where, "schema": schema, "before": values_before, "after": values_after}
    new = subchart_instances(after)
    for name, old in subchart_instances(before).items():
        yield from _checks(old, new[name], _section(values_before, name), _section(values_after, name))


def _schema(chart: Chart) -> Any:
    """Return the chart's schema, or None if it has none. Raises ChartError for a file that is not JSON."""
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
    for name, subchart in subchart_instances(chart).items():
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


def run_checks(checks: IO[str], results: IO[str]) -> None:
    """Write a line of JSON for each check: the list of its new errors, or a text that says why it can't be run."""
    for line in checks:
        check = json.loads(line)
        try:
            result: list[str] | str = _new_errors(check)
        except RecursionError:
            result = "it refers to itself, or is nested too deeply"
        except MemoryError:
            raise
        except Exception as error:  # jsonschema raises all kinds of exceptions for invalid schemas
            result = f"it is not a valid schema ({type(error).__name__}: {' '.join(str(error).split())[:_LONGEST]})"
        results.write(f"{json.dumps(result)}\n")
        results.flush()


def _new_errors(check: dict[str, Any]) -> list[str]:
    before = _errors(check["schema"], check["before"])
    after = _errors(check["schema"], check["after"])
    return [error for identity, error in after.items() if identity not in before]


def _errors(schema: Any, values: dict[str, Any]) -> dict[Any, str]:
    """Return the schema's errors for `values`: the identity of each, and its text.

    Helm 4 supports all drafts. Helm 3 supports only 4, 6 and 7, and treats others roughly as draft 7.
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
"""Keywords that may depend on something unavailable: remote references, or another dialect of regular expressions."""


def _lenient(check: Any) -> Any:
    """Wrap the check of a keyword so that it allows everything if it can't be evaluated."""
    import referencing.exceptions

    def lenient_check(*arguments: Any) -> Iterator[Any]:
        try:
            yield from check(*arguments) or ()
        except (referencing.exceptions.Unresolvable, re.error):
            return

    return lenient_check


def _identity(error: Any) -> Any:
    """Return what identifies an error: its place, because most messages quote the values, which have changed."""
    names_the_key = error.validator in ("additionalProperties", "unevaluatedProperties", "propertyNames")
    return error.json_path, tuple(error.absolute_schema_path), error.message if names_the_key else ""
