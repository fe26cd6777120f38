"""From upstream's charts to the published one: what changes, and that nothing else does."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from chart_releaser.charts.chart import Chart
from chart_releaser.charts.package import chart_files
from chart_releaser.errors import ChartError
from tests.memorytree import ORIGIN, assembled, below, chart, published, tgz
from tests.unit.charts.test_registration import SHAPES

REVISION = f"annotations:\n  org.opencontainers.image.revision: {'c' * 40}\n"


def dependencies(finished: Chart) -> Any:
    return yaml.safe_load(finished.chart_yaml).get("dependencies")


def test_a_chart_keeps_all_that_need_not_change() -> None:
    upstream = (
        "# licence\napiVersion: v1  # old\nname: 'c'\ndescription: |\n  long\n\n  text\n\n# the version\n"
        'version: 0.1.0 # x\nappVersion: "1.10"\nown: [1,  2]\nkeywords: [a]\nsources:\n- https://example.org # s\n'
        "\n# people\nmaintainers:\n  - name: me\n"
    )
    finished = published(below("c", {"Chart.yaml": upstream, "values.yaml": "a:  1   # one\n", "x.txt": b"\x00\xff"}))
    assert finished.chart_yaml == (
        "# licence\napiVersion: v2  # old\nname: product\ndescription: |\n  long\n\n  text\n\n# the version\n"
        'version: 1.2.3 # x\nappVersion: "1.10"\nown: [1,  2]\nkeywords: [a]\nsources:\n- https://example.org # s\n'
        "- https://github.com/o/up\n\n# people\nmaintainers:\n  - name: me\n" + REVISION
    )
    assert finished.values == "a:  1   # one\n"
    assert finished.files == {"x.txt": b"\x00\xff", "RELEASE.md": b"What is new\n"}


def test_provenance_is_added_where_it_is_missing() -> None:
    finished = published(below("c", {"Chart.yaml": "name: c\n"}))
    assert finished.metadata == {
        "name": "product",
        "apiVersion": "v2",
        "version": "1.2.3",
        "appVersion": "v1.2.3",
        "sources": ["https://github.com/o/up"],
        "annotations": {"org.opencontainers.image.revision": "c" * 40},
    }


def test_provenance_that_is_there_is_not_doubled() -> None:
    text = "name: c\nappVersion: 2\nsources: [https://github.com/o/up]\nannotations:\n  # mine\n  a: b\n"
    finished = published(below("c", {"Chart.yaml": text}))
    assert finished.metadata["sources"] == ["https://github.com/o/up"]
    assert finished.metadata["appVersion"] == "2"  # what Helm sees in it; as a number `helm lint` refuses it
    assert 'appVersion: "2"\n' in finished.chart_yaml
    assert finished.metadata["annotations"] == {"a": "b", "org.opencontainers.image.revision": "c" * 40}
    assert "  # mine\n  a: b\n" in finished.chart_yaml
    local = published(below("c", {"Chart.yaml": "name: c\n"}), origin=dataclasses.replace(ORIGIN, repository=None))
    assert "sources" not in local.metadata


def test_notes_that_json_let_through_are_written() -> None:
    finished = published(below("c", {"Chart.yaml": "name: c\n"}), origin=dataclasses.replace(ORIGIN, notes="a\ud83d é"))
    assert finished.files["RELEASE.md"].decode() == "a? é"


def test_upstreams_own_release_md_stays() -> None:
    assert published(below("c", {**chart("c"), "RELEASE.md": "ours"})).files["RELEASE.md"] == b"ours"


def test_anchors_in_chart_yaml_lose_comments_and_nothing_else() -> None:
    text = "# c\nname: c\nversion: &v 0.1.0\nappVersion: *v\nkeywords: &k [a]\nown: *k\n"
    finished = published(below("c", {"Chart.yaml": text}))
    assert finished.metadata["appVersion"] == "0.1.0"
    assert (finished.metadata["keywords"], finished.metadata["own"]) == (["a"], ["a"])
    assert (finished.metadata["version"], finished.metadata["name"]) == ("1.2.3", "product")


def test_every_sub_chart_gets_the_version_and_undeclared_ones_a_switch() -> None:
    values = "# top\nb:\n  # kept\n  n: 1\n\nc2: {enabled: true}\n"
    files = {
        **chart("c", values=values),
        **below("charts/dir", chart("a")),
        **below("charts/b", {**chart("b", values="x: 1\n"), **below("charts/deep", chart("deep"))}),
        **below("charts/c2", chart("c2")),
        **below("charts/helper", {"Chart.yaml": "name: helper\n", "templates/_x.tpl": ""}),
    }
    finished = published(below("c", files))
    assert dependencies(finished) == [
        {"name": name, "condition": f"{name}.enabled", "repository": ""} for name in ("a", "b", "c2", "helper")
    ]
    assert finished.values == (
        "# top\nb:\n  enabled: false\n  # kept\n  n: 1\n\nc2: {enabled: true}\na:\n  enabled: false\n"
        "helper:\n  enabled: true\n"
    )
    b = finished.subcharts[1]
    assert b.values == "x: 1\ndeep:\n  enabled: false\n"
    assert dependencies(b) == [{"name": "deep", "condition": "deep.enabled", "repository": ""}]
    for each in (*finished.subcharts, *b.subcharts):
        assert (each.metadata["version"], each.metadata["apiVersion"]) == ("1.2.3", "v2")
        assert "annotations" not in each.metadata
        assert "RELEASE.md" not in each.files


def test_declared_dependencies_keep_all_but_the_version_of_own_ones() -> None:
    declared = (
        "# needed\ndependencies:\n# the one\n- name: one # 1\n  version: '~0.1' # any\n  repository: https://example.org\n"
        "  condition: one.install\n  tags:\n  - x\n- {name: two, alias: second, import-values: [x], enabled: false}\n"
        "# after\nkeywords: [k]\n"
    )
    files = {**chart("c", more=declared, values="one: {}\n"), "Chart.lock": "generated: x\n"}
    for name in ("one", "two", "three"):
        files |= {path: str(text) for path, text in below(f"charts/{name}", chart(name)).items()}
    finished = published(below("c", files))
    switch = 'enabled: false}\n- name: three\n  condition: three.enabled\n  repository: ""\n'
    assert declared.replace("enabled: false}\n", switch) in finished.chart_yaml
    assert finished.values == "one: {}\nthree:\n  enabled: false\n"
    assert "Chart.lock" not in finished.files


def test_requirements_move_into_chart_yaml() -> None:
    requirements = (
        "dependencies:\n- name: one\n  version: 0.1.0\n  condition: a.b,c\n  tags: [x]\n- name: two\n  alias: other\n"
    )
    files = {
        "Chart.yaml": "apiVersion: v1\nname: c\nversion: 1.0.0\n",
        "requirements.yaml": requirements,
        "requirements.lock": "x",
        **below("charts/one", chart("one")),
        **below("charts/two", chart("two")),
    }
    finished = published(below("c", files))
    assert dependencies(finished) == [
        {"name": "one", "version": "1.2.3", "condition": "a.b,c", "tags": ["x"]},
        {"name": "two", "alias": "other"},
    ]
    assert set(finished.files) == {"RELEASE.md"}
    assert finished.values is None


def test_requirements_may_say_what_chart_yaml_says() -> None:
    for declared in ("", "dependencies: [{name: one}]\n"):
        files = {
            **chart("c", more=declared),
            "requirements.yaml": "x-of-ours: 1\nDependencies: [{Name: one}]\n",
            **below("charts/one", chart("one")),
        }
        assert dependencies(published(below("c", files))) == [{"name": "one"}]


LOCK = "dependencies:\n- name: one\n  repository: https://e.org\n  version: 0.1.0\ngenerated: '2020-01-01T00:00:00Z'\n"


@pytest.mark.parametrize(
    ("lock", "repository", "stays"),
    [
        (LOCK, "https://e.org", True),
        (LOCK, "file://../one", False),  # it gets the version of the release
        (LOCK.replace("2020-01-01T", "notatime"), "https://e.org", False),
        ("- x\n", "https://e.org", False),
        ("\xff", "https://e.org", False),
    ],
)
def test_a_lock_stays_while_it_is_that_of_the_dependencies(lock: str, repository: str, stays: bool) -> None:
    more = f"dependencies: [{{name: one, version: 0.x, repository: '{repository}'}}]\n"
    files = {**chart("c", more=more), "Chart.lock": lock.encode("latin-1"), **below("charts/one", chart("one"))}
    finished = published(below("c", files))
    assert ("Chart.lock" in finished.files) == stays
    assert dependencies(finished)[0]["version"] == ("0.x" if stays or "https" in repository else "1.2.3")


def test_somebody_elses_sub_chart_stays_as_it_is() -> None:
    """To the byte, whether it is a directory or an archive, and so do its values in the parent."""
    theirs = {
        **{path: text.replace("apiVersion: v2", "apiVersion: v1") for path, text in chart("one").items()},
        "values.yaml": "image: {tag: latest}\n",
        "Chart.lock": "whatever\n",
        "charts/deep/Chart.yaml": "name: deep\nversion: 7.0.0\n",
    }
    archive = tgz("two", {**chart("two", values="tag: latest\n")})
    more = (
        "dependencies:\n- {name: one, version: 0.x, repository: 'https://e.org', condition: one.on}\n"
        "- {name: two, alias: second, version: '>=0.1', repository: 'oci://e.org/charts'}\n"
        "- {name: mine, version: '*', repository: 'file://../mine'}\n"
    )
    values = "image: {tag: latest}\none: {image: {tag: latest}}\nsecond: {tag: latest}\nmine: {tag: latest}\n"
    files: dict[str, str | bytes] = {
        **chart("c", more=more, values=values),
        **below("charts/theirs", theirs),
        "charts/two-0.1.0.tgz": archive,
        "charts/two-0.1.0.tgz.prov": b"signed",
        **below("charts/mine", chart("mine", values="tag: latest\n")),
    }
    finished = published(below("c", files))
    packed = dict(chart_files(finished))
    for path, text in below("charts/theirs", theirs).items():
        assert packed[path] == str(text).encode()
    assert (packed["charts/two-0.1.0.tgz"], packed["charts/two-0.1.0.tgz.prov"]) == (archive, b"signed")
    assert packed["charts/mine/values.yaml"] == b"tag: v1.2.3\n"
    assert [one["version"] for one in dependencies(finished)] == ["0.x", ">=0.1", "1.2.3"]
    assert finished.values == (
        "image: {tag: v1.2.3}\none: {image: {tag: latest}}\nsecond: {tag: latest}\nmine: {tag: v1.2.3}\n"
    )


def test_a_value_that_an_own_and_a_foreign_part_share_is_not_changed_behind_ones_back() -> None:
    more = "dependencies: [{name: one, version: 0.x, repository: 'https://e.org'}]\n"
    for values in ("own: &a {tag: latest}\none: *a\n", "one: &a {tag: latest}\nown: *a\n"):
        files = {**chart("c", more=more, values=values), **below("charts/one", chart("one"))}
        assert published(below("c", files)).values == values
    files["values.yaml"] = "one: {tag: &t latest}\nown: {tag: *t}\n"
    with pytest.raises(ChartError, match="can't be set safely"):
        published(below("c", files))


def test_two_versions_of_a_sub_chart_under_aliases_stay() -> None:
    more = (
        "dependencies: [{name: s, version: 1.x, alias: a, repository: ''}, {name: s, version: 2.x, alias: b, "
        "repository: 'https://e.org'}]\n"
    )
    archives = {
        f"charts/s-{n}.tgz": tgz("s", {"Chart.yaml": f"apiVersion: v2\nname: s\nversion: {n}\n"})
        for n in ("1.0.0", "2.0.0")
    }
    packed = dict(chart_files(published(below("c", {**chart("c", more=more), **archives}))))
    assert {path: packed[path] for path in archives} == archives


def test_a_directory_of_somebody_elses_can_have_the_name_of_an_own_chart() -> None:
    more = "dependencies: [{name: s, version: 0.x, repository: 'https://e.org'}]\n"
    files = {**chart("c", more=more), **below("charts/own", chart("s")), **below("charts/x", chart("own"))}
    with pytest.raises(ChartError, match=r"^c/charts/x and c/charts/own would both be at charts/own of the package$"):
        published(below("c", files))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"Chart.yaml": "name: c\ndependencies: [{name: x, version: 1.0.0, repository: 'https://e.org'}]\n"},
         r"^c depends on x 1\.0\.0 \(https://e\.org\), which is not in its charts directory at this tag; upst"),
        ({"Chart.yaml": "name: c\ndependencies: [{name: x, repository: 'file://../x'}]\n"},
         r"^c depends on x without a version \(file://\.\./x\), which is not in its charts directory"),
        ({"charts/s/Chart.yaml": "name: s\n", "charts/s/requirements.yaml": "dependencies: [{name: x}]\n"},
         r"^c/charts/s depends on x without a version \(no repository\)"),
        ({"requirements.yaml": "a: [\n"}, r"^c/requirements\.yaml can't be read: c/requirements\.yaml:2:1: malformed"),
        ({"requirements.yaml": "dependencies: {}\n"}, r"^c/requirements\.yaml: dependencies must be a list of"),
        ({"requirements.yaml": "- name: x\n"}, r"^c/requirements\.yaml is not a mapping of keys and values, so Helm"),
        ({"requirements.yaml": "Dependencies: [{Name: x}]\n"}, r"^c depends on x without a version"),
        ({"requirements.yaml": "dependencies: [{name: x, Name: y}]\n"}, r"^c/requirements\.yaml: the key name occurs"),
        ({"requirements.yaml": "dependencies: [{name: x, Tags: 1}]\n"}, r"^c/requirements\.yaml: dependencies: tags"),
        ({"requirements.yaml": "AppVersion: 2\ntype: library\n"},
         r"^c/requirements\.yaml has appVersion, type, which Helm would take instead of Chart\.yaml's; upstream would"),
        ({"Chart.yaml": "name: c\ndependencies: [{name: x}]\n", "requirements.yaml": "dependencies: [{name: y}]\n"},
         r"^c/requirements\.yaml declares other dependencies than Chart\.yaml, and Helm would mix them; upstream"),
        ({"Chart.yaml": "name: c\ndependencies: [{name: x}]\n", "requirements.yaml": "dependencies:\n"},
         r"^c/requirements\.yaml declares other dependencies than Chart\.yaml"),
        ({"values.yaml": "- a\n", "charts/s/Chart.yaml": "name: s\n"}, r"^c/values\.yaml is not a mapping"),
        ({"values.yaml": "a: [\n"}, r"^c/values\.yaml:2:1: malformed YAML"),
        ({"values.yaml": "a: 1\n---\nb: 1\n"}, r"^c/values\.yaml:3: a second YAML document begins here"),
        ({"values.yaml": "s: text\n", "charts/s/Chart.yaml": "name: s\n"},
         r"^c/values\.yaml:1: s is not a mapping, so s\.enabled can't be set$"),
        ({"values.yaml": "tag: \"l\\x61test\"\n"}, r"^c/values\.yaml:1: tag: latest is written in a way"),
        ({"values.yaml": "b: &b {s: {a: 1}}\n<<: *b\n", "charts/s/Chart.yaml": "name: s\n"},
         r"^c/values\.yaml is written in a way in which the image tag and the switches can't be set safely$"),
    ],
)  # fmt: skip
def test_what_can_not_be_published_whole(more: Mapping[str, str], message: str) -> None:
    with pytest.raises(ChartError, match=message):
        published(below("c", {"Chart.yaml": "name: c\n", **more}))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("image: {tag: latest}\n", "image: {tag: v1.2.3}\n"),
        ("a:\r\n- image:\r\n    tag: 'latest' # c\r\n", "a:\r\n- image:\r\n    tag: 'v1.2.3' # c\r\n"),
        ('{"image": {"tag": "latest"}}', '{"image": {"tag": "v1.2.3"}}'),
        ("t: &t latest\na: {tag: *t}\nb: *t\n", "t: &t v1.2.3\na: {tag: *t}\nb: *t\n"),
        ("d: &d {tag: latest}\na: {<<: *d}\n", "d: &d {tag: v1.2.3}\na: {<<: *d}\n"),
        ("tag: latest\ntag: latest\n", "tag: v1.2.3\ntag: v1.2.3\n"),
        ("# tag: latest\nimageTag: latest\ntag: latest-x\n", None),
        ("tag: {latest: 1}\n", None),
    ],
)
def test_the_image_tag(values: str, expected: str | None) -> None:
    files = {**chart("c", values=values), **below("charts/s", chart("s", values=values))}
    files["values.yaml"] = values
    finished = published(below("c", {**files, "values.yaml": values}) | {"c/charts/s/requirements.yaml": ""})
    assert finished.subcharts[0].values == (values if expected is None else expected)
    assert (finished.values or "").replace('"s": {"enabled": false}, ', "").replace(
        "s:\n  enabled: false\n", ""
    ).replace("s:\r\n  enabled: false\r\n", "") == (values if expected is None else expected)


@pytest.mark.parametrize("tag", ["v1.2.3", "1.2.3", "1.2.3-1e5", "etcd-v3.5.0"])
def test_the_tag_is_upstreams_tag_as_it_is_and_stays_a_text(tag: str) -> None:
    origin = dataclasses.replace(ORIGIN, label=tag)
    finished = published(below("c", chart("c", values="image:\n  tag: latest\n")), origin=origin)
    assert yaml.safe_load(finished.values or "") == {"image": {"tag": tag}}
    assert finished.metadata["version"] == "1.2.3"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (None, "s:\n  enabled: false\n"),
        ("", "s:\n  enabled: false\n"),
        ("# only this\n", "# only this\ns:\n  enabled: false\n"),
        ("{}\n", '{"s": {"enabled": false}}\n'),
        ("~\n", "s:\n  enabled: false\n"),
        ("---\n# x\n", "# x\ns:\n  enabled: false\n"),
        ("s:\n", 's: {"enabled": false}\n'),
        ("s:\n    a: 1\n", "s:\n    enabled: false\n    a: 1\n"),
        ("s:\n  enabled: true # on\n", None),
        ("s: {enabled: 'yes'}\n", None),
        ("s: {enabled: ~}\n", "s: {enabled: false}\n"),
        ("b: &b {x: 1}\ns: *b\n", 'b: &b {x: 1}\ns: {<<: *b, "enabled": false}\n'),
        ("b: &b {enabled: true}\ns:\n  <<: *b\n", None),
        ("a: 1", "a: 1\ns:\n  enabled: false\n"),
        ("a:\r\n  b: 1\r\n", "a:\r\n  b: 1\r\ns:\r\n  enabled: false\r\n"),
        ("a: 1\n# end\n...\n", "a: 1\n# end\ns:\n  enabled: false\n...\n"),
        ("  a: 1\n", "  a: 1\n  s:\n    enabled: false\n"),
    ],
)
def test_the_switch_of_a_sub_chart(values: str | None, expected: str | None) -> None:
    finished = published(below("c", {**chart("c", values=values), **below("charts/s", chart("s"))}))
    assert finished.values == (values if expected is None else expected)


def test_a_dot_in_a_name_leads_where_helm_looks_for_the_switch() -> None:
    finished = published(below("c", {**chart("c"), **below("charts/s", chart("a.b"))}))
    assert yaml.safe_load(finished.values or "") == {"a": {"b": {"enabled": False}}}


def test_an_umbrella() -> None:
    files = {
        **below("x/app", chart("application", values="image: {tag: latest}\n")),
        **below("x/run", chart("runtime")),
    }
    finished = published(files, "controller-registration", "x/app", "x/run", registration=SHAPES["v1"])
    assert finished.metadata["description"] == "A helmchart for product"
    assert finished.metadata["appVersion"] == "v1.2.3"
    assert [subchart.name for subchart in finished.subcharts] == ["controller", "application", "runtime"]
    assert yaml.safe_load(finished.values or "") == {
        name: {"enabled": False} for name in ("controller", "application", "runtime")
    }
    controller = finished.subcharts[0]
    assert controller.metadata["description"] == "Helmchart for controllerregistration of product"
    assert controller.metadata["version"] == "1.2.3"
    assert finished.subcharts[1].values == "image: {tag: v1.2.3}\n"
    assert finished.files["RELEASE.md"] == b"What is new\n"
    assert "controller.enabled" in finished.files["templates/NOTES.txt"].decode()


def test_one_registration_is_an_umbrella_and_one_path_is_none() -> None:
    alone = published({}, "controller-registration", registration=SHAPES["v1"])
    assert [subchart.name for subchart in alone.subcharts] == ["controller"]
    assert published(below("c", chart("c")), "c").subcharts == ()
    two = published({**below("a", chart("a")), **below("b", chart("b"))}, "a", "b")
    assert [subchart.name for subchart in two.subcharts] == ["a", "b"]


def test_two_charts_of_one_name_can_not_be_in_one_umbrella() -> None:
    files = {**below("a", chart("same")), **below("b", chart("same"))}
    with pytest.raises(ChartError, match=r"^a and b are both called same$"):
        published(files, "a", "b")


STRICT = '{"type": "object", "properties": {"a": {}}, "additionalProperties": false}'


def test_a_schema_that_forbids_the_switches_is_an_error() -> None:
    of_parent = f'{{"properties": {{"s": {STRICT}}}}}'
    files = {**chart("c"), "values.schema.json": of_parent, **below("charts/s", chart("s"))}
    with pytest.raises(
        ChartError, match=r"^c/values\.schema\.json does not allow .*: \$\.s: .*\('enabled' was unexpected"
    ):
        published(below("c", files))
    files = {**chart("c"), **below("charts/s", {**chart("s"), "values.schema.json": STRICT})}
    with pytest.raises(
        ChartError, match=r"^c/charts/s/values\.schema\.json does not allow .* \('enabled' was unexpected"
    ):
        published(below("c", files))


def test_a_schema_that_fails_for_upstream_too_is_no_fault() -> None:
    # Helm puts an empty section for every sub-chart into the values, which this schema has never allowed.
    files = {**chart("c"), "values.schema.json": STRICT, **below("charts/s", chart("s"))}
    assert published(below("c", files)).values == "s:\n  enabled: false\n"


def test_helmignore_stays_unless_helm_would_lose_something_by_it() -> None:
    files = {**chart("c", values=""), **below("charts/old", chart("foo"))}
    for rules in ("*.bak\nold-*\n", "/foo\nfoo.yaml\n"):
        kept = published(below("c", {**files, ".helmignore": rules}))
        assert kept.files[".helmignore"] == rules.encode()
    for rules in (
        "RELEASE.md",
        "*.bak\n*.md\n",
        "foo",
        "charts/foo/",
        "# x\n*.bak\n/charts/f??\n",
        "charts/foo/templates/all.yaml",
    ):
        finished = published(below("c", {**files, ".helmignore": rules}))
        assert ".helmignore" not in finished.files
        assert finished.files["RELEASE.md"] == b"What is new\n"
        assert finished.subcharts[0].files["templates/all.yaml"]
    ignored = published(below("c", {**files, ".helmignore": "values.yaml"}))
    assert ".helmignore" not in ignored.files
    assert ignored.values == "foo:\n  enabled: false\n"


def test_helmignore_that_takes_a_template_out_still_does() -> None:
    files = {**chart("c"), ".helmignore": "foo\nsecret.yaml\n", "templates/secret.yaml": "x", "docs/foo/x": "y"}
    finished = published(below("c", {**files, **below("charts/old", chart("foo"))}))
    assert sorted(finished.files) == ["RELEASE.md", "templates/all.yaml"]


def test_what_is_done_with_the_tag_is_upstreams_or_the_users_choice() -> None:
    files = below(
        "c", {**chart("c", more="appVersion: 0.0.1\n", values="tag: latest\n"), **below("charts/s", chart("s"))}
    )
    given = dataclasses.replace(ORIGIN, label="v9", sets_app_version=True, sets_image_tags=False)
    finished = published(files, origin=given)
    assert (finished.metadata["appVersion"], finished.subcharts[0].metadata["appVersion"]) == ("v9", "v9")
    assert (finished.values or "").startswith("tag: latest\n")
    finished = published(files)
    assert (finished.metadata["appVersion"], finished.subcharts[0].metadata.get("appVersion")) == ("0.0.1", None)
    assert (finished.values or "").startswith("tag: v1.2.3\n")


def test_a_tag_that_images_can_not_have_stays_out() -> None:
    origin = dataclasses.replace(ORIGIN, tag="@acme/x@1.2.3", label=None, sets_app_version=True)
    made = assembled(below("c", chart("c", values="tag: latest\n")), origin=origin)
    assert made.chart.values == "tag: latest\n"
    assert "appVersion" not in made.chart.metadata
    assert made.notes[0] == (
        "the tag @acme/x@1.2.3 is no legal image tag, so a missing appVersion and tag: latest stay as they are"
    )


@pytest.mark.parametrize(
    ("image", "is_set"),
    [
        ("docker.io/library/busybox", False),
        ("library/busybox", False),
        ("index.docker.io/library/busybox", False),
        ("example.org/library/busybox", True),
        ("busybox", True),
    ],
)
def test_images_of_docker_itself_keep_their_tag(image: str, is_set: bool) -> None:
    finished = published(below("c", chart("c", values=f"image:\n  repository: {image}\n  tag: latest\n")))
    assert finished.values == f"image:\n  repository: {image}\n  tag: {'v1.2.3' if is_set else 'latest'}\n"
