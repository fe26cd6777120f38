"""What whole runs work on: two upstream repositories, and what an undisturbed run makes of them.

A run with faults begins with what an earlier one had published, so there is something that could be spoilt.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.cli.runner import TOKEN, Files, Ran, chart, server_env, snapshot, source
from tests.gitrepo import GitRepo
from tests.hub import Server
from tests.machine import Machine, Started

STEP = int(os.environ.get("MACHINE_STEP", "0"))
"""1 goes through every point, 2 through every other one; 0 through as many as there is time for in the ordinary run."""
FIRST = int(os.environ.get("MACHINE_FIRST", "1"))
"""The point from which MACHINE_STEP counts."""
_TIME = re.compile(rb"\d{4}-\d\d-\d\d(?:T[\d:.]+Z)?")
_OURS = re.compile(r"\..*\.tmp")
TAGS = {"weather": ("v1.0.0", "v1.1.0", "v1.2.0"), "lake": ("v0.1.0", "v0.2.0")}
CONFIG = "config.yaml"


def points(last: int, ordinary: int) -> list[int]:
    """Return the points 1 to `last` of a test: every MACHINE_STEP-th one from MACHINE_FIRST on, or `ordinary` of them.

    The first one and, with MACHINE_STEP, the last one are always included.
    """
    if not STEP:
        return list(range(1, last + 1, max(1, last // ordinary)))
    return sorted({1, *range(FIRST, last + 1, STEP), last})


def noise(seed: str, size: int) -> str:
    """Text that does not get shorter when it is packed."""
    lines = (hashlib.sha512(f"{seed} {number}".encode()).hexdigest() for number in range(size // 128 + 1))
    return "\n".join(lines)[:size] + "\n"


def _files(name: str) -> Files:
    return chart(name, more={"files/noise.txt": noise(name, 24_000)})


def make_upstreams(folder: Path) -> None:
    """Make the upstream repositories below `folder`."""
    for name, tags in TAGS.items():
        repo = GitRepo(folder / f"{name}.git")
        repo.commit(_files(name))
        for tag in tags:
            repo.release(tag, {f"charts/{name}/values.yaml": f"tag: {tag}\n"}, f"Notes of {tag}\n")
        repo.pack()


def configuration(folder: Path, *, remote: bool = False, older: bool = False, output: str = "public") -> str:
    """A configuration for the upstreams below `folder`: read in place, or from the server, through the cache.

    `older` leaves the newest release of each out; so an earlier run saw it.
    """
    sources = []
    for name, tags in TAGS.items():
        where = f"o/{name}" if remote else str((folder / f"{name}.git").absolute())
        newest = tags[-1].removeprefix("v")
        more = {"versions": f'"<{newest}"'} if older else {}
        version = tags[-2] if older else tags[0]
        sources.append(source(name, where, charts=f"[charts/{name}]", version=version, **more))
    listed = "".join(f"  - {{{one}}}\n" for one in sources)
    return f"# ours\ndestination: {{directory: {output}}}\nsources:\n{listed}"


@dataclass
class Scene:
    """A folder with the upstreams, and what undisturbed runs make.

    With a `server` they are read from there, through the cache; it is a Hub's, which gets them.
    """

    machine: Machine
    folder: Path
    server: Server | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        make_upstreams(self.folder)
        self.env: dict[str, str] = {}
        if self.server is not None:
            self.env = server_env(self.server, TOKEN)
            self.server.hub.add_token(TOKEN, limit=None)
            for name in TAGS:
                self.server.hub.add_repository(f"o/{name}", self.folder / f"{name}.git")
                self.server.hub.releases_from_tags(f"o/{name}", notes=lambda tag: f"Notes of {tag}\n")
        old, new = self.folder / "older", self.folder / "newer"
        for place, is_older in ((old, True), (new, False)):
            if not is_older:
                shutil.copytree(old, new)
            else:
                place.mkdir()
            (place / CONFIG).write_text(configuration(self.folder, remote=self.server is not None, older=is_older))
            for command in ("update", "export", "export --packaged -t packed"):
                if command != "update":  # of the newest release there is nothing configured yet
                    text = (place / CONFIG).read_text()
                    if not is_older:
                        text = text.replace("v1.0.0", "v1.2.0").replace("v0.1.0", "v0.2.0")
                    (place / CONFIG).write_text(text)
                self.run(*command.split(), cwd=place, ok=True)
        self.before = {name: snapshot(old / name) for name in ("public", "charts", "packed")}
        self.after = {name: normal(snapshot(new / name)) for name in ("public", "charts", "packed")}
        self.packages = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (new / "public").glob("*.tgz")
        }
        assert len(self.packages) == 5

    def start(self, *words: str | Path, env: Mapping[str, str | None] | None = None, **options: Any) -> Started:
        """Start the program in the scene's environment: see `Machine.start`."""
        return self.machine.start(*words, env={**self.env, **(env or {})}, **options)

    def run(
        self, *words: str | Path, ok: bool = False, env: Mapping[str, str | None] | None = None, **options: Any
    ) -> Ran:
        """Run the program in the scene's environment: see `Machine.run`."""
        return self.machine.run(*words, ok=ok, env={**self.env, **(env or {})}, **options)

    def work(self, name: str, *, version: bool = True, output: str = "public", copied: bool = True) -> Path:
        """A working folder with the newer configuration, and with what the earlier run had made."""
        place = self.folder / name
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        text = configuration(self.folder, remote=self.server is not None, output=output)
        if version:
            text = text.replace("v1.0.0", "v1.2.0").replace("v0.1.0", "v0.2.0")
        (place / CONFIG).write_text(text)
        if copied:
            for made in self.before:
                self.put(made, place / made)
        return place

    def put(self, made: str, where: Path) -> None:
        """Put what the earlier run had made into a folder."""
        shutil.copytree(self.folder / "older" / made, where, dirs_exist_ok=True)

    def check_public(self, public: Path, *, leftovers: bool = False) -> None:
        """Everything that can be seen of a Helm repository is whole; with `leftovers` temporary files may be there."""
        found = snapshot(public) if public.exists() else {}
        if not leftovers:
            assert no_leftovers(found)
        packages = {name: data for name, data in found.items() if name.endswith(".tgz")}
        for name, data in packages.items():
            assert hashlib.sha256(data or b"").hexdigest() == self.packages[name], f"{name} is not whole"
        index = found.get("index.yaml")
        if index is None:
            return
        entries = yaml.safe_load(index)["entries"]
        for entry in (entry for listed in entries.values() for entry in listed):
            assert packages[entry["urls"][0]] is not None
            assert self.packages[entry["urls"][0]] == entry["digest"]
        if (page := found.get("index.html")) is not None:
            assert page.rstrip().endswith(b"</html>")

    def check_charts(
        self, folder: Path, made: str = "charts", *, leftovers: bool = False, at_end: bool = False
    ) -> None:
        """Each exported chart is the old or the new one as a whole, `at_end` the new one; the record can be read."""
        found = snapshot(folder) if folder.exists() else {}
        if not leftovers:
            assert no_leftovers(found)
        if (record := found.get(".chart-releaser.json")) is not None:
            json.loads(record)
        names = {name.partition("/")[0] for name in found if not name.startswith(".")}
        for name in names:
            seen = {path: data for path, data in found.items() if path == name or path.startswith(f"{name}/")}
            states = [
                {path: data for path, data in state.items() if path == name or path.startswith(f"{name}/")}
                for state in (self.before[made], self.after[made])
            ]
            assert seen in states, f"{name} is neither the old nor the new one"
        if at_end:
            wanted = self.after[made].keys() - self.before[made].keys() if made == "packed" else self.after[made].keys()
            assert found.keys() >= wanted
            assert all(found[path] == self.after[made][path] for path in wanted if not path.startswith("."))


def normal(found: dict[str, bytes | None]) -> dict[str, bytes | None]:
    """A folder's state without the times of the runs that made it."""
    return {
        path: data if data is None or not path.startswith("index.") else _TIME.sub(b"TIME", data)
        for path, data in found.items()
    }


def no_leftovers(found: dict[str, bytes | None]) -> bool:
    """Whether no temporary file is left."""
    return not [path for path in found if any(_OURS.fullmatch(part) for part in path.split("/"))]


def assert_clear(ran: Ran, *names: str) -> list[str]:
    """It failed as a program should: every error is one line with what next, and the place is named. Returns them."""
    assert ran.code not in (0, 70, -999), f"{ran.code}: {ran.out}{ran.err}"
    errors = ran.errors
    assert errors, ran.err
    for error in errors:
        assert "; " in error, f"it does not say what next: {error}"
        assert "internal error" not in error
    told = " ".join(errors)
    assert not names or any(name in told for name in names), f"it does not name {names}: {told}"
    return errors


def sizes(least: int, most: int, ordinary: int) -> Iterator[int]:
    """Sizes of a file system in KiB, page by page of 4."""
    for point in points((most - least) // 4, ordinary):
        yield least + 4 * (point - 1)
