"""Process a chart's dependencies as Helm does: names in values, matching versions, and conflicts of switches."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator

from semver import Version

from chart_releaser import yamlio
from chart_releaser.charts.chart import Chart
from chart_releaser.charts.texts import look_up
from chart_releaser.errors import ChartError, YamlError
from chart_releaser.helm import yaml as helmyaml
from chart_releaser.helm.version_ranges import PRE_AND_BUILD, Range, strict_version
from chart_releaser.helm.yaml import Value, as_string

# Each alias repeats the whole tree below a sub-chart, so nested aliases multiply. This bounds the repeated bytes.
_MAX_REPEATED = 16 << 20
_CHART_WEIGHT = 4096
# Masterminds/semver: NewVersion.
_NUMBER = "[0-9]{1,20}"
_LOOSE_VERSION = re.compile(
    rf"v?(?P<major>{_NUMBER})(?:\.(?P<minor>{_NUMBER}))?(?:\.(?P<patch>{_NUMBER}))?{PRE_AND_BUILD}", re.ASCII
)


def subchart_instances(chart: Chart) -> dict[str, Chart]:
    """Return the sub-charts of `chart` by their names in values, as if all were switched on.

    As in Helm's processDependencyEnabled, a sub-chart occurs once for each dependency whose version it matches, under
    the dependency's alias if there is one, and under its own name if no dependency matches.
    """
    instances: dict[str, Chart] = {}
    for subchart, dependencies in _declared(chart):
        names = [_name(dependency) for dependency in dependencies if _matches(dependency, subchart)]
        instances |= dict.fromkeys(names or [subchart.name], subchart)
    return instances


def undeclared_subcharts(chart: Chart) -> list[Chart]:
    """Return the sub-charts that no dependency declares; these get a switch."""
    return [subchart for subchart, dependencies in _declared(chart) if not dependencies]


def check_versions(chart: Chart) -> None:
    """Raise ChartError for a dependency that Helm omits because of its version.

    All sub-charts get the version of the release, after which Helm would no longer omit it.
    """
    for subchart, dependencies in _declared(chart):
        if subchart.kept is not None:
            continue
        left_out = [one for one in dependencies if has_version(one) and not _matches(one, subchart)]
        before = {_name(one) for one in dependencies if _matches(one, subchart)} or {subchart.name}
        after = {_name(one) for one in dependencies if has_version(one)} or {subchart.name}
        if before != after:
            version = as_string(left_out[0].get("version"))
            own = as_string(subchart.metadata.get("version")) or "none"
            raise ChartError(
                f"{chart.path} depends on {subchart.name} {version} as {_name(left_out[0])}, but its charts "
                f"directory has version {own}, so Helm leaves that out",
                remedy="upstream would have to make the two agree",
            )


def foreign_values(chart: Chart) -> set[tuple[str, ...]]:
    """Return where the values of `chart` are those of sub-charts that are passed on as they are, as paths of keys."""
    paths: set[tuple[str, ...]] = set()
    for name, subchart in subchart_instances(chart).items():
        below = {()} if subchart.kept is not None else foreign_values(subchart)
        paths.update((name, *path) for path in below)
    return paths


def has_version(dependency: dict[str, Value]) -> bool:
    """Whether a dependency asks for a version. In Helm nothing matches a dependency without one."""
    return bool(as_string(dependency.get("version")))


def check_switches(chart: Chart) -> None:
    """Raise ChartError if adding a switch for each undeclared sub-chart of the tree would affect anything else.

    Sub-charts whose `enabled` upstream already sets get no new switch.
    """
    _check_size(chart)
    tree = dict(_tree(chart, ""))
    switches: dict[str, Chart] = {}
    above: set[str] = set()
    for prefix, each in tree.items():
        for subchart in undeclared_subcharts(each):
            switch = f"{prefix}{subchart.name}.enabled"
            switches[switch] = subchart
            above.update(switch[:at] for at, character in enumerate(switch) if character == ".")
    for prefix, each in tree.items():
        names = subchart_instances(each).keys()
        for subchart in undeclared_subcharts(each):
            conflict = _other_meaning(subchart.name, each, names)
            if conflict and not _is_set(f"{prefix}{subchart.name}.enabled", tree):
                raise ChartError(
                    f"{subchart.path} is called {subchart.name}: {conflict}", remedy="upstream would have to rename it"
                )
        for dependency in each.dependencies:
            for condition in filter(None, as_string(dependency.get("condition")).strip().split(",")):
                switch = f"{prefix}{condition}"
                if switch in switches and _may_change(dependency, each, prefix, switch) and not _is_set(switch, tree):
                    raise ChartError(
                        f"{each.path} has the condition {condition} for {_name(dependency)}, which is the switch "
                        f"of {switches[switch].path}, too",
                        remedy=f"upstream would have to declare {switches[switch].name} as a dependency",
                    )
            for child in _imported(dependency):
                path = f"{prefix}{_name(dependency)}.{child}"
                if path in above and any(s.startswith(f"{path}.") and not _is_set(s, tree) for s in switches):
                    raise ChartError(
                        f"{each.path} imports the values {child} of {_name(dependency)}, which get the switch of a "
                        "sub-chart",
                        remedy="upstream would have to declare that as a dependency",
                    )


def _other_meaning(name: str, chart: Chart, names: Collection[str]) -> str:
    """Return what else the values of an undeclared sub-chart `name` of `chart` affect, or "" for nothing."""
    first, dot, _ = name.partition(".")
    if first == "global":
        return "Helm gives the values global to all charts"
    if name == "tags" and _has_tag(chart, "enabled"):
        return "tags.enabled switches whatever has the tag enabled"
    return f"its switch would be among the values of {first}" if dot and first in names else ""


def _may_change(dependency: dict[str, Value], chart: Chart, prefix: str, switch: str) -> bool:
    """Whether a `switch` in a dependency's condition could enable or disable it unlike upstream's values."""
    if switch != f"{prefix}enabled":
        return True
    # The chart's own switch: the dependency is irrelevant while it is off, and on may be what upstream's values say.
    alone = as_string(dependency.get("condition")).strip() == "enabled" and not dependency.get("tags")
    return look_up(_values(chart), ["enabled"]) not in ((None, True) if alone else (True,))


def _is_set(switch: str, tree: dict[str, Chart]) -> bool:
    """Whether the values of any chart of `tree` set the path `switch`."""
    return any(
        look_up(_values(chart), switch.removeprefix(prefix).split(".")) is not None
        for prefix, chart in tree.items()
        if switch.startswith(prefix) and switch != f"{prefix}enabled"
    )


def _imported(dependency: dict[str, Value]) -> Iterator[str]:
    items = dependency.get("import-values")
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict):
            yield as_string(item.get("child"))
        else:
            yield f"exports.{as_string(item)}"


def _has_tag(chart: Chart, tag: str) -> bool:
    own = (tags for dependency in chart.dependencies if isinstance(tags := dependency.get("tags"), list))
    return any(tag in map(as_string, tags) for tags in own) or any(_has_tag(below, tag) for below in chart.subcharts)


def _tree(chart: Chart, prefix: str) -> Iterator[tuple[str, Chart]]:
    """Yield every chart instance of Helm, preceded by the path prefix of its values in those of the top chart."""
    yield prefix, chart
    for name, subchart in subchart_instances(chart).items():
        yield from _tree(subchart, f"{prefix}{name}.")


def _check_size(chart: Chart) -> None:
    once, repeated = _weights(chart)
    if repeated - once > _MAX_REPEATED:
        raise ChartError(
            f"{chart.path} has too many sub-charts by their aliases", remedy="leave the release out with versions:"
        )


def _weights(chart: Chart) -> tuple[int, int]:
    """Return the size of a tree with each chart counted once, and with each counted as often as it is instantiated."""
    once = repeated = _CHART_WEIGHT + len(chart.values or "")
    times = Counter(map(id, subchart_instances(chart).values()))
    for subchart in chart.subcharts:
        below = _weights(subchart)
        once += below[0]
        repeated += times[id(subchart)] * below[1]
    return once, repeated


def _declared(chart: Chart) -> Iterator[tuple[Chart, list[dict[str, Value]]]]:
    """Yield each sub-chart with the dependencies that name it."""
    by_name: dict[str, list[dict[str, Value]]] = {}
    for dependency in chart.dependencies:
        by_name.setdefault(as_string(dependency.get("name")), []).append(dependency)
    for subchart in chart.subcharts:
        yield subchart, by_name.get(subchart.name, [])


def _name(dependency: dict[str, Value]) -> str:
    return as_string(dependency.get("alias")) or as_string(dependency.get("name"))


def _matches(dependency: dict[str, Value], subchart: Chart) -> bool:
    constraint, version = as_string(dependency.get("version")), as_string(subchart.metadata.get("version"))
    parsed = _parse_version(version)
    try:
        return parsed is not None and (constraint == version or Range.parse(constraint).matches(parsed))
    except ValueError:
        return False


def _parse_version(text: str) -> Version | None:
    """Parse `text` leniently, like Helm: missing numbers count as 0. Return None if it is not a version."""
    match = _LOOSE_VERSION.fullmatch(text)
    if match is None:
        return None
    core = ".".join(str(int(match[part] or 0)) for part in ("major", "minor", "patch"))
    pre, build = match["pre"], match["build"]
    return strict_version(core + (f"-{pre}" if pre else "") + (f"+{build}" if build else ""))


def _values(chart: Chart) -> Value:
    where = f"{chart.path}/values.yaml"
    try:
        return helmyaml.construct(yamlio.compose(chart.values or "", where=where), where=where)
    except YamlError as error:
        raise ChartError.of(error) from error
