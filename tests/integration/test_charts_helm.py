"""Finished charts before the true Helm: taken without complaint, and with every switch on the same as upstream's."""

from __future__ import annotations

import dataclasses
import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chart_releaser import yamlio
from chart_releaser.budget import Budget
from chart_releaser.charts.assemble import assemble
from chart_releaser.charts.chart import Chart
from chart_releaser.charts.dependencies import subchart_instances
from chart_releaser.charts.loader import read_chart
from chart_releaser.charts.package import build_package
from chart_releaser.charts.registration import registration_chart
from chart_releaser.errors import ChartError
from chart_releaser.git.snapshot import Snapshot
from chart_releaser.helm import yaml as helmyaml
from chart_releaser.location import LocalRepository
from chart_releaser.upstream.repositories import open_repository
from tests.gitrepo import Content, GitRepo, Link
from tests.helm import Helm
from tests.memorytree import ORIGIN, MemoryTree, below, chart, export, published, tgz, write
from tests.serving import served
from tests.unit.charts.test_registration import AWKWARD, SHAPES, deployment_values
from tests.unit.helm.test_yaml import AS_STRING

NUMBER = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: NAME\ndata:\n  num: {{ .Values.num | default 7 | quote }}\n"
)


def numbered(name: str, **more: Any) -> dict[str, str]:
    return chart(name, template=NUMBER.replace("NAME", name), **more)


def v1(files: dict[str, str]) -> dict[str, str]:
    return files | {"Chart.yaml": files["Chart.yaml"].replace("apiVersion: v2", "apiVersion: v1")}


