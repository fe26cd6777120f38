"""`update` as the nightly job: the installed program, real charts, GitHub on loopback, and the true Helm at the end."""

from __future__ import annotations

import base64
import json
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chart_releaser.index.index import Index
from tests.cli.runner import TOKEN, begin, config, run, server_env, source, upstream
from tests.helm import Helm
from tests.hub import Fault, GitDir, Hub, Server, create, on, running
from tests.serving import served

SLUG = "acme/charts"
DESTINATION = "destination: {owner: acme, repo: charts, page: false}"
UPLOADS = on("POST", r"^/api/uploads/")
CREATES = on("POST", r"/releases$")
WRAPPER = """#!/bin/sh
for word in git "$@"; do printf '%s\\n' "$word"; done >> "$ARGV_LOG"
exec "{git}" "$@"
"""


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """A destination and one upstream with two versions."""
    hub = Hub()
    path = create(tmp_path / "charts.git")
    GitDir(path).commit("main", {"README.md": b"# Charts\n"}, time=1_600_000_000)
    hub.add_repository(SLUG, path)
    hub.add_token(TOKEN, {SLUG})
    hub.add_repository("up/weather", upstream(tmp_path / "weather.git", ["v1.0.0", "v1.1.0"]).path)
    hub.releases_from_tags("up/weather")
    return hub


@pytest.fixture
def server(hub: Hub) -> Iterator[Server]:
    with running(hub) as server:
        yield server


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with a configuration of two sources from the one upstream."""
    folder = tmp_path / "work"
    folder.mkdir()
    config(folder, source("alpha", "up/weather"), source("beta", "up/weather"), destination=DESTINATION)
    return folder


def index_of(hub: Hub) -> Index:
    git = hub.at(SLUG).git
    assert git is not None
    return Index.parse((git.read("refs/heads/gh-pages", "index.yaml") or b"").decode())


def listed(hub: Hub) -> list[str]:
    index = index_of(hub)
    return sorted(f"{name}-{version}" for name in index.entries for version in index.versions(name))


ALL = ["alpha-1.0.0", "alpha-1.1.0", "beta-1.0.0", "beta-1.1.0"]


def test_helm_takes_what_is_published(hub: Hub, server: Server, work: Path, helm: Helm, tmp_path: Path) -> None:
    done = run("update", "--json", cwd=work, env=server_env(server, TOKEN), ok=True)
    report = json.loads(done.out)
    assert sorted(f"{row['chart']}-{row['version']}" for row in report["published"]) == ALL
    assert listed(hub) == ALL
    site = tmp_path / "site"
    site.mkdir()
    git = hub.at(SLUG).git
    assert git is not None
    for name in git.files("refs/heads/gh-pages"):
        (site / name).write_bytes(git.read("refs/heads/gh-pages", name) or b"")
    with served(site) as url:
        helm("repo", "add", "it", url)
        found = json.loads(helm("search", "repo", "it/", "-l", "-o", "json").stdout)
        assert sorted(f"{row['name'].removeprefix('it/')}-{row['version']}" for row in found) == ALL
        helm("pull", "it/alpha", "--version", "1.0.0", "--untar", "--untardir", tmp_path / "pulled")
        assert "tag: v1.0.0" in (tmp_path / "pulled/alpha/values.yaml").read_text()
        assert (tmp_path / "pulled/alpha/RELEASE.md").read_text().startswith("Release notes of v1.0.0")
        assert "kind: ConfigMap" in helm("template", "demo", "it/beta").stdout
        assert "1.1.0" in helm("show", "chart", "it/beta").stdout
    hub.journal.clear()
    again = run("update", "--json", cwd=work, env=server_env(server, TOKEN), ok=True)
    assert hub.journal.mutations() == []
    assert (len(json.loads(again.out)["skipped"]), json.loads(again.out)["published"]) == (4, [])


@pytest.mark.parametrize("verbose", [True, False])
def test_the_token_appears_nowhere(
    hub: Hub, server: Server, work: Path, tmp_path: Path, verbose: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in what is written, in files, in arguments of processes, in git's configuration; also where things fail."""
    wrapper = tmp_path / "bin/git"
    wrapper.parent.mkdir()
    found = subprocess.run(["sh", "-c", "command -v git"], capture_output=True, text=True, check=True).stdout.strip()
    wrapper.write_text(WRAPPER.format(git=found))
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    env = server_env(server, TOKEN) | {
        "PATH": f"{wrapper.parent}{os.pathsep}{os.environ['PATH']}",
        "ARGV_LOG": str(tmp_path / "argv"),
        "CHART_RELEASER_PASS_ENV": "ARGV_LOG",
        "GITHUB_STEP_SUMMARY": str(work / "summary"),
        "GITHUB_OUTPUT": str(work / "output"),
        "GITHUB_ACTIONS": "true",
    }
    hub.add_fault(Fault(UPLOADS, "refuse", status=422, message="Nonsense"))
    hub.add_fault(Fault(on("POST", "/git-receive-pack$"), "refuse", status=400))
    words = ["--verbose"] if verbose else []
    ran = [run("update", *words, cwd=work, env=env) for _ in range(2)]
    assert [one.code for one in ran] == [1, 0]
    secrets = [secret.encode() for secret in hub.token_values()]
    secrets += [base64.b64encode(f"x-access-token:{TOKEN}".encode()), TOKEN[8:].encode()]
    arguments = (tmp_path / "argv").read_bytes()
    assert b"push" in arguments
    files = [path for folder in (work, Path(os.environ["HOME"])) for path in folder.rglob("*") if path.is_file()]
    assert any("branch" in path.parts for path in files), "the cache is looked at"
    texts = [arguments, *(one.err.encode() + one.out.encode() for one in ran), *(path.read_bytes() for path in files)]
    git = hub.at(SLUG).git
    assert git is not None
    texts += [git.git("log", "-p", "refs/heads/gh-pages")]
    assert not [secret for secret in secrets for text in texts if secret in text]
    assert not any(record.token_in_url for record in hub.journal)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("where", ["draft", "upload", "publish"])
