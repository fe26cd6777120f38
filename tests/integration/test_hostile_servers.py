"""Git servers and APIs made to harm: what comes of their answers, and who is asked what with which headers."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart_releaser.git import remote as gitremote
from chart_releaser.git import run as gitrun
from chart_releaser.github import api as githubapi
from tests.cli.runner import TOKEN, Ran, called, chart, run, server_env, upstream
from tests.gitrepo import GitRepo
from tests.hostile import REGISTRATION, World, unpacked
from tests.hub import Fault, Hub, on, running

Answer = Callable[[BaseHTTPRequestHandler], None]
REFS = "application/x-git-upload-pack-advertisement"
SECRETS = (TOKEN, base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode())


class Scripted(ThreadingHTTPServer):
    """Answers what each first part of a path has been given, and remembers who asked for what."""

    daemon_threads = True

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answers = answers
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that had enough."""


class _Handler(BaseHTTPRequestHandler):
    server: Scripted

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers.items())))
        for part, answer in self.server.answers.items():
            if part in self.path:
                return answer(self)
        return self.send_error(404)

    do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Requests are remembered."""


@contextlib.contextmanager
def scripted(answers: dict[str, Answer]) -> Iterator[Scripted]:
    server = Scripted(answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def says(body: bytes, kind: str = "text/html", status: int = 200, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def leads(location: str, status: int = 302) -> Answer:
    return says(b"", status=status, Location=location)


def streams(blocks: Callable[[], Iterator[bytes]], kind: str = REFS) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.end_headers()
        for block in blocks():
            handler.wfile.write(block)

    return answer


def line(text: bytes) -> bytes:
    return b"%04x%b" % (len(text) + 4, text)


def drips() -> Iterator[bytes]:
    for _ in range(600):
        yield b"0"
        time.sleep(0.1)


def endless() -> Iterator[bytes]:
    yield line(b"# service=git-upload-pack\n") + b"0000" + line(b"1" * 40 + b" refs/tags/v0.0.1\0agent=x\n")
    for number in range(100_000):
        yield b"".join(line(b"%040x refs/tags/v%d.%d.0\n" % (n + 1, number, n)) for n in range(1000))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is waited for, and how much may be taken, is less than outside of tests."""
    monkeypatch.setattr(gitremote, "_RETRY", replace(gitremote._RETRY, attempts=1))
    monkeypatch.setattr(githubapi, "_RETRY", replace(githubapi._RETRY, first_pause=0.0))
    monkeypatch.setattr(gitrun, "_MEMORY_LIMIT", 64 << 20)
    fixed = tuple(setting.replace("lowSpeedTime=60", "lowSpeedTime=1") for setting in gitrun._FIXED)
    monkeypatch.setattr(gitrun, "_FIXED", fixed)