HELPER = {
    "Chart.yaml": "apiVersion: v2\nname: utils\nversion: 0.1.0\n",
    "templates/_help.tpl": '{{ define "utils.n" }}42{{ end }}',
}
USES_HELPER = NUMBER.replace("NAME", "c").replace(".Values.num | default 7", 'include "utils.n" .')
REQUIREMENTS = """\
dependencies:
# two of one chart
- name: one
  version: 0.1.0
  repository: https://example.org/charts
  condition: one.install
- name: two
  version: ">=0.0.1"
  alias: second
  repository: "@there"
  tags: [extras]
  import-values:
  - child: data
    parent: imported
- name: plain
"""
TREES: dict[str, Mapping[str, str | bytes]] = {
    "alone": numbered("c", values="# about n\nn: 3\n") | {"README.md": "# c\n", "files/x.txt": "x", "LICENSE": "L"},
    "no values": numbered("c"),
    "v1": v1(numbered("c", values="num: 1\n")),
    "v1 without apiVersion": {
        **numbered("c"), "Chart.yaml": "name: c\nversion: 0.1.0\nicon: https://example.org/i.png\n"
    },
    "undeclared": {
        **numbered("c", values="a:\n  num: 5\n\n# the b\nb: {num: 6}\n"),
        **below("charts/dir-a", numbered("a", values="num: 1\n")),
        **below("charts/b", numbered("b", values="num: 1\n")),
        **below("charts/b/charts/deep", numbered("deep")),
    },
    "v1 undeclared": {
        **v1(numbered("c", values="a: {}\n")), **below("charts/a", v1(numbered("a", values="# nothing\n")))
    },
    "requirements": {
        **v1(numbered("c", values="one: {install: true}\ntags: {extras: true}\n")),
        "requirements.yaml": REQUIREMENTS,
        "requirements.lock": "dependencies: []\ndigest: x\ngenerated: 2020-01-01T00:00:00Z\n",
        **below("charts/one", numbered("one", values="num: 2\n")),
        "charts/two-0.1.0.tgz": tgz("two", {**numbered("two", values="num: 2\ndata:\n  k: 5\n")}),
        **below("charts/plain", numbered("plain")),
        **below("charts/more", numbered("more")),
    },
    "declared": {
        **numbered(
            "c",
            more="# needed\ndependencies:\n- name: one # first\n  version: '0.1.0'\n  repository: file://../one\n"
            "- {name: two, version: 0.1.0, condition: two.on}\nkeywords:\n- k\n",
            values="two: {on: true}\n",
        ),
        "Chart.lock": "dependencies: []\ndigest: x\ngenerated: 2020-01-01T00:00:00Z\n",
        **below("charts/one", numbered("one")),
        **below("charts/two", numbered("two")),
        **below("charts/three", numbered("three")),
    },
    "helper": {
        **chart("c", template=USES_HELPER),
        **below("charts/utils", HELPER),
        **below("charts/lib", {"Chart.yaml": "apiVersion: v2\nname: lib\nversion: 0.1.0\ntype: library\n"}),
    },
    "archives in archives": {
        **numbered("c"),
        "charts/a.tgz": tgz("a", {**numbered("a"), "charts/b-1.tgz": tgz("b", {**numbered("b", values="num: 8\n")})}),
        "charts/a.tgz.prov": "signature",
        "charts/_x/y": "z",
        "charts/.gitkeep": "",
    },
    "anchors, JSON, CRLF": {
        **numbered("c", values="base: &base\r\n  num: 4 # four\r\na: *base\r\n'b': !!map\r\n  num: 5\r\n"),
        **below("charts/a", numbered("a", values='{"num": 1, "image": {"tag": "latest"}}')),
        **below("charts/a/charts/x", numbered("x")),
        **below("charts/b", numbered("b", values="num: 1")),
    },
    "crds and hooks": {
        **numbered("c"),
        **below("charts/crds", {
            "Chart.yaml": "apiVersion: v2\nname: crds\nversion: 0.1.0\n",
            "crds/x.yaml": "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: x}\n",
        }),
    },
    "BOM, ignored": {
        **{path: "\ufeff" + text for path, text in numbered("c", values="num: 9\n").items()},
        ".helmignore": "\ufeff# no\r\n*.bak\r\n/ci/  \r\ncharts/gone\r\n",
        "a.bak": "x", "ci/x": "x", "templates/.swp": "{{ broken", "templates/x.bak": "{{ broken",
        "charts/gone/x": "not a chart",
        **below("charts/a", {path: "\ufeff" + text for path, text in numbered("a").items()}),
    },
    "long and foreign names": {
        **numbered("c"), "docs/" + "long" * 40 + ".md": "x", "docs/Grüße – 你好.md": "x", "a/b/c/d/e/f.txt": "x",
    },
    "provenance": {
        **numbered("c", values="k: 1\n"),
        "templates/k.yaml": NUMBER.replace("NAME", "k").replace(
            ".Values.num | default 7", '(list (.Files.Get "charts/old/k.prov") (.Files.Get "charts/x.prov"))'
        ),
        "charts/x.prov": "X",
        "charts/a-0.1.0.tgz": tgz("a", numbered("a")),
        "charts/a-0.1.0.tgz.prov": "signature",
        **below("charts/old", {**numbered("new"), "k.prov": "K", "templates/no.prov": "{{ fail }}"}),
        **below("charts/foo.prov", numbered("foo")),
        **below("charts/b", numbered("bar.prov")),
    },
    "keys as Go reads them": {
        "Chart.yaml": "NAME: c\nver\u017fion: 0.1.0\nm: &m {version: 0.1.0}\n",
        "requirements.yaml": "m: &m {Ver\u017fion: 0.1.0}\nDependencie\u017f:\n- {Name: s, ALIA\u017f: o, <<: *m}\n",
        "values.yaml": "o: {num: 5}\n",
        **below("charts/s", numbered("s")),
    },
    "versions that match nothing": {
        **numbered("c", more="dependencies: [{name: s, version: 9.0.0}, {name: t, alias: u}]\n", values="s: {num: 5}"),
        **below("charts/s", numbered("s")),
        **below("charts/t", numbered("t")),
    },
    "dots in a name": {**numbered("c", values="x: 1\n"), **below("charts/a.b", numbered("a.b"))},
}  # fmt: skip


