"""A chart as a value: what Helm loads from a directory or an archive, sub-charts included."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

from chart_releaser import yamlio
from chart_releaser.budget import Budget
from chart_releaser.charts.pointers import check_content
from chart_releaser.errors import ChartError, SnapshotError, YamlError, close_matches
from chart_releaser.helm import yaml as helmyaml
from chart_releaser.helm.archive import Allowance, unpack
from chart_releaser.helm.chart_keys import canonical_keys, correct_key_case
from chart_releaser.helm.chart_rules import FIELDS, check_metadata, check_name
from chart_releaser.helm.ignore import HelmIgnore
from chart_releaser.helm.yaml import as_string

REVISION_ANNOTATION = "org.opencontainers.image.revision"
"""Names the upstream commit in Chart.yaml: https://specs.opencontainers.org/image-spec/annotations/"""
_MAX_NESTING = 20
# Chart.yaml goes into the index, once for each version, which everybody reads as a whole.
_MAX_METADATA = 256 * 1024
_UTF8_BOM = b"\xef\xbb\xbf"
_REQUIREMENTS = "requirements.yaml"

_OPENING = frozenset({"define", "block", "if", "range", "with"})


class Tree(Protocol):
    """What a chart is read from: a snapshot of a repository at a tag."""

    def kind(self, path: str) -> str | None:
        """Return "file", "dir", or None where there is nothing."""

    def read(self, path: str) -> bytes:
        """Return the content of a file."""

    def walk(self, path: str, skip: Callable[[str, bool], bool]) -> Iterator[tuple[str, bytes]]:
        """Yield the files below a directory but those that `skip(path, is_directory)` leaves out."""

    def find(self, path: str, name: str) -> list[str]:
        """Return the paths of the files called `name` at or below a directory."""


@dataclass(frozen=True)
class Chart:
    """A chart in memory.

    `path` says where it came from, for messages. `chart_yaml` and `values` are texts (`values` is None where there is
    no values.yaml); `files` are all others by their path below the chart, those of `subcharts` excluded.
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
        """Chart.yaml with the types that Helm sees."""
        return _metadata(self.chart_yaml, f"{self.path}/Chart.yaml")

    @cached_property
    def name(self) -> str:
        """The name in Chart.yaml, by which Helm knows the chart whatever its directory is called."""
        return helmyaml.as_string(self.metadata.get("name"))

    @cached_property
    def dependencies(self) -> list[dict[str, helmyaml.Value]]:
        """The dependencies that it declares, in Chart.yaml or in the requirements.yaml of v1.

        Raises ChartError for a requirements.yaml that Helm would not load, or from which it would take more than these.
        """
        own = self.metadata.get("dependencies")
        declared = _requirements(self, own) if _REQUIREMENTS in self.files else own
        return [item for item in declared if isinstance(item, dict)] if isinstance(declared, list) else []

    @cached_property
    def is_helper(self) -> bool:
        """Whether the chart renders nothing by itself: a library, or only helper templates, all the way down."""
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
    """Tell whether a template is nothing but comments, space and definitions for others, whatever its file is called.

    Actions are found as https://pkg.go.dev/text/template#hdr-Actions has them, in time linear in the text.
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
    """Return the dependencies that requirements.yaml declares, or `own`, those of Chart.yaml, where it has none."""
    where = f"{chart.path}/{_REQUIREMENTS}"
    try:
        text = chart.files[_REQUIREMENTS].decode()
        value = helmyaml.construct(yamlio.compose(text, where=where), where=where)
    except YamlError as error:
        raise ChartError.of(error, f"{where} can't be read") from error
    except UnicodeDecodeError as error:
        raise ChartError(f"{where} can't be read: {error}") from error
    if value is None:
        return own
    if not isinstance(value, dict):
        raise ChartError(f"{where} is not a mapping of keys and values, so Helm would not load this chart")
    # Helm reads it over Chart.yaml as a whole, lists item by item.
    found = canonical_keys(value, where=where)
    others = sorted(key for key in found if key in FIELDS and key != "dependencies")
    if others:
        raise ChartError(
            f"{where} has {', '.join(others)}, which Helm would take instead of Chart.yaml's",
            remedy="upstream would have to keep nothing but dependencies in it",
        )
    if "dependencies" not in found:
        return own
    declared = found["dependencies"]
    if own and own != declared:
        raise ChartError(
            f"{where} declares other dependencies than Chart.yaml, and Helm would mix them",
            remedy="upstream would have to declare them in one place",
        )
    check_metadata({**chart.metadata, "dependencies": declared}, where=where)
    return declared