@pytest.fixture
def update(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run `update` in a world; nothing around it changes, no secret is told or kept."""

    def run_it(world: World, env: dict[str, str] | None = None) -> Ran:
        monkeypatch.chdir(world.work)
        for name, value in (env or {}).items():
            monkeypatch.setenv(name, value)
        before = world.around()
        started = time.monotonic()
        ran = called("update", capsys=capsys)
        assert time.monotonic() - started < 50
        assert world.around() == before
        assert not [secret for secret in SECRETS if secret in ran.out + ran.err]
        for top in (world.folder, Path(os.environ["HOME"])):
            for path in top.rglob("*"):
                assert not path.is_file() or not [s for s in SECRETS if s.encode() in path.read_bytes()], path
        return ran

    return run_it


def published(world: World) -> set[str]:
    return {path.name for path in (world.work / "public").glob("*.tgz")}


GIT: dict[str, tuple[Answer, str]] = {
    "html": (says(b"<html>Sign in</html>"), "no branch and no tag, if it is a git repository at all"),
    "html-as-git": (says(b"<html>Sign in</html>", REFS), "bad line length|invalid server response"),
    "nothing": (says(b"", REFS), "hung up|invalid server response|expected flush"),
    "json": (says(b"{}", "application/json"), "no branch and no tag, if it is a git repository at all"),
    "to-file": (leads("file:///etc/passwd"), "could not fetch"),
    "to-shell": (leads("ext::sh -c touch% pwned"), "could not fetch"),
    "to-ssh": (leads("ssh://localhost/x"), "could not fetch"),
    "to-ftp": (leads("ftp://localhost/x"), "could not fetch"),
    "to-itself": (leads("/to-itself/info/refs?service=git-upload-pack"), "could not fetch"),
    "drips": (streams(drips), "too slow"),
    "endless": (streams(endless), "Out of memory"),
    "dumb": (says(b"1" * 40 + b"\trefs/tags/v1.0.0\n", "text/plain"), "could not fetch"),
    "colours": (says(line(b"ERR \x1b[31m::error::no\n"), REFS), "no"),
    "refused": (says(b"", "text/html", 401, **{"WWW-Authenticate": 'Basic realm="x"'}), "check its address"),
}


def test_git_servers(tmp_path: Path, update: Callable[..., Ran]) -> None:
    with scripted({}) as other, scripted({f"/{name}/": answer for name, (answer, _) in GIT.items()}) as server:
        server.answers["/alternates/objects/info/"] = says(f"{other.url}/x/objects\n".encode(), "text/plain")
        world = World(tmp_path)
        world.sources += [f"name: {name}, repo: '{server.url}/{name}', charts: [x]" for name in GIT]
        world.configure()
        ran = update(world, {"GITHUB_TOKEN": TOKEN})
        assert other.asked == []
        assert not [headers for _, headers in server.asked if "Authorization" in headers]
    assert ran.code == 1
    assert published(world) == {"neighbour-1.0.0.tgz"}
    errors = dict(error.split(": ", 1) for error in ran.errors)
    assert {title.split(" ")[0] for title in errors} == set(GIT)
    for title, error in errors.items():
        assert server.url in error
        assert "; " in error
        assert any(part in error for part in GIT[title.split(" ")[0]][1].split("|")), error
    assert not list(tmp_path.rglob("pwned"))


def test_answers_that_break_off_and_objects_that_are_others(tmp_path: Path, update: Callable[..., Ran]) -> None:
    repo = upstream(tmp_path / "up.git", ["v1.0.0"])
    forged = upstream(tmp_path / "forged.git", ["v1.0.0", "v1.1.0"])
    oid, other = (forged.git("rev-parse", f"v1.{minor}.0:charts/weather/values.yaml").strip() for minor in (0, 1))
    objects = forged.path / "objects"
    (objects / oid[:2] / oid[2:]).write_bytes((objects / other[:2] / other[2:]).read_bytes())
    hub = Hub()
    hub.add_repository("o/up", repo.path)
    hub.add_fault(Fault(on("POST", "/git-upload-pack$"), "truncate", nth=2, times=None))
    with running(hub) as server:
        world = World(tmp_path / "world")
        world.sources.append(f"name: broken, repo: '{server.url}/o/up.git', charts: [charts/weather]")
        world.sources.append(f"name: forged, repo: {forged.path}, charts: [charts/weather]")
        world.configure()
        ran = update(world)
    errors = sorted(ran.errors)
    assert [error.split(": ")[0] for error in errors] == ["broken v1.0.0", "forged v1.0.0"]
    assert "could not fetch" in errors[0]
    assert published(world) == {"neighbour-1.0.0.tgz", "forged-1.1.0.tgz"}


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_a_tag_that_moves_meanwhile_gives_a_chart_of_one_commit(
    tmp_path: Path, update: Callable[..., Ran], nth: int
) -> None:
    repo = GitRepo(tmp_path / "up.git")
    commits = {repo.commit({**chart(), "charts/weather/values.yaml": f"n: {n}\n"}): n for n in (1, 2)}
    first, second = commits
    repo.tag("v1.0.0", target=first)
    hub = Hub()
    hub.add_repository("o/up", repo.path)
    action = lambda: repo.tag("v1.0.0", target=second)  # noqa: E731
    hub.add_fault(Fault(on("*", "/o/up"), "callback", nth=nth, action=action))
    with running(hub) as server:
        world = World(tmp_path / "world")
        world.sources.append(f"name: up, repo: '{server.url}/o/up.git', charts: [charts/weather]")
        world.configure()
        ran = update(world)
    assert ran.errors == []
    files = unpacked((world.work / "public/up-1.0.0.tgz").read_bytes())
    commit = yaml.safe_load(files["Chart.yaml"])["annotations"]["org.opencontainers.image.revision"]
    assert files["values.yaml"] == f"n: {commits[commit]}\n".encode()


def release(tag: object = "v1.0.0", **more: object) -> dict[str, object]:
    return {"tag_name": tag, "draft": False, "prerelease": False, "body": "", "assets": [], **more}


def as_json(value: object, **headers: str) -> Answer:
    return says(json.dumps(value).encode(), "application/json", 200, **headers)


def test_apis(tmp_path: Path, update: Callable[..., Ran]) -> None:
    """Each repository of the server answers otherwise; its links lead to another host, where nobody may ask."""
    with scripted({"/": as_json([release()])}) as other:
        there = other.url.replace("127.0.0.1", "localhost")
        answers: dict[str, Answer] = {
            "html": says(b"<html>Sign in</html>"),
            "object": as_json({"message": "hello"}),
            "text": as_json("hello"),
            "nothing": says(b"", "application/json"),
            "deep": says(b"[" * 100_000, "application/json"),
            "numbers": as_json([1, 2]),
            "lists": as_json([[]]),
            "no-tag": as_json([{}]),
            "tag-is-a-list": as_json([release(["v1.0.0"])]),
            "assets-are-a-number": as_json([release(assets=3)]),
            "next-elsewhere": as_json([release("x")], Link=f'<{there}/repos/o/next?page=2>; rel="next"'),
            "next-is-a-file": as_json([release("x")], Link='<file:///etc/passwd>; rel="next"'),
            "to-another-host": leads(f"{there}/repos/o/x/releases", 301),
            "to-a-file": leads("file:///etc/passwd"),
            "to-itself": leads("/api/repos/o/to-itself/releases"),
        }
        with scripted({f"/o/{name}/": answer for name, answer in answers.items()}) as server:
            world = World(tmp_path)
            world.sources += [f"name: {name}, repo: o/{name}, charts: [x]" for name in answers]
            world.configure()
            env = {"GITHUB_SERVER_URL": server.url, "GITHUB_API_URL": f"{server.url}/api", "GITHUB_TOKEN": TOKEN}
            ran = update(world, env)
            assert [headers for _, headers in server.asked if "Authorization" in headers]
        assert not [headers for _, headers in other.asked if "Authorization" in headers]
    assert ran.code == 1
    assert published(world) == {"neighbour-1.0.0.tgz"}
    assert {error.split(":")[0] for error in ran.errors} == set(answers), ran.errors
    assert len(ran.errors) == len(answers)
    assert all("; " in error for error in ran.errors), ran.errors


@pytest.mark.parametrize("kind", ["digest", "size", "redirect", "redirect to a file", "another host", "html"])
def test_assets(tmp_path: Path, update: Callable[..., Ran], kind: str) -> None:
    repo = upstream(tmp_path / "up.git", ["v1.0.0"])
    text = str(REGISTRATION["example/controller-registration.yaml"]).encode()
    hub = Hub()
    hub.add_repository("o/up", repo.path)
    hub.add_token(TOKEN)
    hub.add_release("o/up", "v1.0.0", assets={"controller-registration.yaml": text})
    with scripted({"/": says(text, "application/octet-stream")}) as other, running(hub) as server:
        there = other.url.replace("127.0.0.1", "localhost") + "/x"
        at_asset = on("GET", "/releases/assets/")
        match kind:
            case "digest":
                hub.add_fault(Fault(at_asset, "refuse", status=200, body=text + b"# more\n", times=None))
            case "html":
                hub.add_fault(Fault(at_asset, "refuse", status=200, body=b"<html>", times=None))
            case "size":
                hub.add_fault(Fault(at_asset, "refuse", status=200, body=bytes(6 << 20), times=None))
            case "redirect":
                hub.add_fault(Fault(at_asset, "redirect", location=there, times=None))
            case "redirect to a file":
                hub.add_fault(Fault(at_asset, "redirect", location="file:///etc/passwd", times=None))
            case _:
                asset = {"name": "controller-registration.yaml", "url": there, "size": len(text), "state": "uploaded"}
                body = json.dumps([release(assets=[asset])]).encode()
                hub.add_fault(Fault(on("GET", "/repos/o/up/releases$"), "refuse", status=200, body=body, times=None))
        world = World(tmp_path / "world")
        world.sources.append("name: up, repo: o/up, charts: [controller-registration]")
        world.configure()
        ran = update(world, server_env(server, TOKEN))
        assert not [headers for _, headers in other.asked if "Authorization" in headers]
    if kind in ("redirect", "another host"):  # GitHub's own assets are elsewhere, too
        assert ran.errors == []
        assert published(world) == {"up-1.0.0.tgz", "neighbour-1.0.0.tgz"}
    else:
        assert [error.split(": ")[0] for error in ran.errors] == ["up v1.0.0"]
        assert published(world) == {"neighbour-1.0.0.tgz"}


def test_pages_without_an_end(tmp_path: Path, update: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    def page(handler: BaseHTTPRequestHandler) -> None:
        asked = len(server.asked)
        following = f'<{server.url}/api/repos/o/x/releases?page={asked + 1}>; rel="next"'
        as_json([release(f"other-{asked}")], Link=following)(handler)

    monkeypatch.setattr(githubapi, "_MAX_PAGES", 20)
    with scripted({"/o/x/": page}) as server:
        world = World(tmp_path)
        world.sources.append("name: x, repo: o/x, charts: [x]")
        world.configure()
        ran = update(world, {"GITHUB_SERVER_URL": server.url, "GITHUB_API_URL": f"{server.url}/api"})
        assert len(server.asked) == 21
    assert ran.errors == [
        f"x: the releases of o/x can't be read: {server.url}/api/repos/o/x/releases fills more than 20 pages, "
        f"which GitHub's lists never do; try again later, and check GITHUB_API_URL, which is {server.url}/api"
    ]
    assert published(world) == {"neighbour-1.0.0.tgz"}


def test_the_token_is_in_no_output_file_or_argument(tmp_path: Path) -> None:
    """A private repository with an asset, read with the token by the installed command, and one that has moved."""
    repo = upstream(tmp_path / "up.git", ["v1.0.0", "v1.1.0"])
    hub, elsewhere = Hub(), Hub()
    text = str(REGISTRATION["example/controller-registration.yaml"]).encode()
    hub.add_repository("o/up", repo.path, private=True)
    elsewhere.add_repository("o/away", upstream(tmp_path / "away.git", ["v1.0.0"]).path)
    hub.add_repository("o/away")
    hub.add_token(TOKEN, read=["o/up"])
    for slug in ("o/up", "o/away"):
        hub.add_release(slug, "v1.0.0", assets={"controller-registration.yaml": text})
    arguments: list[bytes] = []

    def look() -> None:
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                arguments.append(process.read_bytes())

    with running(hub) as server, running(elsewhere) as other:
        location = f"{other.url.replace('127.0.0.1', 'localhost')}/o/away.git/info/refs?service=git-upload-pack"
        hub.add_fault(Fault(on("GET", "/o/away.git/"), "redirect", location=location, times=None))
        hub.add_fault(Fault(on("*", "/"), "callback", times=None, action=look))
        world = World(tmp_path / "world")
        for name in ("up", "away"):
            world.sources.append(f"name: {name}, repo: o/{name}, charts: [controller-registration, charts/weather]")
        world.configure()
        ran = run("update", "-v", cwd=world.work, env={**server_env(server, TOKEN), "GIT_TRACE_CURL": "1"})
        assert {record.token for record in elsewhere.journal} == {None}
    assert ran.code == 0, ran.err
    assert published(world) == {"up-1.0.0.tgz", "away-1.0.0.tgz", "neighbour-1.0.0.tgz"}
    assert any(b"remote-http" in line for line in arguments)
    assert not [line for line in arguments if any(secret.encode() in line for secret in SECRETS)]
    for top in (tmp_path, Path(os.environ["HOME"])):
        for path in top.rglob("*"):
            assert not path.is_file() or not [s for s in SECRETS if s.encode() in path.read_bytes()], path
