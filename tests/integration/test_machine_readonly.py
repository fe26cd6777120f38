"""Places that can't be written, or are not there: a clear error before anything is done, or no need for them at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.runner import snapshot
from tests.hub import Hub, running
from tests.lacking import ONLY_ROOT, lacking
from tests.machine import Machine, machine
from tests.machine.scene import CONFIG, Scene, assert_clear, normal

READ_ONLY = "size=64m,ro"
NOBODY = 65_534


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine where runs can be another user's."""
    with machine(tmp_path_factory.mktemp("host"), shared=True) as host:
        yield host


@pytest.fixture(scope="module")
def scene(host: Machine, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Upstreams that are read in place."""
    return Scene(host, tmp_path_factory.mktemp("scene"))


@pytest.fixture(scope="module")
def far(host: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Upstreams that are read through the cache."""
    with running(Hub()) as server:
        yield Scene(host, tmp_path_factory.mktemp("far"), server)


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize(
    ("command", "made"),
    [
        ("update", "public"),
        ("export -t tiny/charts", "charts"),
        ("export --packaged -t tiny/packed", "packed"),
        ("verify --repair", "public"),
    ],
)
def test_the_output(host: Machine, scene: Scene, command: str, made: str, begun: bool) -> None:
    work = scene.work("out", output="tiny/public", copied=False)
    with host.small(work / "tiny", "size=64m") as tiny:
        if begun:
            scene.put(made, tiny / made)
            if command.startswith("verify"):
                (tiny / "public/index.yaml").unlink()
        before = snapshot(tiny)
        host.change(work / "tiny", READ_ONLY)
        ran = scene.run(*command.split(), cwd=work)
        if command.startswith("verify") and begun:
            assert ran.code == 1
            assert f"it could not be repaired: {work}/tiny/public" in ran.out
        else:
            errors = assert_clear(ran, str(work / "tiny"), f"tiny/{made}")
            assert ran.code == (1 if command.startswith("export") else 2), errors
        assert snapshot(tiny) == before
        host.change(work / "tiny", "rw,size=64m")
        if not command.startswith("verify"):
            scene.run(*command.split(), cwd=work, ok=True)
            if made == "public":
                assert normal(snapshot(tiny / made)) == scene.after[made]
            else:
                scene.check_charts(tiny / made, made, at_end=True)


def test_nothing_to_do_needs_no_permission(host: Machine, scene: Scene) -> None:
    work = scene.work("out", output="tiny/public", copied=False)
    with host.small(work / "tiny", "size=64m"):
        for command in ("update", "export -t tiny/charts"):
            scene.run(*command.split(), cwd=work, ok=True)
        host.change(work / "tiny", READ_ONLY)
        for command in ("update", "export -t tiny/charts", "verify", "update --dry-run"):
            scene.run(*command.split(), cwd=work, ok=True)


def test_the_cache(host: Machine, far: Scene) -> None:
    work = far.work("out")
    cache = work / "cache"
    with host.small(cache, f"mode=700,{READ_ONLY}"):
        for command in ("update", "export"):
            ran = far.run(*command.split(), "--cache-dir", cache, cwd=work)
            assert_clear(ran, str(cache))
            assert ran.code == 1
        far.run("fetch-latest-versions", "--cache-dir", cache, cwd=work, ok=True)
        far.run("update", "--dry-run", "--cache-dir", cache, cwd=work, ok=True)
        host.change(cache, "rw,size=64m")
        far.run("update", "--cache-dir", cache, cwd=work, ok=True)
        assert normal(snapshot(work / "public")) == far.after["public"]
        host.change(cache, "size=64m,ro")
        far.run("update", "--cache-dir", cache, cwd=work, ok=True)  # nothing to fetch


def test_the_configurations_directory(host: Machine, scene: Scene) -> None:
    work = scene.folder / "tiny"
    text = scene.work("out", version=False).joinpath(CONFIG).read_text()
    with host.small(work, "size=64m") as seen:
        (seen / CONFIG).write_text(text)
        host.change(work, READ_ONLY)
        ran = scene.run("fetch-latest-versions", "-c", work / CONFIG, cwd=scene.folder)
        assert assert_clear(ran, str(work / CONFIG)) == [
            f"{work / CONFIG} can't be written: Read-only file system; it is unchanged, "
            "run again with the permission to read and write it"
        ]
        assert scene.run("fetch-latest-versions", "--check", "-c", work / CONFIG, cwd=scene.folder).code == 1
        assert (seen / CONFIG).read_text() == text
        scene.run("export", "-c", work / CONFIG, "-t", scene.folder / "elsewhere", cwd=scene.folder, ok=True)
        assert_clear(scene.run("update", "-c", work / CONFIG, cwd=scene.folder), str(work))


def show_to_others(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let other users read a folder, and those that pytest made above it."""
    base = tmp_path_factory.getbasetemp()
    made = [path for path in folder.parents if path == base or base in path.parents]
    made += [path for path in base.parents if path.name.startswith(("pytest-", "popen-"))]
    for path in (folder, *made):
        path.chmod(0o755)


def test_permissions_of_somebody_who_is_not_root(
    host: Machine, scene: Scene, far: Scene, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Modes that root would not be held up by."""
    if os.geteuid() != 0:
        lacking(ONLY_ROOT)
    work = scene.work("out")
    show_to_others(work, tmp_path_factory)
    (scene.folder / "gitconfig").write_text("[safe]\n\tdirectory = *\n")
    trusting = {"GIT_CONFIG_GLOBAL": str(scene.folder / "gitconfig")}
    ran = scene.run("update", cwd=work, user=NOBODY, env={"HOME": str(work), **trusting})
    assert ran.code == 2, ran.err
    assert_clear(ran, str(work / "public"))
    assert_clear(scene.run("export", cwd=work, user=NOBODY, env=trusting), "charts")
    ran = scene.run("fetch-latest-versions", cwd=scene.work("out", version=False), user=NOBODY, env=trusting)
    assert_clear(ran, CONFIG)
    ran = far.run("export", "--cache-dir", work / "cache", cwd=far.work("out"), user=NOBODY)
    assert_clear(ran, "cache", "charts")


@pytest.mark.parametrize("home", [None, "read-only", "read-only/below"])
def test_the_home(host: Machine, far: Scene, home: str | None, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The cache is below the user's home, unless something else is said."""
    if home is None and os.geteuid() != 0:
        lacking(ONLY_ROOT)
    user = 54_321 if home is None else None
    work = far.work("out")
    show_to_others(work, tmp_path_factory)
    elsewhere = work / "elsewhere"
    elsewhere.mkdir()
    elsewhere.chmod(0o777)
    env: dict[str, str | None] = {"CHART_RELEASER_CACHE": None, "XDG_CACHE_HOME": None, "XDG_CONFIG_HOME": None}
    with host.small(work / "read-only", READ_ONLY):
        env["HOME"] = home and str(work / home)
        ran = far.run("export", "-c", work / CONFIG, "-t", elsewhere / "charts", cwd=elsewhere, env=env, user=user)
        errors = assert_clear(ran, "cache")
        if home is None:
            assert ran.code == 2
            remedy = "set HOME, or name a place with --cache-dir"
            assert errors == [f"there is no home directory to keep the cache in; {remedy}"]
        more = {**env, "CHART_RELEASER_CACHE": str(elsewhere / "cache")}
        far.run("export", "-c", work / CONFIG, "-t", elsewhere / "charts", cwd=elsewhere, env=more, user=user, ok=True)


@pytest.mark.parametrize("command", ["update", "export", "update --dry-run"])
def test_the_temporary_directory(host: Machine, scene: Scene, far: Scene, command: str) -> None:
    """Where it is not there, or can't be written, another one does."""
    for there in (scene, far):
        for place in ("gone", "read-only", "file"):
            work = there.work("out")
            (work / "file").touch()
            with host.small(work / "read-only", READ_ONLY):
                there.run(*command.split(), cwd=work, env={"TMPDIR": str(work / place)}, ok=True)


def test_a_jobs_files(host: Machine, scene: Scene) -> None:
    """A summary or outputs that can't be written are told of, and fail nothing."""
    work = scene.work("out", copied=False)
    (work / "folder").mkdir()
    for number, place in enumerate(("/dev/full", str(work / "folder"), str(work / "read-only/file"))):
        with host.small(work / "read-only", READ_ONLY):
            env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": place, "GITHUB_OUTPUT": place}
            for command in ("update", "export", "fetch-latest-versions"):
                (work / CONFIG).write_bytes((scene.work("other", version=False) / CONFIG).read_bytes())
                ran = scene.run(*command.split(), cwd=work, env=env, ok=True)
                warnings = [line for line in ran.messages if line.startswith("::warning::")]
                assert warnings or number, command
                assert all(f"::warning::{place} can't be written: " in line for line in warnings)
        assert normal(snapshot(work / "public")).keys() == scene.after["public"].keys()
