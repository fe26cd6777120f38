"""The cache is believed in nothing: somebody who could write to it publishes nothing, and reaches nothing outside."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shutil
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.runner import TOKEN, Ran, config, run, server_env, source, upstream
from tests.gitrepo import GitRepo, run_git
from tests.hub import GitDir, Hub, Server, create, on, running
from tests.lacking import ONLY_ROOT, needs
from tests.machine.scene import points

RELEASES = on("GET", r"/repos/o/weather/releases$")


@pytest.fixture
def weather(tmp_path: Path) -> GitRepo:
    """A repository with three tags, of which two are released on the hub."""
    return upstream(tmp_path / "weather.git", ["v1.0.0", "v1.1.0", "v1.2.0"])


@pytest.fixture
def hub(tmp_path: Path, weather: GitRepo) -> Hub:
    hub = Hub()
    hub.add_token(TOKEN, limit=None)
    hub.add_repository("o/weather", weather.path)
    for tag in ("v1.0.0", "v1.1.0"):
        hub.add_release("o/weather", tag, f"Notes of {tag}\n")
    git = GitDir(create(tmp_path / "charts.git"))
    git.commit("main", {"README.md": b"# Charts\n"}, time=1_600_000_000)
    hub.add_repository("acme/charts", git.path)
    return hub


@pytest.fixture
def server(hub: Hub) -> Iterator[Server]:
    with running(hub) as server:
        yield server


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


Update = Callable[..., Ran]


@pytest.fixture
def update(tmp_path: Path, server: Server, cache: Path) -> Update:
    """Run `update`, into ./public unless another destination is given."""

    def update_it(*words: str, token: str = TOKEN, ok: bool | None = True, **more: str) -> Ran:
        destination = more.pop("destination", "{directory: public}")
        config(tmp_path, source("weather", "o/weather", **more), destination=f"destination: {destination}")
        return run("update", *words, "--cache-dir", cache, cwd=tmp_path, env=server_env(server, token), ok=ok)

    return update_it


def published(folder: Path) -> set[str]:
    return {path.name for path in (folder / "public").glob("*.tgz")}


# --- kept answers of the API


def forge(cache: Path, kind: type, change: Callable[[Any], None], *, key: bytes | None) -> None:
    """Change what is kept of a list or an object: with every checksum that needs no secret, or with the stolen key."""
    forged = 0
    for path in (cache / "api").glob("*.json"):
        kept = json.loads(path.read_bytes().partition(b"\n")[2])
        if not isinstance(kept["value"], kind):
            continue
        change(kept["value"])
        text = json.dumps(kept).encode()
        code = hashlib.sha256(text).hexdigest()
        if key is not None:
            question = next(one for one in questions(path) if hashlib.sha256(one).hexdigest() in path.name)
            code = hmac.new(key, b"%d\n%b%b" % (len(question), question, text), "sha256").hexdigest()
        path.write_bytes(code.encode() + b"\n" + text)
        forged += 1
    assert forged == 1


def questions(path: Path) -> list[bytes]:
    api = (path.parent.parent / "asked").read_text()
    return [f"{api} /repos/o/weather/releases [('per_page', 100)]".encode(), f"{api} /repos/acme/charts []".encode()]


def unreleased(releases: list[dict[str, Any]]) -> None:
    """A tag that is not released, and other notes of one that is."""
    releases.append(dict(releases[0], tag_name="v1.2.0", body="false"))
    for release in releases:
        release["body"] = "false"


@pytest.mark.parametrize("stolen", [False, True], ids=["without the key", "with the key"])
def test_a_forged_answer_publishes_nothing(
    update: Update, hub: Hub, server: Server, cache: Path, tmp_path: Path, stolen: bool
) -> None:
    update(versions='"<1.1"')
    assert published(tmp_path) == {"weather-1.0.0.tgz"}
    (cache / "asked").write_text(server.api_url)
    forge(cache, list, unreleased, key=(cache / "api" / "key").read_bytes() if stolen else None)
    hub.journal.clear()
    update()
    assert hub.journal.count(RELEASES, status=304) == stolen, "what is not believed is not asked about"
    assert hub.journal.count(RELEASES, status=200) == 1
    assert published(tmp_path) == {"weather-1.0.0.tgz", "weather-1.1.0.tgz"}
    packed = subprocess.run(
        ["tar", "-xzOf", tmp_path / "public" / "weather-1.1.0.tgz"], capture_output=True, check=True
    ).stdout
    assert b"Notes of v1.1.0" in packed
    assert b"false" not in packed


def test_a_forged_answer_about_the_destination_publishes_nothing_elsewhere(
    update: Update, hub: Hub, server: Server, cache: Path, tmp_path: Path
) -> None:
    git = GitDir(create(tmp_path / "other.git"))
    git.commit("main", {"README.md": b"# Other\n"}, time=1_600_000_000)
    hub.add_repository("acme/other", git.path)
    destination = "{owner: acme, repo: charts}"
    for _ in range(2):  # what was published changes what the repository is
        update(destination=destination, versions='"<1.1"')
    (cache / "asked").write_text(server.api_url)

    def elsewhere(repository: dict[str, Any]) -> None:
        repository["full_name"] = "acme/other"

    forge(cache, dict, elsewhere, key=(cache / "api" / "key").read_bytes())
    hub.journal.clear()
    update(destination=destination)
    assert hub.journal.count(on("GET", r"/repos/acme/charts$"), status=304) == 1, "it was believed at first"
    assert [len(hub.at(slug).releases) for slug in ("acme/charts", "acme/other")] == [2, 0]


def test_a_night_without_news_asks_once_and_one_with_something_left_once_more(update: Update, hub: Hub) -> None:
    update("--limit", "1", ok=None)
    hub.journal.clear()
    update()
    assert [hub.journal.count(RELEASES, status=status) for status in (304, 200)] == [1, 1]
    hub.journal.clear()
    update()
    assert [hub.journal.count(RELEASES, status=status) for status in (304, 200)] == [1, 0]
    hub.add_release("o/weather", "v1.2.0", "Notes")
    hub.journal.clear()
    update()
    assert [hub.journal.count(RELEASES, status=status) for status in (304, 200)] == [0, 1]


def test_a_token_that_changes_with_every_run_leaves_no_more_files(update: Update, hub: Hub, cache: Path) -> None:
    """As those of Actions do; GitHub's ETags, and the hub's, are another for each token."""
    counts = []
    for number in range(4):
        token = f"ghs_ofOneJob{number:030}"
        hub.add_token(token, limit=None)
        hub.journal.clear()
        update(token=token)
        counts.append(len(list((cache / "api").iterdir())))
        assert hub.journal.count(RELEASES, status=200) == 1
    assert len(set(counts)) == 1
    hub.journal.clear()
    update(token=token)
    assert hub.journal.count(RELEASES, status=304) == 1, "the same token is answered as before"


def test_what_is_kept_is_given_to_nobody_to_whom_the_server_does_not_give_it(
    update: Update, hub: Hub, tmp_path: Path, weather: GitRepo
) -> None:
    hub.remove_repository("o/weather")
    hub.add_repository("o/weather", weather.path, private=True)
    hub.releases_from_tags("o/weather")
    update()
    other = "ghs_" + "0ther" * 8
    hub.add_token(other, set(), limit=None)
    ran = update(token=other, ok=None)
    assert ran.code == 1
    assert "was not found" in ran.err


# --- whose the cache is


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o1777])
def test_a_cache_that_others_may_write_to_is_refused(update: Update, cache: Path, mode: int) -> None:
    cache.mkdir()
    cache.chmod(mode)
    ran = update(ok=None)
    assert ran.code == 1
    assert ran.errors == [
        f"the cache {cache} can be written by other users, who could put anything there; "
        f"run chmod go-w {cache}, or choose another place with --cache-dir"
    ]
    assert list(cache.iterdir()) == []
    cache.chmod(mode & ~0o022)
    update()


@needs(os.geteuid() == 0, ONLY_ROOT)
@pytest.mark.parametrize("place", ["", "git", "branch"])
def test_a_cache_of_another_user_is_refused(update: Update, cache: Path, tmp_path: Path, place: str) -> None:
    destination = "{owner: acme, repo: charts}" if place == "branch" else "{directory: public}"
    update(destination=destination)
    shutil.rmtree(tmp_path / "public", ignore_errors=True)
    os.chown(cache / place, 12_345, -1)
    ran = update(destination=destination, ok=None)
    assert ran.code == 1
    message = f"the cache {cache / place} belongs to another user (uid 12345), who could put anything there; choose"
    assert ran.errors
    assert all(message in error for error in ran.errors)


def test_directories_above_a_new_cache_are_private_too(tmp_path: Path, server: Server) -> None:
    config(tmp_path, source("weather", "o/weather"))
    before = os.umask(0)
    try:
        run("update", "--cache-dir", tmp_path / "x/y/z", cwd=tmp_path, env=server_env(server, TOKEN), ok=True)
    finally:
        os.umask(before)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("x", "x/y", "x/y/z")] == [0o700] * 3


@pytest.mark.parametrize("mask", [0o000, 0o002, 0o022, 0o077])
def test_what_is_made_is_private_and_used_again_whatever_the_umask(update: Update, cache: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        for destination in ("{directory: public}", "{owner: acme, repo: charts}"):
            update(destination=destination)
        update(destination="{owner: acme, repo: charts}")
    finally:
        os.umask(before)
    folders = [cache, *(path for path in cache.iterdir())]
    assert {path.name for path in folders} == {"cache", "api", "branch", "git"}
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}
    kept = list((cache / "api").iterdir())
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
    assert len(kept) == 3, "the key, what the upstream answered, and what the destination is"


def test_parts_that_an_earlier_version_left_open_are_made_private(update: Update, cache: Path) -> None:
    update()
    for path in (cache / "git", cache / "api"):
        path.chmod(0o775)
    update()
    assert (cache / "api").stat().st_mode & 0o777 == 0o700
    shutil.rmtree(cache.parent / "public")
    update()
    assert (cache / "git").stat().st_mode & 0o777 == 0o700


def test_a_link_that_the_user_names_is_followed(update: Update, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    cache.symlink_to("elsewhere")
    update()
    update()
    assert (tmp_path / "elsewhere" / "git").is_dir()


# --- links and special files in it


def filled(update: Update, cache: Path, folder: Path) -> dict[str, str]:
    """Fill the cache; give the repositories in it."""
    update(versions='"<1.1"')
    update(destination="{owner: acme, repo: charts}", versions='"<1.1"')
    shutil.copytree(cache, folder / "original")
    return {part: next((cache / part).glob("*.git")).name for part in ("git", "branch")}


def everything(cache: Path) -> list[str]:
    return sorted(str(path.relative_to(cache)) for path in cache.rglob("*"))


def restore(cache: Path, folder: Path) -> None:
    shutil.rmtree(cache)
    shutil.copytree(folder / "original", cache)


def all_of(place: Path) -> list[tuple[Path, bytes | None, int, int]]:
    """A file, or a folder with every path below: content, mode and time of change."""
    return [
        (path, path.read_bytes() if path.is_file() else None, path.lstat().st_mode, path.lstat().st_mtime_ns)
        for path in [place, *sorted(place.rglob("*"))]
    ]


def test_no_link_anywhere_in_it_is_followed_or_written_through(
    update: Update, hub: Hub, cache: Path, tmp_path: Path
) -> None:
    """Each file and directory, and what git would heed, is moved elsewhere and a link is in its place."""
    filled(update, cache, tmp_path)
    names = everything(cache)
    top = [name for name in names if name.endswith(".git")]
    names += [f"{name}/{more}" for name in top for more in ("packed-refs", "hooks", "HEAD.new", "config.worktree")]
    names = [name for name in names if not name.endswith((".idx", ".rev", ".promisor"))]
    hub.add_release("o/weather", "v1.2.0", "Notes of v1.2.0\n")
    for number in points(len(names), 14):
        name = names[number - 1]
        restore(cache, tmp_path)
        shutil.rmtree(tmp_path / "public", ignore_errors=True)
        elsewhere = tmp_path / f"elsewhere{number}"
        path = cache / name
        if path.exists():
            path.rename(elsewhere)
        else:
            elsewhere.write_text("mine\n")
        if elsewhere.is_dir():
            for mine in ("index.lock", "tmp_obj_mine", "pack/tmp_pack_mine", "snapshots/x.lock"):
                (elsewhere / mine).parent.mkdir(exist_ok=True)
                (elsewhere / mine).write_text("mine\n")
        path.symlink_to(elsewhere)
        before = all_of(elsewhere)
        codes = [update(ok=None), update(destination="{owner: acme, repo: charts}", versions='"<1.1"', ok=None)]
        assert all_of(elsewhere) == before, name
        if "/" in name and not name.endswith(".lock"):
            assert [ran.code for ran in codes] == [0, 0], (name, [ran.err for ran in codes])
            assert not path.is_symlink(), name
            assert published(tmp_path) == {f"weather-1.{minor}.0.tgz" for minor in range(3)}
        for ran in codes:
            assert ran.code == 0 or "remove it, or choose another place with --cache-dir" in ran.err, (name, ran.err)


@pytest.mark.parametrize(
    "place", ["", "HEAD", "config", "shallow", "objects/00/" + "0" * 38, "objects/info/alternates", "refs/snapshots/x"]
)
def test_a_fifo_in_a_repository_of_it_holds_nothing_up(update: Update, cache: Path, tmp_path: Path, place: str) -> None:
    names = filled(update, cache, tmp_path)
    for part, name in names.items():
        path = cache / part / name / place
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        path.parent.mkdir(exist_ok=True)
        os.mkfifo(path)
    begun = time.monotonic()
    update()
    update(destination="{owner: acme, repo: charts}")
    assert time.monotonic() - begun < 20
    assert published(tmp_path) == {"weather-1.0.0.tgz", "weather-1.1.0.tgz"}


def test_what_git_would_heed_and_does_not_write_is_removed(update: Update, cache: Path, tmp_path: Path) -> None:
    names = filled(update, cache, tmp_path)
    planted = ("objects/info/alternates", "objects/info/http-alternates", "commondir", "config.worktree", "packed-refs",
               "hooks/reference-transaction", "worktrees/x/HEAD", "info/grafts", "refs/heads/main", "logs/HEAD",
               "objects/pack/multi-pack-index")  # fmt: skip
    for part, name in names.items():
        for place in planted:
            path = cache / part / name / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("/nowhere\n")
    update()
    update(destination="{owner: acme, repo: charts}")
    for part, name in names.items():
        assert [place for place in planted if (cache / part / name / place).exists()] == []


# --- references and objects in it


def test_a_reference_by_the_name_of_another_one(update: Update, cache: Path, tmp_path: Path) -> None:
    """Git would fetch a tag through it, and give the content of another tag."""
    update("--limit", "1", ok=None)
    (directory,) = (cache / "git").glob("*.git")
    names = [hashlib.sha256(tag.encode()).hexdigest() for tag in ("v1.0.0", "v1.1.0")]
    for one, other in (names, names[::-1]):
        shutil.rmtree(tmp_path / "public", ignore_errors=True)
        (directory / "refs/snapshots" / one).write_text(f"ref: refs/snapshots/{other}\n")
        (directory / "refs/snapshots" / other).unlink(missing_ok=True)
        update()
        for version in ("1.0.0", "1.1.0"):
            command = ["tar", "-xzOf", f"{tmp_path}/public/weather-{version}.tgz", "weather/values.yaml"]
            values = subprocess.run(command, capture_output=True, check=True).stdout
            assert values == f"tag: v{version}\n".encode()


def test_objects_of_the_branch_are_what_their_names_say(update: Update, hub: Hub, cache: Path) -> None:
    """The index in the cache is another one, under the true one's name."""
    destination = "{owner: acme, repo: charts, page: false}"
    update(destination=destination, versions='"<1.1"')
    update(destination=destination, versions='"<1.1"')  # so that it is kept as it was fetched
    (directory,) = (cache / "branch").glob("*.git")
    git = hub.at("acme/charts").git
    assert git is not None
    blob = git.git("rev-parse", "gh-pages:index.yaml").decode().strip()
    index = git.read("refs/heads/gh-pages", "index.yaml") or b""
    false = index.replace(b"version: 1.0.0", b"version: 6.6.6")
    assert false != index
    packs = cache.parent / "packs"
    shutil.copytree(directory / "objects/pack", packs)
    for path in (directory / "objects/pack").iterdir():
        path.unlink()
    for path in packs.glob("*.pack"):
        command = ["git", "--git-dir", str(directory), "unpack-objects", "-q"]
        subprocess.run(command, stdin=path.open("rb"), check=True)
    path = directory / "objects" / blob[:2] / blob[2:]
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(zlib.compress(b"blob %d\0" % len(false) + false))
    assert b"6.6.6" in run_git("--git-dir", str(directory), "cat-file", "blob", blob).encode(), "git does not notice"
    update(destination=destination)
    after = git.read("refs/heads/gh-pages", "index.yaml") or b""
    assert b"6.6.6" not in after
    assert b"version: 1.1.0" in after
