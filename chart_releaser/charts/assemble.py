"""Assemble the published chart from an upstream tree: umbrella, versions, switches, origin."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from chart_releaser import yamlio
from chart_releaser.budget import Budget
from chart_releaser.charts.chart import REVISION_ANNOTATION, Chart, check_subcharts
from chart_releaser.charts.dependencies import (
    check_switches,
    check_versions,
    foreign_values,
    has_version,
    undeclared_subcharts,
)
from chart_releaser.charts.loader import SourceTree, read_chart
from chart_releaser.charts.notes import find_notes
from chart_releaser.charts.package import chart_files
from chart_releaser.charts.registration import registration_chart
from chart_releaser.charts.schema_check import new_schema_errors
from chart_releaser.charts.texts import MetadataEdit, edit_values
from chart_releaser.config.model import REGISTRATION
from chart_releaser.errors import ChartError, YamlError
from chart_releaser.helm import yaml as helmyaml
from chart_releaser.helm.chart_rules import check_metadata
from chart_releaser.helm.ignore import HelmIgnore
from chart_releaser.helm.yaml import Value

NOTES_FILE = "RELEASE.md"
IGNORE_FILE = ".helmignore"
# The requirements of apiVersion v1 move into Chart.yaml.
_REQUIREMENTS_FILES = frozenset(("requirements.yaml", "requirements.lock"))
_LOCK_FILE = "Chart.lock"
# What Go reads as a time: https://pkg.go.dev/time#Time.UnmarshalJSON
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})")


@dataclass(frozen=True)
class Origin:
    """Where a chart comes from: the upstream tag, its version, commit and notes, and the repository's web address."""

    tag: str
    version: str
    commit: str
    notes: str
    repository: str | None
    label: str | None
    """The tag as a tag of images and an `appVersion`; None if it can't be one."""
    sets_app_version: bool = False
    """Whether `label` replaces upstream's own `appVersion`; it always fills in a missing one."""
    sets_image_tags: bool = True
    """Whether `label` replaces `tag: latest` in values."""


@dataclass(frozen=True)
class Assembled:
    """A finished chart, and what looks wrong in it."""

    chart: Chart
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Registration:
    """The text of a controller-registration, and where it comes from, for messages."""

    text: str
    where: str


def assemble(
    name: str,
    paths: Sequence[str],
    tree: SourceTree,
    origin: Origin,
    registration: Callable[[], Registration],
    budget: Budget,
) -> Assembled:
    """Return the finished chart `name`, built from the charts at `paths` of `tree`.

    A single path gives upstream's chart under the new name. Several paths, or the word controller-registration, give an
    umbrella chart with a sub-chart for each; `registration` is called for the latter. Raises ChartError if anything is
    missing or can't be published completely, and BudgetError.
    """
    if REGISTRATION in paths or len(paths) != 1:
        chart = _umbrella(name, paths, tree, registration, budget)
    else:
        chart = read_chart(tree, paths[0], budget)
    check_switches(chart)
    finished = _add_origin(_finish(chart, origin, budget, is_top=True), name, origin)
    finished = _drop_harmful_ignore_file(finished, budget)
    check_subcharts(finished)
    is_umbrella = chart.path == name
    return Assembled(finished, tuple(find_notes(chart.subcharts if is_umbrella else [chart], finished, origin)))


def _umbrella(
    name: str, paths: Sequence[str], tree: SourceTree, registration: Callable[[], Registration], budget: Budget
) -> Chart:
    subcharts = []
    for path in paths:
        if path == REGISTRATION:
            own = registration()
            budget.take_yaml(own.text, own.where)
            subcharts.append(registration_chart(own.text, source=name, where=own.where))
        else:
            subcharts.append(read_chart(tree, path, budget))
    metadata = {"apiVersion": "v2", "name": name, "description": f"A helmchart for {name}", "version": "0.0.0"}
    umbrella = Chart(
        path=name,
        chart_yaml=yamlio.dump(metadata, sort_keys=False),
        files={"templates/NOTES.txt": _switch_notes(name, subcharts).encode()},
        subcharts=tuple(subcharts),
    )
    check_subcharts(umbrella)
    return umbrella


def _switch_notes(name: str, subcharts: Sequence[Chart]) -> str:
    """Return the notes that `helm install` prints: with its default values an umbrella chart installs nothing."""
    switches = "".join(f"  {subchart.name}.enabled\n" for subchart in subcharts)
    return f"{name} installs the parts that are switched on in its values:\n{switches}"


def _add_origin(chart: Chart, name: str, origin: Origin) -> Chart:
    """Return the finished chart with its published name, release notes, and references to its origin."""
    edit = MetadataEdit(chart)
    edit.set("name", name)
    # As a string even if upstream wrote a number: Helm reads both alike, but `helm lint` reports the number.
    version = helmyaml.as_string(chart.metadata.get("appVersion")) or origin.label
    if version is not None:
        edit.set("appVersion", version)
    own = chart.metadata.get("sources")
    sources = own if isinstance(own, list) else []
    if origin.repository is not None and origin.repository not in sources:
        edit.append("sources", [origin.repository])
    edit.put("annotations", REVISION_ANNOTATION, origin.commit)
    # Notes come from JSON, which can contain lone surrogates.
    notes = origin.notes.encode(errors="replace")
    # Upstream's own file of that name wins, since a template may read it.
    return replace(chart, chart_yaml=edit.text, files={NOTES_FILE: notes, **chart.files})


