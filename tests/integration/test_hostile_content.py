"""Charts, archives, YAML and texts made to harm: from a repository to what the installed command makes of it."""

from __future__ import annotations

import gzip
import html.parser
import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart_releaser.charts import schema_check
from tests.cli.runner import Files, called, chart, snapshot
from tests.gitrepo import GitRepo
from tests.helm import Helm
from tests.hostile import REGISTRATION, Case, Outcome, Packed, World
from tests.hub import Hub, running
from tests.tars import header, member, pax, tgz

C = "charts/weather"
META = f"{C}/Chart.yaml"
VALUES = f"{C}/values.yaml"
REG = "example/controller-registration.yaml"
SUB = b"apiVersion: v2\nname: sub\nversion: 1.0.0\n"
CHART = "apiVersion: v2\nname: weather\nversion: 0.0.1\n"


def archive(*parts: bytes, name: str = "sub") -> Files:
    """A sub-chart's archive with these parts behind its Chart.yaml."""
    return raw(tgz(member("sub/Chart.yaml", SUB), *parts), name)


def raw(data: bytes, name: str = "sub") -> Files:
    return {f"{C}/charts/{name}.tgz": data}


def is_empty(packed: Packed) -> bool:
    """Tell whether the member in question became an empty file, as Helm has it."""
    return packed["charts/sub/x"] == b""


def metadata(name: str) -> bytes:
    return SUB.replace(b"sub", name.encode())


def nested() -> bytes:
    """Six charts of 5 MiB in each of six charts, those in each of six more, and so on."""
    bottom = [tgz(member("x/Chart.yaml", metadata(f"s{n}")), member("x/zeros", FIVE)) for n in range(6)]
    for _ in range(3):
        inner = [member(f"x/charts/c{n}.tgz", data) for n, data in enumerate(bottom)]
        bottom = [tgz(member("x/Chart.yaml", metadata(f"s{n}")), *inner) for n in range(6)]
    return bottom[0]


FIVE = bytes(5 << 20)
DIGITS = b"1" * (1 << 20)
SUB_TGZ = tgz(member("sub/Chart.yaml", SUB), member("sub/files/x", b"x"))
ARCHIVES = [
    Case("up", archive(member("sub/../../canary", b"x")), "leads out of the chart"),
    Case("up, by a backslash", archive(member("sub\\..\\..\\canary", b"x")), "leads out of the chart"),
    Case("up, by a pax header", archive(pax({"path": "sub/../../canary"}), member("sub/x", b"x")), "leads out"),
    Case("absolute", archive(member("/etc/cron.d/x", b"x")), "leads out of the chart"),
    Case("a drive", archive(member("sub/C:/x", b"x")), "leads out of the chart"),
    Case("a symbolic link", archive(header("sub/x", 0, b"2", link="/etc/passwd")), check=is_empty),
    Case("a hard link", archive(header("sub/x", 0, b"1", link="/etc/passwd")), check=is_empty),
    Case("a device", archive(header("sub/x", 0, b"3")), check=is_empty),
    Case("a pipe", archive(header("sub/x", 0, b"6")), check=is_empty),
    Case("a link with colours", archive(header("sub/\x1b[31m", 0, b"2")), "a path that Helm's loader refuses"),
    Case("GNU sparse", archive(header("sub/x", 0, b"S")), "it has a sparse file"),
    Case("pax sparse", archive(
        pax({"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9" * 15}), member("sub/x", b"")),
         "has a record that can't be read"),
    Case("a huge size", archive(header("sub/x", 1 << 50)), "it ends within what begins"),
    Case("a huge size by pax", archive(pax({"size": "9" * 18}), member("sub/x", b"")), "it ends within what begins"),
    Case("a negative size", archive(header("sub/x", -512)), "has a number that can't be read"),
    Case("a negative size of a directory", archive(header("sub/x/", -1024, b"5")), "has a number that can't be read"),
    Case("a pax header of digits", archive(header("x", len(DIGITS), b"x") + DIGITS), "has a record that can't be read"),
    Case("headers on headers", archive(pax({"a": "b"}) * 20_000, member("sub/x", b"x")), check=lambda packed: True),
    Case("directories alone", archive(header("sub/d/", 0, b"5") * 30_000), "beyond what Helm loads"),
    Case("two of a name", archive(member("sub/x", b"1"), member("sub/x", b"2")), "two files called 'x'"),
    Case("two Chart.yaml", archive(member("sub/./Chart.yaml", SUB)), "two files called 'Chart.yaml'"),
    Case("a bomb", raw(gzip.compress(bytes(130 << 20), 1)), "unpacks to more than the 100 MiB"),
    Case("nested bombs", raw(nested()), "beyond what Helm loads|unpacks to more than|more than 512 MiB of memory"),
    Case("pieces", raw(gzip.compress(b"") * 2000), "more than 1000 gzip files"),
    Case("truncated", raw(SUB_TGZ[:-20]), "is not a chart archive"),
    Case("a wrong checksum", raw(SUB_TGZ[:-8] + bytes(8)), "is not a chart archive"),
    Case("garbage behind it", raw(SUB_TGZ + b"garbage"), check=lambda packed: packed["charts/sub/files/x"] == b"x"),
    Case("something behind the end", raw(tgz(member("sub/Chart.yaml", SUB), bytes(512), member("sub/x", b"x"))),
         "is not a chart archive: it is damaged at byte"),
    Case("no archive", raw(b"<html>404</html>"), "is not a chart archive"),
    Case("nothing", raw(b""), "is not a chart archive: it is "),
    Case("two gzip files in a row", raw(gzip.compress(gzip.decompress(SUB_TGZ)[:512]) + gzip.compress(
        gzip.decompress(SUB_TGZ)[512:])), check=lambda packed: packed["charts/sub/files/x"] == b"x"),
    Case("a good one", raw(SUB_TGZ), check=lambda packed: packed["charts/sub/files/x"] == b"x"),
]  # fmt: skip

