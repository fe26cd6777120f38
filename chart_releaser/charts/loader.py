"""Load a chart from a directory of an upstream tree, as Helm's directory loader does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Protocol

from chart_releaser.budget import Budget
from chart_releaser.charts.chart import REQUIREMENTS_FILE, Chart, check_subcharts
from chart_releaser.charts.pointers import check_content
from chart_releaser.errors import ChartError, SnapshotError, YamlError, close_matches
from chart_releaser.helm.archive import Allowance, unpack
from chart_releaser.helm.chart_keys import correct_key_case
from chart_releaser.helm.chart_rules import check_metadata
from chart_releaser.helm.ignore import HelmIgnore
from chart_releaser.helm.yaml import as_string

_MAX_NESTING = 20
# Chart.yaml goes into the index once for each version, and everybody downloads the whole index.
_MAX_METADATA = 256 * 1024
_UTF8_BOM = b"\xef\xbb\xbf"


class SourceTree(Protocol):
    """The tree that a chart is read from, such as a snapshot of a repository at a tag."""

    def kind(self, path: str) -> str | None:
        """Return "file", "dir", or None if the path does not exist."""

    def read(self, path: str) -> bytes:
        """Return the content of a file."""

    def walk(self, path: str, skip: Callable[[str, bool], bool]) -> Iterator[tuple[str, bytes]]:
        """Yield path and content of the files below a directory, except where `skip(path, is_directory)` is true."""

    def find(self, path: str, name: str) -> list[str]:
        """Return the paths of the files called `name` at or below a directory."""


def read_chart(tree: SourceTree, path: str, budget: Budget) -> Chart:
    """Return the chart in directory `path` of `tree`, as Helm's directory loader would load it.

    The directory's `.helmignore` applies to everything below it, including sub-charts. The tree resolves links. Raises
    ChartError, naming similar charts, if Helm would not load the chart; SnapshotError if the tree can't be read;
    BudgetError if that exceeds `budget`.
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


def _below(tree: SourceTree, path: str, what: str) -> ChartError:
    """Return the error `what`, naming the charts below `path`: the first in full, the others relative to it."""
    directories = _chart_directories(tree, path)
    if not directories:
        return _elsewhere(tree, path, what)
    names = [directories[0], *(f"...{directory.removeprefix(path)}" for directory in directories[1:4])]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return ChartError(what, remedy=f"charts were found in {listed}")


def _elsewhere(tree: SourceTree, path: str, what: str) -> ChartError:
    """Return the error `what`, naming the charts of the whole tree that resemble `path`, if any."""
    directories = _chart_directories(tree, "")
    base = path.rsplit("/", 1)[-1]
    near = [d for d in directories if d.rsplit("/", 1)[-1] == base]
    near += [d for d in close_matches(path, directories, limit=3, cutoff=0.7) if d not in near]
    if near:
        listed = ", ".join(near[:3])
        return ChartError(
            what, remedy=f"charts that look like it: {listed}; if upstream dropped it, limit it with versions:"
        )
    if tree.kind(path) == "dir" and (made := _chart_templates(tree, path)):
        return ChartError(
            f"{what}, only {', '.join(made)}, from which upstream makes the chart when it publishes it",
            remedy="leave the release out with versions:, or follow what upstream publishes",
        )
    return ChartError(f"{what}, and no chart looks like it", remedy="leave the release out with versions:")


def _chart_templates(tree: SourceTree, path: str) -> list[str]:
    """Return the files directly in a directory that look like a Chart.yaml yet to be made: `Chart.template.yaml`."""
    names = ("Chart.template.yaml", "Chart.yaml.tmpl", "Chart.yaml.template", "Chart.yaml.in", "Chart.yaml.tpl")
    return [name for name in names if tree.kind(f"{path}/{name}") == "file"]


def _chart_directories(tree: SourceTree, path: str) -> list[str]:
    try:
        files = tree.find(path, "Chart.yaml")
    except SnapshotError:  # only a hint for a message, which matters more
        return []
    return sorted(name.removesuffix("/Chart.yaml") for name in files if "/" in name)


def _from_files(files: Mapping[str, bytes], path: str, allowance: Allowance, depth: int) -> Chart:
    """Divide files into a chart and its sub-charts, as Helm's LoadFiles does. Raises ChartError, BudgetError."""
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
    if len(own["Chart.yaml"]) > _MAX_METADATA:  # checked before it is parsed
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
    """Charge the YAML files of a chart to the budget before they are parsed. Raises ChartError, BudgetError."""
    where = f"{chart.path}/Chart.yaml"
    texts = {where: chart.chart_yaml, f"{chart.path}/values.yaml": chart.values or ""}
    texts[f"{chart.path}/{REQUIREMENTS_FILE}"] = chart.files.get(REQUIREMENTS_FILE, b"").decode(errors="replace")
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


def _text(data: bytes, where: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ChartError(f"{where} is not UTF-8: {error.reason} at byte {error.start}") from error
