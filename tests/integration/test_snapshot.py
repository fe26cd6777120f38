"""Snapshots of real repositories: over file:// and a loopback GitHub, from damaged caches, beside other runs."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import filelock
import pytest

from chart_releaser.commands.threads import call_in_threads
from chart_releaser.errors import MachineError, SnapshotError, UpstreamError
from chart_releaser.git import cache as gitcache
from chart_releaser.git import remote as gitremote
from chart_releaser.git import run as gitrun
from chart_releaser.git.output import failure_reason
from chart_releaser.git.run import Login, require_git
from chart_releaser.git.snapshot import Repository, Snapshot
from chart_releaser.location import GitHubRepository, GitRepository, LocalRepository, Location, Server
from chart_releaser.upstream.repositories import open_repository
from tests.gitrepo import FIRST, GitRepo, Link, Submodule, run_git
from tests.hub import git_http
from tests.hub.faults import Fault, on
from tests.hub.hub import Hub
from tests.hub.server import running

SIGNATURE = "-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n"
TOKEN = "ghs_" + "s3cret" * 6
Open = Callable[..., Repository]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gitremote, "_RETRY", replace(gitremote._RETRY, first_pause=0.0))


@pytest.fixture
def upstream(tmp_path: Path) -> GitRepo:
    """Three releases: the chart's values change, the chart has links, much else is there too."""
    repo = GitRepo(tmp_path / "upstream")
    repo.release(
        "v1.0.0",
        {
            "charts/app/Chart.yaml": "name: app",
            "charts/app/values.yaml": "one",
            "charts/app/charts/utils": Link("../../utils"),
            "charts/app/extra.yaml": Link("extra-link"),
            "charts/app/extra-link": Link("../../shared/extra.yaml"),
            "charts/utils/Chart.yaml": "name: utils",
            "shared/extra.yaml": "extra",
            "vendor/large": "unwanted" * 1000,
        },
        "First\n\nNotes of the first.",
    )
    repo.release("v1.1.0", {"charts/app/values.yaml": "two"})
    repo.commit({"charts/app/values.yaml": "three"})
    repo.tag("v1.2.0", "Third", signature=SIGNATURE)
    return repo


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def open_(cache: Path) -> Open:
    def open_it(location: Location | GitRepo, **options: object) -> Repository:
        where = GitRepository(location.url) if isinstance(location, GitRepo) else location
        return open_repository(where, cache=cache, **options)  # type: ignore[arg-type]

    return open_it


@pytest.fixture
def hub(upstream: GitRepo) -> Iterator[Hub]:
    hub = Hub()
    hub.add_token(TOKEN)
    hub.add_repository("acme/app", upstream.path)
    with running(hub):
        yield hub


TAGS = ["v1.0.0", "v1.1.0", "v1.2.0"]
CHART = ["charts/app"]
EXPECTED = {
    tag: {
        "Chart.yaml": b"name: app",
        "charts/utils/Chart.yaml": b"name: utils",
        "extra-link": b"extra",
        "extra.yaml": b"extra",
        "values.yaml": values,
    }
    for tag, values in zip(TAGS, (b"one", b"two", b"three"), strict=True)
}


def keep(_path: str, _is_directory: bool) -> bool:
    return False


def read_all(repository: Repository, tags: Sequence[str] = TAGS, path: str = "charts/app") -> dict[str, object]:
    """Every file below `path` of each tag, or the error's text."""
    with repository.snapshots(tags, [path]) as found:
        return {
            tag: dict(item.walk(path, keep)) if isinstance(item, Snapshot) else str(item) for tag, item in found.items()
        }


def only(repository: Repository, tag: str, paths: Sequence[str] = CHART) -> Snapshot:
    """The snapshot of one tag, for what of it needs no open repository."""
    with repository.snapshots([tag], paths) as found:
        item = found[tag]
        assert isinstance(item, Snapshot), item
        return item


def the_cache(cache: Path) -> Path:
    return next((cache / "git").glob("*.git"))


def blobs_in(cache: Path) -> int:
    listing = run_git("--git-dir", str(the_cache(cache)), "cat-file", "--batch-all-objects", "--batch-check")
    return listing.count(" blob ")


def hub_location(hub: Hub, slug: str = "acme/app") -> GitHubRepository:
    owner, name = slug.split("/")
    return GitHubRepository(Server(hub.url, hub.api_url), owner, name)