SIZES = [
    Case("a file beyond 5 MiB", {f"{C}/files/x": FIVE + b"x"}, "files/x has 5.0 MiB; Helm loads at most 5 MiB a file"),
    Case("a file beyond 20 MiB", {f"{C}/files/x": bytes((20 << 20) + 1)}, "a file of a chart may have 20 MiB"),
    Case("a chart beyond 100 MiB", {f"{C}/files/{number}": FIVE for number in range(21)}, "at most 100 MiB"),
    Case("a tree beyond 200 MiB", {f"{C}/files/{number}": FIVE for number in range(41)}, "more than 512 MiB of memory"),
    Case("too many files", {f"{C}/files/{number}": "x" for number in range(20_001)}, "more than 20000 files"),
    Case("thousands of files", {f"{C}/files/{number}": "x" for number in range(3000)},
         check=lambda packed: len(packed) == 3004),
    Case("deep directories", {f"{C}/{'d/' * 100}x": "x"}, "nested deeper than 64 directories"),
    Case("deep sub-charts", {f"{C}/{'charts/s/' * level}Chart.yaml": "name: s\n" for level in range(1, 25)},
         "more than 20 levels deep"),
    Case("depends on itself", {META: f"{CHART}dependencies: [{{name: weather, version: 1.0.0}}]\n"},
         "depends on weather 1.0.0 .* not in its charts directory"),
    Case("depends on one elsewhere",
         {META: f"{CHART}dependencies: [{{name: x, version: 1.0.0, repository: 'file:///etc'}}]\n"},
         "depends on x 1.0.0 .file:///etc., which is not in its charts directory"),
    Case("a slow .helmignore", {f"{C}/.helmignore": "*a" * 60 + "b\n", f"{C}/{'a' * 240}": "x"},
         check=lambda packed: "a" * 240 in packed),
    Case("a long .helmignore", {f"{C}/.helmignore": "".join(f"*{n}*{n}*\n" for n in range(3000)),
                                **{f"{C}/files/f{n}": "x" for n in range(50)}}, r"helmignore:502: more than 500 rules"),
    Case("ranges in .helmignore", {f"{C}/.helmignore": "[z-a\n"}, r"\.helmignore:1: syntax error in pattern"),
    Case("a schema as deep as it gets", {f"{C}/values.schema.json": "[" * 100_000}, "is not valid JSON"),
]  # fmt: skip

BOMB = "a0: &a0 [x,x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
SLOW = "a0: &a0 [x,x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 6))
TEXTS: dict[str, tuple[str | bytes, str]] = {
    "an alias bomb": (BOMB, "aliases expand to more than 1,000,000 nodes"),
    "an alias of itself": ("a: &a [*a]\n", "an alias refers to a node"),
    "deep brackets": (f"a: {'[' * 100_000}\n", "nested deeper than 200 levels|malformed YAML"),
    "deep blocks": ("".join(f"{' ' * n}a:\n" for n in range(600)), "nested deeper than 200 levels"),
    "UTF-16": ("\ufeffa: 1\n".encode("utf-16"), "is not UTF-8|can't be read"),
    "Latin-1": ("a: \u00e9\n".encode("latin-1"), "is not UTF-8|can't be read"),
    "a NUL": (b"a: \0\n", "malformed YAML|can't be read"),
}
TAGGED = 'x: !!python/object/apply:os.system ["touch pwned"]\ny: !!python/name:os.system\n'
DEPLOYMENT = str(REGISTRATION[REG])


