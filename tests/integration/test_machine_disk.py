"""The disk is full, whichever it is and whenever that shows: what is visible is whole, and the next run recovers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.runner import config, snapshot, source
from tests.hub import Hub, running
from tests.machine import Machine
from tests.machine.scene import CONFIG, STEP, Scene, assert_clear, no_leftovers, normal, points, sizes

ROOM = "size=64m,nr_inodes=9999"


@pytest.fixture(scope="module")
def scene(host: Machine, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Upstreams that are read in place."""
    return Scene(host, tmp_path_factory.mktemp("scene"))


@pytest.fixture(scope="module")
def far(host: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Upstreams that are read through the cache."""
    with running(Hub()) as server:
        yield Scene(host, tmp_path_factory.mktemp("far"), server)


def tell(survived: int) -> None:
    """Say how many faults there were, where somebody looks."""
    print(f"survived {survived} faults")


def limits(least: int, most: int, inodes: int, ordinary: int) -> list[str]:
    """Options of file systems that get full by bytes, and by the number of files."""
    counts = [f"size=64m,nr_inodes={count + 1}" for count in points(inodes, max(2, ordinary // 3))]
    return [*(f"size={size}k" for size in sizes(least, most, ordinary)), *counts]


def test_the_directory_that_is_published_to(host: Machine, scene: Scene) -> None:
    survived = 0
    for options in limits(4, 320, 12, 4):
        work = scene.work("out", output="tiny/public", copied=False)
        with host.small(work / "tiny", options) as tiny:
            try:
                scene.put("public", tiny / "public")
            except OSError:  # there is not even room for that: a first run
                host.ask("unmount", path=str(work / "tiny"))
                host.ask("mount", path=str(work / "tiny"), options=options)
            ran = host.run("update", cwd=work)
            scene.check_public(tiny / "public")
            if ran.code:
                assert_clear(ran, str(work / "tiny"))
                survived += 1
            host.change(work / "tiny", ROOM)
            host.run("update", cwd=work, ok=True)
            scene.check_public(tiny / "public")
            assert normal(snapshot(tiny / "public")) == scene.after["public"]
    tell(survived)
    assert survived >= 3


@pytest.mark.parametrize("made", ["charts", "packed"])
def test_the_directory_that_is_exported_to(host: Machine, scene: Scene, made: str) -> None:
    words = ["export", "-t", f"tiny/{made}", *(["--packaged"] if made == "packed" else [])]
    survived = 0
    for options in limits(4, 200, 20, 4):
        work = scene.work("out", copied=False)
        with host.small(work / "tiny", options) as tiny:
            try:
                scene.put(made, tiny / made)
            except OSError:
                host.ask("unmount", path=str(work / "tiny"))
                host.ask("mount", path=str(work / "tiny"), options=options)
            ran = host.run(*words, cwd=work)
            scene.check_charts(tiny / made, made)
            if ran.code:
                assert_clear(ran, f"tiny/{made}")
                survived += 1
            host.change(work / "tiny", ROOM)
            host.run(*words, cwd=work, ok=True)
            scene.check_charts(tiny / made, made, at_end=True)
    tell(survived)
    assert survived >= 3


def test_the_cache(host: Machine, far: Scene) -> None:
    survived = 0
    for options in limits(4, 400, 50, 3):
        work = far.work("out")
        cache = work / "cache"
        with host.small(cache, f"mode=700,{options}"):
            ran = far.run("update", "--cache-dir", cache, cwd=work)
            far.check_public(work / "public")
            if ran.code:
                assert_clear(ran, str(cache))
                survived += 1
            host.change(cache, ROOM)
            far.run("update", "--cache-dir", cache, cwd=work, ok=True)
            assert normal(snapshot(work / "public")) == far.after["public"]
    tell(survived)
    assert survived >= 3


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize("command", ["update", "export", "fetch-latest-versions", "update --dry-run"])
def test_the_temporary_directory(host: Machine, scene: Scene, far: Scene, command: str, remote: bool) -> None:
    there = far if remote else scene
    survived = 0
    for options in [f"size=64m,nr_inodes={count + 1}" for count in points(60 if remote else 12, 2)]:
        work = there.work("out", version=command != "fetch-latest-versions")
        before = (work / CONFIG).read_bytes()
        temporary = work / "temporary"
        with host.small(temporary, options) as seen:
            ran = there.run(*command.split(), cwd=work, env={"TMPDIR": str(temporary)})
            there.check_public(work / "public")
            there.check_charts(work / "charts")
            if ran.code:
                assert_clear(ran, str(temporary))
                after = (work / CONFIG).read_bytes()  # each source has its old version or its new one
                assert after.replace(b"v1.2.0", b"v1.0.0").replace(b"v0.2.0", b"v0.1.0") == before or after == before
                survived += 1
            assert snapshot(seen) == {}
            host.change(temporary, ROOM)
            there.run(*command.split(), cwd=work, env={"TMPDIR": str(temporary)}, ok=True)
            assert snapshot(seen) == {}
        if command in ("update", "export"):
            made = {"update": "public", "export": "charts"}[command]
            assert normal(snapshot(work / made)) == there.after[made]
    tell(survived)
    assert survived or (remote and command not in ("update", "export")), "those need no temporary files"


def test_the_configurations_directory(host: Machine, scene: Scene) -> None:
    survived = 0
    for options in limits(4, 16, 3, 5):
        work = scene.folder / "tiny"
        with host.small(work, options) as seen:
            text = scene.work("out", version=False).joinpath(CONFIG).read_bytes()
            expected = text.replace(b"v1.0.0", b"v1.2.0").replace(b"v0.1.0", b"v0.2.0")
            try:
                (seen / CONFIG).write_bytes(text)
            except OSError:
                continue
            ran = host.run("fetch-latest-versions", "-c", work / CONFIG, cwd=scene.folder)
            if ran.code:
                assert_clear(ran, str(work / CONFIG))
                assert snapshot(seen) == {CONFIG: text}
                survived += 1
            host.change(work, ROOM)
            host.run("fetch-latest-versions", "-c", work / CONFIG, cwd=scene.folder, ok=True)
            assert snapshot(seen) == {CONFIG: expected}
    tell(survived)
    assert survived >= 2


def test_verify_repairs(host: Machine, scene: Scene) -> None:
    survived = 0
    least = 4 + sum(-(-path.stat().st_size // 4096) * 4 for path in (scene.folder / "newer/public").glob("*.tgz"))
    for options in [f"size={size}k" for size in sizes(least, least + 64, 3)]:
        work = scene.work("out", output="tiny/public", copied=False)
        with host.small(work / "tiny", options) as tiny:
            try:
                (tiny / "public").mkdir()
                for path in (scene.folder / "newer/public").iterdir():
                    if path.suffix == ".tgz":
                        (tiny / "public" / path.name).write_bytes(path.read_bytes())
                (tiny / "public/index.yaml").write_bytes(scene.before["public"]["index.yaml"] or b"")
            except OSError:
                continue
            ran = host.run("verify", "--repair", cwd=work)
            scene.check_public(tiny / "public")
            if ran.code:
                assert ran.code == 1
                assert f"it could not be repaired: {work}/tiny/public" in ran.out, ran.out
                assert "No space left on device; " in ran.out
                survived += 1
            host.change(work / "tiny", ROOM)
            host.run("verify", "--repair", cwd=work, ok=True)
            assert "nothing is wrong" in host.run("verify", cwd=work, ok=True).err
            scene.check_public(tiny / "public")
    tell(survived)
    assert survived >= 2


@pytest.mark.parametrize("command", ["update", "export -t charts", "export --packaged -t packed"])
def test_files_may_not_get_long(host: Machine, scene: Scene, command: str) -> None:
    for size in (3000, 12_000, 30_000)[not STEP :]:
        work = scene.work("out")
        ran = host.run(*command.split(), cwd=work, file_size=size)
        scene.check_public(work / "public")
        scene.check_charts(work / "charts")
        scene.check_charts(work / "packed", "packed")
        if ran.code:
            assert_clear(ran, str(work / "public"), "charts/", "packed/")
        host.run(*command.split(), cwd=work, ok=True)
        made = {"update": "public", "export -t charts": "charts"}.get(command, "packed")
        assert normal(snapshot(work / made)) == scene.after[made]


PRINTS = [
    "update",
    "update --json",
    "update --dry-run",
    "export",
    "fetch-latest-versions",
    "fetch-latest-versions --check",
    "verify",
    "verify --json",
    "schema",
    "--version",
    "--help",
    "update --help",
]


def test_stdout_takes_no_more(host: Machine, scene: Scene) -> None:
    for command in PRINTS:
        work = scene.work("out", version=False)
        if "verify" in command:
            (work / "public/index.yaml").unlink()
        ran = host.run(*command.split(), cwd=work, out=Path("/dev/full"))
        errors = assert_clear(ran, "the results can't be written")
        assert ran.code == 1, (command, errors)
        assert len(errors) == 1, (command, errors)
        scene.check_public(work / "public")
        if command == "update":
            assert normal(snapshot(work / "public")) == scene.after["public"]


def test_stderr_takes_no_more(host: Machine, scene: Scene) -> None:
    """What can't be told stops nothing."""
    for command in PRINTS:
        work = scene.work("out", version=False)
        ran = host.run(*command.split(), cwd=work, err=Path("/dev/full"))
        assert ran.code == (1 if "--check" in command else 0), command
        assert ran.out or command == "verify", command  # which found nothing
        if command == "update":
            assert normal(snapshot(work / "public")) == scene.after["public"]
    config(work, source("gone", "./gone"))
    assert host.run("update", cwd=work, err=Path("/dev/full")).code == 1
    assert host.run("update", "-c", "gone", cwd=work, err=Path("/dev/full")).code == 2
    assert host.run("update", "--gone", cwd=work, err=Path("/dev/full")).code == 2
    assert no_leftovers(snapshot(work))