def read_chart(tree: Tree, path: str, budget: Budget) -> Chart:
    """Return the chart in directory `path` of `tree`, as Helm's directory loader would load it.

    The directory's `.helmignore` applies to everything below it, sub-charts included; links have been resolved by the
    tree. Raises ChartError where Helm would not load it, with the charts that were found instead; SnapshotError
    where the tree can't be read; BudgetError where that would take more than `budget` has left.
    """
    kind = tree.kind(path)
    if kind is None:
        raise _elsewhere(tree, path, f"{path} does not exist at this tag")
    if kind == "file":
        raise ChartError(f"{path} is a file", remedy="a chart is a directory with a Chart.yaml")
    if tree.kind(f"{path}/Chart.yaml") != "file":
        raise _below(tree, path, f"{path} has no Chart.yaml")
    ignore_file = f"{path}/.helmignore"
    rules = b""
    if tree.kind(ignore_file) == "file":
        rules = tree.read(ignore_file)
    ignore = HelmIgnore.parse(rules, where=ignore_file)

    def skip(name: str, is_directory: bool) -> bool:
        budget.check_time(path)
        return ignore.ignores(name, is_directory)

    files: dict[str, bytes] = {}
    for name, data in tree.walk(path, skip):
        budget.take_file(len(data), f"{path}/{name}")
        files[name] = data
    return _from_files(files, path, Allowance(budget=budget), 0)


def _below(tree: Tree, path: str, what: str) -> ChartError:
    """Return the error `what` with the charts below `path`, the first in full and the others by what differs."""
    found = _chart_directories(tree, path)
    if not found:
        return _elsewhere(tree, path, what)
    names = [found[0], *(f"...{directory.removeprefix(path)}" for directory in found[1:4])]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return ChartError(what, remedy=f"charts were found in {listed}")


def _elsewhere(tree: Tree, path: str, what: str) -> ChartError:
    """Return the error `what` with the charts of the whole tree that look most like `path`, if any do."""
    directories = _chart_directories(tree, "")
    base = path.rsplit("/", 1)[-1]
    near = [d for d in directories if d.rsplit("/", 1)[-1] == base]
    near += [d for d in close_matches(path, directories, limit=3, cutoff=0.7) if d not in near]
    if near:
        listed = ", ".join(near[:3])
        return ChartError(
            what, remedy=f"charts that look like it: {listed}; if upstream dropped it, limit it with versions:"
        )
    return ChartError(f"{what}, and no chart looks like it", remedy="leave the release out with versions:")


def _chart_directories(tree: Tree, path: str) -> list[str]:
    try:
        found = tree.find(path, "Chart.yaml")
    except SnapshotError:  # this only helps a message, which must not be lost over it
        return []
    return sorted(name.removesuffix("/Chart.yaml") for name in found if "/" in name)