def switches(chart: Chart, prefix: str = "") -> list[str]:
    """Every `enabled` that the chart got, as an option of `helm template`."""
    found = []
    dependencies = chart.metadata.get("dependencies")
    for dependency in dependencies if isinstance(dependencies, list) else []:
        assert isinstance(dependency, dict)
        if dependency.get("condition") == f"{dependency['name']}.enabled":
            found.append(f"--set={prefix}{dependency['condition']}=true")
    for subchart in chart.subcharts:
        found += switches(subchart, f"{prefix}{subchart.name}.")
    return found


def documents(text: str) -> list[Any]:
    found = [helmyaml.construct(node, where="helm") for node in yamlio.compose_all(text, where="helm")]
    return sorted(found, key=lambda document: json.dumps(document, sort_keys=True))


def complaints(helm: Helm, folder: Path) -> set[str]:
    lines = helm("lint", folder, check=False).stdout.splitlines()
    return {line for line in lines if line.startswith("[") and not line.startswith("[INFO]")}


def template(helm: Helm, folder: Path, *options: str) -> str:
    return helm("template", "release", folder, "--include-crds", *options).stdout


def unpacked_names(archive: tarfile.TarFile) -> Iterator[str]:
    """Yield the names of the members, of sub-charts that are archives those that `helm package` unpacks them to."""
    for member in archive:
        folder, _, file = member.name.rpartition("/")
        if not file.endswith(".tgz"):
            yield member.name
            continue
        with tarfile.open(fileobj=archive.extractfile(member)) as inner:
            yield from (f"{folder}/{name}" for name in unpacked_names(inner))


@pytest.mark.parametrize("shape", TREES)
def test_helm_takes_it_and_renders_what_upstream_renders(helm: Helm, helm4: Helm, tmp_path: Path, shape: str) -> None:
    upstream = write(TREES[shape], tmp_path / "upstream" / "c")
    finished = published(below("c", TREES[shape]))
    folder = export(finished, tmp_path / "ours")
    assert complaints(helm, folder) <= complaints(helm, upstream)
    assert "version: 1.2.3" in helm("show", "all", folder).stdout
    template(helm, folder)
    with_all = template(helm, folder, *switches(finished))
    assert documents(with_all) == documents(template(helm, upstream))
    assert documents(with_all) == documents(template(helm4, folder, *switches(finished)))
    packed = build_package(finished, 1_700_000_000)
    (tmp_path / packed.filename).write_bytes(packed.data)
    assert documents(template(helm, tmp_path / packed.filename, *switches(finished))) == documents(with_all)
    helm("package", folder, "-d", tmp_path / "again")
    with tarfile.open(tmp_path / "again" / packed.filename) as theirs, tarfile.open(tmp_path / packed.filename) as ours:
        assert sorted(theirs.getnames()) == sorted(unpacked_names(ours))
        assert {tuple(member.name.split("/")[:2]) for member in ours if not member.isreg()} == set()


MOVED: Mapping[str, tuple[str, Mapping[str, str | bytes]]] = {
    "its name": ("foo\n", below("charts/old", numbered("foo"))),
    "its name as a directory": ("# old layout\nfoo/\n", below("charts/old", numbered("foo"))),
    "its path": ("/charts/foo\n", below("charts/old", numbered("foo"))),
    "a pattern": ("charts/f*\n", below("charts/old", numbered("foo"))),
    "one of its files": ("charts/foo/templates/*.yaml\n", below("charts/old", numbered("foo"))),
    "a chart below it": ("bar\n", below("charts/old", {**numbered("foo"), **below("charts/b", numbered("bar"))})),
    "an archive's name": ("foo\n", {"charts/foo-0.1.0.tgz": tgz("foo", numbered("foo"))}),
    "a file in an archive": ("all.yaml\n", {"charts/foo-0.1.0.tgz": tgz("foo", numbered("foo"))}),
    "values.yaml": ("values.yaml\n", {"values.yaml": "num: 1\n", **below("charts/foo", numbered("foo"))}),
}


