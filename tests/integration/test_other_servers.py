"""What other servers, newer gits and other people do differently from what is usual."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chart_releaser.errors import DestinationError, GitHubError
from chart_releaser.git.branch import Branch
from chart_releaser.github.api import GitHubApi
from chart_releaser.github.responses import ResponseCache
from chart_releaser.location import Server
from tests.hub import Fault, GitDir, create, on, running
from tests.publishing import SLUG, TOKEN, impatient, new_hub, new_pages, state, update


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"other"'}])
def test_a_304_without_the_etag_that_was_asked_for_is_one_all_the_same(tmp_path: Path, headers: dict[str, str]) -> None:
    hub = new_hub(tmp_path)
    with running(hub) as server:
        where = Server(server.url, server.api_url)
        first = GitHubApi(where, TOKEN, impatient(), ResponseCache(tmp_path / "api")).get(f"/repos/{SLUG}")[1]
        hub.add_fault(Fault(on("GET", f"/repos/{SLUG}$"), "refuse", status=304, headers=headers, body=b""))
        again = GitHubApi(where, TOKEN, impatient(), ResponseCache(tmp_path / "api")).get(f"/repos/{SLUG}")[1]
    assert again == first


def test_a_missing_branch_is_made_by_the_one_push_of_the_run(tmp_path: Path) -> None:
    hub = new_hub(tmp_path, branch=None)
    with running(hub) as server:
        report = update(server.url, tmp_path / "cache")
    assert len(report.published) == 4
    assert hub.journal.count(on("POST", "/git-receive-pack$"), status=200) == 1
    assert "index.yaml" in state(hub)["files"]


def test_what_is_somebodys_own_draft_stays_as_it_is(tmp_path: Path) -> None:
    hub = new_hub(tmp_path)
    name = "alpha-1.0.0"
    mine = hub.add_release(SLUG, name, "my own words", draft=True, assets={"notes.pdf": b"%PDF"})
    mine.name = "Ann's notes"
    with running(hub) as server:
        update(server.url, tmp_path / "cache")
    left = hub.at(SLUG).releases[mine.id]
    assert (left.draft, left.name, left.body) == (True, "Ann's notes", "my own words")
    assert [asset.name for asset in left.assets] == ["notes.pdf"]


def new_branch(tmp_path: Path, update_hook: str) -> tuple[Branch, Path]:
    """A branch in a repository whose hook decides on pushes, as a server's own rules do."""
    git = GitDir(create(tmp_path / "charts.git"))
    git.commit("gh-pages", {"index.yaml": b"apiVersion: v1\n"}, time=1_600_000_000)
    hook = git.path / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{update_hook}")
    hook.chmod(0o755)
    url = f"file://{git.path}"
    return Branch(url, "gh-pages", cache=tmp_path / "cache", login=None, on_wait=lambda _: None), git.path


def test_a_push_that_lost_a_race_is_known_by_the_branch_not_by_the_servers_words(tmp_path: Path) -> None:
    person = (
        "unset GIT_QUARANTINE_PATH; export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b\n"
        "export GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b\n"
        'new=$(git commit-tree "$2^{tree}" -p "$2" -m "a person")\n'
        'git update-ref refs/heads/gh-pages "$new"\n'
    )
    branch, path = new_branch(tmp_path, f"{person}exit 1\n")
    head = branch.read(("index.yaml",))
    assert branch.push(head, {"index.yaml": b"apiVersion: v1\nentries: {}\n"}, "ours") is False
    (path / "hooks" / "update").unlink()
    again = branch.read(("index.yaml",))
    assert again.commit != head.commit
    assert branch.push(again, {"index.yaml": b"apiVersion: v1\nentries: {}\n"}, "ours") is True


def test_a_push_that_is_refused_for_good_says_why(tmp_path: Path) -> None:
    branch, _ = new_branch(tmp_path, "exit 1\n")
    head = branch.read(("index.yaml",))
    with pytest.raises(DestinationError, match="hook declined"):
        branch.push(head, {"index.yaml": b"x"}, "ours")


def test_a_limit_before_anything_was_published_is_a_report_like_any_other(tmp_path: Path) -> None:
    hub = new_hub(tmp_path)
    hub.add_fault(
        Fault(
            on("GET", f"/repos/{SLUG}$"),
            "refuse",
            status=403,
            headers={"Retry-After": "3600"},
            message="You have exceeded a secondary rate limit.",
            times=None,
        )
    )
    with running(hub) as server:
        report = update(server.url, tmp_path / "cache")
    assert report.exit_code == 3
    assert json.loads(json.dumps(report.as_json()))["published"] == []


def test_uploads_go_to_another_port_only_on_this_machine(tmp_path: Path) -> None:
    hub = new_hub(tmp_path)
    with running(hub) as server:
        api = GitHubApi(Server(server.url, server.api_url), TOKEN, impatient())
        with pytest.raises(GitHubError, match="another server"):
            api.upload("https://uploads.example.org/x", "a.tgz", b"", "application/gzip")
        pages = new_pages(server.url, tmp_path / "cache")
        assert pages.open() is not None
