"""A chart as a value: its Chart.yaml, values, files and sub-charts, as Helm has them after loading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from chart_releaser import yamlio
from chart_releaser.errors import ChartError, YamlError
from chart_releaser.helm import yaml as helmyaml
from chart_releaser.helm.chart_keys import canonical_keys
from chart_releaser.helm.chart_rules import FIELDS, check_metadata, check_name

REVISION_ANNOTATION = "org.opencontainers.image.revision"
"""The annotation of Chart.yaml with the upstream commit: https://specs.opencontainers.org/image-spec/annotations/"""
REQUIREMENTS_FILE = "requirements.yaml"
"""The dependencies of a chart with apiVersion v1."""

_OPENING = frozenset({"define", "block", "if", "range", "with"})


@dataclass(frozen=True)
class Chart:
    """A chart in memory.

    `path` is where it came from, for messages. `chart_yaml` and `values` are texts; `values` is None without a
    values.yaml. `files` has all other files by their path below the chart, without those of `subcharts`.
    """

    path: str
    chart_yaml: str
    values: str | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    subcharts: tuple[Chart, ...] = ()
    kept: Mapping[str, bytes] | None = None
    """The files of a sub-chart that is somebody else's and is passed on as it is, by their path below the parent's
    `charts/`: its archive, or those of its directory. None for a chart that is the repository's own."""

    @cached_property
    def metadata(self) -> dict[str, helmyaml.Value]:
        """Chart.yaml with the types that Helm reads. Raises ChartError if it is not a mapping."""
        return _metadata(self.chart_yaml, f"{self.path}/Chart.yaml")

    @cached_property
    def name(self) -> str:
        """The name in Chart.yaml, which Helm uses whatever the chart's directory is called."""
        return helmyaml.as_string(self.metadata.get("name"))

    @cached_property
    def dependencies(self) -> list[dict[str, helmyaml.Value]]:
        """The dependencies declared in Chart.yaml or, with apiVersion v1, in requirements.yaml.

        Raises ChartError for a requirements.yaml that Helm would not load, or that sets other fields of Chart.yaml.
        """
        own = self.metadata.get("dependencies")
        declared = _requirements(self, own) if REQUIREMENTS_FILE in self.files else own
        return [item for item in declared if isinstance(item, dict)] if isinstance(declared, list) else []

    @cached_property
    def is_helper(self) -> bool:
        """Whether the chart renders nothing by itself: it and its sub-charts are libraries or only define helpers."""
        if self.metadata.get("type") == "library":
            return True
        renders = any(_renders(path, data) for path, data in self.files.items())
        return not renders and all(subchart.is_helper for subchart in self.subcharts)


def _renders(path: str, data: bytes) -> bool:
    if path.startswith("crds/"):
        return True
    name = path.rsplit("/", 1)[-1]
    is_template = path.startswith("templates/") and not name.startswith("_") and name != "NOTES.txt"
    return is_template and not _only_defines(data.decode(errors="replace"))


def _only_defines(template: str) -> bool:
    """Whether a template contains only comments, space and named templates for others.

    Actions are delimited as in https://pkg.go.dev/text/template#hdr-Actions. A regular expression could backtrack;
    this scan takes time linear in the text.
    """
    depth, at = 0, 0
    while (start := template.find("{{", at)) >= 0:
        if depth == 0 and template[at:start].strip():
            return False
        body = start + 2 + (template[start + 2 : start + 3] == "-")
        is_comment = template[body : body + 64].lstrip().startswith("/*")
        end = template.find("}}", template.find("*/", body) if is_comment else body)
        if end < 0:
            return False
        at = end + 2
        if is_comment:
            continue
        word = next(iter(template[body : min(end, body + 64)].split()), "")
        if depth == 0 and word != "define":
            return False
        depth += (word in _OPENING) - (word.removesuffix("-") == "end")
    return depth == 0 and not template[at:].strip()


def _metadata(text: str, where: str) -> dict[str, helmyaml.Value]:
    try:
        value = helmyaml.construct(yamlio.compose(text, where=where), where=where)
    except YamlError as error:
        raise ChartError.of(error) from error
    if not isinstance(value, dict):
        raise ChartError(f"{where} is not a mapping of keys and values")
    return value


def _requirements(chart: Chart, own: helmyaml.Value) -> helmyaml.Value:
    """Return the dependencies of requirements.yaml or, if it has none, `own`, those of Chart.yaml.

    Raises ChartError.
    """
    where = f"{chart.path}/{REQUIREMENTS_FILE}"
    try:
        text = chart.files[REQUIREMENTS_FILE].decode()
        value = helmyaml.construct(yamlio.compose(text, where=where), where=where)
    except YamlError as error:
        raise ChartError.of(error, f"{where} can't be read") from error
    except UnicodeDecodeError as error:
        raise ChartError(f"{where} can't be read: {error}") from error
    if value is None:
        return own
    if not isinstance(value, dict):
        raise ChartError(f"{where} is not a mapping of keys and values, so Helm would not load this chart")
    # Helm unmarshals requirements.yaml into the same struct after Chart.yaml: any field overrides, lists merge by item.
    fields = canonical_keys(value, where=where)
    others = sorted(key for key in fields if key in FIELDS and key != "dependencies")
    if others:
        raise ChartError(
            f"{where} has {', '.join(others)}, which Helm would take instead of Chart.yaml's",
            remedy="upstream would have to keep nothing but dependencies in it",
        )
    if "dependencies" not in fields:
        return own
    declared = fields["dependencies"]
    if own and own != declared:
        raise ChartError(
            f"{where} declares other dependencies than Chart.yaml, and Helm would mix them",
            remedy="upstream would have to declare them in one place",
        )
    check_metadata({**chart.metadata, "dependencies": declared}, where=where)
    return declared


def check_subcharts(chart: Chart) -> None:
    """Raise ChartError unless the chart can be packaged: valid names, no sub-chart name twice, no file that gets lost.

    Helm assigns a `.prov` file below `charts/` to the chart itself, not to the sub-chart that contains it. So a
    sub-chart that comes from an archive or another directory must not have one.
    """
    check_name(chart.name, where=f"{chart.path}/Chart.yaml")
    seen: dict[str, str] = {}
    for subchart in chart.subcharts:
        if subchart.kept is not None:
            continue
        if subchart.name.startswith(("_", ".")) or subchart.name.endswith(".tgz"):
            raise ChartError(
                f"{subchart.path}/Chart.yaml: a sub-chart called {subchart.name} can't be packaged: "
                "Helm passes over a directory of that name"
            )
        if subchart.name in seen:
            raise ChartError(f"{seen[subchart.name]} and {subchart.path} are both called {subchart.name}")
        seen[subchart.name] = subchart.path
        lost = next((path for path in subchart.files if path.endswith(".prov")), None)
        if lost is not None:
            raise ChartError(
                f"{subchart.path}/{lost}: below charts Helm takes a .prov for a file of the parent, so "
                f"{subchart.name} would lose it",
                remedy="upstream would have to rename it",
            )
    for subchart in chart.subcharts:
        place = next(iter(subchart.kept)).partition("/")[0] if subchart.kept else ""
        if place in seen:
            raise ChartError(f"{seen[place]} and {subchart.path} would both be at charts/{place} of the package")