@pytest.mark.parametrize("shape", MOVED)
def test_helmignore_takes_nothing_away_that_it_left_in_upstreams_layout(
    helm: Helm, helm4: Helm, tmp_path: Path, shape: str
) -> None:
    rules, more = MOVED[shape]
    files: Mapping[str, str | bytes] = {
        "Chart.yaml": "apiVersion: v2\nname: c\nversion: 0.1.0\n",
        ".helmignore": rules,
        **more,
    }
    upstream = write(files, tmp_path / "upstream" / "c")
    finished = published(below("c", files))
    folder = export(finished, tmp_path / "exported")
    packed = build_package(finished, 0)
    (tmp_path / packed.filename).write_bytes(packed.data)
    with served(tmp_path) as url:
        helm("pull", f"{url}/{packed.filename}", "--untar", "--untardir", tmp_path / "pulled")
    loaded = [folder, tmp_path / packed.filename, tmp_path / "pulled" / "product"]
    on = switches(finished)
    assert on
    wanted = documents(template(helm, upstream))
    for chart_ in loaded:
        assert documents(template(helm, chart_, *on)) == wanted, chart_
        assert "kind:" not in template(helm, chart_), chart_
    assert documents(template(helm4, folder, *on)) == wanted
    helm("lint", folder)
    helm4("lint", folder)
    assert "foo" in helm("dependency", "list", folder).stdout


@pytest.mark.parametrize("shape", ["requirements", "undeclared", "archives in archives", "anchors, JSON, CRLF"])
def test_helm_4_takes_it(helm4: Helm, tmp_path: Path, shape: str) -> None:
    finished = published(below("c", TREES[shape]))
    folder = export(finished, tmp_path)
    helm4("lint", folder)
    helm4("package", folder, "-d", tmp_path)
    packed = build_package(finished, 0)
    (tmp_path / packed.filename).write_bytes(packed.data)
    assert "version: 1.2.3" in helm4("show", "chart", tmp_path / packed.filename).stdout


def test_prereleases_of_sub_charts_are_taken(helm: Helm, helm4: Helm, tmp_path: Path) -> None:
    origin = dataclasses.replace(ORIGIN, tag="v1.2.3-rc.1+b", version="1.2.3-rc.1+b")
    for number, shape in enumerate(["undeclared", "requirements"]):
        finished = published(below("c", TREES[shape]), origin=origin)
        folder = export(finished, tmp_path / str(number))
        assert "# Source: product/charts/" in template(helm, folder, *switches(finished))
        assert "# Source: product/charts/" in template(helm4, folder, *switches(finished))
        helm4("lint", folder)
        helm4("package", folder, "-d", tmp_path / str(number))


def test_one_switch_turns_on_one_part(helm: Helm, tmp_path: Path) -> None:
    folder = export(published(below("c", TREES["undeclared"])), tmp_path)
    assert "charts/" not in template(helm, folder)
    rendered = template(helm, folder, "--set=b.enabled=true")
    assert "charts/b/templates" in rendered
    assert "charts/deep" not in rendered
    assert 'num: "6"' in rendered


def test_links_lead_to_the_same_chart(helm: Helm, tmp_path: Path) -> None:
    files: dict[str | bytes, Content] = {
        **{f"charts/app/{path}": text for path, text in chart("app", template=USES_HELPER).items()},
        "charts/app/charts/utils": Link("../../utils"),
        "charts/app/values.yaml": Link("../values.yaml"),
        "charts/values.yaml": "num: 1\nimage: {tag: latest}\n",
        **{f"charts/utils/{path}": text for path, text in HELPER.items()},
    }
    repository = GitRepo(tmp_path / "up.git")
    repository.release("v1.2.3", files)
    with open_repository(LocalRepository(repository.path), cache=tmp_path / "cache").snapshots(
        ["v1.2.3"], ["charts/app"]
    ) as snapshots:
        snapshot = snapshots["v1.2.3"]
        assert isinstance(snapshot, Snapshot)
        finished = assemble("app", ["charts/app"], snapshot, ORIGIN, pytest.fail, Budget()).chart
    rendered = template(helm, export(finished, tmp_path))
    assert 'num: "42"' in rendered
    assert finished.values == "num: 1\nimage: {tag: v1.2.3}\nutils:\n  enabled: true\n"