class TestAnySource:
    """The same from a server's partial fetch, from one without filters, and from a local repository."""

    @pytest.fixture(params=["filtered", "unfiltered", "local", "packed", "worktree", "sha256", "sha256-local"])
    def repository(self, request: pytest.FixtureRequest, upstream: GitRepo, open_: Open, tmp_path: Path) -> Repository:
        match request.param:
            case "local":
                return open_(LocalRepository(upstream.path))
            case "packed":
                upstream.pack()
                run_git("--git-dir", str(upstream.path), "pack-refs", "--all")
                return open_(LocalRepository(upstream.path))
            case "worktree":
                clone, linked = tmp_path / "clone", tmp_path / "linked"
                run_git("clone", "--quiet", str(upstream.path), str(clone))
                run_git("-C", str(clone), "worktree", "add", "--quiet", str(linked), "v1.0.0")
                return open_(LocalRepository(linked))
            case "unfiltered":
                run_git("--git-dir", str(upstream.path), "config", "uploadpack.allowFilter", "false")
        if request.param.startswith("sha256"):
            upstream = _copy(GitRepo(tmp_path / "sha256", object_format="sha256"))
        return open_(LocalRepository(upstream.path) if request.param == "sha256-local" else upstream)

    def test_gives_the_content_of_all_tags(self, repository: Repository) -> None:
        assert read_all(repository) == EXPECTED
        assert read_all(repository) == EXPECTED

    def test_lists_tags(self, repository: Repository) -> None:
        assert repository.tags() == TAGS

    def test_tells_about_tags_and_commits(self, repository: Repository) -> None:
        with repository.snapshots(TAGS, CHART) as found:
            snapshots = [item for item in found.values() if isinstance(item, Snapshot)]
        assert [snapshot.message for snapshot in snapshots] == ["First\n\nNotes of the first.", "", "Third"]
        assert [snapshot.time for snapshot in snapshots] == [FIRST, FIRST + 3600, FIRST + 7200]
        assert [snapshot.tag for snapshot in snapshots] == TAGS
        assert len({snapshot.commit for snapshot in snapshots}) == 3

    def test_fails_only_the_tags_that_are_not_there(self, repository: Repository) -> None:
        bad = ["v9.9.9", "v8.8.8", "-x", "a..b", "x\n+refs/heads/*:refs/heads/*", "", "v1.0.0^{}"]
        found = read_all(repository, ["v9.9.9", *TAGS, *bad])
        assert {tag: found.pop(tag) for tag in TAGS} == EXPECTED
        assert set(found) == set(bad)
        assert all("can't be the name of a git tag" in str(found[tag]) for tag in bad[3:])
        assert all("has no tag" in str(found[tag]) for tag in bad[:3])

    def test_knows_the_kinds_of_paths_without_their_content(self, repository: Repository) -> None:
        with repository.snapshots(["v1.0.0"], CHART) as found:
            snapshot = found["v1.0.0"]
            assert isinstance(snapshot, Snapshot)
            kinds = [snapshot.kind(path) for path in ("vendor", "vendor/large", "nothing", "charts/app/charts/utils")]
            assert kinds == ["dir", "file", None, "dir"]
            assert snapshot.find("charts", "Chart.yaml") == [
                "charts/app/Chart.yaml",
                "charts/app/charts/utils/Chart.yaml",
                "charts/utils/Chart.yaml",
            ]


def _copy(repo: GitRepo) -> GitRepo:
    """The releases of `upstream` in another object format."""
    repo.release(
        "v1.0.0",
        {
            "charts/app/Chart.yaml": "name: app",
            "charts/app/values.yaml": "one",
            "charts/app/charts/utils": Link("../../utils"),
            "charts/app/extra.yaml": Link("extra-link"),
            "charts/app/extra-link": Link("../../shared/extra.yaml"),
            "charts/utils/Chart.yaml": "name: utils",
            "shared/extra.yaml": "extra",
            "vendor/large": "unwanted" * 1000,
        },
        "First\n\nNotes of the first.",
    )
    repo.release("v1.1.0", {"charts/app/values.yaml": "two"})
    repo.release("v1.2.0", {"charts/app/values.yaml": "three"}, "Third")
    return repo