def test_a_signal_finishes_the_release_in_hand(
    hub: Hub, server: Server, work: Path, number: signal.Signals, where: str
) -> None:
    """It is published and listed, nothing else is begun, and the next run does the rest."""
    match = {"draft": CREATES, "upload": UPLOADS, "publish": on("PATCH", "")}[where]
    hub.add_fault(Fault(match, "callback", nth=2, action=lambda: process.send_signal(number)))
    process = begin("update", cwd=work, env=server_env(server, TOKEN))
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert f"{number.name}: finishing what is under way" in err
    assert "Traceback" not in err
    assert listed(hub) == ALL[:2]
    assert [release.draft for release in hub.at(SLUG).releases.values()] == [False, False]
    run("update", cwd=work, env=server_env(server, TOKEN), ok=True)
    assert listed(hub) == ALL


def test_a_cancelled_workflow_gets_both_signals(hub: Hub, server: Server, work: Path) -> None:
    def cancel() -> None:
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)

    hub.add_fault(Fault(UPLOADS, "callback", action=cancel))
    process = begin("update", cwd=work, env=server_env(server, TOKEN))
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert listed(hub) == ALL[1:2]


def test_a_signal_while_waiting_for_a_limit(hub: Hub, server: Server, work: Path) -> None:
    headers = {"Retry-After": "200"}
    hub.add_fault(Fault(CREATES, "refuse", nth=2, status=403, headers=headers, times=None))
    process = begin("update", cwd=work, env=server_env(server, TOKEN))
    assert process.stderr is not None
    for line in process.stderr:
        if "waiting 3 min 20 s: the rate limit" in line:
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert listed(hub) == ALL[1:2]


def test_a_limit_beyond_max_wait(hub: Hub, server: Server, work: Path) -> None:
    headers = {"Retry-After": "91"}
    hub.add_fault(Fault(CREATES, "refuse", nth=3, status=429, headers=headers, times=None))
    done = run("update", "--max-wait", "90s", cwd=work, env=server_env(server, TOKEN))
    assert done.code == 3
    assert "asks for a wait of 91 s, --max-wait allows 90 s; what is done is kept" in done.err
    assert listed(hub) == ALL[:2]