@pytest.mark.parametrize("shape", SHAPES)
def test_a_registration_renders_as_upstream_wrote_it(helm: Helm, tmp_path: Path, shape: str) -> None:
    text = SHAPES[shape]
    finished = published({}, "controller-registration", registration=text)
    folder = export(finished, tmp_path)
    assert complaints(helm, folder) == set()
    assert documents(template(helm, folder)) == []
    assert documents(template(helm, folder, "--set=controller.enabled=true")) == documents(text)


def test_awkward_values_of_a_registration_keep_their_types(helm: Helm, tmp_path: Path) -> None:
    folder = export(registration_chart(AWKWARD, source="s", where="w"), tmp_path)
    assert documents(template(helm, folder)) == documents(AWKWARD)


def test_overrides_of_a_registration_merge_at_any_depth(helm: Helm, tmp_path: Path) -> None:
    folder = export(published({}, "controller-registration", registration=SHAPES["v1"]), tmp_path)
    before = deployment_values(documents(template(helm, folder, "--set=controller.enabled=true")))
    overrides = "controller.values.image.tag=v9,controller.values.new.x=1,controller.values.replicas=0"
    rendered = template(helm, folder, "--set=controller.enabled=true", f"--set={overrides}")
    after = deployment_values(documents(rendered))
    assert after == {**before, "image": {**before["image"], "tag": "v9"}, "new": {"x": 1}, "replicas": 0}
    for node in yaml.compose_all(rendered):
        assert_no_doubled_keys(node)


def test_null_takes_a_value_out_of_a_registration(helm: Helm, tmp_path: Path) -> None:
    # Of the controller chart itself: some versions of Helm 3 keep a sub-chart's default against a null from outside.
    folder = export(registration_chart(SHAPES["v1"], source="s", where="w"), tmp_path)
    rendered = template(helm, folder, "--set=values.image.tag=null,values.gone=null")
    values = deployment_values(documents(rendered))
    assert values == {"image": {"repository": "example.org/x"}, "replicas": 3}


@pytest.mark.parametrize("path", ["nothing.below", "nothing", "some.nothing", "some"])
def test_what_is_null_in_a_registration_can_be_overridden(helm: Helm, tmp_path: Path, path: str) -> None:
    finished = published({}, "controller-registration", registration=SHAPES["nulls"])
    folder = export(finished, tmp_path)
    rendered = template(helm, folder, f"--set=controller.enabled=true,controller.values.{path}=0")
    found: Any = deployment_values(documents(rendered))
    for part in path.split("."):
        found = found[part]
    assert found == 0


def assert_no_doubled_keys(node: yaml.Node) -> None:
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value]
        assert len(keys) == len(set(keys))
    for child in yamlio.child_nodes(node):
        assert_no_doubled_keys(child)


def test_overrides_of_several_deployments(helm: Helm, tmp_path: Path) -> None:
    folder = export(registration_chart(SHAPES["several deployments"], source="s", where="w"), tmp_path)
    options = ["--set=values.replicas=0", "--set=deployments.one.values.image.tag=v9"]
    one, two = (
        document["helm"]["values"]
        for document in documents(template(helm, folder, *options))
        if document["kind"] == "ControllerDeployment"
    )
    assert one["replicas"] == two["replicas"] == 0
    assert sorted([one["image"]["tag"], two["image"]["tag"]]) == ["v2", "v9"]


