"""Some of 53 sources fail, each in another way: the others are published. All of them fail: nothing is touched."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from chart_releaser.charts import assemble
from chart_releaser.commands import assembly
from chart_releaser.index.index import Index
from tests.cli.runner import TOKEN, Files, Ran, chart, config, server_env, snapshot, source, upstream
from tests.gitrepo import Link
from tests.hub import Fault, GitDir, Hub, Server, create, on, running
from tests.hurry import hurried, in_this_process
from tests.publishing import SLUG, state

SOURCES = 53
GOOD = "up/good"
GITHUB = "destination: {owner: acme, repo: charts}"
DIRECTORY = "destination: {directory: public}"


def api(slug: str, **rule: Any) -> Fault:
    return Fault(on("GET", rf"^/api/v3/repos/{slug}/releases"), times=None, **rule)


def git(slug: str, **rule: Any) -> Fault:
    return Fault(on("*", rf"^/{slug}\.git/"), times=None, **rule)


PAIRS = zip("abcdefghij", "bcdefghijk", strict=True)
BOMB = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}, *{a}]\n" for a, b in PAIRS)


def with_values(values: str | bytes) -> Files:
    """A chart with these values at every tag: `upstream` writes the tag into the first file of that name."""
    return {"docs/values.yaml": "", **chart(), "charts/weather/values.yaml": values}


CONTENT: dict[str, Files] = {
    "the path is absent": chart(folder="charts/other"),
    "no Chart.yaml": {"charts/weather/values.yaml": "a: 1\n"},
    "Chart.yaml is malformed": {**chart(), "charts/weather/Chart.yaml": "name: [\n"},
    "Chart.yaml has another type": {**chart(), "charts/weather/Chart.yaml": "- a\n"},
    "values.yaml is malformed": with_values("a: [\n"),
    "values.yaml is not UTF-8": with_values(b"a: \xff\n"),
    "aliases that multiply": with_values(BOMB),
    "a link that leaves the tree": {**chart(), "charts/weather/templates/x.yaml": Link("../../../../../etc/passwd")},
    "a link without an end": {**chart(), "charts/weather/templates/x.yaml": Link("x.yaml")},
    "a link to nothing": {**chart(), "charts/weather/templates/x.yaml": Link("y.yaml")},
    "a file beyond Helm's limit": {**chart(), "charts/weather/big.bin": b"\0" * (6 << 20)},
    "a sub-chart that is no archive": {**chart(), "charts/weather/charts/sub-1.0.0.tgz": b"no archive"},
    "a name that Helm refuses": {**chart(), "charts/weather/charts/sub/Chart.yaml": "name: ../x\nversion: 1.0.0\n"},
}
SERVERS: dict[str, Callable[[str], Fault]] = {
    "the repository is absent": lambda slug: api(slug, kind="refuse", status=404, message="Not Found"),
    "it may not be read": lambda slug: api(slug, kind="refuse", status=403, message="Resource not accessible"),
    "the API fails": lambda slug: api(slug, kind="refuse", status=500),
    "the API resets connections": lambda slug: api(slug, kind="drop-before"),
    "the API's answers are cut": lambda slug: api(slug, kind="truncate"),
    "the API shows a page": lambda slug: api(slug, kind="refuse", status=200, body=b"<html>Sign in</html>"),
    "the API answers something else": lambda slug: api(slug, kind="refuse", status=200, body=b'[1, {"a": []}]'),
    "the API leads elsewhere": lambda slug: api(slug, kind="redirect", location="https://192.0.2.1/"),
    "git is absent": lambda slug: git(slug, kind="refuse", status=404),
    "git fails": lambda slug: git(slug, kind="refuse", status=502),
    "git resets connections": lambda slug: git(slug, kind="drop-before"),
    "git's answers are cut": lambda slug: git(slug, kind="truncate"),
    "git's answers are spoilt": lambda slug: git(slug, kind="corrupt"),
    "git shows a page": lambda slug: git(slug, kind="refuse", status=200, body=b"<html>Sign in</html>"),
    "git leads elsewhere": lambda slug: git(slug, kind="redirect", location="file:///etc/passwd"),
}
BUILDS = {"no registration": "[controller-registration, charts/weather]", "a bug": "[charts/weather]"}
WAYS = [*CONTENT, *SERVERS, *BUILDS]


@dataclass
class Scene:
    """A GitHub with an upstream for each way to fail, and one that is well."""

    hub: Hub
    server: Server
    folder: Path
    slugs: dict[str, str] = field(default_factory=dict)

    def run(self, ways: list[str], destination: str, names: str = "s") -> Ran:
        """Run `update` over 53 sources, called `names` and a number, the first of which fail in these ways."""
        sources = []
        for number in range(SOURCES):
            way = ways[number] if number < len(ways) else ""
            repo = self.slugs[way] if way else GOOD
            sources.append(source(f"{names}{number:02}", repo, charts=BUILDS.get(way, "[charts/weather]")))
        config(self.folder, *sources, destination=destination)
        environ = {**server_env(self.server, TOKEN), "CHART_RELEASER_CACHE": str(self.folder / "cache")}
        return in_this_process("update", "--json", "-c", str(self.folder / "config.yaml"), env=environ)


@contextmanager
def scene(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    hub = Hub()
    path = create(folder / "charts.git")
    GitDir(path).commit("main", {"README.md": b"# Charts\n"}, time=1_600_000_000)
    hub.add_repository(SLUG, path)
    hub.add_token(TOKEN, {SLUG})
    hub.limits.content_per_minute = hub.limits.content_per_hour = None
    hub.add_repository(GOOD, upstream(folder / "good.git", ["v1.0.0"]).path)
    hub.releases_from_tags(GOOD)
    slugs = {}
    for number, way in enumerate(WAYS):
        slugs[way] = slug = f"up/bad-{number}"
        hub.add_repository(slug, upstream(folder / f"{number}.git", ["v1.0.0"], CONTENT.get(way)).path)
        hub.releases_from_tags(slug)
        if way in SERVERS:
            hub.add_fault(SERVERS[way](slug))

    def assembled(*arguments: Any) -> assemble.Assembled:
        if str(WAYS.index("a bug")) == arguments[3].repository.rpartition("-")[2]:
            raise ZeroDivisionError("a bug of the test's own")
        return assemble.assemble(*arguments)

    monkeypatch.setattr(assembly, "assemble", assembled)
    with running(hub) as server, hurried():
        yield Scene(hub, server, folder, slugs)


@pytest.fixture
def it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    with scene(tmp_path, monkeypatch) as found:
        yield found


def assert_told(ran: Ran, ways: list[str]) -> list[dict[str, str]]:
    """Each failure is a row, and a message of one line that says what to do; nothing else failed."""
    report = json.loads(ran.out)
    failed = {row["source"]: row for row in report["failed"]}
    assert set(failed) == {f"s{number:02}" for number in range(len(ways))}, ran.err
    for number, way in enumerate(ways):
        error = failed[f"s{number:02}"]["error"]
        assert "\n" not in error
        assert ("; " in error) != (way == "a bug"), f"{way}: {error}"
        assert any(line.startswith(f"error: s{number:02}") and error in line for line in ran.err.splitlines()), way
    published: list[dict[str, str]] = report["published"]
    return published


@pytest.mark.parametrize("destination", [GITHUB, DIRECTORY], ids=["GitHub", "directory"])
def test_the_others_are_published(it: Scene, destination: str) -> None:
    ran = it.run(WAYS, destination)
    assert ran.code == 70, "the bug is told, after everything else was done"
    published = assert_told(ran, WAYS)
    others = {f"s{number:02}" for number in range(len(WAYS), SOURCES)}
    assert {row["source"] for row in published} == others
    if destination == GITHUB:
        files = state(it.hub)["files"]
        assert {release[0] for release in state(it.hub)["releases"]} == {f"{name}-1.0.0" for name in others}
        index = Index.parse(files["index.yaml"].decode())
    else:
        index = Index.parse((it.folder / "public/index.yaml").read_text())
        assert {path.stem for path in (it.folder / "public").glob("*.tgz")} == {f"{name}-1.0.0" for name in others}
    assert set(index.entries) == others


@pytest.mark.parametrize("way", [WAYS[0], *SERVERS, *BUILDS])
def test_one_of_them(it: Scene, way: str) -> None:
    ran = it.run([way], DIRECTORY)
    assert ran.code == (70 if way == "a bug" else 1)
    assert len(assert_told(ran, [way])) == SOURCES - 1


@pytest.mark.parametrize("destination", [GITHUB, DIRECTORY], ids=["GitHub", "directory"])
def test_all_of_them(it: Scene, destination: str) -> None:
    def left() -> object:
        return state(it.hub), snapshot(it.folder / "public") if destination == DIRECTORY else None

    assert it.run([], destination, names="before").code == 0
    before = left()
    it.hub.journal.clear()
    ways = [WAYS[number % len(WAYS)] for number in range(SOURCES)]
    ran = it.run(ways, destination)
    assert ran.code == 70
    assert assert_told(ran, ways) == []
    assert it.hub.journal.mutations() == []
    assert left() == before
