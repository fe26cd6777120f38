"""Repositories on this machine that are not read, and why: by whole runs."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chart_releaser.git import objects as gitobjects
from chart_releaser.git.objects import DamagedError, open_objects
from tests.cli.runner import Ran, config, run, source, upstream
from tests.gitrepo import GitRepo, run_git
from tests.lacking import ONLY_ROOT, needs

OTHER = 12_345
NEEDS_ROOT = needs(os.geteuid() == 0, ONLY_ROOT)
CLONE = "clone the repository and name the clone under repo:"


@pytest.fixture
def weather(tmp_path: Path) -> GitRepo:
    """A bare repository with one version."""
    return upstream(tmp_path / "weather.git", ["v1.0.0"])


@pytest.fixture
def clone(tmp_path: Path, weather: GitRepo) -> Path:
    """A clone with a working tree."""
    run_git("clone", "--quiet", str(weather.path), str(tmp_path / "clone"))
    return tmp_path / "clone"


def update(tmp_path: Path, repo: object, env: dict[str, str] | None = None) -> Ran:
    shutil.rmtree(tmp_path / "public", ignore_errors=True)
    config(tmp_path, source("weather", repo))
    begun = time.monotonic()
    ran = run("update", cwd=tmp_path, env=env)
    assert time.monotonic() - begun < 20
    assert (ran.code == 0) == (tmp_path / "public" / "weather-1.0.0.tgz").exists(), ran.err
    return ran


def refusal(ran: Ran) -> str:
    """Why it was not read: the one error."""
    assert ran.code == 1, ran.err
    (error,) = ran.errors
    return error


def _link(path: Path) -> None:
    """What is there is moved elsewhere, and a link leads to it."""
    elsewhere = path.with_name(f"{path.name}-moved")
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def _fifo(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def loose(path: Path) -> Path:
    """Some object."""
    return next(found for found in sorted((path / "objects").glob("??/*")))


@pytest.mark.parametrize("name", ["objects", "refs", "refs/tags", "HEAD", "packed-refs"])
def test_links_in_the_place_of_what_is_read(tmp_path: Path, weather: GitRepo, name: str) -> None:
    if name == "packed-refs":
        weather.git("pack-refs", "--all")
    _link(weather.path / name)
    error = refusal(update(tmp_path, "weather.git"))
    assert f"{weather.path / name} is " in error
    assert error.endswith(
        f"; {CLONE}" if "/" in name or name in ("objects", "refs") else "; put a file there, or clone the repository"
    )


@pytest.mark.parametrize("change", [_link, _fifo])
def test_an_object_that_is_a_link_or_waits_for_somebody(
    tmp_path: Path, weather: GitRepo, change: Callable[[Path], None]
) -> None:
    path = loose(weather.path)
    change(path)
    error = refusal(update(tmp_path, "weather.git"))
    kind = "a symbolic link" if change is _link else "neither a file nor a directory"
    assert f"{path} is {kind}; {CLONE}" in error


@pytest.mark.parametrize(
    "name", ["objects/info/alternates", "objects/info/http-alternates", "packed-refs", "HEAD", "config"]
)
def test_a_fifo_holds_nothing_up(tmp_path: Path, weather: GitRepo, name: str) -> None:
    _fifo(weather.path / name)
    assert str(weather.path / name) in refusal(update(tmp_path, "weather.git"))


@pytest.mark.parametrize("name", ["alternates", "http-alternates"])
def test_borrowed_objects(tmp_path: Path, weather: GitRepo, name: str) -> None:
    info = weather.path / "objects/info"
    (info / name).write_text("# nothing\n\n")
    assert update(tmp_path, "weather.git").code == 0
    shutil.copytree(weather.path / "objects", tmp_path / "theirs")
    (info / name).write_text(f"# borrowed\n{tmp_path}/theirs\n")
    error = refusal(update(tmp_path, "weather.git"))
    assert f"it borrows objects from other repositories by {info / name}; run git repack -a -d in it and" in error


def test_a_shared_clone_is_read_once_it_has_all_objects_itself(tmp_path: Path, weather: GitRepo) -> None:
    run_git("clone", "--quiet", "--shared", str(weather.path), str(tmp_path / "shared"))
    assert "it borrows objects" in refusal(update(tmp_path, "./shared"))
    run_git("-C", str(tmp_path / "shared"), "repack", "-a", "-d", "--quiet")
    (tmp_path / "shared/.git/objects/info/alternates").unlink()
    assert update(tmp_path, "./shared").code == 0


def test_a_git_directory_that_is_a_link(tmp_path: Path, clone: Path) -> None:
    assert update(tmp_path, "./clone").code == 0
    _link(clone / ".git")
    assert refusal(update(tmp_path, "./clone")).endswith(
        "its .git is a symbolic link; name the repository that it points to under repo:"
    )


def test_a_git_file_and_what_it_leads_to(tmp_path: Path, clone: Path) -> None:
    """A linked worktree, whose directories are all looked at."""
    linked = tmp_path / "linked"
    run_git("-C", str(clone), "worktree", "add", "--quiet", str(linked), "v1.0.0")
    assert update(tmp_path, "./linked").code == 0
    pointer = (linked / ".git").read_text()
    _fifo(linked / ".git")
    assert "linked/.git is not a regular file" in refusal(update(tmp_path, "./linked"))
    (linked / ".git").unlink()
    (linked / ".git").write_text(pointer)
    _fifo(clone / ".git/worktrees/linked/commondir")
    assert "commondir is not a regular file" in refusal(update(tmp_path, "./linked"))
    (clone / ".git/worktrees/linked/commondir").unlink()
    (clone / ".git/worktrees/linked/commondir").write_text("../..\n")
    _link(clone / ".git/refs")
    assert "/clone/.git/refs is a symbolic link" in refusal(update(tmp_path, "./linked"))


def test_a_link_that_the_user_names_is_followed(tmp_path: Path, weather: GitRepo) -> None:
    (tmp_path / "here").symlink_to(weather.path)
    assert update(tmp_path, "./here").code == 0


# --- other users' repositories


def _safe(tmp_path: Path, *directories: object) -> dict[str, str]:
    lines = "".join(f"\tdirectory = {directory}\n" for directory in directories)
    (tmp_path / "gitconfig").write_text(f"[safe]\n{lines}")
    return {"GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig"), "HOME": str(tmp_path)}


@NEEDS_ROOT
@pytest.mark.parametrize("place", ["", ".git"])
def test_another_users_repository_is_refused_as_git_refuses_it(tmp_path: Path, clone: Path, place: str) -> None:
    os.chown(clone / place, OTHER, -1)
    said = refusal(update(tmp_path, "./clone"))
    assert "belongs to another user (uid 12345); if you trust them, run " in said
    advice = f"git config --global --add safe.directory {clone}"
    assert said.endswith(advice)
    env = _safe(tmp_path)
    run_git(*advice.split()[1:], environ=env)
    assert update(tmp_path, "./clone", env).code == 0
    path = clone / ".git/config"
    path.write_text(path.read_text() + "[safe]\n\tdirectory = *\n")
    assert "belongs to another user" in refusal(update(tmp_path, "./clone")), "its own word does not count"


@NEEDS_ROOT
def test_what_git_calls_safe(tmp_path: Path, clone: Path) -> None:
    os.chown(clone / ".git", OTHER, -1)
    for directories, code in (
        (["*"], 0),
        ([clone], 0),
        ([f"{tmp_path}/*"], 0),
        (["~/clone"], 0),
        (["*", ""], 1),
        (["", clone], 0),
        ([tmp_path], 1),
        ([f"{clone}/*"], 1),
        ([], 1),
    ):
        assert update(tmp_path, "./clone", _safe(tmp_path, *directories)).code == code, directories
    command = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": str(clone)}
    assert update(tmp_path, "./clone", command).code == 0


@NEEDS_ROOT
def test_who_called_sudo_is_no_other_user(tmp_path: Path, clone: Path) -> None:
    os.chown(clone, OTHER, -1)
    assert update(tmp_path, "./clone", {"SUDO_UID": "12346"}).code == 1
    assert update(tmp_path, "./clone", {"SUDO_UID": str(OTHER)}).code == 0


@NEEDS_ROOT
def test_all_directories_of_a_linked_worktree_have_to_be_ones_own(tmp_path: Path, clone: Path) -> None:
    linked = tmp_path / "linked"
    run_git("-C", str(clone), "worktree", "add", "--quiet", str(linked), "v1.0.0")
    for place in (linked, linked / ".git", clone / ".git/worktrees/linked", clone / ".git"):
        os.chown(place, OTHER, -1)
        said = refusal(update(tmp_path, "./linked"))
        assert "belongs to another user (uid 12345)" in said
        assert said.endswith(f"safe.directory {linked}")
        os.chown(place, 0, -1)
    assert update(tmp_path, "./linked").code == 0


# --- a read that hangs all the same


def test_an_object_that_does_not_come_is_given_up(weather: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a file system that hangs, or where a file became a FIFO after it was looked at."""
    monkeypatch.setattr(gitobjects, "_ANSWER_SECONDS", 0.5)
    path = loose(weather.path)
    _fifo(path)
    oid = path.parent.name + path.name
    begun = time.monotonic()
    with (
        open_objects(weather.path / "objects", 20, "weather") as objects,
        pytest.raises(DamagedError, match=f"weather: git could not read object {oid} within 0.5 seconds; "),
    ):
        objects(oid, 100)
    assert time.monotonic() - begun < 5
