"""What `-vv` shows: each request and each git command, on lines of their own, without a secret."""

from __future__ import annotations

import base64
import json
import logging
import re
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import requests

from chart_releaser import exchange
from tests.cli.runner import TOKEN, config, run, server_env, source, upstream
from tests.hub import GitDir, Hub, Server, create, running
from tests.publishing import TOKEN as OTHER_TOKEN
from tests.publishing import new_hub, update

ASSET = (
    "apiVersion: core.gardener.cloud/v1\nkind: ControllerDeployment\nmetadata: {name: it}\n"
    "helm: {rawChart: H4sI, values: {replicas: 1}}\n"
)
TIMED = r", \d+ ms, \d+ bytes"
LOGGED = re.compile(r"(?:GET|POST|PATCH|PUT|DELETE|git) .*")


def secrets(token: str) -> list[str]:
    """How a token may look."""
    return [token, base64.b64encode(f"x-access-token:{token}".encode()).decode(), "Authorization", "x-access-token"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A destination, and an upstream whose registration is an asset of its releases."""
    hub = Hub()
    path = create(tmp_path / "charts.git")
    GitDir(path).commit("main", {"README.md": b"# Charts\n"}, time=1_600_000_000)
    hub.add_repository("acme/charts", path)
    hub.add_token(TOKEN, {"acme/charts"})
    hub.add_repository("up/weather", upstream(tmp_path / "weather.git", ["v1.0.0"]).path)
    hub.releases_from_tags("up/weather", assets=lambda _tag: {"controller-registration.yaml": ASSET.encode()})
    with running(hub) as server:
        yield server


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with a configuration for it."""
    folder = tmp_path / "work"
    folder.mkdir()
    charts = "[charts/weather, controller-registration]"
    destination = "destination: {owner: acme, repo: charts, page: false}"
    config(folder, source("alpha", "up/weather", charts=charts), destination=destination)
    return folder


@pytest.mark.parametrize("actions", ["true", "false"])
def test_each_request_and_git_command_is_one_line(server: Server, work: Path, actions: str) -> None:
    env = server_env(server, TOKEN) | {"GITHUB_ACTIONS": actions}
    ran = run("update", "-vv", "--json", cwd=work, env=env, ok=True)
    assert len(json.loads(ran.out)["published"]) == 1
    lines = [line for line in ran.err.splitlines() if LOGGED.match(line)]
    host = urllib.parse.urlsplit(server.url).netloc
    for what, wanted in {
        "a listing": rf"GET {host}/api/v3/repos/up/weather/releases\?per_page=100: 200{TIMED}, \d+ requests left",
        "a write": rf"POST {host}/api/v3/repos/acme/charts/releases: 201{TIMED}, \d+ requests left",
        "an upload, without its name": rf"POST {host}/api/uploads/[\w/]+/assets: 201{TIMED}.*",
        "a download": rf"GET {host}/api/v3/repos/up/weather/releases/assets/\d+: \d+{TIMED}.*",
        "git asking": rf"git ls-remote [^:]* \({server.url}/acme/charts(?:\.git)?\): 0{TIMED}",
        "git fetching": rf"git fetch .* \({server.url}/up/weather\.git\): 0{TIMED}",
        "git reading": rf"git cat-file --batch-command: -?\d+{TIMED}",
        "git pushing": rf"git push .* \({server.url}/acme/charts\.git\): 0{TIMED}",
        "git itself": rf"git version: 0{TIMED}",
    }.items():
        assert any(re.fullmatch(wanted, line) for line in lines), (what, wanted, lines)
    sizes = [int(size) for line in lines for size in re.findall(r"GET .*: 200, \d+ ms, (\d+) bytes", line)]
    assert sizes
    assert all(size > 0 for size in sizes)
    assert not [secret for secret in secrets(TOKEN) if secret in ran.out + ran.err]


def test_nothing_of_that_is_shown_with_one_v(server: Server, work: Path) -> None:
    ran = run("update", "-v", cwd=work, env=server_env(server, TOKEN), ok=True)
    assert "alpha: 0 up to date, 1 to publish" in ran.messages
    assert not [line for line in ran.messages if LOGGED.match(line)]


@pytest.mark.parametrize(
    "words",
    [
        ("update", "-vv"),
        ("update", "-v", "-v"),
        ("update", "--verbose", "--verbose"),
        ("update", "-vvv"),
        ("-vv", "update"),
        ("-v", "update", "-v"),
        ("--verbose", "--verbose", "update"),
    ],
)
def test_it_is_asked_for_in_any_way(tmp_path: Path, words: Sequence[str]) -> None:
    upstream(tmp_path / "weather.git", ["v1.0.0"])
    config(tmp_path, source("weather", "./weather.git"))
    ran = run(*words, cwd=tmp_path, ok=True)
    assert "weather: 0 up to date, 1 to publish" in ran.messages
    assert any(re.fullmatch(rf"git cat-file --batch-command: -?\d+{TIMED}", line) for line in ran.messages)


def test_no_secret_is_logged_for_whoever_uses_the_package(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing masks what is logged there, and PyGithub's own log has headers and bodies."""
    caplog.set_level(logging.DEBUG, "chart_releaser")
    hub = new_hub(tmp_path)
    with running(hub) as server:
        assert len(update(server.url, tmp_path / "cache").published) == 4
    ours = [record for record in caplog.records if record.name.startswith("chart_releaser")]
    assert {record.name for record in ours} == {"chart_releaser.exchange", "chart_releaser.git.run"}
    assert not [secret for secret in secrets(OTHER_TOKEN) if secret in caplog.text]
    assert all("\n" not in record.getMessage() for record in ours)


def test_a_request_is_shown_without_what_may_be_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, server: Server
) -> None:
    caplog.set_level(logging.DEBUG, "chart_releaser")
    host = urllib.parse.urlsplit(server.url).netloc
    secret = f"http://me:pw@{host}/api/v3/x?sig=abc&page=2&per_page=5&token=per_page=7"
    with exchange.new_session() as session, session.get(secret, stream=True) as answer:
        exchange.read_body(answer, 10_000)
    with exchange.new_session() as session, pytest.raises(requests.ConnectionError):
        session.get("http://me:pw@127.0.0.1:1/x?sig=abc")
    seen = [record.getMessage() for record in caplog.records if record.name == "chart_releaser.exchange"]
    assert re.fullmatch(rf"GET {host}/api/v3/x\?page=2&per_page=5: 404{TIMED}.*", seen[0])
    assert re.fullmatch(r"GET 127\.0\.0\.1:1/x: no answer, ConnectionError, \d+ ms", seen[1])
    assert "pw" not in "".join(seen)