def test_an_umbrella_with_everything(helm: Helm, tmp_path: Path) -> None:
    files = {**below("charts/adm/app", numbered("application")), **below("charts/adm/run", numbered("runtime"))}
    finished = published(
        files, "controller-registration", "charts/adm/app", "charts/adm/run", registration=SHAPES["v1"]
    )
    folder = export(finished, tmp_path)
    assert complaints(helm, folder) == set()
    rendered = documents(template(helm, folder, "--set=application.enabled=true,runtime.enabled=true"))
    assert [document["metadata"]["name"] for document in rendered] == ["application", "runtime"]
    assert len(documents(template(helm, folder, *switches(finished)))) == 4


AGENT = "dependencies: [{name: agent, version: 0.1.0, MORE}]\n"
CLASHES: dict[str, tuple[Mapping[str, str | bytes], str]] = {
    "a condition of another": (
        {**numbered("c", more=AGENT.replace("MORE", "condition: s.enabled")), **below("charts/s", numbered("s"))},
        "s.enabled=false",
    ),
    "a condition in the chart that it switches": (
        {
            **numbered("c", more="dependencies: [{name: z}]\n"),  # without any, Helm looks at none of those below
            **below("charts/z", numbered("z")),
            **below(
                "charts/s", numbered("s", more=AGENT.replace("MORE", "condition: enabled"), values="enabled: false\n")
            ),
            **below("charts/s/charts/agent", numbered("agent")),
        },
        "s.enabled=true",
    ),
    "a tag": (
        {**numbered("c", more=AGENT.replace("MORE", "tags: [enabled]")), **below("charts/t", numbered("tags"))},
        "tags.enabled=false",
    ),
    "global": (below("charts/g", numbered("global")), "global.enabled=true"),
    "values of another": (below("charts/b", numbered("agent.num")), "agent.num.enabled=true"),
    "imported values": (
        {
            **chart("c", more=AGENT.replace("MORE", "import-values: [{child: s, parent: x}]")),
            **below("charts/agent/charts/s", numbered("s")),
        },
        "agent.s.enabled=true",
    ),
}


@pytest.mark.parametrize("shape", CLASHES)
def test_a_switch_that_would_change_another_part_fails_the_release(helm: Helm, tmp_path: Path, shape: str) -> None:
    files, switch = CLASHES[shape]
    values = "toYaml (list .Values.num .Values.global)"
    agent = numbered("agent", values="num: {}\n")
    agent["templates/all.yaml"] = agent["templates/all.yaml"].replace(".Values.num | default 7", values)
    files = {**numbered("c"), **below("charts/agent", agent), **files}
    upstream = write(files, tmp_path / "c")
    plain, switched = (
        [one for one in documents(template(helm, upstream, *options)) if one["metadata"]["name"] in ("agent", "c")]
        for options in ([], [f"--set={switch}"])
    )
    assert plain != switched
    with pytest.raises(ChartError, match="upstream would have to"):
        published(below("c", files))


