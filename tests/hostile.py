"""What the tests of hostile content share: a world in which nothing may be touched, and what came of a run in it."""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.cli.runner import Files, Ran, chart, run, snapshot
from tests.gitrepo import GitRepo

CANARY = "canary-5b1f0c-of-the-machine"
"""What stands in files that nothing of upstream may lead to."""
SECONDS = 50
"""Which no run may take, whatever upstream has; less than the runner's own limit."""
Packed = Mapping[str, bytes]


@dataclass(frozen=True)
class Case:
    """A release whose tree has `files` on top of a small chart in charts/weather.

    `error` is a regular expression of how it fails; without one it is published, and `check` looks at the package.
    """

    name: str
    files: Files
    error: str = ""
    check: Callable[[Packed], object] | None = None
    message: str | None = None
    """The annotated tag's message."""
    whole: bool = False
    """The files are all there is: no small chart below them."""

    def __str__(self) -> str:
        return self.name


@dataclass
class Outcome:
    """What came of a run: what failed by source and tag, what was published by file name, and how long it took."""

    ran: Ran
    failed: dict[tuple[str, str], str]
    published: dict[str, Packed]
    seconds: float
    index: str
    listed: list[str]


@dataclass
class World:
    """A folder with upstream repositories, a working directory, and canaries beside, above and at home."""

    folder: Path
    cases: dict[str, Sequence[Case]] = field(default_factory=dict)
    sources: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.work.mkdir(parents=True)
        for place in (self.folder, self.work, self.work / "beside", Path(os.environ["HOME"])):
            place.mkdir(parents=True, exist_ok=True)
            (place / "canary").write_text(CANARY)

    @property
    def work(self) -> Path:
        return self.folder / "a" / "work"

    def add(self, source: str, cases: Sequence[Case], *, charts: str = "charts/weather", more: str = "") -> GitRepo:
        """Add a source whose releases v1.0.0, v1.1.0 … are the cases, one good release below and one above them."""
        repo = GitRepo(self.folder / f"{source}.git")
        repo.release("v0.1.0", chart() | REGISTRATION)
        for number, case in enumerate(cases):
            repo.commit({} if case.whole else chart(), fresh=True)
            repo.release(f"v1.{number}.0", case.files, case.message)
        repo.commit(chart() | REGISTRATION, fresh=True)
        repo.tag("v2.0.0")
        self.cases[source] = cases
        self.sources.append(f"name: {source}, repo: {repo.path}, charts: ['{charts}'], minors: 1000{more}")
        return repo

    def configure(self, *, destination: str = "destination: {directory: public}") -> None:
        """Write config.yaml with the sources and a harmless one at the end."""
        neighbour = GitRepo(self.folder / "neighbour.git")
        neighbour.release("v1.0.0", chart())
        listed = [*self.sources, f"name: neighbour, repo: {neighbour.path}, charts: [charts/weather]"]
        text = "\n".join([destination, "sources:", *(f"  - {{{source}}}" for source in listed)])
        (self.work / "config.yaml").write_text(text + "\n")

    def around(self) -> dict[str, bytes | None]:
        """All that no run may change: everything but the destination and the cache."""
        found: dict[str, bytes | None] = {
            f"home/{path}": data for path, data in snapshot(Path(os.environ["HOME"])).items()
        }
        found |= snapshot(self.folder)
        return {
            path: data
            for path, data in found.items()
            if not path.startswith(("home/chart-releaser-cache", "a/work/public", "a/work/charts"))
        }

    def update(self, env: Mapping[str, str] | None = None) -> Outcome:
        """Run the installed command, look that nothing around changed or got out, and return what came of it."""
        before = self.around()
        started = time.monotonic()
        ran = run("update", "--json", cwd=self.work, env=env)
        seconds = time.monotonic() - started
        assert self.around() == before
        assert CANARY not in ran.out + ran.err
        assert ran.out, ran.err
        report = json.loads(ran.out)
        public = self.work / "public"
        published: dict[str, Packed] = {path.name: unpacked(path.read_bytes()) for path in sorted(public.glob("*.tgz"))}
        for name, files in published.items():
            assert not [path for path, data in files.items() if CANARY.encode() in data], name
        index = (public / "index.yaml").read_text()
        listed = [
            f"{entry['name']}-{entry['version']}.tgz"
            for entries in yaml.safe_load(index)["entries"].values()
            for entry in entries
        ]
        assert {path.name for path in public.iterdir()} == {*published, "index.yaml", "index.html"}
        failed = {(row["source"], row["tag"]): row["error"] for row in report["failed"]}
        return Outcome(ran, failed, published, seconds, index, sorted(listed))

    def check_all(self, outcome: Outcome) -> None:
        """Whatever the cases: each failure is one line that names its release, every other release is published."""
        expected = {"neighbour-1.0.0.tgz"}
        hostile = set()
        for source, cases in self.cases.items():
            expected |= {f"{source}-0.1.0.tgz", f"{source}-2.0.0.tgz"}
            for number, case in enumerate(cases):
                if case.error:
                    hostile.add((source, f"v1.{number}.0"))
                else:
                    expected.add(f"{source}-1.{number}.0.tgz")
        assert set(outcome.failed) == hostile
        assert set(outcome.published) == expected
        assert outcome.listed == sorted(expected)
        assert outcome.ran.code == (1 if hostile else 0)
        titles = [line.split(": ", 1)[0] for line in outcome.ran.errors]
        assert sorted(titles) == sorted(f"{source} {tag}" for source, tag in hostile)
        assert all("; " in error for error in outcome.failed.values()), "what to do next"
        assert outcome.seconds < SECONDS

    def check(self, outcome: Outcome, source: str, case: Case) -> None:
        """This case failed as it should, or was published with what it should hold."""
        number = self.cases[source].index(case)
        if case.error:
            found = outcome.failed[source, f"v1.{number}.0"]
            assert re.search(case.error, found), found
        else:
            assert (source, f"v1.{number}.0") not in outcome.failed
            packed = outcome.published[f"{source}-1.{number}.0.tgz"]
            if case.check is not None:
                assert case.check(packed) is not False, sorted(packed)


REGISTRATION: Files = {
    "example/controller-registration.yaml": (
        "apiVersion: core.gardener.cloud/v1\nkind: ControllerDeployment\nmetadata: {name: x}\n"
        "helm: {rawChart: aGk=, values: {a: b}}\n"
    )
}


def unpacked(data: bytes) -> dict[str, bytes]:
    """The files of a package by their path below the chart; nothing but plain files may be in it."""
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        for member in archive:
            assert member.isreg(), member.name
            stream = archive.extractfile(member)
            assert stream is not None
            path = member.name.partition("/")[2]
            assert path
            assert ".." not in path.split("/")
            assert path not in found
            found[path] = stream.read()
    return found