def yaml_cases(path: str, before: str = "", message: str = "") -> list[Case]:
    """The hostile texts in the place of a file, or behind what makes it one of its kind."""
    cases = []
    for name, (text, error) in TEXTS.items():
        data = before.encode() + (text if isinstance(text, bytes) else text.encode())
        cases.append(Case(f"{path.rpartition('/')[2]}: {name}", {path: data}, message or error))
    return cases


YAML = [
    *yaml_cases(META, CHART),
    *yaml_cases(VALUES),
    Case("values.yaml: two documents", {VALUES: "a: 1\n---\nb: 2\n"}, "a second YAML document begins here"),
    *yaml_cases(f"{C}/requirements.yaml"),
    Case("Chart.yaml: tags of Python", {META: f"{CHART}{TAGGED}"},
         check=lambda packed: b"apply" in packed["Chart.yaml"]),
    Case("values.yaml: tags of Python", {VALUES: TAGGED},
         check=lambda packed: packed["values.yaml"] == TAGGED.encode()),
    Case("values.yaml: doubled keys", {VALUES: "a: 1\na: 2\n"},
         check=lambda packed: packed["values.yaml"] == b"a: 1\na: 2\n"),
    Case("values.yaml: merge keys", {VALUES: "a: &a {b: 1}\nc: {<<: *a}\n"},
         check=lambda packed: packed["values.yaml"] == b"a: &a {b: 1}\nc: {<<: *a}\n"),
    Case("values.yaml: a merge of a text", {VALUES: "c: {<<: x}\n"}, "<< can merge only mappings"),
    Case("values.yaml: a huge scalar", {VALUES: f"a: {'x' * (6 << 20)}\n"}, "loads at most 5 MiB"),
    Case("values.yaml: aliases in many sub-charts",
         {f"{C}/{'charts/s/' * n}{path}": text for n in range(10) for path, text in
          {"Chart.yaml": CHART.replace("weather", "s"), "values.yaml": SLOW}.items()}, "more than 512 MiB of memory"),
    Case("Chart.yaml: a huge description", {META: f"{CHART}description: {'x' * (300 << 10)}\n"},
         "too much for an index"),
    Case("Chart.yaml: doubled keys", {META: f"{CHART}name: other\nname: weather\n"},
         check=lambda packed: True),
    Case("Chart.yaml: a list as name", {META: "apiVersion: v2\nname: [a]\nversion: 1.0.0\n"},
         "name must be a text"),
    Case("Chart.yaml: of a library's own", {META: f"{CHART}type: !!binary aGk=\n"},
         "neither application nor library"),
]  # fmt: skip
REGISTRATIONS = [
    *yaml_cases(REG, DEPLOYMENT),
    Case("registration: tags of Python", {REG: DEPLOYMENT.replace(
        "{a: b}", '{a: !!python/object/apply:os.system ["touch pwned"]}')},
        check=lambda packed: b"apply" in packed["charts/controller/values.yaml"]),
    Case("registration: huge", {REG: DEPLOYMENT + f"x: {'x' * 2_000_000}\n"},
         "characters of YAML"),
    Case("registration: no mapping", {REG: "[]\n"}, "not a Kubernetes object"),
]  # fmt: skip
SOURCES = {"archives": ARCHIVES, "sizes": SIZES, "yaml": YAML, "registrations": REGISTRATIONS}
CASES = [(source, case) for source, cases in SOURCES.items() for case in cases]


Worlds = dict[str, tuple[World, Outcome]]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Worlds:
    """One run for each source: what they have takes its time."""
    found: Worlds = {}
    for source, cases in SOURCES.items():
        world = World(tmp_path_factory.mktemp(source))
        world.add(source, cases, charts="controller-registration" if source == "registrations" else C)
        world.configure()
        found[source] = world, world.update()
    return found


@pytest.mark.parametrize("source", SOURCES)
def test_every_other_release_is_published(worlds: Worlds, source: str) -> None:
    world, outcome = worlds[source]
    world.check_all(outcome)
    assert not list(world.folder.rglob("pwned"))