@pytest.mark.parametrize("version", ["0.1.0", "v0.1", "1", "1.2.3-rc.1+b", "0.1", "01.2.3", "one", "''", "1.2.3-01"])
def test_a_sub_chart_is_what_helm_takes_it_for(helm: Helm, tmp_path: Path, version: str) -> None:
    ranges = ["0.1.0", "'>=0'", "~0.1", "'*'", "1.2.3-rc.1+b", "'>=1'", "'>=1-0'", "'@'", "''", "1.x", "'<1 || >2'"]
    charts = {
        f"c{number}": {
            **numbered(f"c{number}", more=f"dependencies: [{{name: s, version: {range_}, alias: other}}]\n"),
            **below("charts/s", {**numbered("s"), "Chart.yaml": f"apiVersion: v2\nname: s\nversion: {version}\n"}),
        }
        for number, range_ in enumerate(ranges)
    }
    declared = ", ".join(f"{{name: {name}, version: 0.1.0}}" for name in charts)
    outer: dict[str, str | bytes] = {**numbered("outer", more=f"dependencies: [{declared}]\n")}
    for name, files in charts.items():
        outer |= below(f"charts/{name}", files)
    done = helm("template", write(outer, tmp_path), check=False)
    if "validation: chart.metadata.version" in done.stderr:
        return
    sources = done.stdout.splitlines()
    for (name, files), range_ in zip(charts.items(), ranges, strict=True):
        assert f"# Source: outer/charts/{name}/templates/all.yaml" in sources
        ours = subchart_instances(read_chart(MemoryTree(below("c", files)), "c", Budget()))
        assert sorted(f"# Source: outer/charts/{name}/charts/{sub}/templates/all.yaml" for sub in ours) == sorted(
            line for line in sources if line.startswith(f"# Source: outer/charts/{name}/charts/")
        ), (range_, done.stderr)


CLOSED = '{"additionalProperties": false, "properties": {"num": {}, "global": {}}}'


def test_schemas_fail_where_helm_says_so(helm: Helm, tmp_path: Path) -> None:
    fails = {**numbered("c"), "values.schema.json": CLOSED, **below("charts/s", numbered("s"))}
    assert helm("template", write(fails, tmp_path / "up"), check=False).returncode != 0
    published(below("c", fails))  # upstream's own fault
    breaks = {**numbered("c"), **below("charts/s", {**numbered("s"), "values.schema.json": CLOSED})}
    helm("template", write(breaks, tmp_path / "up2"))
    with pytest.raises(ChartError, match="does not allow what the switches"):
        published(below("c", breaks))


LIB = {
    "Chart.yaml": "apiVersion: v2\nname: s\nversion: 0.1.0\n",
    **below("charts/lib", numbered("lib")),
}
ALIASED: Mapping[str, tuple[Mapping[str, str | bytes], str]] = {
    "an alias": (
        {
            **numbered("c", more="dependencies: [{name: s, version: 0.1.0, alias: other}]\n"),
            "values.schema.json": json.dumps({"properties": {"other": {"properties": {"lib": json.loads(CLOSED)}}}}),
            **below("charts/s", LIB),
        },
        "other.lib.enabled=false",
    ),
    "a newer draft": (
        {
            **numbered("c", values="k: 1\n"),
            "values.schema.json": json.dumps(
                {
                    "$schema": "https://json-schema.org/draft/2020-12/schema",
                    "dependencies": {"k": {"properties": {"s": {"properties": {"enabled": {"type": "string"}}}}}},
                }
            ),
            **below("charts/s", LIB),
        },
        "s.enabled=false",
    ),
}


@pytest.mark.parametrize("shape", ALIASED)
def test_schemas_are_asked_as_helm_asks_them(helm: Helm, tmp_path: Path, shape: str) -> None:
    files, switch = ALIASED[shape]
    upstream = write(files, tmp_path / "c")
    helm("template", upstream)
    assert "don't meet the spec" in helm("template", upstream, f"--set={switch}", check=False).stderr
    with pytest.raises(ChartError, match="does not allow what the switches"):
        published(below("c", files))


def test_a_prov_file_of_an_archive_would_be_lost(helm: Helm, tmp_path: Path) -> None:
    archive = tgz("s", {**numbered("s"), "templates/k.prov": NUMBER})
    files: Mapping[str, str | bytes] = {**numbered("c"), "charts/s.tgz": archive}
    assert "templates/k.prov" in helm("template", write(files, tmp_path)).stdout
    with pytest.raises(ChartError, match="so s would lose it"):
        published(below("c", files))


