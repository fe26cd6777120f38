"""The cache is deleted, damaged or replaced, between runs and during one; several runs share it, and an output.

Never a wrong result: the same as if nothing had happened, or a clear error, and then the next run recovers.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.cli.runner import snapshot
from tests.hub import Fault, GitDir, Hub, Server, create, everything, running
from tests.machine import Machine
from tests.machine.scene import CONFIG, STEP, Scene, assert_clear, no_leftovers, normal, points

SLUG = "acme/charts"
COMMANDS = ("update", "export", "fetch-latest-versions")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A GitHub with the upstreams."""
    hub = Hub()
    hub.limits.content_per_minute = hub.limits.content_per_hour = None  # it gets what would be many days' runs
    with running(hub) as server:
        yield server


@pytest.fixture(scope="module")
def scene(host: Machine, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Upstreams that are read through the cache."""
    return Scene(host, tmp_path_factory.mktemp("scene"), server)


def to_github(scene: Scene, work: Path, name: str = CONFIG) -> None:
    """Have a configuration publish to a new repository on GitHub."""
    assert scene.server is not None
    hub = scene.server.hub
    if hub.repository(SLUG) is not None:
        hub.remove_repository(SLUG)
        shutil.rmtree(scene.folder / "charts.git")
    git = GitDir(create(scene.folder / "charts.git"))
    git.commit("main", {"README.md": b"# Charts\n"}, time=1_600_000_000)
    hub.add_repository(SLUG, git.path)
    text = (work / CONFIG).read_text()
    (work / name).write_text(text.replace("{directory: public}", "{owner: acme, repo: charts}"))


def check_github(scene: Scene) -> set[str]:
    """Whatever the index names is there with the listed digest; returns the names of the packages."""
    assert scene.server is not None
    repository = scene.server.hub.at(SLUG)
    assert repository.git is not None
    packages = {
        asset.name: asset.digest
        for release in repository.releases.values()
        if not release.draft
        for asset in release.assets
    }
    assert all(digest == f"sha256:{scene.packages[name]}" for name, digest in packages.items())
    branch = "refs/heads/gh-pages"
    index = repository.git.read(branch, "index.yaml") if repository.git.resolve(branch) else None
    entries = yaml.safe_load(index or b"{}").get("entries") or {}
    named = {entry["urls"][0].rpartition("/")[2]: entry["digest"] for listed in entries.values() for entry in listed}
    assert all(packages[name] == f"sha256:{digest}" for name, digest in named.items())
    return set(named)


# --- what becomes of a cache

Damage = Callable[[Path], None]


def _truncate(path: Path) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def _flip(path: Path) -> None:
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    if data:
        data[len(data) // 2] ^= 4
    path.write_bytes(data)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "mine").write_text("x")


def _link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


def _empty(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(b"")


FILES: dict[str, Damage] = {
    "gone": Path.unlink,
    "half": _truncate,
    "flipped": _flip,
    "empty": _empty,
    "a folder": _folder,
    "a link": _link,
}


def _as_file(path: Path) -> None:
    shutil.rmtree(path)
    path.write_text("a file\n")


def _as_link(path: Path) -> None:
    """A link to somebody else's directory, which has what a cleaning up would take for its own."""
    elsewhere = path.parent.parent / "somebody"
    shutil.rmtree(elsewhere, ignore_errors=True)
    for name in ("HEAD.new", "index.lock", "objects/pack/tmp_mine", "refs/x.lock", "config", "HEAD"):
        (elsewhere / name).parent.mkdir(parents=True, exist_ok=True)
        (elsewhere / name).write_text("mine\n")
    shutil.rmtree(path)
    path.symlink_to(elsewhere)


def _empty_folder(path: Path) -> None:
    shutil.rmtree(path)
    path.mkdir()


FOLDERS: dict[str, Damage] = {"gone": shutil.rmtree, "emptied": _empty_folder, "a file": _as_file, "a link": _as_link}


def remove(path: Path) -> None:
    """Have nothing there any more."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def spoil(cache: Path, place: str, damage: Damage) -> None:
    """Damage what is at `place` of a cache, if it is there."""
    if (cache / place).exists():
        damage(cache / place)


def filled(scene: Scene, folder: Path) -> Path:
    """A cache as a run that published to GitHub leaves it."""
    cache = folder / "filled"
    if not cache.exists():
        work = scene.work("filler", copied=False)
        to_github(scene, work)
        scene.run("update", "--cache-dir", cache, cwd=work, ok=True)
    return cache


@pytest.fixture(scope="module")
def cache(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache as a run leaves it."""
    return filled(scene, tmp_path_factory.mktemp("cache"))


def places(cache: Path) -> list[tuple[str, Damage]]:
    """Everything in a cache, with all that may happen to it."""
    found = sorted(cache.rglob("*"))
    files = [path for path in found if path.is_file()]
    folders = [cache, *(path for path in found if path.is_dir())]
    cases = [(path, damage) for path in files for damage in FILES.values()]
    cases += [(path, damage) for path in folders for damage in FOLDERS.values()]
    return [(str(path.relative_to(cache)), damage) for path, damage in cases]


PARTS = range(4)
"""Each of them is a test of its own, so that workers can share them."""


@pytest.mark.parametrize("part", PARTS)
def test_spoilt_between_runs(scene: Scene, cache: Path, part: int) -> None:
    cases = places(cache)
    survived = refused = 0
    used = scene.folder / "used"
    work = scene.work("out")
    to_github(scene, work, "github.yaml")
    github = (work / "github.yaml").read_text()
    scene.run("update", "-c", "github.yaml", "--cache-dir", used, cwd=work, ok=True)
    for at in points(len(cases), 16)[part :: len(PARTS)]:
        place, damage = cases[at - 1]
        remove(used)
        shutil.copytree(cache, used)
        work = scene.work("out")
        (work / "github.yaml").write_text(github)
        spoil(used, place, damage)
        mine = snapshot(work.parent / "somebody") if (work.parent / "somebody").exists() else None
        for words in (["update"], ["update", "-c", "github.yaml"]):
            ran = scene.run(*words, "--cache-dir", used, cwd=work)
            what = f"{place} {damage.__name__}: {ran.err}"
            scene.check_public(work / "public")
            if ran.code:
                assert_clear(ran)
                refused += 1
                if damage.__name__.startswith("_as") or place.endswith(
                    ".lock"
                ):  # what the user put there, the user takes away
                    remove(used / place)
                scene.run(*words, "--cache-dir", used, cwd=work, ok=True)
            assert len(words) == 1 or check_github(scene) == set(scene.packages), what
        assert normal(snapshot(work / "public")) == scene.after["public"], what
        if mine is not None:
            assert mine == snapshot(work.parent / "somebody"), what
            shutil.rmtree(work.parent / "somebody")
        survived += 1
    print(f"{survived} of {len(cases)} ways to spoil a cache, {refused} runs refused")
    assert survived >= 3


DURING: tuple[tuple[str, Damage], ...] = (
    (".", shutil.rmtree),
    (".", _as_file),
    ("git", shutil.rmtree),
    ("branch", shutil.rmtree),
    ("git", _as_link),
    ("branch", _as_link),
    ("api", _as_file),
    ("api", shutil.rmtree),
)


def _packs(damage: Damage) -> Damage:
    def all_of(cache: Path) -> None:
        for path in [*cache.rglob("*.pack"), *cache.rglob("*.idx"), *cache.rglob("objects/??/*")]:
            damage(path)

    return all_of


@pytest.mark.parametrize("part", range(3))
@pytest.mark.parametrize("cold", [True, False])
def test_spoilt_during_a_run(scene: Scene, cache: Path, cold: bool, part: int) -> None:
    assert scene.server is not None
    hub = scene.server.hub
    cases = [*DURING, (".", _packs(_flip)), (".", _packs(Path.unlink))]
    survived = refused = 0
    used = scene.folder / "used"
    for number, at in list(enumerate(points(30, 3)))[part::3]:
        for place, damage in cases if STEP else [cases[number * 2 + cold]]:
            remove(used)
            if not cold:
                shutil.copytree(cache, used)
            work = scene.work("out")
            to_github(scene, work)

            def strike(place: str = place, damage: Damage = damage) -> None:
                spoil(used, place, damage)

            fault = hub.add_fault(Fault(everything, "callback", nth=at, action=strike))
            ran = scene.run("update", "--cache-dir", used, cwd=work)
            hub.faults.clear()
            check_github(scene)
            if ran.code:
                assert_clear(ran)
                refused += 1
            if damage in (_as_file, _as_link):
                remove(used / place)
            scene.run("update", "--cache-dir", used, cwd=work, ok=True)
            assert check_github(scene) == set(scene.packages)
            survived += bool(fault.fired)
    print(f"{survived} caches spoilt during a run, {refused} runs refused")
    assert survived or at > 20, "a run is over before its last requests now and then"


# --- several runs at once


def test_several_runs_over_one_cache_and_one_output(host: Machine, scene: Scene) -> None:
    for number in range(3 if STEP else 1):
        work = scene.work(f"out{number}")
        cache = work / "cache"
        words = ("update", "update", "export", "export", "export --packaged -t packed", "update")
        runs = [scene.start(*word.split(), "--cache-dir", cache, cwd=work) for word in words]
        assert [run.end().code for run in runs] == [0] * len(words)
        assert normal(snapshot(work / "public")) == scene.after["public"]
        scene.check_charts(work / "charts", at_end=True)
        scene.check_charts(work / "packed", "packed", at_end=True)
        assert no_leftovers(snapshot(work / "public"))


def test_several_runs_bump_versions_while_an_editor_saves(scene: Scene) -> None:
    assert scene.server is not None
    work = scene.work("out", version=False)
    path = work / CONFIG
    old = path.read_text()
    saves = 0
    runs = [
        scene.start("fetch-latest-versions", *words, cwd=work) for words in ((), ("-s", "weather"), ("-s", "lake"), ())
    ]
    while saves < 200:  # as long as they run, and longer
        text = path.read_text()
        staged = work / "editors.tmp"
        staged.write_text(f"{text}# line {saves}\n")
        if path.read_text() == text:  # as an editor does, which asks if the file has changed
            staged.replace(path)
            saves += 1
    assert [run.end().code for run in runs] == [0] * 4
    scene.run("fetch-latest-versions", cwd=work, ok=True)
    lines = path.read_text().splitlines()
    assert len(lines) <= len(old.splitlines()) + saves
    bumped = old.replace("v1.0.0", "v1.2.0").replace("v0.1.0", "v0.2.0").splitlines()
    assert lines[: len(bumped)] == bumped
    numbers = [int(line.removeprefix("# line ")) for line in lines[len(old.splitlines()) :]]
    assert numbers == sorted(numbers)
    assert len(numbers) >= saves - 2 * len(runs), "what was saved is lost"
    assert {name for name in snapshot(work) if name.endswith(".tmp")} <= {"editors.tmp"}