@pytest.mark.parametrize(("source", "case"), CASES, ids=str)
def test_outcome(worlds: Worlds, source: str, case: Case) -> None:
    world, outcome = worlds[source]
    world.check(outcome, source, case)


def test_helm_takes_what_was_published(worlds: Worlds, helm: Helm) -> None:
    for source in ("archives", "yaml", "registrations"):
        world, outcome = worlds[source]
        for name in outcome.published:
            if name.startswith(f"{source}-1"):
                helm("template", world.work / "public" / name)


@pytest.mark.parametrize("name", [*TEXTS, "tags of Python"])
def test_an_index_that_is_hostile_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    text = TAGGED if name == "tags of Python" else TEXTS[name][0]
    world = World(tmp_path)
    world.configure()
    monkeypatch.chdir(world.work)
    public = world.work / "public"
    public.mkdir()
    for before in (b"", b"apiVersion: v1\nentries: {}\n"):
        (public / "index.yaml").write_bytes(before + (text.encode() if isinstance(text, str) else text))
        kept = snapshot(world.folder)
        ran = called("update", capsys=capsys)
        assert ran.code in (1, 2)
        assert len(ran.errors) == 1
        assert f"{public}/index.yaml" in ran.errors[0]
        assert "; " in ran.errors[0]
        assert snapshot(world.folder) == kept


def test_a_configuration_that_is_hostile_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.yaml"
    for text in (*(text for text, _ in TEXTS.values()), TAGGED, "sources: [*a]", f"sources: {'x' * 1_000_000}"):
        config.write_bytes(text.encode() if isinstance(text, str) else text)
        ran = called("update", "-c", str(config), capsys=capsys)
        assert ran.code == 2
        assert ran.errors
        assert all("config.yaml" in error and len(error) < 1000 for error in ran.errors)
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


TEMPLATE = (
    "{{ fail `executed` }}{{ lookup `v1` `Secret` `x` `y` }}{{ .Files.Get `Chart.yaml` }}{{- include `x` . -}}{{/*"
)
HTML = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>&lt;'\"]]>--><!--"


def dumped(value: object) -> str:
    return yaml.safe_dump(value, sort_keys=False)


def test_template_text_stays_data(tmp_path: Path, helm: Helm) -> None:
    """In every text of a registration and a chart, and in the notes; the true Helm renders it as it stands."""
    name = f'a"}}}}{TEMPLATE}'
    deployment = {
        "apiVersion": "core.gardener.cloud/v1",
        "kind": "ControllerDeployment",
        "metadata": {"name": name, "annotations": {TEMPLATE: TEMPLATE}},
        "helm": {
            "rawChart": TEMPLATE,
            "values": {TEMPLATE: TEMPLATE, "none": None, "deep": {"none": None, "a": TEMPLATE}},
        },
    }
    other = {**deployment, "metadata": {"name": "other}}"}}
    registration = {
        "apiVersion": "core.gardener.cloud/v1",
        "kind": "ControllerRegistration",
        "metadata": {"name": TEMPLATE},
    }
    more: dict[str, Any] = dict.fromkeys(("description", "appVersion", "home", "icon"), TEMPLATE)
    more |= {"keywords": [TEMPLATE], "annotations": {TEMPLATE: TEMPLATE}, "maintainers": [{"name": TEMPLATE}]}
    metadata = {"apiVersion": "v2", "name": "weather", "version": "0.0.1", **more}
    files: Files = {
        **chart(),
        META: dumped(metadata),
        VALUES: dumped({"replicas": TEMPLATE, "image": {"tag": "latest"}}),
        f"{C}/README.md": TEMPLATE,
    }
    notes = f"{TEMPLATE}\n{HTML}\n\x1b[31m\x07\u202e{'x' * (1 << 20)}"
    repo = GitRepo(tmp_path / "up.git")
    for tag, documents in {"v1.0.0": [deployment, registration], "v1.1.0": [deployment, other, registration]}.items():
        repo.release(tag, {**files, REG: yaml.safe_dump_all(documents)})
    hub = Hub()
    hub.add_repository("o/up", repo.path)
    for tag, text in {"v1.0.0": notes, "v1.1.0": "\ud800 half of a pair"}.items():
        hub.add_release("o/up", tag, text)
    world = World(tmp_path / "world")
    world.sources.append(f"name: up, repo: o/up, charts: [controller-registration, {C}]")
    world.configure()
    with running(hub) as server:
        outcome = world.update({"GITHUB_SERVER_URL": server.url, "GITHUB_API_URL": server.api_url})
    assert outcome.failed == {}
    assert outcome.published["up-1.0.0.tgz"]["RELEASE.md"] == notes.encode()
    assert outcome.published["up-1.1.0.tgz"]["RELEASE.md"] == b"? half of a pair"
    for version, documents in {"1.0.0": [deployment, registration], "1.1.0": [deployment, other, registration]}.items():
        package = world.work / "public" / f"up-{version}.tgz"
        switches = ("--set", "controller.enabled=true,weather.enabled=true")
        done = helm("template", "release", package, *switches)
        rendered = [document for document in yaml.safe_load_all(done.stdout) if document]
        assert [document for document in rendered if document["kind"] != "ConfigMap"] == documents
        assert [document["data"] for document in rendered if document["kind"] == "ConfigMap"] == [
            {"replicas": TEMPLATE}
        ]
        assert yaml.safe_load(helm("show", "chart", package).stdout)["dependencies"]
        assert helm("lint", package).returncode == 0


