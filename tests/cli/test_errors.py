"""Bad input, case by case: where it is, what is wrong, what to do next; one line each, and never a traceback."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from chart_releaser.attempts import RetryPolicy
from tests.cli.runner import TOKEN, Files, called, chart, config, run, server_env, snapshot, source, upstream
from tests.gitrepo import GitRepo, Link, Submodule
from tests.hub import Fault, Hub, Server, everything, on, running


@pytest.fixture
def weather(tmp_path: Path) -> GitRepo:
    """A repository with one version."""
    return upstream(tmp_path / "weather.git", ["v1.0.0"])


@pytest.fixture
def hub(weather: GitRepo) -> Hub:
    """A GitHub with that repository as o/weather."""
    hub = Hub()
    hub.add_repository("o/weather", weather.path)
    hub.releases_from_tags("o/weather")
    return hub


@pytest.fixture
def server(hub: Hub) -> Iterator[Server]:
    """The hub, answering."""
    with running(hub) as server:
        yield server


# --- the configuration file


@pytest.mark.parametrize("command", ["update", "export", "fetch-latest-versions", "verify"])
def test_no_configuration(tmp_path: Path, command: str) -> None:
    ran = run(command, cwd=tmp_path)
    assert (ran.code, ran.errors) == (2, ["config.yaml does not exist; name the configuration with --config"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("named", "there", "advice"),
    [
        ("config.yaml", "chart-releaser-config.yaml", ", such as chart-releaser-config.yaml"),
        ("config.yaml", "config.yml", ", such as config.yml"),
        ("sub/confg.yaml", "sub/config.yaml", ", such as sub/config.yaml"),
        ("config.yaml", "values.yaml", ""),
        ("nowhere/config.yaml", "other.yaml", ""),
    ],
)
def test_the_configuration_that_is_meant_is_named(tmp_path: Path, named: str, there: str, advice: str) -> None:
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).touch()
    ran = run("export", "-c", named, cwd=tmp_path)
    assert (ran.code, ran.errors) == (2, [f"{named} does not exist; name the configuration with --config{advice}"])


def test_a_configuration_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    ran = run("export", "-c", "folder", cwd=tmp_path)
    expected = "folder can't be read: Is a directory; name a readable file with --config"
    assert (ran.code, ran.errors) == (2, [expected])
    (tmp_path / "latin.yaml").write_bytes("sources: [ü]".encode("latin-1"))
    ran = run("export", "-c", "latin.yaml", cwd=tmp_path)
    expected = "latin.yaml is not UTF-8: invalid start byte at byte 10; save it in that encoding"
    assert (ran.code, ran.errors) == (2, [expected])


@pytest.mark.parametrize(
    "text", ["", "[]", "a: b: c", "sources: [", "\t- x", "a: *b", "sources: !!python/name:os.system"]
)
def test_a_configuration_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    ran = run("update", cwd=tmp_path)
    assert ran.code == 2
    assert ran.errors
    assert len(ran.errors) == len(ran.messages)
    assert all(error.startswith("config.yaml") for error in ran.errors)


def test_all_problems_of_a_configuration_in_one_go(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "destination:\n  directry: public\n"
        "sources:\n"
        "  - name: a\n    repo: o/a\n    charts: [../up, /abs]\n    minors: none\n"
        "  - name: A_b!\n    repo: o/b\n    chart: [x]\n"
        "  - name: a\n    repo: http://git.example.org/c\n    charts: [x]\n    versions: '>>1'\n"
        "  - name: d\n    repo: https://user:hunter2@example.org/d\n    charts: [x]\n"
    )
    ran = run("export", cwd=tmp_path)
    assert ran.code == 2
    assert "hunter2" not in ran.err
    assert len(ran.errors) == len(ran.messages)
    for line, words in (
        (2, "destination.directry: unknown key"),
        (6, "../up"),
        (6, "/abs"),
        (7, "minors"),
        (8, "name"),
        (10, "did you mean charts?"),
        (11, "name"),
        (12, "http is only allowed for this machine"),
        (14, "versions"),
        (16, "credentials in an address end up in logs"),
    ):
        assert [error for error in ran.errors if error.startswith(f"config.yaml:{line}:") and words in error], words
    assert not (tmp_path / "charts").exists()


def test_update_needs_a_destination(tmp_path: Path, weather: GitRepo) -> None:
    config(tmp_path, source("weather", "./weather.git"), destination="")
    ran = run("update", cwd=tmp_path)
    assert ran.code == 2
    assert ran.errors == ["config.yaml: destination: is missing; update needs a directory, or an owner and a repo"]
    ran = run("verify", cwd=tmp_path)
    assert ran.errors == ["config.yaml: destination: is missing; verify needs a directory, or an owner and a repo"]


# --- what upstream has


def test_a_chart_that_moved(tmp_path: Path) -> None:
    folder = "charts/gardener-extension-admission-azure"
    repo = GitRepo(tmp_path / "azure.git")
    repo.release("v1.62.1", chart(folder=f"{folder}/charts/application") | chart(folder=f"{folder}/charts/runtime"))
    config(tmp_path, source("provider-azure", "./azure.git", charts=f"[{folder}]"))
    ran = run("update", cwd=tmp_path)
    assert ran.code == 1
    assert ran.errors == [
        f"provider-azure v1.62.1: {folder} has no Chart.yaml; charts were found in {folder}/charts/application "
        "and .../charts/runtime"
    ]


def test_a_missing_path_and_one_that_is_a_file(tmp_path: Path, weather: GitRepo) -> None:
    config(
        tmp_path,
        source("a", "./weather.git", charts="[charts/wether]"),
        source("b", "./weather.git", charts="[charts/weather/values.yaml]"),
        source("c", "./weather.git", charts="[charts/weather, charts/none]"),
    )
    ran = run("update", cwd=tmp_path)
    assert ran.code == 1
    assert (
        ran.errors[0]
        == "a v1.0.0: charts/wether does not exist at this tag; charts that look like it: charts/weather; "
        "if upstream dropped it, limit it with versions:"
    )
    assert ran.errors[1].startswith("b v1.0.0: charts/weather/values.yaml ")
    assert ran.errors[2].startswith("c v1.0.0: charts/none ")
    assert len(ran.errors) == 3
    assert not (tmp_path / "public").exists()


def test_a_missing_registration(tmp_path: Path, weather: GitRepo) -> None:
    weather.release("v1.1.0", {"somewhere/controller-registration.yaml": "a: b\n"})
    config(tmp_path, source("a", "./weather.git", charts="[controller-registration]"))
    ran = run("update", cwd=tmp_path)
    places = (
        "examples/controller-registration.yaml, example/controller-registration.yaml, "
        "example/registration/controller-registration.yaml, deploy/extension/base/controller-registration.yaml"
    )
    none = f"there is no controller-registration, neither in {places} nor among the release's assets"
    assert ran.errors == [
        f"a v1.1.0: {none}; one is in somewhere/controller-registration.yaml, where none is expected, "
        "so name a chart's path under charts: instead",
        f"a v1.0.0: {none}; name a chart's path under charts:, or leave the release out with versions:",
    ]


def test_links_that_lead_nowhere(tmp_path: Path, weather: GitRepo) -> None:
    targets = ("../../../../../etc/passwd", "/etc/passwd", "values.yaml", "nothing", "../../.git/config")
    for number, target in enumerate(targets, 1):
        weather.release(f"v1.{number}.0", {"charts/weather/values.yaml": Link(target)})
    config(tmp_path, source("weather", "./weather.git", minors=10))
    ran = run("update", cwd=tmp_path)
    assert ran.code == 1
    assert [error.split(":")[0] for error in ran.errors] == [f"weather v1.{number}.0" for number in (5, 4, 3, 2, 1)]
    assert all("charts/weather/values.yaml" in error for error in ran.errors), ran.errors
    assert [path.name for path in (tmp_path / "public").glob("*.tgz")] == ["weather-1.0.0.tgz"]


def test_things_that_no_chart_holds(tmp_path: Path, weather: GitRepo) -> None:
    broken: tuple[Files, ...] = (
        {"charts/weather/Chart.yaml": "a: b: c"},
        {"charts/weather/Chart.yaml": "[]"},
        {"charts/weather/Chart.yaml": b"\xff\xfe"},
        {"charts/weather/values.yaml": "- a list\n"},
        {"charts/weather/templates": Submodule()},
    )
    for number, files in enumerate(broken, 1):
        weather.commit(chart(), fresh=True)
        weather.release(f"v1.{number}.0", files)
    config(tmp_path, source("weather", "./weather.git", minors=10))
    ran = run("update", cwd=tmp_path)
    assert [error.split(":")[0] for error in ran.errors] == [f"weather v1.{number}.0" for number in range(5, 0, -1)]
    assert all("charts/weather" in error for error in ran.errors), ran.errors


def test_hostile_paths_stay_inside(tmp_path: Path, weather: GitRepo) -> None:
    weather.release("v1.1.0", {"charts/weather/../../../evil": "x"})
    weather.commit({}, fresh=True)
    weather.commit(chart())
    weather.release("v1.2.0", {"charts/weather/a\\..\\evil": "x"})
    weather.release("v1.3.0", {b"charts/weather/caf\xe9": "x"})
    config(tmp_path, source("weather", "./weather.git", minors=9))
    before = set(tmp_path.parent.rglob("evil"))
    run("update", cwd=tmp_path)
    run("export", cwd=tmp_path)
    assert set(tmp_path.parent.rglob("evil")) == before


# --- repositories


def test_no_repository(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "file").touch()
    config(tmp_path, source("a", "./gone"), source("b", "./plain"), source("c", "./file"))
    ran = run("update", cwd=tmp_path)
    assert ran.code == 1
    assert ran.errors[0].startswith(f"a: {tmp_path}/gone is not a directory")
    assert ran.errors[1].startswith(f"b: {tmp_path}/plain is ")
    assert ran.errors[2].startswith(f"c: {tmp_path}/file is not a directory")
    assert not (tmp_path / "public").exists()


def test_a_repository_that_github_does_not_know(tmp_path: Path, hub: Hub, server: Server) -> None:
    hub.add_token(TOKEN)
    config(tmp_path, source("a", "o/gone", version="v1.0.0"))
    for command in ("update", "export", "fetch-latest-versions"):
        ran = run(command, cwd=tmp_path, env=server_env(server))
        where = "a" if command == "update" else "a v1.0.0"
        assert ran.code == 1
        assert ran.errors == [
            f"{where}: {server.url}/o/gone was not found; check owner and name, or set GITHUB_TOKEN if it is private"
        ]
    ran = run("update", cwd=tmp_path, env=server_env(server, TOKEN))
    assert ran.errors == [
        f"a: {server.url}/o/gone was not found; check owner and name, and whether the token may read it"
    ]


def test_a_release_that_github_does_not_know(tmp_path: Path, server: Server) -> None:
    config(tmp_path, source("a", "o/weather", version="v1.0.1"))
    ran = run("export", cwd=tmp_path, env=server_env(server))
    assert (ran.code, ran.errors) == (1, ["a v1.0.1: o/weather has no release v1.0.1; did you mean v1.0.0?"])


def test_a_release_without_its_tag(tmp_path: Path, hub: Hub, server: Server) -> None:
    hub.add_release("o/weather", "v2.0.0")
    config(tmp_path, source("a", "o/weather"))
    ran = run("update", cwd=tmp_path, env=server_env(server))
    assert ran.code == 1
    assert len(ran.errors) == 1
    assert ran.errors[0].startswith("a v2.0.0: ")
    assert "v2.0.0" in ran.errors[0].partition(": ")[2]
    assert [path.name for path in (tmp_path / "public").glob("*.tgz")] == ["a-1.0.0.tgz"]


def test_a_token_that_is_refused(tmp_path: Path, server: Server) -> None:
    config(tmp_path, source("a", "o/weather"))
    ran = run("update", cwd=tmp_path, env=server_env(server, TOKEN))
    host = server.url.partition("//")[2]
    assert ran.code == 1
    assert ran.errors == [
        f"a: the releases of o/weather can't be read: {host} refused the token (bad credentials); "
        "set GITHUB_TOKEN to a valid one"
    ]


@pytest.mark.parametrize("command", ["update", "export", "fetch-latest-versions"])
def test_a_rate_limit(tmp_path: Path, hub: Hub, server: Server, weather: GitRepo, command: str) -> None:
    hub.add_fault(
        Fault(on("GET", "/repos/o/weather"), "refuse", times=None, status=429, headers={"Retry-After": "3600"})
    )
    config(tmp_path, source("a", "o/weather", version="v1.0.0"), source("b", "./weather.git", version="v1.0.0"))
    ran = run(command, cwd=tmp_path, env=server_env(server))
    assert ran.code == 3, ran.err
    assert ran.errors == []
    assert [line for line in ran.messages if "asks for a wait of 60 min" in line and line.startswith("warning: ")]
    assert "set GITHUB_TOKEN" in ran.err
    if command == "update":
        assert (tmp_path / "public/b-1.0.0.tgz").exists()
    if command == "export":
        assert (tmp_path / "charts/b/Chart.yaml").exists()


def test_an_answer_that_is_not_githubs(
    tmp_path: Path, hub: Hub, server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config(tmp_path, source("a", "o/weather"))
    monkeypatch.setattr("chart_releaser.github.api._RETRY", RetryPolicy(attempts=5, first_pause=0.0))
    monkeypatch.chdir(tmp_path)
    for name, value in server_env(server).items():
        monkeypatch.setenv(name, value)
    for body in (b"<html>", b"{}", b"[1]", b"[{}]", b'[{"tag_name": null, "assets": 3}]', b"null", b'"x"'):
        hub.faults.clear()
        hub.add_fault(Fault(on("GET", "/releases"), "refuse", times=None, status=200, body=body))
        ran = called("update", capsys=capsys)
        assert ran.code == 1, (body, ran.err)
        assert len(ran.errors) == 1
        assert ran.errors[0].startswith("a: "), ran.errors


def test_a_server_that_is_broken(tmp_path: Path, hub: Hub, server: Server) -> None:
    hub.add_fault(Fault(everything, "refuse", times=None, status=418, message="\x1b[31mteapot\n::error::x"))
    config(tmp_path, source("a", "o/weather"))
    ran = run("update", cwd=tmp_path, env=server_env(server))
    host = server.url.partition("//")[2]
    assert ran.errors == [
        f"a: the releases of o/weather can't be read: {host} answered 418: \\x1b[31mteapot ::error::x; try again later"
    ]


def test_hosts_that_do_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("chart_releaser.github.api._RETRY", RetryPolicy(attempts=5, first_pause=0.0))
    monkeypatch.setattr("chart_releaser.git.remote._RETRY", RetryPolicy(attempts=1, first_pause=0.0))
    monkeypatch.chdir(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and never listening: connections are refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("GITHUB_SERVER_URL", url)
        monkeypatch.setenv("GITHUB_API_URL", url)
        config(tmp_path, source("a", "o/a"), source("b", f"{url.replace('127.0.0.1', 'localhost')}/b.git"))
        ran = called("update", capsys=capsys)
    assert ran.code == 1
    first, second = ran.errors
    assert first.startswith("a: the releases of o/a can't be read: 127.0.0.1:")
    assert first.endswith(
        "could not be reached: [Errno 111] Connection refused; try again later, "
        f"and check GITHUB_API_URL, which is {url}"
    )
    assert second.startswith("b: could not fetch http://localhost:")
    assert second.endswith("; check the network and the server, then run again")


def test_an_api_that_is_elsewhere(tmp_path: Path, server: Server) -> None:
    elsewhere = f"{server.url}/api"
    config(tmp_path, source("a", "o/weather"))
    ran = run("update", cwd=tmp_path, env=server_env(server) | {"GITHUB_API_URL": elsewhere})
    advice = (
        f"check owner and name, or set GITHUB_TOKEN if it is private; also check GITHUB_API_URL, which is {elsewhere}"
    )
    assert (ran.code, ran.errors) == (1, [f"a: {server.url}/o/weather was not found; {advice}"])
    config(tmp_path, source("a", "o/weather"), destination="destination: {owner: o, repo: charts}")
    ran = run("update", "--dry-run", cwd=tmp_path, env=server_env(server) | {"GITHUB_API_URL": elsewhere})
    assert ran.code == 2
    assert ran.errors[-1].endswith(f"give the token access to it; also check GITHUB_API_URL, which is {elsewhere}")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "GITHUB_SERVER_URL",
            "github.example.org",
            "GITHUB_SERVER_URL is not an http or https address; set",
        ),
        ("GITHUB_API_URL", "ftp://x", "GITHUB_API_URL is not an http or https address; set"),
        ("GITHUB_SERVER_URL", "https://me:hunter2@x.org", "GITHUB_SERVER_URL holds credentials; take them out"),
    ],
)
def test_a_malformed_server(tmp_path: Path, name: str, value: str, message: str) -> None:
    config(tmp_path, source("a", "o/a"))
    ran = run("update", cwd=tmp_path, env={name: value})
    assert ran.code == 2
    assert len(ran.errors) == 1
    assert ran.errors[0].startswith(message)
    assert "hunter2" not in ran.err


def test_a_cache_that_cannot_be_written(tmp_path: Path, server: Server) -> None:
    (tmp_path / "file").touch()
    config(tmp_path, source("a", "o/weather"))
    ran = run("update", "--cache-dir", "file/cache", cwd=tmp_path, env=server_env(server))
    assert ran.code == 1
    assert len(ran.errors) == 1
    assert ran.errors[0].startswith(f"a v1.0.0: the cache {tmp_path}/file/cache")
    assert ran.errors[0].endswith(
        "can't be used: Not a directory; choose another place with --cache-dir, or run again when that is fixed"
    )


def test_a_destination_that_cannot_be_used(tmp_path: Path, weather: GitRepo) -> None:
    (tmp_path / "public").write_text("mine")
    config(tmp_path, source("weather", "./weather.git"))
    before = snapshot(tmp_path)
    ran = run("update", cwd=tmp_path)
    assert ran.code == 2
    assert ran.errors == [f"{tmp_path}/public is not a directory; name another one under destination: directory"]
    assert snapshot(tmp_path) == before
    (tmp_path / "public").unlink()
    (tmp_path / "public").mkdir()
    (tmp_path / "public/index.yaml").write_text("apiVersion: v1\nentries: [\n")
    ran = run("update", cwd=tmp_path)
    assert ran.code in (1, 2)
    assert len(ran.errors) == 1
    assert ran.errors[0].startswith(f"{tmp_path}/public/index.yaml")
    assert [path.name for path in (tmp_path / "public").iterdir()] == ["index.yaml"]


def test_a_long_message_is_one_line(tmp_path: Path, weather: GitRepo) -> None:
    folder = "charts/" + "/".join(["a-long-name"] * 40)
    config(tmp_path, source("weather", "./weather.git", charts=f"[{folder}]"))
    ran = run("update", cwd=tmp_path)
    assert len(ran.errors) == 1
    assert folder in ran.errors[0]


def test_two_tags_of_one_version(tmp_path: Path, weather: GitRepo) -> None:
    weather.release("1.0.0", {"charts/weather/values.yaml": "tag: none\n"})
    config(tmp_path, source("weather", "./weather.git"))
    ran = run("update", cwd=tmp_path, ok=True)
    assert ran.out == "published  weather  1.0.0  weather-1.0.0.tgz\n"
    verbose = run("update", "-v", cwd=tmp_path, ok=True)
    assert "weather 1.0.0: not tracked: the same version as v1.0.0" in verbose.messages