def _reader(hub: Hub) -> str:
    hub.add_token("reader", ())
    return "reader"


def _archived(hub: Hub) -> str:
    hub.at(SLUG).archived = True
    return TOKEN


def _gone(hub: Hub) -> str:
    hub.remove_repository(SLUG)
    return TOKEN


def _protected(hub: Hub) -> str:
    git = hub.at(SLUG).git
    assert git is not None
    git.commit("gh-pages", {"README.md": b""})
    hub.at(SLUG).protected_branches = {"gh-pages"}
    return TOKEN


UNUSABLE: dict[str, tuple[Any, str]] = {
    "no token": (
        lambda _hub: "",
        "publishing to acme/charts needs a token that may write its contents; set GITHUB_TOKEN",
    ),
    "bad credentials": (lambda _hub: "wrong", "refused the token (bad credentials); set GITHUB_TOKEN to a valid one"),
    "read only": (_reader, "give GITHUB_TOKEN the permission contents: write"),
    "archived": (_archived, "the destination acme/charts is archived, nothing can be published to it"),
    "missing": (_gone, "acme/charts was not found; create it, correct owner and repo"),
    "protected": (_protected, "the branch gh-pages of acme/charts is protected against this token; allow pushes"),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_a_destination_that_can_not_be_used(hub: Hub, server: Server, work: Path, what: str) -> None:
    prepare, message = UNUSABLE[what]
    done = run("update", cwd=work, env=server_env(server, prepare(hub)))
    assert done.code == 2
    assert len(done.errors) == 1
    assert message in done.errors[0]
    assert hub.journal.count(status=201) == 0
    assert not any(record.mutating and record.status == 200 for record in hub.journal)


def test_a_dry_run_needs_no_token_and_writes_nothing(hub: Hub, server: Server, work: Path) -> None:
    done = run("update", "--dry-run", cwd=work, env=server_env(server), ok=True)
    words = [line.split() for line in done.out.splitlines()]
    assert [(name, version.removeprefix("v")) for _, name, version, *_ in words] == [
        (name, version) for name in ("alpha", "beta") for version in ("1.1.0", "1.0.0")
    ]
    assert hub.journal.mutations() == []


def test_tags_are_releases_where_that_is_asked_for(hub: Hub, server: Server, work: Path, tmp_path: Path) -> None:
    hub.add_repository("up/tagged", upstream(tmp_path / "tagged.git", ["v1.0.0", "v1.1.0"]).path)
    environ = server_env(server, TOKEN)
    config(work, source("weather", "up/tagged"), destination=DESTINATION)
    ran = run("update", cwd=work, env=environ, ok=True)
    said = "nothing is tracked: the repository has tags and no releases; set follow: tags to take the tags"
    assert ran.messages[0] == f"note: weather: {said}"
    ran = run("export", cwd=work, env=environ)
    assert ran.errors == [
        "weather: no release is a stable version in its range: the repository has tags and no releases; "
        "set follow: tags to take the tags"
    ]
    config(work, source("weather", "up/tagged", follow="tags"), source("old", "up/tagged"), destination=DESTINATION)
    ran = run("update", "--json", cwd=work, env=environ, ok=True)
    assert [row["tag"] for row in json.loads(ran.out)["published"]] == ["v1.1.0", "v1.0.0"]
    assert [note["source"] for note in json.loads(ran.out)["notes"]] == ["old"]
    run("export", "-s", "weather", cwd=work, env=environ, ok=True)
    assert "version: 1.1.0" in (work / "charts/weather/Chart.yaml").read_text()


@pytest.mark.parametrize("version", ["../../1.0.0", "1.1.0/../1.0.0", "..", "%2e%2e/1.0.0"])
def test_a_version_never_leads_to_another_address(hub: Hub, server: Server, work: Path, version: str) -> None:
    config(work, source("weather", "up/weather", version=version), destination=DESTINATION)
    ran = run("export", cwd=work, env=server_env(server))
    assert ran.code in (1, 2)
    assert not (work / "charts/weather").exists()
    assert not [entry for entry in hub.journal if ".." in entry.path]
