"""What Helm makes of dependencies, and where a switch would say something to another part of the chart."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from chart_releaser.budget import Budget
from chart_releaser.charts.chart import Chart
from chart_releaser.charts.dependencies import subchart_instances
from chart_releaser.charts.loader import read_chart
from chart_releaser.errors import ChartError
from tests.memorytree import MemoryTree, below, chart, published, tgz

Files = Mapping[str, str | bytes]


def declaring(*dependencies: str, values: str | None = None, **subcharts: Mapping[str, str]) -> Files:
    """Return the files of chart `c`, whose dependencies are written in flow style, with its sub-charts by directory."""
    files: dict[str, str | bytes] = {**chart("c", more=f"dependencies: [{', '.join(dependencies)}]\n", values=values)}
    for name, content in subcharts.items():
        files |= below(f"charts/{name}", content)
    return below("c", files)


def read(files: Files) -> Chart:
    return read_chart(MemoryTree(files), "c", Budget())


@pytest.mark.parametrize(
    ("version", "wanted", "matches"),
    [
        ("0.1.0", "0.1.0", True),
        ("0.1.0", "'>=0'", True),
        ("0.1.0", "~0.1", True),
        ("v0.1", "0.1.0", True),
        ("1.2.3-rc.1+b", "1.2.3-rc.1+b", True),
        ("1.2.3-rc.1", "'>=1'", False),
        ("0.1.0", "0.2.0", False),
        ("0.1.0", "''", False),
        ("0.1.0", "'@'", False),
        ("one", "0.1.0", False),
        ("''", "'*'", False),
    ],
)
def test_a_sub_chart_has_its_alias_if_its_version_matches(version: str, wanted: str, *, matches: bool) -> None:
    sub = {"Chart.yaml": f"name: s\nversion: {version}\n"}
    found = subchart_instances(read(declaring(f"{{name: s, version: {wanted}, alias: other}}", s=sub)))
    assert list(found) == ["other" if matches else "s"]


def test_a_sub_chart_is_there_once_for_each_dependency() -> None:
    found = subchart_instances(
        read(
            declaring(
                "{name: s, version: 0.1.0, alias: one}",
                "{name: s, version: 0.1.0, alias: two}",
                "{name: s, version: 9.0.0}",
                s=chart("s"),
                t=chart("t"),
            )
        )
    )
    assert {name: each.name for name, each in found.items()} == {"one": "s", "two": "s", "t": "t"}


ONE = "{name: s, version: 0.1.0, alias: one}"


@pytest.mark.parametrize(
    "dependencies",
    [("{name: s, version: 9.0.0}",), ("{name: s}",), ("{name: s, alias: one}",), (ONE, "{name: s, alias: two}")],
)
def test_a_version_that_changes_nothing_may_differ(dependencies: tuple[str, ...]) -> None:
    files = declaring(*dependencies, s=chart("s"))
    assert list(subchart_instances(published(files))) == list(subchart_instances(read(files)))


@pytest.mark.parametrize(
    ("dependencies", "named"),
    [
        (("{name: s, version: 9.0.0, alias: one}",), "s 9.0.0 as one"),
        ((ONE, "{name: s, version: 9.0.0, alias: two}"), "s 9.0.0 as two"),
        ((ONE, "{name: s, version: 9.0.0}"), "s 9.0.0 as s"),
    ],
)
def test_a_dependency_that_helm_leaves_out_for_its_version(dependencies: tuple[str, ...], named: str) -> None:
    with pytest.raises(ChartError, match=rf"^c depends on {named}, but its charts directory has version 0\.1\.0, so"):
        published(declaring(*dependencies, s=chart("s")))


AGENT = "{name: agent, version: 0.1.0, condition: 'agent.on,s.enabled'}"
WITH_S = {"Chart.yaml": "name: d\nversion: 0.1.0\n", **{f"charts/s/{path}": text for path, text in chart("s").items()}}
SWITCHED = {
    "Chart.yaml": "name: s\nversion: 0.1.0\ndependencies: [{name: agent, version: 0.1.0, condition: CONDITION}]\n",
    **{f"charts/agent/{path}": text for path, text in chart("agent").items()},
}


def switched(condition: str, values: str) -> dict[str, str]:
    return {**SWITCHED, "Chart.yaml": SWITCHED["Chart.yaml"].replace("CONDITION", condition), "values.yaml": values}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (declaring(AGENT, agent=chart("agent"), s=chart("s")),
         r"^c has the condition s\.enabled for agent, which is the switch of c/charts/s, too; upstream would have to "
         r"declare s as a dependency$"),
        (declaring("{name: d, version: 0.1.0, alias: e, condition: e.s.enabled}", d=WITH_S),
         r"^c has the condition e\.s\.enabled for e, which is the switch of c/charts/d/charts/s"),
        (declaring(s=switched("enabled", "enabled: false\n")), r"^c/charts/s has the condition enabled for agent"),
        (declaring(s=switched("'enabled,agent.on'", "")), r"^c/charts/s has the condition enabled for agent"),
        (declaring("{name: d, version: 0.1.0, import-values: [{child: s, parent: x}]}", d=WITH_S),
         r"^c imports the values s of d, which get the switch of a sub-chart; upstream would"),
        (declaring("{name: d, version: 0.1.0, import-values: [data]}",
                   d={path.replace("/s/", "/exports/"): text.replace("name: s", "name: exports")
                      for path, text in WITH_S.items()}
                   | {f"charts/exports/charts/d/{path}": text for path, text in chart("data").items()}),
         r"^c imports the values exports\.data of d"),
        (declaring(g=chart("global")), r"^c/charts/g is called global: Helm gives the values global to all"),
        (declaring(g=chart("global.x")), r"^c/charts/g is called global\.x: Helm gives"),
        (declaring("{name: agent, version: 0.1.0, tags: [enabled]}", agent=chart("agent"), t=chart("tags")),
         r"^c/charts/t is called tags: tags\.enabled switches whatever has the tag enabled; upstream would"),
        (declaring(a=chart("a"), b=chart("a.b")), r"^c/charts/b is called a\.b: its switch would be among"),
        (declaring("{name: d, version: 0.1.0, alias: a}", d=chart("d"), b=chart("a.b")), "is called a.b: its switch"),
    ],
)  # fmt: skip
def test_a_switch_that_would_change_another_part(files: Files, message: str) -> None:
    with pytest.raises(ChartError, match=message):
        published(files)


@pytest.mark.parametrize(
    "files",
    [
        declaring(AGENT, values="s: {enabled: true}\n", agent=chart("agent"), s=chart("s")),
        declaring("{name: d, version: 0.1.0, condition: d.s.enabled}", values="d: {s: {enabled: true}}\n", d=WITH_S),
        declaring(s=switched("enabled", "enabled: true\n")),
        declaring(s=switched("'enabled,agent.on'", "enabled: true\n")),
        declaring(s=switched("enabled", "")),
        declaring("{name: d, version: 0.1.0, import-values: [data, {child: sub, parent: x}]}", d=WITH_S),
        declaring("{name: agent, version: 0.1.0, tags: [x]}", agent=chart("agent"), t=chart("tags")),
        declaring("{name: global, version: 0.1.0}", g=chart("global")),
        declaring(a=chart("a"), b=chart("b.a")),
    ],
)
def test_a_switch_that_changes_nothing_else_is_taken(files: Files) -> None:
    published(files)


def test_an_umbrellas_switches_are_looked_at() -> None:
    files = {**below("a", chart("a")), **below("b", chart("a.b"))}
    with pytest.raises(ChartError, match=r"^b is called a\.b: its switch would be among the values of a"):
        published(files, "a", "b")


def test_aliases_of_aliases_are_bounded() -> None:
    data = tgz("s", chart("s"))
    again = ", ".join(f"{{name: s, version: 0.1.0, alias: a{number}}}" for number in range(20))
    for _ in range(10):
        data = tgz("s", {**chart("s", more=f"dependencies: [{again}]\n"), "charts/s.tgz": data})
    with pytest.raises(ChartError, match=r"^c has too many sub-charts by their aliases; leave the release out"):
        published(below("c", {**chart("c"), "charts/s.tgz": data}))
