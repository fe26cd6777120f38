"""Links, names, tags and paths that lead astray: from a repository to what the installed command makes of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.runner import Files, chart, run
from tests.gitrepo import GitRepo, Link, Raw, Submodule
from tests.helm import Helm
from tests.hostile import CANARY, Case, Outcome, Packed, World
from tests.hub import Hub, running

C = "charts/weather"
UP = "../" * 30


def has(path: str, text: str = "x") -> Callable[[Packed], object]:
    return lambda packed: packed[path] == text.encode()


def named(name: str) -> Case:
    """A template of that name, which is as good as any other."""
    return Case(f"a file {name!a}", {f"{C}/files/{name}": "x"}, check=has(f"files/{name}"))


def subchart(name: str) -> Files:
    return {f"{C}/charts/sub/Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n"}


def only_in_git(name: str) -> Files:
    """A chart below a name that git itself would not write."""
    return {f"{C}/templates/{name}": "x"}


LINKS = [
    Case("out of the tree", {f"{C}/values.yaml": Link(f"{UP}canary")}, "leaves the repository"),
    Case("just out of the tree", {f"{C}/values.yaml": Link("../../../canary")}, "leaves the repository"),
    Case("absolute", {f"{C}/values.yaml": Link("/etc/passwd")}, "is absolute"),
    Case("through another link", {f"{C}/out": Link("../../../.."), f"{C}/x": Link("out/canary")}, "leaves the repos"),
    Case("through a directory link", {"up": Link(".."), f"{C}/x": Link("../../up/canary")}, "leaves the repository"),
    Case("a loop", {f"{C}/a": Link("b"), f"{C}/b": Link("a")}, "goes round in a loop"),
    Case("to itself", {f"{C}/values.yaml": Link("values.yaml")}, "goes round in a loop"),
    Case("a directory in itself", {f"{C}/templates/again": Link("..")}, "a loop without end"),
    Case("the chart as its sub-chart", {f"{C}/charts/self": Link("../../weather")}, "a loop without end"),
    Case("dangling", {f"{C}/values.yaml": Link("nothing")}, "points to nothing"),
    Case("below a file", {f"{C}/x": Link("Chart.yaml/y")}, "goes on below a file"),
    Case("to a device", {f"{C}/values.yaml": Link("/dev/zero")}, "is absolute"),
    Case("to a device, relative", {f"{C}/values.yaml": Link(f"{UP}dev/zero")}, "leaves the repository"),
    Case("to the environment", {f"{C}/x": Link("/proc/self/environ")}, "is absolute"),
    Case("to git's own files", {f"{C}/x": Link("../../.git/config")}, "points to nothing"),
    Case("to the bare repository", {f"{C}/x": Link("../../config")}, "points to nothing"),
    Case("into a submodule", {"sub": Submodule(), f"{C}/x": Link("../../sub/x")}, "sub is a submodule"),
    Case("a submodule", {f"{C}/templates/sub": Submodule()}, "templates/sub is a submodule"),
    Case("without a target", {f"{C}/x": Link("")}, "without a usable target"),
    Case("with a NUL", {f"{C}/x": Link("values.yaml\0.txt")}, "without a usable target"),
    Case("with a long target", {f"{C}/x": Link("a/" * 5000)}, "a target of 10000 bytes"),
    Case("with colours", {f"{C}/x": Link("\x1b[31mred")}, r"\\x1b\[31mred"),
    Case("Chart.yaml", {f"{C}/Chart.yaml": Link(f"{UP}canary")}, "leaves the repository"),
    Case("Chart.yaml to the machine", {f"{C}/Chart.yaml": Link("/etc/hostname")}, "is absolute"),
    Case(".helmignore", {f"{C}/.helmignore": Link(f"{UP}canary")}, "leaves the repository"),
    Case(".helmignore, absolute", {f"{C}/.helmignore": Link("/dev/zero")}, "is absolute"),
    Case("the chart itself", {"charts": Link("/etc")}, "is absolute", whole=True),
    Case("the chart itself, relative", {C: Link(f"{UP}tmp")}, "leaves the repository", whole=True),
    Case("the chart elsewhere in the tree",
         {C: Link("../real"), **chart(folder="real")},
         check=has("templates/map.yaml", str(chart()[f"{C}/templates/map.yaml"])), whole=True),
    Case("a file in the tree", {"VERSION": "x", f"{C}/files/v": Link("../../../VERSION")}, check=has("files/v")),
]  # fmt: skip

REGISTRATIONS = [
    Case("the registration", {"example/controller-registration.yaml": Link("../../canary")}, "leaves the repository"),
    Case("a process", {"example/controller-registration.yaml": Link("/proc/self/environ")}, "absolute"),
    Case("its directory", {"example": Link("..")}, "leaves the repository"),
    Case("a submodule", {"example": Submodule()}, "example is a submodule"),
]  # fmt: skip

NAMES = [
    *(named(name) for name in (
        "--upload-pack=touch x", "-x", "$(touch x)", "`touch x`", "a;touch x;", "a|touch x", "a\u202eb", "\u0430",
        "caf\u00e9", "cafe\u0301", "con", "aux.yaml", "nul.", "end ", "a:b", "a*b?", "~", "git~1", "x" * 250,
    )),
    Case("twins by case", {f"{C}/chart.yaml": "x", f"{C}/files/A": "1", f"{C}/files/a": "x"},
         check=lambda packed: packed["chart.yaml"] == packed["files/a"] == b"x" and packed["files/A"] == b"1"),
    Case("twins by composition", {f"{C}/caf\u00e9": "1", f"{C}/cafe\u0301": "x"},
         check=lambda packed: packed["caf\u00e9"] == b"1" and packed["cafe\u0301"] == b"x"),
    Case("colours", only_in_git("\x1b[31mred"), r"control character or a backslash: '\\x1b\[31mred'"),
    Case("a line end", only_in_git("a\nb"), r"control character or a backslash: 'a\\nb'"),
    Case("a backslash", only_in_git("..\\..\\x"), "a control character or a backslash"),
    Case("a line separator", only_in_git("a\u2028b"), r"'a\\u2028b'"),
    Case("not UTF-8", {f"{C}/templates/".encode() + b"\xff\xfe": "x"}, r"not UTF-8: \\xff\\xfe"),
    Case("up", only_in_git(".."), r"forbidden file name: '\.\.'"),
    Case("up and away", only_in_git("../../../canary"), r"forbidden file name: '\.\.'"),
    Case("here", only_in_git("."), r"forbidden file name: '\.'"),
    Case("nothing", {f"{C}/templates//etc": "x"}, "forbidden file name: ''"),
    Case("git's own", only_in_git(".git/config"), r"forbidden file name: '\.git'"),
    Case("git's own in capitals", only_in_git(".GIT/config"), r"forbidden file name: '\.GIT'"),
    Case("a device", {f"{C}/x": Raw("20644", "1" * 40)}, "neither file, directory nor link"),
    Case("a pipe", {f"{C}/x": Raw("10644", "1" * 40)}, "neither file, directory nor link"),
    Case("a file that is not there", {f"{C}/x": Raw("100644", "1" * 40)}, "not in the repository at hand"),
    Case("no mode", {f"{C}/x": Raw("9", "1" * 40)}, "listing of the repository is malformed"),
    *(Case(f"a sub-chart called {name!a}", subchart(f'"{name}"'), "is not a chart name that Helm accepts") for name in (
        "", ".", "..", "../../evil", "/etc/evil", "a/b", "..\\\\evil", "we\u0430ther", "a b",
        "a\\u202e", "$(x)", "\\e[31m",
    )),
    Case("a sub-chart called as an option", subchart("--upload-pack"),
         check=lambda packed: "charts/--upload-pack/Chart.yaml" in packed),
    Case("a chart with a path as name", {f"{C}/Chart.yaml": "apiVersion: v2\nname: ../../evil\nversion: 1.0.0\n"},
         "'../../evil' is not a chart name that Helm accepts"),
    Case("a chart with a number as name", {f"{C}/Chart.yaml": "apiVersion: v2\nname: 0x1\nversion: 1.0.0\n"},
         check=lambda packed: b"name: names\n" in packed["Chart.yaml"]),
]  # fmt: skip
SOURCES = {"links": LINKS, "registrations": REGISTRATIONS, "names": NAMES}
CASES = [(source, case) for source, cases in SOURCES.items() for case in cases]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("names"))
    for source, cases in SOURCES.items():
        charts = "controller-registration" if source == "registrations" else C
        world.add(source, cases, charts=charts)
    world.configure()
    return world


@pytest.fixture(scope="module")
def outcome(world: World) -> Outcome:
    return world.update()


def test_every_other_release_is_published(world: World, outcome: Outcome) -> None:
    world.check_all(outcome)


@pytest.mark.parametrize(("source", "case"), CASES, ids=str)
def test_outcome(world: World, outcome: Outcome, source: str, case: Case) -> None:
    world.check(outcome, source, case)


def test_exports_fail_alike_and_leave_nothing(world: World, outcome: Outcome) -> None:
    listed = [
        (f"{source}-{number}", source, f"v1.{number}.0", case)
        for source in ("links", "names")
        for number, case in enumerate(SOURCES[source])
    ]
    config = world.work / "export.yaml"
    config.write_text(
        "sources:\n"
        + "".join(
            f"  - {{name: {name}, repo: {world.folder}/{source}.git, version: {tag}, charts: [{C}]}}\n"
            for name, source, tag, _ in listed
        )
    )
    before = world.around()
    ran = run("export", "-c", "export.yaml", cwd=world.work)
    assert world.around() == before
    assert ran.code == 1
    assert {error.split(": ")[0] for error in ran.errors} == {f"{n} {tag}" for n, _, tag, case in listed if case.error}
    charts = world.work / "charts"
    assert {path.name for path in charts.iterdir() if path.is_dir()} == {
        n for n, _, _, case in listed if not case.error
    }
    for path in charts.rglob("*"):
        assert not path.is_symlink()
        assert not path.is_file() or CANARY.encode() not in path.read_bytes()
    for name, source, tag, case in listed:
        if not case.error:
            packed = outcome.published[f"{source}-{tag[1:]}.tgz"]
            assert {
                str(path.relative_to(charts / name)) for path in (charts / name).rglob("*") if path.is_file()
            } == set(packed)


def test_helm_takes_what_was_published_and_renders_it(world: World, outcome: Outcome, helm: Helm) -> None:
    for name in sorted(outcome.published)[::4]:
        helm("template", world.work / "public" / name)


BAD_TAGS = (
    "v1.0.0;x", "v1.0.0$(touch${IFS}pwned)", "v1.0.0`touch${IFS}pwned`", "--upload-pack=touch${IFS}pwned", "-x", "--",
    "v\uff11.0.0", "v1\u0662.0.0", "v1.0.\u0663", "v1.0.0\u202e", "v1.0.0-\u0430", "v1.0.0\u200b", "v1.0.0|x",
    "v1.0.0&",
    "v1.0.0'", 'v1.0.0"', "v1.0.0<b>", "v1.0.0%0a::error::x", "v01.0.0", "v1.0.0-01", "v99999999999999999999.0.0",
    "v1.2.0/x", "v1.2.0/x/v1.0.0", "::set-output", "v1.0.0+" + "a" * 300,
)  # fmt: skip
NO_NAMES = (
    "v1.0.1\x1b[31m",
    "v1.0.2\x07",
    "v1..0",
    "v1.0.3^{}",
    "v1.0.4 x",
    "v1.0.5:x",
    "v1.0.6\n",
    "../../heads/main",
    "",
)
"""What git takes for no name of a tag; an answer of GitHub's could hold it all the same."""
PREFIX = "$(touch${IFS}pwned);--upload-pack=touch${IFS}pwned;"