def _from_files(files: Mapping[str, bytes], path: str, allowance: Allowance, depth: int) -> Chart:
    """Sort files into a chart and its sub-charts, as Helm's LoadFiles does."""
    if "Chart.yaml" not in files:
        raise ChartError(f"{path} has no Chart.yaml, so Helm would not load it")
    if depth > _MAX_NESTING:
        raise ChartError(f"{path} is a sub-chart more than {_MAX_NESTING} levels deep")
    own: dict[str, bytes] = {}
    below: dict[str, dict[str, bytes]] = {}
    for name, data in sorted(files.items()):
        check_content(f"{path}/{name}", data)
        if not name.startswith("charts/") or name.endswith(".prov"):
            # The signature of an archive goes with it, see _kept_files.
            if not (name.endswith(".tgz.prov") and name.removesuffix(".prov") in files):
                own[name] = data.removeprefix(_UTF8_BOM)
            continue
        entry, _, rest = name.removeprefix("charts/").partition("/")
        if not entry.startswith(("_", ".")):
            below.setdefault(entry, {})[rest] = data
    subcharts = {
        entry: _subchart(content, f"{path}/charts/{entry}", allowance, depth + 1) for entry, content in below.items()
    }
    where = f"{path}/Chart.yaml"
    if len(own["Chart.yaml"]) > _MAX_METADATA:  # before it is read
        size = len(own["Chart.yaml"]) / 1024
        raise ChartError(
            f"{where} has {size:,.0f} KiB, too much for an index", remedy=f"it may have {_MAX_METADATA // 1024}"
        )
    chart = Chart(
        path=path,
        chart_yaml=correct_key_case(_text(own.pop("Chart.yaml"), where), where=where),
        values=_text(own.pop("values.yaml"), f"{path}/values.yaml") if "values.yaml" in own else None,
        files=own,
    )
    foreign = _foreign(chart, subcharts.values())
    kept = {entry: _kept_files(entry, files) if one.name in foreign else None for entry, one in subcharts.items()}
    finished = [replace(one, kept=kept[entry]) for entry, one in subcharts.items()]
    chart = replace(chart, subcharts=tuple(sorted(finished, key=lambda one: one.name)))
    _check_yaml(chart, allowance.budget)
    check_metadata(chart.metadata, where=where)
    check_subcharts(chart)
    return chart


def _foreign(chart: Chart, subcharts: Collection[Chart]) -> set[str]:
    """Return the names of the sub-charts that are not the repository's own, and so are passed on as they are.

    They are declared with a repository elsewhere. Several versions of one chart, each declared under an alias, are
    passed on as well: with the release's version Helm could not tell them apart.
    """
    counts = Counter(subchart.name for subchart in subcharts)
    found = set()
    for name, count in counts.items():
        places = [as_string(one.get("repository")) for one in chart.dependencies if as_string(one.get("name")) == name]
        if places and (count > 1 or all(place and not place.startswith("file://") for place in places)):
            found.add(name)
    return found


def _kept_files(entry: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return what `files` of the parent have at `charts/<entry>`, by its path below `charts/`."""
    own = {f"charts/{entry}", f"charts/{entry}.prov"} if entry.endswith(".tgz") else set()
    return {
        name.removeprefix("charts/"): data
        for name, data in files.items()
        if name in own or (name.startswith(f"charts/{entry}/") and not name.endswith(".prov"))
    }


def _check_yaml(chart: Chart, budget: Budget) -> None:
    """Raise ChartError or BudgetError for more YAML than may be read and edited, before any of it is."""
    where = f"{chart.path}/Chart.yaml"
    texts = {where: chart.chart_yaml, f"{chart.path}/values.yaml": chart.values or ""}
    texts[f"{chart.path}/{_REQUIREMENTS}"] = chart.files.get(_REQUIREMENTS, b"").decode(errors="replace")
    for place, text in texts.items():
        try:
            budget.take_yaml(text, place)
        except YamlError as error:
            raise ChartError.of(error) from error


def _subchart(content: dict[str, bytes], path: str, allowance: Allowance, depth: int) -> Chart:
    if path.endswith(".tgz"):
        if set(content) != {""}:
            raise ChartError(f"{path} is a directory with the name of an archive, so Helm would not load it")
        return _from_files(unpack(content[""], path, allowance), path, allowance, depth)
    if "" in content:
        raise ChartError(f"{path} is a file", remedy="below charts Helm loads only chart directories and .tgz archives")
    return _from_files(content, path, allowance, depth)


def check_subcharts(chart: Chart) -> None:
    """Raise ChartError unless Helm takes the chart's name, those of its sub-charts, each once, and all of their files.

    To Helm a `.prov` below `charts/` is a file of the chart, and none of the sub-chart that it lies in. So a sub-chart
    that comes from an archive, or from elsewhere, may have none.
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
        place = next(iter(subchart.kept or ())).partition("/")[0] if subchart.kept else ""
        if place in seen:
            raise ChartError(f"{seen[place]} and {subchart.path} would both be at charts/{place} of the package")


def _text(data: bytes, where: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ChartError(f"{where} is not UTF-8: {error.reason} at byte {error.start}") from error