class Page(html.parser.HTMLParser):
    """The elements of a page with their attributes, and the text of its data."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.data = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][1].get("type") == "application/json":
            self.data += data


def test_markup_of_upstream_is_shown_and_nothing_else(tmp_path: Path) -> None:
    script = "javascript:alert(1)"
    metadata: dict[str, Any] = {
        "apiVersion": "v2", "name": "weather", "version": "0.0.1", "kubeVersion": HTML, "description": HTML,
        "appVersion": HTML, "home": script, "icon": script, "sources": [script, f"https://example.org/{HTML}", HTML],
        "keywords": [HTML], "annotations": {HTML: HTML}, "maintainers": [{"name": HTML, "url": script, "email": HTML}],
        "dependencies": [{"name": "sub", "version": HTML, "condition": f"sub.enabled,{HTML}", "repository": script,
                          "tags": [HTML]}],
    }  # fmt: skip
    pages = {}
    for kind, fields in {"plain": {"dependencies": metadata["dependencies"]}, "hostile": metadata}.items():
        repo = GitRepo(tmp_path / f"{kind}.git")
        text = dumped({"apiVersion": "v2", "name": "weather", "version": "0.0.1", **fields})
        sub = f"{C}/charts/sub/Chart.yaml"
        repo.release("v1.0.0+build.-script", {**chart(), META: text, sub: "name: sub\nversion: 0.0.1\n"})
        world = World(tmp_path / kind)
        world.sources.append(f"name: up, repo: {repo.path}, charts: [{C}]")
        world.configure()
        assert world.update().failed == {}
        pages[kind] = (world.work / "public/index.html").read_text()
    plain, hostile = Page(pages["plain"]), Page(pages["hostile"])
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in plain.elements]
    assert [set(attributes) for _, attributes in hostile.elements] == [set(found) for _, found in plain.elements]
    assert not [
        value for _, found in hostile.elements for value in found.values() if (value or "").startswith("javascript")
    ]
    assert pages["hostile"].count("<script") == pages["plain"].count("<script")
    assert "<img src=x" not in pages["hostile"]
    assert HTML in json.loads(hostile.data)["texts"]


def test_a_schema_without_an_end_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schema_check, "_SECONDS", 1.0)
    world = World(tmp_path)
    schema = json.dumps({"properties": {"big": {"pattern": "^(a+)+$"}}})
    sub: Files = {f"{C}/charts/sub/Chart.yaml": "name: sub\nversion: 0.0.1\n"}
    files: Files = {VALUES: f"big: {'a' * 40}!\n", f"{C}/values.schema.json": schema, **sub}
    world.add("regex", [Case("a regular expression", files)])
    world.configure()
    monkeypatch.chdir(world.work)
    started = time.monotonic()
    ran = called("update", capsys=capsys)
    assert ran.code == 1
    assert time.monotonic() - started < 15
    (error,) = ran.errors
    assert error.startswith(
        "regex v1.0.0: charts/weather/values.schema.json can't be checked against the switches of sub-"
    )
    assert "it takes more than 1 seconds; upstream has to correct it, or leave the release out with versions:" in error
    assert {path.name for path in (world.work / "public").glob("*.tgz")} == {
        "neighbour-1.0.0.tgz", "regex-0.1.0.tgz", "regex-2.0.0.tgz"
    }  # fmt: skip