def with_tags(path: Path) -> GitRepo:
    """Good and hostile tags, also some that can't be files beside each other, and broken ones as files."""
    repo = GitRepo(path)
    oid = repo.commit(chart())
    good = ["v1.2.0", "v1.1.0", f"{PREFIX}v1.0.0"]
    packed = sorted(f"refs/tags/{tag}".encode() for tag in (*good, *BAD_TAGS))
    (path / "packed-refs").write_bytes(b"".join(b"%b %b\n" % (oid.encode(), name) for name in packed))
    for name in NO_NAMES[:2]:
        repo.tag(name)
    return repo


def test_tags_that_are_no_versions_harm_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    repo = with_tags(tmp_path / "tags.git")
    hub = Hub()
    hub.add_repository("o/tags", repo.path)
    for tag in ("v1.1.0", *BAD_TAGS, *NO_NAMES, "v1.2.0", f"{PREFIX}v1.0.0"):
        hub.add_release("o/tags", tag)
    prefix = f", tagPrefix: '{PREFIX}'"
    with running(hub) as server:
        for name, place in {"local": str(repo.path), "git": f"{server.url}/o/tags.git"}.items():
            world.sources.append(f"name: {name}, repo: '{place}', charts: [{C}]")
            world.sources.append(f"name: {name}-prefix, repo: '{place}', charts: [{C}]{prefix}")
        world.configure()
        outcome = world.update()
        hubs = World(tmp_path / "hub")
        hubs.sources.append(f"name: api, repo: o/tags, charts: [{C}]")
        hubs.sources.append(f"name: api-prefix, repo: o/tags, charts: [{C}]{prefix}")
        hubs.configure()
        by_api = hubs.update({"GITHUB_SERVER_URL": server.url, "GITHUB_API_URL": server.api_url})
    for found, names in ((outcome, ("local", "git")), (by_api, ("api",))):
        assert found.failed == {}
        versions = {f"{name}-{version}.tgz" for name in names for version in ("1.1.0", "1.2.0")}
        assert set(found.published) == versions | {f"{name}-prefix-1.0.0.tgz" for name in names} | {
            "neighbour-1.0.0.tgz"
        }
    assert not list(Path(os.environ["HOME"]).parent.rglob("pwned"))
    assert not list(tmp_path.rglob("pwned"))


def test_paths_that_look_like_options_or_shell_text(tmp_path: Path) -> None:
    world = World(tmp_path)
    names = ("--upload-pack=touch pwned", "-x", "$(touch pwned)", "`touch pwned`;touch pwned", "a b", "::error::x")
    repo = GitRepo(tmp_path / "up.git")
    for name in names:
        repo.commit({**chart(folder=name), f"{name}/files/link": Link("../values.yaml")})
    repo.tag("v1.0.0")
    hub = Hub()
    hub.add_repository("o/up", repo.path)
    with running(hub) as server:
        for number, name in enumerate(names):
            for kind, place in {"local": str(repo.path), "git": f"{server.url}/o/up.git"}.items():
                world.sources.append(f"name: {kind}-{number}, repo: '{place}', charts: ['{name}']")
        world.configure()
        outcome = world.update()
    made = {f"{kind}-{number}-1.0.0.tgz" for kind in ("local", "git") for number in range(len(names))}
    assert set(outcome.published) == made | {"neighbour-1.0.0.tgz"}
    assert all(outcome.published[name]["files/link"].startswith(b"# how many") for name in made)
    assert not list(tmp_path.rglob("pwned"))
