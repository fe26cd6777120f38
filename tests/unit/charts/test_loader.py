"""Charts loaded from a tree as Helm's loader would, and the errors where it would not."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from chart_releaser.budget import Budget
from chart_releaser.charts.chart import Chart
from chart_releaser.charts.loader import read_chart
from chart_releaser.errors import BudgetError, ChartError
from tests.memorytree import MemoryTree, below, chart, tgz


def read(files: Mapping[str, str | bytes], path: str = "c") -> Chart:
    with Budget().spending() as budget:
        return read_chart(MemoryTree(files), path, budget)


def test_a_chart_and_its_sub_charts() -> None:
    files = below("c", {
        **chart("top", values="a: 1\n"),
        "README.md": "text",
        "crds/x.yaml": "x",
        **below("charts/directory", {**chart("two"), **below("charts/deep", chart("deep"))}),
        "charts/one-1.2.tgz": tgz("any", {**chart("one", values="b: 1\n"), "charts/in.tgz": tgz("in", chart("in"))}),
    })  # fmt: skip
    found = read(files)
    assert (found.name, found.path, found.values) == ("top", "c", "a: 1\n")
    assert sorted(found.files) == ["README.md", "crds/x.yaml", "templates/all.yaml"]
    assert [(sub.name, sub.path) for sub in found.subcharts] == [
        ("one", "c/charts/one-1.2.tgz"),
        ("two", "c/charts/directory"),
    ]
    one, two = found.subcharts
    assert (one.values, one.subcharts[0].path) == ("b: 1\n", "c/charts/one-1.2.tgz/charts/in.tgz")
    assert two.subcharts[0].name == "deep"


def test_what_helm_passes_over_below_charts() -> None:
    files = {
        **chart("c"),
        "charts/.gitkeep": "",
        "charts/_x/y": "",
        "charts/a.tgz.prov": "",
        **below("charts/.z", chart("z")),
    }
    assert read(below("c", files)).subcharts == ()


def test_a_prov_file_is_its_parents_and_a_directory_of_that_name_is_a_chart() -> None:
    files = {
        **chart("c"),
        "k.prov": "",
        "charts/.z/a.prov": "",
        "charts/x.prov": "",
        "charts/s.tgz": tgz("s", {**chart("s"), "charts/t.tgz": tgz("t", chart("t")), "charts/t.tgz.prov": ""}),
        "charts/s.tgz.prov": "signature of what is unpacked",
        **below("charts/foo.prov", {**chart("foo"), "templates/x.prov": "{{ fail }}", "charts/a.tgz.prov": ""}),
    }
    found = read(below("c", files))
    assert [(sub.name, set(sub.files)) for sub in found.subcharts] == [
        ("foo", {"templates/all.yaml"}),
        ("s", {"templates/all.yaml"}),
    ]
    assert {path for path in found.files if path.endswith(".prov")} == {
        "k.prov",
        "charts/.z/a.prov",
        "charts/x.prov",
        "charts/foo.prov/templates/x.prov",
        "charts/foo.prov/charts/a.tgz.prov",
    }


def test_byte_order_marks_are_taken_off() -> None:
    marked = {path: f"\ufeff{text}" for path, text in chart("top", values="a: 1\n").items()}
    found = read(
        below(
            "c",
            {
                **marked,
                **below("charts/s", marked),
                "charts/t.tgz": tgz("t", {**marked, "Chart.yaml": "\ufeffname: t\n"}),
            },
        )
    )
    for each in (found, *found.subcharts):
        assert not each.chart_yaml.startswith("\ufeff")
        assert each.values == "a: 1\n"
        assert not each.files["templates/all.yaml"].startswith(b"\xef")


def test_ignored_files_are_left_out_of_sub_charts_too() -> None:
    files = {
        **chart("c"), ".helmignore": "*.bak\nignored/\n", "a.bak": "", "templates/.swp": "", "ignored/x": "",
        **below("charts/s", {**chart("s"), "b.bak": "", ".helmignore": "templates\n"}),
        **below("charts/ignored", {"x": ""}),
    }  # fmt: skip
    found = read(below("c", files))
    assert sorted(found.files) == [".helmignore", "templates/all.yaml"]
    assert sorted(found.subcharts[0].files) == [".helmignore", "templates/all.yaml"]


AZURE = "charts/gardener-extension-admission-azure"
DROPPED = "if upstream dropped it, limit it with versions:"
MOVED = {
    **below(f"{AZURE}/charts/application", chart("application")),
    **below(f"{AZURE}/charts/runtime", chart("runtime")),
    "charts/other/Chart.yaml": "name: other\n",
}


@pytest.mark.parametrize(
    ("files", "path", "message"),
    [
        (
            MOVED,
            AZURE,
            f"{AZURE} has no Chart.yaml; charts were found in {AZURE}/charts/application and .../charts/runtime",
        ),
        (below("a/b", chart("b")), "a", "a has no Chart.yaml; charts were found in a/b"),
        (
            MOVED,
            "charts/othr",
            f"charts/othr does not exist at this tag; charts that look like it: charts/other; {DROPPED}",
        ),
        (
            MOVED,
            "x/runtime",
            f"x/runtime does not exist at this tag; charts that look like it: {AZURE}/charts/runtime; {DROPPED}",
        ),
        (
            {"a": ""},
            "c",
            "c does not exist at this tag, and no chart looks like it; leave the release out with versions:",
        ),
        ({"c/a": ""}, "c", "c has no Chart.yaml, and no chart looks like it; leave the release out with versions:"),
        ({"c": ""}, "c", "c is a file; a chart is a directory with a Chart.yaml"),
    ],
)
def test_a_path_without_a_chart_names_those_that_are_there(
    files: Mapping[str, str | bytes], path: str, message: str
) -> None:
    with pytest.raises(ChartError) as caught:
        read(files, path)
    assert str(caught.value) == message


def quine(levels: int) -> bytes:
    data = tgz("s", chart("s"))
    for _ in range(levels):
        data = tgz("s", {**chart("s"), "charts/s.tgz": data})
    return data


DEEP = {"charts/s/" * level + "Chart.yaml": "name: s\n" for level in range(30)}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"Chart.yaml": "a: [\n"}, r"^c/Chart\.yaml:2:1: malformed YAML"),
        ({"Chart.yaml": "- a\n"}, r"^c/Chart\.yaml is not a mapping of keys and values$"),
        ({"Chart.yaml": ""}, r"^c/Chart\.yaml is not a mapping of keys and values$"),
        ({"Chart.yaml": "version: 1.0.0\n"}, r"^c/Chart\.yaml: '' is not a chart name that Helm accepts$"),
        ({"Chart.yaml": "name: a/b\n"}, r"^c/Chart\.yaml: 'a/b' is not a chart name that Helm accepts"),
        ({"Chart.yaml": "name: ..\n"}, r"^c/Chart\.yaml: '\.\.' is not a chart name that Helm accepts"),
        ({"Chart.yaml": b"name: \xff\n"}, r"^c/Chart\.yaml is not UTF-8: invalid start byte at byte 6$"),
        ({"values.yaml": b"\xff"}, r"^c/values\.yaml is not UTF-8"),
        ({"charts/README.md": ""}, r"^c/charts/README\.md is a file; below charts Helm loads"),
        ({"charts/a/x": ""}, r"^c/charts/a has no Chart\.yaml, so Helm would not load it$"),
        ({"charts/a.tgz/Chart.yaml": ""}, r"^c/charts/a\.tgz is a directory with the name of an archive"),
        ({"charts/a.tgz": "x"}, r"^c/charts/a\.tgz is not a chart archive: "),
        ({"charts/a.tgz": tgz("a", {"x": ""})}, r"^c/charts/a\.tgz has no Chart\.yaml"),
        ({"charts/a/Chart.yaml": "name: x\n", "charts/b/Chart.yaml": "name: x\n"},
         r"^c/charts/a and c/charts/b are both called x$"),
        ({"charts/a/Chart.yaml": "name: _a\n"}, r"^c/charts/a/Chart\.yaml: a sub-chart called _a can't be packaged"),
        ({"charts/a/Chart.yaml": "name: a.tgz\n"}, "a sub-chart called a.tgz can't be packaged"),
        ({"charts/s.tgz": tgz("s", {**chart("s"), "k.prov": "x"})},
         r"^c/charts/s\.tgz/k\.prov: below charts Helm takes a \.prov for a file of the parent, so s would lose"),
        ({"Chart.yaml": "name: c\nm: &m {Keywords: 3}\n<<: *m\n"}, r"^c/Chart\.yaml: keys from an anchor .*: K"),
        ({"Chart.yaml": "name: c\ndependencie\u017f: 3\n"}, r"^c/Chart\.yaml: dependencies must be a list of mappings"),
        ({"charts/s.tgz": quine(25)}, "is a sub-chart more than 20 levels deep$"),
        (DEEP, "is a sub-chart more than 20 levels deep$"),
        ({".helmignore": "Chart.yaml"}, r"^c has no Chart\.yaml, so Helm would not load it$"),
        ({".helmignore": "a/**"}, r"^c/\.helmignore:1: double-star"),
    ],
)  # fmt: skip
def test_what_helm_would_not_load(more: Mapping[str, str | bytes], message: str) -> None:
    with pytest.raises(ChartError, match=message):
        read(below("c", {**chart("c"), **more}))


ALIASES = "a0: &a0 [x,x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 6))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (chart("x", more=f"home: {'x' * (256 << 10)}\n"), r"^c/Chart\.yaml has 256 KiB, too much for an index"),
        (chart("x", values="a: 1\n" * 300_000), r"^c/values\.yaml: building this release takes more than 512 MiB"),
        (
            {f"{'charts/s/' * level}{path}": text for level in range(10)
             for path, text in chart("s", values=ALIASES).items()},
            r"^c/charts/s/.*values\.yaml: building this release takes more than 512 MiB of memory",
        ),
    ],
    ids=["Chart.yaml", "values.yaml", "aliases"],
)  # fmt: skip
def test_what_would_take_too_long_is_not_begun(files: Mapping[str, str | bytes], message: str) -> None:
    with pytest.raises((ChartError, BudgetError), match=message):
        read(below("c", files))


def test_a_chart_yaml_that_is_yet_to_be_made_is_named() -> None:
    tree = MemoryTree({"charts/x/Chart.template.yaml": "name: x\n", "charts/x/values.yaml": ""})
    with pytest.raises(ChartError, match=r"^charts/x has no Chart\.yaml, only Chart\.template\.yaml, from which"):
        read_chart(tree, "charts/x", Budget())