class TestTags:
    """Tags of all sorts."""

    def test_a_moved_tag_is_read_anew(self, upstream: GitRepo, open_: Open) -> None:
        before = only(open_(upstream), "v1.0.0")
        upstream.tag("v1.0.0", "Moved", target=upstream.git("rev-parse", "v1.1.0").strip())
        after = only(open_(upstream), "v1.0.0")
        assert (before.message, after.message) == ("First\n\nNotes of the first.", "Moved")
        assert read_all(open_(upstream), ["v1.0.0"])["v1.0.0"] == EXPECTED["v1.1.0"]

    def test_a_tag_that_has_gone_is_gone(self, upstream: GitRepo, open_: Open) -> None:
        assert read_all(open_(upstream)) == EXPECTED
        upstream.delete_tag("v1.1.0")
        found = read_all(open_(upstream))
        assert "has no tag v1.1.0" in str(found.pop("v1.1.0"))
        assert found == {tag: EXPECTED[tag] for tag in ("v1.0.0", "v1.2.0")}

    def test_a_directory_in_the_place_of_a_tag(self, upstream: GitRepo, open_: Open) -> None:
        upstream.tag("pkg")
        only(open_(upstream), "pkg")
        upstream.delete_tag("pkg")
        upstream.tag("pkg/v1")
        assert only(open_(upstream), "pkg/v1").tag == "pkg/v1"

    def test_names_that_look_like_something_else(self, upstream: GitRepo, open_: Open) -> None:
        names = [
            "x-g" + upstream.git("rev-parse", "v1.0.0").strip()[:10],
            "1.0.0+build",
            "h\u00e4",
            "HEAD",
            "refs/tags/x",
            "a b"[:1],
        ]
        for name in names:
            upstream.tag(name)
        assert set(read_all(open_(upstream), names)) == set(names)

    def test_a_tag_of_a_tag(self, upstream: GitRepo, open_: Open) -> None:
        inner = upstream.tag("inner", "Inner")
        upstream.tag("outer", "Outer", target=inner, kind="tag")
        assert only(open_(upstream), "outer").message == "Outer"

    @pytest.mark.parametrize("local", [True, False])
    def test_a_tag_of_something_else(self, upstream: GitRepo, open_: Open, local: bool) -> None:
        upstream.tag("blob", target=upstream.write("blob", b"x"))
        upstream.tag("tree", "A tree", target=upstream.git("rev-parse", "v1.0.0^{tree}").strip(), kind="tree")
        found = read_all(open_(LocalRepository(upstream.path) if local else upstream), ["blob", "tree", "v1.0.0"])
        assert found == {
            "blob": "tag blob can't be read: it points to a blob, not to a commit",
            "tree": "tag tree can't be read: it points to a tree, not to a commit",
            "v1.0.0": EXPECTED["v1.0.0"],
        }