def test_the_notes_are_in_package_and_export_whatever_is_ignored(helm: Helm, tmp_path: Path) -> None:
    listing = "{{ range $name, $_ := .Files }}# {{ $name }}\n{{ end }}"
    files = {**chart("c", template=listing), ".helmignore": "*.md\n", "README.md": "x"}
    finished = published(below("c", files))
    (tmp_path / "c.tgz").write_bytes(build_package(finished, 0).data)
    for loaded in (export(finished, tmp_path), tmp_path / "c.tgz"):
        assert helm("template", loaded).stdout.splitlines()[2:] == ["# RELEASE.md"], loaded


def test_scalars_are_what_helm_sees(helm: Helm, tmp_path: Path) -> None:
    annotations = {f"k{number}": written for number, written in enumerate(AS_STRING)}
    lines = "".join(f"  {key}: {written}\n" for key, written in annotations.items())
    write(chart("c", more=f"annotations:\n{lines}"), tmp_path)
    shown = yaml.load(helm("show", "chart", tmp_path).stdout, Loader=yaml.BaseLoader)["annotations"]
    assert {written: shown[key] for key, written in annotations.items()} == AS_STRING


def test_types_in_values_are_what_helm_sees(helm: Helm, tmp_path: Path) -> None:
    values = "".join(
        f"k{number}: {written}\n" for number, written in enumerate(AS_STRING) if "nan" not in written.lower()
    )
    values = "\n".join(line for line in values.splitlines() if ".inf" not in line.lower())
    values += "\nm: &m {a: 1}\nbefore: {a: 2, <<: *m}\nafter: {<<: *m, a: 2}\nmany: {<<: [{a: 1, b: 1}, {a: 2}]}\n"
    values += "t: !!str 1.10\nu: !own 12\nyes: doubled\nyes: keys\n1.50: f\n010: o\n"
    write(chart("c", values=values, template="{{ toJson .Values }}"), tmp_path)
    shown = json.loads(helm("template", tmp_path).stdout.split("\n", 2)[2])
    ours = helmyaml.construct(yamlio.compose(values, where="v"), where="v")
    assert json.loads(json.dumps(ours), parse_int=float) == json.loads(json.dumps(shown), parse_int=float)


NAME = st.text("ab.-_[]!*^é", min_size=1, max_size=3).filter(lambda name: name.strip(".") and name == name.strip())
RULE = st.one_of(
    st.lists(st.sampled_from([*"ab*?.-!é/\\", "/", "[ab]", "[^a]", "[a-"]), max_size=5).map("".join),
    st.sampled_from(["", "# x", "  a  ", "a/", "/a", "!a", "!a/", "!*", "a/*", "*/b", "[b-a]", "[^b-a]*", "\\!a", "["]),
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rules=st.lists(RULE, max_size=3),
    paths=st.sets(st.lists(NAME, min_size=1, max_size=3).map("/".join), min_size=1, max_size=8),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_ignores_what_helm_ignores(
    helm: Helm, tmp_path_factory: pytest.TempPathFactory, rules: list[str], paths: set[str], end: str
) -> None:
    files = {f"d/{path}": "x" for path in paths if not any(other.startswith(f"{path}/") for other in paths)}
    # Helm must find its own files whatever the rules are; a chart without them is compared by its refusal.
    tree = {
        "Chart.yaml": "apiVersion: v2\nname: c\nversion: 0.1.0\n",
        ".helmignore": end.join(rules),
        "templates/t.yaml": 'files: [{{ range $name, $_ := .Files }}{{ $name | quote }}, {{ end }}]',
        **files,
    }  # fmt: skip
    folder = write(tree, tmp_path_factory.mktemp("ignore"))
    done = helm("template", folder, check=False)
    try:
        ours = read_chart(MemoryTree(below("c", tree)), "c", Budget())
    except ChartError:
        assert done.returncode != 0, done.stdout
        return
    assert done.returncode == 0, done.stderr
    if "templates/t.yaml" in ours.files:
        shown = yaml.safe_load(done.stdout)["files"]
        assert sorted(shown) == sorted(name for name in ours.files if not name.startswith("templates/"))
    else:
        assert done.stdout.strip() == ""