def _finish(chart: Chart, origin: Origin, budget: Budget, *, is_top: bool = False) -> Chart:
    """Return the chart and its sub-charts with the version, the image tag, and a switch for each undeclared sub-chart.

    Somebody else's sub-charts stay as they are, as do the values for them and the ranges that declare them. Raises
    ChartError if that is not possible or would change something else, and BudgetError.
    """
    budget.check_time(chart.path)
    subcharts = tuple(
        _finish(subchart, origin, budget) if subchart.kept is None else subchart for subchart in chart.subcharts
    )
    own = {subchart.name for subchart in subcharts if subchart.kept is None}
    known = {subchart.name for subchart in subcharts}
    declared = chart.dependencies
    for dependency in declared:
        _require_vendored(chart, dependency, known)
    check_versions(chart)
    edit = MetadataEdit(chart)
    edit.set("apiVersion", "v2")
    edit.set("version", origin.version)
    if origin.sets_app_version and origin.label is not None:
        edit.set("appVersion", origin.label)
    if declared:
        edit.set("dependencies", list(declared))
    # Own sub-charts get the version of the release, so the constraints of their parents have to allow it.
    versioned = [
        number
        for number, dependency in enumerate(declared)
        if has_version(dependency) and helmyaml.as_string(dependency.get("name")) in own
    ]
    edit.set_in_items("dependencies", "version", dict.fromkeys(versioned, origin.version))
    switches = {subchart.name: subchart.is_helper for subchart in undeclared_subcharts(chart)}
    edit.append("dependencies", [{"name": name, "condition": f"{name}.enabled", "repository": ""} for name in switches])
    stale = _REQUIREMENTS_FILES
    if versioned or switches or not _is_lock(chart.files.get(_LOCK_FILE)):
        stale |= {_LOCK_FILE}  # the lock of other dependencies, or of none
    image_tag = origin.label if origin.sets_image_tags else None
    finished = replace(
        chart,
        chart_yaml=edit.text,
        values=edit_values(chart, image_tag, switches, foreign_values(chart)),
        files={name: data for name, data in chart.files.items() if name not in stale},
        subcharts=subcharts,
    )
    check_metadata(finished.metadata, where=f"{chart.path}/Chart.yaml")
    budget.check_time(chart.path)
    if is_top:
        for where, problem in new_schema_errors(chart, finished, budget.left):
            raise ChartError(f"{where} does not allow what the switches of sub-charts need: {problem}")
    return finished


def _is_lock(data: bytes | None) -> bool:
    """Tell whether `data` is a Chart.lock of some dependencies; Helm loads no chart with a malformed one."""
    try:
        lock = helmyaml.construct(yamlio.compose((data or b"").decode(), where=_LOCK_FILE), where=_LOCK_FILE)
    except (YamlError, UnicodeDecodeError):
        return False
    if not isinstance(lock, dict) or not lock.keys() <= {"dependencies", "digest", "generated"}:
        return False
    items = lock.get("dependencies")
    is_listed = isinstance(items, list) and all(isinstance(item, dict) for item in items)
    return is_listed and _TIME.fullmatch(helmyaml.as_string(lock.get("generated"))) is not None


def _drop_harmful_ignore_file(chart: Chart, budget: Budget) -> Chart:
    """Return `chart` without its `.helmignore` if that would make Helm ignore a file of the finished chart.

    The rules were written for upstream's layout and applied when the chart was loaded. In the finished chart sub-charts
    are in directories named after them, archives are unpacked, and values.yaml or the notes may be new. Helm applies
    the rules to an exported directory but not to a package, so a matching rule would make the two differ.
    """
    rules = chart.files.get(IGNORE_FILE)
    if rules is None:
        return chart
    ignore = HelmIgnore.parse(rules, where=f"{chart.path}/{IGNORE_FILE}")
    files = {path for path, _ in chart_files(chart)}
    folders: set[str] = set()
    for path in files:
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]

    def is_hidden(path: str, *, is_directory: bool) -> bool:
        budget.check_time(chart.path)
        return ignore.ignores(path, is_directory)

    if any(is_hidden(path, is_directory=False) for path in files) or any(
        is_hidden(path, is_directory=True) for path in folders
    ):
        return replace(chart, files={path: data for path, data in chart.files.items() if path != IGNORE_FILE})
    return chart


def _require_vendored(chart: Chart, dependency: Mapping[str, Value], known: set[str]) -> None:
    name = helmyaml.as_string(dependency.get("name"))
    if name in known:
        return
    version = helmyaml.as_string(dependency.get("version")) or "without a version"
    repository = helmyaml.as_string(dependency.get("repository")) or "no repository"
    raise ChartError(
        f"{chart.path} depends on {name} {version} ({repository}), which is not in its charts directory at this tag",
        remedy="upstream would have to keep it there, as `helm dependency build` puts it",
    )