class TestEconomy:
    """Only what is needed is fetched."""

    def test_blobs(self, upstream: GitRepo, open_: Open, cache: Path) -> None:
        read_all(open_(upstream))
        assert blobs_in(cache) == 9  # three values.yaml, two Chart.yaml, one shared file, three links

    @pytest.mark.parametrize("count", [1, 3])
    def test_requests(self, hub: Hub, upstream: GitRepo, open_: Open, count: int) -> None:
        upstream.commit({"charts/app/charts/utils": None, "charts/app/extra.yaml": None, "charts/app/extra-link": None})
        tags = [f"v2.{number}.0" for number in range(count)]
        for tag in tags:
            upstream.release(tag, {"charts/app/values.yaml": tag})
        for requests in (5, 2):
            hub.journal.clear()
            assert all(isinstance(item, dict) for item in read_all(open_(hub_location(hub)), tags).values())
            assert len(hub.journal) == requests, str(hub.journal)
        upstream.release("v2.9.0", {"charts/app/values.yaml": "new"})
        hub.journal.clear()
        assert isinstance(read_all(open_(hub_location(hub)), ["v2.9.0"])["v2.9.0"], dict)
        assert len(hub.journal) == 5

    def test_reading_elsewhere_asks_nobody(self, hub: Hub, open_: Open) -> None:
        with open_(hub_location(hub)).snapshots(TAGS, CHART) as found:
            snapshot = found["v1.0.0"]
            assert isinstance(snapshot, Snapshot)
            hub.journal.clear()
            with pytest.raises(SnapshotError, match=r"the content of vendor/large is not in the repository at hand"):
                snapshot.read("vendor/large")
            assert snapshot.read("charts/app/values.yaml") == b"one"
        assert len(hub.journal) == 0

    def test_a_cache_that_grew_too_large_starts_anew(
        self, upstream: GitRepo, open_: Open, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read_all(open_(upstream))
        (the_cache(cache) / "objects/pack/large").write_bytes(b"x" * 5000)
        monkeypatch.setattr(gitcache, "_CACHE_SIZE", 4000)
        assert read_all(open_(upstream)) == EXPECTED
        assert not (the_cache(cache) / "objects/pack/large").exists()

    def test_an_endless_answer_is_stopped(
        self, upstream: GitRepo, open_: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(gitcache, "_FETCH_TIMEOUT", 0.5)
        location = GitRepository("ssh://nobody@localhost/x.git")
        monkeypatch.setenv("GIT_SSH_COMMAND", "sleep 60; true")
        start = time.monotonic()
        with pytest.raises(UpstreamError, match=r"stopped after 0.5 seconds"):
            read_all(open_(location))
        assert time.monotonic() - start < 20

    def test_an_answer_that_fills_the_disk_is_stopped(
        self, hub: Hub, open_: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(gitcache, "_FETCH_SIZE", -1)  # as if whatever is there were too much
        hub.add_fault(Fault(on("*", "acme/app"), "slow", times=None, seconds=1))
        with pytest.raises(UpstreamError, match=r"stopped because the answer is too large; check the network"):
            read_all(open_(hub_location(hub)))


def _truncate(path: Path) -> None:
    path.chmod(0o644)
    os.truncate(path, path.stat().st_size // 2)


def _empty(path: Path) -> None:
    path.chmod(0o644)
    os.truncate(path, 0)


def _flip(path: Path) -> None:
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    for place in range(30, len(data) - 24, 37):
        data[place] ^= 0x55
    path.write_bytes(data)


def _garbage(path: Path) -> None:
    path.write_bytes(b"\0[garbage = \xff\n" * 10)


def _point_nowhere(path: Path) -> None:
    path.write_text("1" * 40)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _become_empty(path: Path) -> None:
    shutil.rmtree(path)
    path.mkdir()


def _become_file(path: Path) -> None:
    shutil.rmtree(path)
    path.touch()


def _become_link(path: Path) -> None:
    shutil.rmtree(path)
    path.symlink_to("/nowhere")


def _packs(directory: Path, suffix: str = ".pack") -> list[Path]:
    """Files of packs, the smallest first."""
    return sorted((directory / "objects/pack").glob(f"*{suffix}"), key=lambda path: path.stat().st_size)


def _refs(directory: Path) -> list[Path]:
    return sorted((directory / "refs/snapshots").iterdir())


def _locks(directory: Path) -> list[Path]:
    names = ("shallow.lock", "packed-refs.lock", "config.lock", "HEAD.lock")
    return [directory / name for name in names] + [ref.with_name(f"{ref.name}.lock") for ref in _refs(directory)]


Damage = tuple[Callable[[Path], None], Callable[[Path], Sequence[Path]]]
# What happens to which files of the cache.
DAMAGES: dict[str, Damage] = {
    "packs truncated": (_truncate, _packs),
    "large pack truncated": (_truncate, lambda path: _packs(path)[-1:]),
    "small pack truncated": (_truncate, lambda path: _packs(path)[:1]),
    "packs scrambled": (_flip, _packs),
    "small pack scrambled": (_flip, lambda path: _packs(path)[:1]),
    "large pack gone": (_remove, lambda path: _packs(path)[-1:]),
    "small pack gone": (_remove, lambda path: _packs(path)[:1]),
    "indexes gone": (_remove, lambda path: _packs(path, ".idx")),
    "an index gone": (_remove, lambda path: _packs(path, ".idx")[:1]),
    "an index empty": (_empty, lambda path: _packs(path, ".idx")[:1]),
    "promisor marks gone": (_remove, lambda path: _packs(path, ".promisor")),
    "objects gone": (_remove, lambda path: [path / "objects"]),
    "references gone": (_remove, lambda path: [path / "refs"]),
    "references garbage": (_garbage, _refs),
    "a reference to nothing": (_point_nowhere, lambda path: _refs(path)[:1]),
    "packed-refs garbage": (_garbage, lambda path: [path / "packed-refs"]),
    "config garbage": (_garbage, lambda path: [path / "config"]),
    "config gone": (_remove, lambda path: [path / "config"]),
    "HEAD garbage": (_garbage, lambda path: [path / "HEAD"]),
    "shallow garbage": (_garbage, lambda path: [path / "shallow"]),
    "shallow gone": (_remove, lambda path: [path / "shallow"]),
    "empty": (_become_empty, lambda path: [path]),
    "a file": (_become_file, lambda path: [path]),
    "a link": (_become_link, lambda path: [path]),
    "locks left": (_garbage, _locks),
    "a temporary file left": (_garbage, lambda path: [path / "objects/pack/tmp_pack_abc"]),
    "an alternate": (_garbage, lambda path: [path / "objects/info/alternates"]),
}


def damage(kind: str, cache: Path) -> None:
    change, choose = DAMAGES[kind]
    for path in choose(the_cache(cache)):
        change(path)


class TestDamage:
    """A damaged cache is rebuilt, never trusted."""

    @pytest.mark.parametrize("kind", DAMAGES)
    def test_is_mended_silently(self, upstream: GitRepo, open_: Open, cache: Path, kind: str) -> None:
        read_all(open_(upstream), TAGS[:2])
        damage(kind, cache)
        assert read_all(open_(upstream)) == EXPECTED
        assert not list(the_cache(cache).rglob("tmp_*"))
        assert read_all(open_(upstream)) == EXPECTED

    @pytest.mark.parametrize("kind", DAMAGES)
    def test_is_mended_when_nothing_is_new(self, upstream: GitRepo, open_: Open, cache: Path, kind: str) -> None:
        read_all(open_(upstream))
        damage(kind, cache)
        assert read_all(open_(upstream)) == EXPECTED

    def test_a_configuration_in_the_cache_runs_nothing(
        self, upstream: GitRepo, open_: Open, cache: Path, tmp_path: Path
    ) -> None:
        read_all(open_(upstream), TAGS[:1])
        ran = tmp_path / "ran"
        directory = the_cache(cache)
        hook = directory / "hooks/reference-transaction"
        hook.parent.mkdir()
        hook.write_text(f"#!/bin/sh\ntouch {ran}\n")
        hook.chmod(0o755)
        with (directory / "config").open("a") as config:
            config.write(f"[core]\n\tfsmonitor = touch {ran}\n\talternateRefsCommand = touch {ran}; false\n")
        assert read_all(open_(upstream)) == EXPECTED
        assert not ran.exists()

    def test_an_unusable_cache_directory_is_told(self, upstream: GitRepo, open_: Open, cache: Path) -> None:
        cache.write_text("a file")
        with pytest.raises(
            MachineError, match=r"the cache .* can't be used: .*; choose another place with --cache-dir"
        ):
            read_all(open_(upstream))

    def test_a_server_that_is_away_costs_no_cache(self, hub: Hub, open_: Open, cache: Path) -> None:
        read_all(open_(hub_location(hub)), TAGS[:2])
        before = sorted(path.name for path in the_cache(cache).rglob("*"))
        fault = hub.add_fault(Fault(on("*", "acme/app"), "refuse", times=None, status=503))
        with pytest.raises(UpstreamError, match=r"could not fetch http://127.*: .*503; check the network"):
            read_all(open_(hub_location(hub)))
        assert fault.fired == 3
        assert sorted(path.name for path in the_cache(cache).rglob("*")) == before

    @pytest.mark.parametrize("nth", [1, 2, 3, 4, 5])
    @pytest.mark.parametrize("kind", ["drop-before", "truncate", "refuse"])
    def test_a_passing_failure_is_tried_again(self, hub: Hub, open_: Open, kind: str, nth: int) -> None:
        hub.add_fault(Fault(on("*", "acme/app"), kind, nth=nth, status=502))  # type: ignore[arg-type]
        assert read_all(open_(hub_location(hub))) == EXPECTED


class TestServer:
    """Who may read, and what they learn of it."""

    def test_a_private_repository_needs_the_token(self, hub: Hub, open_: Open) -> None:
        hub.at("acme/app").private = True
        location = hub_location(hub)
        with pytest.raises(UpstreamError, match=r"check its address and, if it is private, your token"):
            read_all(open_(location))
        with pytest.raises(UpstreamError, match=r"check its address"):
            open_(location).tags()
        hub.add_token(TOKEN, read=["acme/app"])
        assert read_all(open_(location, token=TOKEN)) == EXPECTED
        assert open_(location, token=TOKEN).tags() == TAGS

    def test_the_token_is_kept_from_files_and_messages(
        self, hub: Hub, open_: Open, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GIT_TRACE", "1")
        monkeypatch.setenv("GIT_TRACE_CURL", "1")
        monkeypatch.setenv("GIT_TRACE_REDACT", "0")
        hub.add_token(TOKEN, read=["acme/app"])
        read_all(open_(hub_location(hub), token=TOKEN))
        for record in hub.journal:
            assert record.token is not None
            assert not record.token_in_url
        encoded = Login("", TOKEN).secrets[1].encode()
        for path in cache.rglob("*"):
            assert not path.is_file() or (TOKEN.encode() not in path.read_bytes() and encoded not in path.read_bytes())
        with pytest.raises(UpstreamError) as caught:
            read_all(open_(hub_location(hub, "acme/none"), token=TOKEN))
        assert TOKEN not in str(caught.value)
        assert TOKEN not in repr(Login(hub.url, TOKEN))

    def test_the_token_is_in_no_argument(self, hub: Hub, open_: Open) -> None:
        seen: list[bytes] = []

        def look() -> None:
            for process in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    seen.append(process.read_bytes())

        hub.add_fault(Fault(on("*", "acme/app"), "callback", times=None, action=look))
        read_all(open_(hub_location(hub), token=TOKEN))
        assert any(b"git-remote-http" in line or b"remote-http" in line for line in seen)
        secrets = [secret.encode() for secret in Login("", TOKEN).secrets]
        assert not any(secret in line for line in seen for secret in secrets)

    def test_the_token_goes_to_no_plain_git_url(self, hub: Hub, open_: Open) -> None:
        read_all(open_(GitRepository(f"{hub.url}/acme/app.git"), token=TOKEN))
        assert {record.token for record in hub.journal} == {None}

    def test_a_moved_repository_is_followed(self, hub: Hub, open_: Open) -> None:
        hub.rename("acme/app", "acme/new")
        for token in (None, TOKEN):
            assert read_all(open_(hub_location(hub), token=token)) == EXPECTED
        hub.at("acme/new").private = True
        hub.add_token(TOKEN, read=["acme/new"])
        hub.journal.clear()
        assert read_all(open_(hub_location(hub), token=TOKEN)) == EXPECTED

    def test_no_redirect_carries_the_token_to_another_host(self, hub: Hub, upstream: GitRepo, open_: Open) -> None:
        other = Hub()
        other.add_repository("acme/app", upstream.path)
        with running(other):
            hub.add_fault(
                Fault(
                    on("GET", "acme/app"), "redirect", times=None, status=301,
                    location=f"{other.url}/acme/app.git/info/refs?service=git-upload-pack",
                )
            )  # fmt: skip
            assert read_all(open_(hub_location(hub), token=TOKEN)) == EXPECTED
            assert {record.token for record in other.journal} == {None}

    def test_one_that_gives_no_single_objects_gives_all(
        self, hub: Hub, open_: Open, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A server of git's first protocol with filters: it sends only what references name."""
        surroundings = git_http._environment

        def oldest(*arguments: object) -> dict[str, str]:
            found = surroundings(*arguments)  # type: ignore[arg-type]
            return {name: value for name, value in found.items() if "GIT_PROTOCOL" not in name}

        monkeypatch.setitem(git_http.SETTINGS, "uploadpack.allowAnySHA1InWant", "false")
        monkeypatch.setattr(git_http, "_environment", oldest)
        for _ in range(2):
            assert read_all(open_(hub_location(hub)), TAGS[:2]) == {tag: EXPECTED[tag] for tag in TAGS[:2]}
        assert read_all(open_(hub_location(hub))) == EXPECTED

    @pytest.mark.parametrize("location", ["git://localhost/x", "ext::sh -c date", "ftp://localhost/x"])
    def test_other_protocols_are_refused(self, open_: Open, location: str) -> None:
        with pytest.raises(UpstreamError, match=r"not allowed|check the network"):
            read_all(open_(GitRepository(location)))

    def test_the_users_settings_count(
        self, hub: Hub, open_: Open, upstream: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings = tmp_path / "settings"
        settings.write_text(
            f'[url "{hub.url}/"]\n\tinsteadOf = https://code.example.org/\n'
            "[fetch]\n\tprune = true\n[transfer]\n\tfsckObjects = true\n"
            f'[remote "origin"]\n\turl = https://elsewhere.example.org/\n[http "{hub.url}"]\n\textraHeader = X-Y: z\n'
            f'[http "{hub.url}/"]\n\textraHeader = Authorization: Basic bm8=\n'
        )
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
        monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
        monkeypatch.setenv("GIT_CONFIG_KEY_0", "protocol.http.allow")
        monkeypatch.setenv("GIT_CONFIG_VALUE_0", "always")
        assert read_all(open_(hub_location(hub), token=TOKEN)) == EXPECTED

    def test_variables_that_lead_elsewhere_do_not_count(
        self, upstream: GitRepo, open_: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = GitRepo(tmp_path / "other")
        other.release("v1.0.0", {"x": "y"})
        for name, value in {
            "GIT_DIR": str(other.path),
            "GIT_WORK_TREE": str(tmp_path),
            "GIT_COMMON_DIR": str(other.path),
            "GIT_INDEX_FILE": str(tmp_path / "index"),
            "GIT_OBJECT_DIRECTORY": str(other.path / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(other.path / "objects"),
            "GIT_NAMESPACE": "elsewhere",
            "GIT_NO_LAZY_FETCH": "0",
            "GIT_ALLOW_PROTOCOL": "ext",
        }.items():
            monkeypatch.setenv(name, value)
        assert read_all(open_(upstream)) == EXPECTED
        assert read_all(open_(LocalRepository(upstream.path))) == EXPECTED


class TestLocal:
    """A repository on this machine is read in place."""

    @pytest.mark.parametrize(("make", "text"), [(None, "is not a directory"), ("dir", "is not a git repository")])
    def test_something_else_is_told(self, tmp_path: Path, open_: Open, make: str | None, text: str) -> None:
        path = tmp_path / "nothing"
        if make:
            path.mkdir()
        with pytest.raises(UpstreamError, match=text):
            read_all(open_(LocalRepository(path)))

    def test_nothing_of_it_runs_or_changes(self, upstream: GitRepo, open_: Open, tmp_path: Path) -> None:
        clone = tmp_path / "clone"
        run_git("clone", "--quiet", str(upstream.path), str(clone))
        ran = tmp_path / "ran"
        for name in (
            "core.fsmonitor",
            "core.sshCommand",
            "core.alternateRefsCommand",
            "core.pager",
            "credential.helper",
        ):
            run_git("-C", str(clone), "config", name, f"touch {ran}; false")
        run_git("-C", str(clone), "config", "remote.origin.promisor", "true")
        run_git("-C", str(clone), "config", "remote.origin.uploadpack", f"touch {ran}; false")
        for hook in ("post-checkout", "reference-transaction", "pre-auto-gc"):
            path = clone / ".git/hooks" / hook
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"#!/bin/sh\ntouch {ran}\n")
            path.chmod(0o755)
        before = _state(clone)
        assert read_all(open_(LocalRepository(clone))) == EXPECTED
        assert not ran.exists()
        assert _state(clone) == before

    def test_what_a_partial_clone_lacks_is_told_not_fetched(
        self, upstream: GitRepo, open_: Open, tmp_path: Path
    ) -> None:
        clone = tmp_path / "clone"
        run_git("clone", "--quiet", "--bare", "--filter=blob:none", upstream.url, str(clone))
        with open_(LocalRepository(clone)).snapshots(TAGS, CHART) as found:
            snapshot = found["v1.0.0"]
            assert isinstance(snapshot, Snapshot)
            with pytest.raises(SnapshotError, match=r"the content of charts/app/values.yaml is not in the repository"):
                snapshot.read("charts/app/values.yaml")

    def test_replacements_do_not_count(self, upstream: GitRepo, open_: Open) -> None:
        upstream.git("replace", "v1.0.0^{commit}", "v1.1.0^{commit}")
        assert read_all(open_(LocalRepository(upstream.path))) == EXPECTED

    def test_damage_is_told(self, upstream: GitRepo, open_: Open) -> None:
        upstream.pack()
        for pack in _packs(upstream.path):
            _flip(pack)
        with pytest.raises((UpstreamError, SnapshotError)):
            read_all(open_(LocalRepository(upstream.path)))

    def test_a_submodule_fails_its_path(self, upstream: GitRepo, open_: Open) -> None:
        upstream.release("v2.0.0", {"charts/app/mod": Submodule()})
        with pytest.raises(SnapshotError, match=r"charts/app/mod is a submodule"):
            read_all(open_(LocalRepository(upstream.path)), ["v2.0.0"])


def _state(path: Path) -> list[tuple[str, int]]:
    return sorted((str(item), item.stat().st_mtime_ns) for item in path.rglob("*"))


class TestOtherRuns:
    """Runs beside each other, and runs that were killed."""

    def test_wait_for_each_other(self, upstream: GitRepo, open_: Open, cache: Path) -> None:
        messages: list[str] = []
        found: list[object] = []
        waiting = threading.Event()

        def tell(message: str) -> None:
            messages.append(message)
            waiting.set()

        other = threading.Thread(target=lambda: found.append(read_all(open_(upstream, on_wait=tell))))
        with open_(upstream).snapshots(TAGS, CHART):
            other.start()
            assert waiting.wait(10)
            assert not found
        other.join(20)
        assert found == [EXPECTED]
        assert messages == [f"waiting for another run that is using {upstream.url}"]

    def test_do_not_wait_for_ever(
        self, upstream: GitRepo, open_: Open, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read_all(open_(upstream))
        monkeypatch.setattr(gitcache, "_LOCK_TIMEOUT", 0.2)
        with (
            filelock.FileLock(next((cache / "git").glob("*.lock"))),
            pytest.raises(UpstreamError, match=r"another run has held"),
        ):
            read_all(open_(upstream))

    def test_two_processes_at_once(self, upstream: GitRepo, cache: Path) -> None:
        script = (
            "import sys, pathlib\n"
            "from chart_releaser.location import GitRepository\n"
            "from chart_releaser.upstream.repositories import open_repository\n"
            "repository = open_repository(GitRepository(sys.argv[1]), cache=pathlib.Path(sys.argv[2]))\n"
            "with repository.snapshots(sys.argv[3:], ['charts/app']) as found:\n"
            "    print([list(item.walk('charts/app', lambda *_: False)) for item in found.values()])\n"
        )
        command = [sys.executable, "-c", script, upstream.url, str(cache), *TAGS]
        runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
        expected = f"{[sorted(files.items()) for files in EXPECTED.values()]}\n"
        assert [run.communicate(timeout=60)[0] for run in runs] == [expected] * 3

    def test_several_repositories_in_threads(self, tmp_path: Path, open_: Open) -> None:
        repositories = [_copy(GitRepo(tmp_path / str(number))) for number in range(4)]
        found: list[object] = []
        threads = [
            threading.Thread(target=lambda repo=repo: found.append(read_all(open_(repo)))) for repo in repositories
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert found == [EXPECTED] * 4

    @pytest.mark.parametrize("nth", [1, 2, 3, 4, 5])
    def test_go_on_after_one_that_was_killed(self, hub: Hub, open_: Open, cache: Path, nth: int) -> None:
        """The whole process group dies while the server answers its nth request."""
        script = (
            "import sys, pathlib\n"
            "from chart_releaser.git.cache import CachedRepository\n"
            "repository = CachedRepository(sys.argv[1], cache=pathlib.Path(sys.argv[2]))\n"
            "with repository.snapshots(sys.argv[3:], ['charts/app']):\n"
            "    pass\n"
        )
        reached = threading.Event()
        hub.add_fault(Fault(on("*", "acme/app"), "callback", nth=nth, action=reached.set))
        hub.add_fault(Fault(on("*", "acme/app"), "slow", nth=nth, seconds=1))
        url = hub_location(hub).clone_url
        run = subprocess.Popen([sys.executable, "-c", script, url, str(cache), *TAGS])
        assert reached.wait(20)
        run.send_signal(signal.SIGKILL)
        run.wait()
        assert read_all(open_(hub_location(hub))) == EXPECTED


class TestGit:
    """The program itself."""

    @pytest.mark.parametrize(
        ("version", "text"), [("git version 2.30.1", "is too old: install git 2.36"), (None, "not found")]
    )
    def test_absent_or_too_old(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str | None, text: str
    ) -> None:
        import git

        program = tmp_path / "git"
        if version:
            program.write_text(f"#!/bin/sh\necho {version}\n")
            program.chmod(0o755)
        monkeypatch.setattr(git.Git, "GIT_PYTHON_GIT_EXECUTABLE", str(program))
        gitrun._require_git.cache_clear()
        try:
            with pytest.raises(UpstreamError, match=text):
                require_git()
        finally:
            gitrun._require_git.cache_clear()

    def test_it_is_asked_once_however_many_begin_with_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import git

        asked = []
        execute = git.Git.execute

        def slow(*arguments: Any, **options: Any) -> Any:
            asked.append(1)
            time.sleep(0.05)
            return execute(*arguments, **options)

        monkeypatch.setattr(git.Git, "execute", slow)
        gitrun._require_git.cache_clear()
        assert call_in_threads([require_git] * 8, 8, threading.Event()) == [None] * 8
        assert len(asked) == 1

    @pytest.mark.parametrize(
        ("stderr", "text"),
        [
            ("warning: x\nfatal: it broke\n", "it broke"),
            ("fatal: unable to access 'https://me:pw@host/x/': no\n", "unable to access 'https://host/x/': no"),
            ("remote: \x1b[31mRepository not found.\nfatal: one\x07 two", "one  two"),
            ("remote: hello", "hello"),
            ("key is sec/ret", "key is ***"),
            ("", "git gave no reason"),
        ],
    )
    def test_reasons_are_one_clean_line(self, stderr: str, text: str) -> None:
        assert failure_reason(stderr, ["sec/ret"]) == text
