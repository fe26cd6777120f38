"""From what upstream has at a tag to the chart that gets published: umbrella, versions, switches, provenance."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from chart_releaser import yamlio
from chart_releaser.budget import Budget
from chart_releaser.charts.chart import REVISION_ANNOTATION, Chart, Tree, check_subcharts, read_chart
from chart_releaser.charts.dependencies import check_switches, check_versions, foreign_values, has_version, undeclared
from chart_releaser.charts.notes import notes_on
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
# v1's requirements, which move into Chart.yaml.
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
    """The tag as a tag of images and an `appVersion`; None where it can't be one."""
    sets_app_version: bool = False
    """Whether `label` replaces upstream's own `appVersion`; a missing one it always becomes."""
    sets_image_tags: bool = True
    """Whether `label` replaces `tag: latest` in values."""


@dataclass(frozen=True)
class Assembled:
    """A finished chart, and what looks wrong in it."""

    chart: Chart
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Registration:
    """The text of a controller-registration and where it was found."""

    text: str
    where: str


def assemble(
    name: str,
    paths: Sequence[str],
    tree: Tree,
    origin: Origin,
    registration: Callable[[], Registration],
    budget: Budget,
) -> Assembled:
    """Return the finished chart `name` from the chart `paths` of `tree`; `registration` is called if they name one.

    One path gives upstream's chart under the new name; a controller-registration, or several paths, an umbrella chart
    with a sub-chart for each. Raises ChartError if anything is missing or could not be published whole, BudgetError.
    """
    if REGISTRATION in paths or len(paths) != 1:
        chart = _umbrella(name, paths, tree, registration, budget)
    else:
        chart = read_chart(tree, paths[0], budget)
    check_switches(chart)
    finished = _with_provenance(_finish(chart, origin, budget, is_top=True), name, origin)
    finished = _without_harmful_rules(finished, budget)
    check_subcharts(finished)
    is_umbrella = chart.path == name
    return Assembled(finished, tuple(notes_on(chart.subcharts if is_umbrella else [chart], finished, origin)))


def _umbrella(
    name: str, paths: Sequence[str], tree: Tree, registration: Callable[[], Registration], budget: Budget
) -> Chart:
    subcharts = []
    for path in paths:
        if path == REGISTRATION:
            found = registration()
            budget.take_yaml(found.text, found.where)
            subcharts.append(registration_chart(found.text, source=name, where=found.where))
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
    """Return what `helm install` prints: an umbrella that is installed with its defaults does nothing."""
    switches = "".join(f"  {subchart.name}.enabled\n" for subchart in subcharts)
    return f"{name} installs the parts that are switched on in its values:\n{switches}"


def _with_provenance(chart: Chart, name: str, origin: Origin) -> Chart:
    """Give the finished chart its published name, its release notes, and what tells where it comes from."""
    edit = MetadataEdit(chart)
    edit.set("name", name)
    # In quotes where it is a number: Helm reads the same, but `helm lint` calls it an error.
    version = helmyaml.as_string(chart.metadata.get("appVersion")) or origin.label
    if version is not None:
        edit.set("appVersion", version)
    own = chart.metadata.get("sources")
    sources = own if isinstance(own, list) else []
    if origin.repository is not None and origin.repository not in sources:
        edit.append("sources", [origin.repository])
    edit.put("annotations", REVISION_ANNOTATION, origin.commit)
    # Notes come from JSON, which can hold halves of surrogate pairs.
    notes = origin.notes.encode(errors="replace")
    # A template may read upstream's own file of that name.
    return replace(chart, chart_yaml=edit.text, files={NOTES_FILE: notes, **chart.files})


def _finish(chart: Chart, origin: Origin, budget: Budget, *, is_top: bool = False) -> Chart:
    """Give a chart and all below it the version, the image tag, and a switch for each sub-chart.

    What is somebody else's stays as it is: sub-charts, the values for them, and the ranges that they are declared by.
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
    # A version is a constraint on the sub-chart's own, which is that of the release from now on.
    versioned = [
        number
        for number, dependency in enumerate(declared)
        if has_version(dependency) and helmyaml.as_string(dependency.get("name")) in own
    ]
    edit.set_in_items("dependencies", "version", dict.fromkeys(versioned, origin.version))
    switches = {subchart.name: subchart.is_helper for subchart in undeclared(chart)}
    edit.append("dependencies", [{"name": name, "condition": f"{name}.enabled", "repository": ""} for name in switches])
    stale = _REQUIREMENTS_FILES
    if versioned or switches or not _is_lock(chart.files.get(_LOCK_FILE)):
        stale |= {_LOCK_FILE}  # it is that of other dependencies, or of none
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


def _without_harmful_rules(chart: Chart, budget: Budget) -> Chart:
    """Return `chart` without its `.helmignore` if Helm would leave out anything of the chart by it.

    The rules were made for upstream's layout, and applied when the chart was read. Here sub-charts are in directories
    named after them, archives are unpacked, and a values.yaml may be new; a rule that is about one of these would make
    Helm lose it from the exported directory, but not from the package. So would one that is about the notes.
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
