"""Whom a run trusts: not the current directory, and no process with what it need not know."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chart_releaser.environment import PASSPHRASE
from tests.cli.runner import SCRIPT, TOKEN, Files, begin, chart, config, run, server_env, source, upstream
from tests.hub import Fault, GitDir, Hub, Server, create, on, running
from tests.lacking import NO_GPG, needs

WHO = "charts@example.org"
PASSWORD = "open-sesame-of-tests"
SLUG = "acme/charts"
FOREIGN = {
    "AWS_SECRET_ACCESS_KEY": "aws-key-of-tests",
    "ACTIONS_RUNTIME_TOKEN": "runtime-token-of-tests",
    "GIT_CURL_VERBOSE": "1",
    "GIT_TRACE2_CONFIG_PARAMS": "http.*",
}
has_gpg = needs(shutil.which("gpg") is not None, NO_GPG, "REQUIRE_GPG")


def asking_chart() -> Files:
    """A chart whose schema is asked: it has a switch for a sub-chart that it does not declare."""
    schema = json.dumps({"properties": {"replicas": {"type": "integer"}}})
    sub = chart("sub", "charts/weather/charts/sub")
    return {**chart(more={"values.schema.json": schema}), **sub}


def trap(path: Path, marker: Path) -> None:
    """A Python module that tells that it was executed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"open({str(marker)!r}, 'a').write(__file__ + chr(10))\n")


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def wrapped(folder: Path, program: str, log: Path) -> None:
    """A program in `folder` that writes down its environment and working directory before it becomes the true one."""
    true = shutil.which(program)
    script(folder / program, f'(echo "$1 IN $(pwd)"; env) >> {log}.$$\nexec {true} "$@"')


def written(log: Path) -> str:
    return "\n".join(path.read_text() for path in log.parent.glob(f"{log.name}.*"))


MODULES = {
    "libraries": ["yaml", "jsonschema/__init__", "referencing/__init__", "git/__init__", "sitecustomize"],
    "Python's own": ["json", "re", "resource", "usercustomize"],
    "ours": ["chart_releaser/__init__", "chart_releaser/charts/__init__", "chart_releaser/charts/schema_check"],
}


@pytest.mark.parametrize("modules", MODULES)
@pytest.mark.parametrize("command", ["update", "export"])
def test_no_module_of_the_current_directory_is_run(tmp_path: Path, command: str, modules: str) -> None:
    work, marker = tmp_path / "work", tmp_path / "ran"
    for name in MODULES[modules]:
        trap(work / f"{name}.py", marker)
    repo = upstream(tmp_path / "up.git", ["v1.0.0"], asking_chart())
    config(work, source("weather", repo.path))
    run(command, cwd=work, script=SCRIPT, ok=True)
    assert not marker.exists(), marker.read_text()


def test_no_module_of_an_exported_chart_is_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    names = ("token", "json", "yaml", "types", "operator", "select", "random", "platform", "inspect")
    sources = []
    for name in names:
        files = chart(
            name, more={"values.schema.json": "{}", "__init__.py": f"open({str(marker)!r}, 'a').write('x')\n"}
        )
        repo = upstream(tmp_path / f"{name}.git", ["v1.0.0"], {**files, **chart("sub", f"charts/{name}/charts/sub")})
        sources.append(source(name, repo.path, charts=f"[charts/{name}]"))
    work = tmp_path / "work"
    work.mkdir()
    config(work, *sources)
    for _ in range(2):
        run("export", "-t", ".", cwd=work, script=SCRIPT, ok=True)
        assert all((work / name / "__init__.py").exists() for name in names)
    run("update", cwd=work, script=SCRIPT, ok=True)
    assert not marker.exists()


@pytest.mark.parametrize("path", [".:{}", ":{}", "{}:", "tools:{}"])
def test_no_program_of_the_current_directory_is_run(tmp_path: Path, path: str) -> None:
    work, marker = tmp_path / "work", tmp_path / "ran"
    true = os.environ["PATH"]
    if path == "{}:":  # what is last in the list is only found where the true ones are not
        (tmp_path / "bin").mkdir()
        for name in ("sh", "env"):
            (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
        true = str(tmp_path / "bin")
    for folder in (work, work / "tools"):
        for name in ("git", "gpg", "sh", "python", "python3", "gpg-connect-agent", "gpgconf", "git-remote-https"):
            script(folder / name, f'echo "$0" >> {marker}; exit 1')
    repo = upstream(tmp_path / "up.git", ["v1.0.0"], asking_chart())
    config(work, source("weather", repo.path), destination=f"destination: {{directory: public, sign: {WHO}}}")
    run("update", cwd=work, env={"PATH": path.format(true), "GNUPGHOME": str(tmp_path / "none")})
    run("export", cwd=work, env={"PATH": path.format(true)})
    assert not marker.exists(), marker.read_text()


# --- what the processes know


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """A GitHub with a private upstream and a repository to publish to."""
    hub = Hub()
    path = create(tmp_path / "charts.git")
    GitDir(path).commit("main", {"README.md": b"# Charts\n"}, time=1_600_000_000)
    hub.add_repository(SLUG, path)
    hub.add_token(TOKEN, {SLUG}, read=["up/weather"])
    hub.add_repository("up/weather", upstream(tmp_path / "weather.git", ["v1.0.0"], asking_chart()).path)
    hub.at("up/weather").private = True
    hub.releases_from_tags("up/weather")
    return hub


@pytest.fixture
def server(hub: Hub) -> Iterator[Server]:
    """The hub, answering."""
    with running(hub) as server:
        yield server


@pytest.fixture(scope="module")
def made_keyring(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A keyring that holds a key with a passphrase, which takes seconds to make; no agent is running for it."""
    home = tmp_path_factory.mktemp("gpg")
    home.chmod(0o700)
    env = {**os.environ, "GNUPGHOME": str(home)}
    batch = ["gpg", "--batch", "--pinentry-mode", "loopback", "--passphrase", PASSWORD]
    subprocess.run([*batch, "--quick-gen-key", f"Charts <{WHO}>", "rsa2048", "sign", "0"], env=env, check=True)
    subprocess.run(["gpgconf", "--kill", "all"], env=env, check=True)
    return home


@pytest.fixture
def keyring(made_keyring: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environment variables with a keyring of the test's own."""
    home = tmp_path_factory.mktemp("gpg")
    shutil.copytree(made_keyring, home, ignore=shutil.ignore_patterns("S.*"), dirs_exist_ok=True)
    home.chmod(0o700)
    yield {"GNUPGHOME": str(home), PASSPHRASE: PASSWORD}
    subprocess.run(["gpgconf", "--kill", "all"], env={**os.environ, "GNUPGHOME": str(home)}, check=False)


def agents(home: str) -> list[int]:
    """Processes whose keyring is in `home`."""
    return [pid for pid, environ in environments().items() if f"GNUPGHOME={home}\0" in environ + "\0"]


def environments() -> dict[int, str]:
    """The environment of every process that can be looked at, this one's excepted."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                found[int(entry.name)] = (entry / "environ").read_bytes().decode(errors="replace")
    return found


@has_gpg
def test_no_process_knows_more_than_it_needs(tmp_path: Path, server: Server, keyring: dict[str, str]) -> None:
    work, tools, log = tmp_path / "work", tmp_path / "tools", tmp_path / "env"
    work.mkdir()
    for program in ("git", "gpg", "gpg-connect-agent", "gpgconf"):
        wrapped(tools, program, log)
    config(
        work, source("weather", "up/weather"), destination=f"destination: {{owner: acme, repo: charts, sign: {WHO}}}"
    )
    env = {
        **server_env(server, TOKEN), **FOREIGN, **keyring, "GH_TOKEN": f"{TOKEN}-of-gh",
        "PATH": f"{tools}:{os.environ['PATH']}", "CHART_RELEASER_PASS_ENV": "WANTED,GITHUB_TOKEN", "WANTED": "yes",
    }  # fmt: skip
    run("update", "-v", cwd=work, env=env, ok=True)
    seen = written(log)
    assert "GIT_DIR=" in seen
    assert f"GNUPGHOME={keyring['GNUPGHOME']}" in seen
    assert "WANTED=yes" in seen
    for name in (*FOREIGN, "GITHUB_TOKEN", "GH_TOKEN", PASSPHRASE):
        assert f"\n{name}=" not in seen
    for secret in (TOKEN, PASSWORD, *(value for value in FOREIGN.values() if len(value) > 6)):
        assert secret not in seen
    places = {line for line in seen.splitlines() if " IN /" in line and not line.startswith("version IN ")}
    assert {place.partition(" IN ")[2] for place in places} == {"/"}


@pytest.mark.parametrize("how", ["variables", "configuration"])
def test_no_trace_of_git_holds_the_token(tmp_path: Path, server: Server, how: str) -> None:
    trace = tmp_path / "trace"
    env = {**server_env(server, TOKEN), "GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig")}
    if how == "variables":
        for name in (
            "GIT_TRACE",
            "GIT_TRACE_CURL",
            "GIT_TRACE2",
            "GIT_TRACE2_EVENT",
            "GIT_TRACE2_PERF",
            "GIT_TRACE_SETUP",
        ):
            env[name] = str(trace)
        env |= {"GIT_TRACE2_CONFIG_PARAMS": "*", "GIT_TRACE2_ENV_VARS": "GIT_CONFIG_VALUE_1,GIT_CONFIG_VALUE_2"}
        env |= {"GIT_TRACE_REDACT": "0", "GIT_TRACE_CURL_NO_DATA": "0", "SSLKEYLOGFILE": str(trace)}
    else:
        targets = "".join(f"\t{name}Target = {trace}\n" for name in ("normal", "event", "perf"))
        text = f"[trace2]\n{targets}\tconfigParams = *\n\tenvVars = GIT_CONFIG_VALUE_1,GIT_CONFIG_VALUE_2\n"
        (tmp_path / "gitconfig").write_text(text)
    work = tmp_path / "work"
    work.mkdir()
    config(work, source("weather", "up/weather"), destination="destination: {owner: acme, repo: charts}")
    run("update", cwd=work, env=env, ok=True)
    # GitPython's look at the version is all that is left: it knows no token.
    said = trace.read_text() if trace.exists() else ""
    assert "uthorization" not in said
    assert "extraheader" not in said.lower()


HELPED = {
    "plain": "[credential]\n\thelper = {run}\n",
    "server": '[credential]\n\thelper = {run}\n[credential "{url}"]\n\thelper = {run}\n',
    "repositories": '[credential "{url}/up/weather.git"]\n\thelper = {run}\n'
    '[credential "{url}/acme/charts.git"]\n\thelper = {run}\n',
    "another user": '[credential "{me}"]\n\thelper = {run}\n[url "{me}/"]\n\tinsteadOf = {url}/\n',
    "asked": "[core]\n\taskPass = {program}\n",
}


def helped(folder: Path, kind: str, url: str) -> tuple[dict[str, str], Path]:
    """Environment variables with a configuration that has a helper, and where the helper writes its environment to."""
    log, helper = folder / "helped", folder / "helper"
    script(helper, f"env >> {log}\n[ $1 = get ] && echo username=me && echo password={TOKEN} || echo {TOKEN}")
    me = url.replace("://", "://me@")
    (folder / "gitconfig").write_text(HELPED[kind].format(run=f"!{helper}", program=helper, url=url, me=me))
    env = {"GIT_CONFIG_GLOBAL": str(folder / "gitconfig")}
    return env | ({"SSH_ASKPASS": str(helper), "GIT_ASKPASS": str(helper)} if kind == "asked" else {}), log


@pytest.mark.parametrize("kind", HELPED)
@pytest.mark.parametrize("valid", [True, False], ids=["valid token", "refused token"])
def test_no_helper_is_told_the_token(tmp_path: Path, hub: Hub, server: Server, kind: str, valid: bool) -> None:
    if not valid:  # git asks its helpers where the server refuses
        headers = {"WWW-Authenticate": 'Basic realm="hub"'}
        hub.add_fault(Fault(on("*", r"\.git/"), "refuse", times=None, status=401, headers=headers))
    env, log = helped(tmp_path, kind, server.url)
    work = tmp_path / "work"
    work.mkdir()
    config(work, source("weather", "up/weather"), destination="destination: {owner: acme, repo: charts}")
    ran = run("update", cwd=work, env={**server_env(server, TOKEN), **env})
    assert (ran.code == 0) == valid, ran.err
    assert not log.exists()


@pytest.mark.parametrize("kind", HELPED)
def test_without_a_token_helpers_are_asked_and_learn_nothing(tmp_path: Path, server: Server, kind: str) -> None:
    env, log = helped(tmp_path, kind, server.url)
    work = tmp_path / "work"
    work.mkdir()
    config(work, source("weather", f"{server.url}/up/weather.git"))
    env |= {**FOREIGN, PASSPHRASE: PASSWORD, "GITHUB_TOKEN": "for-github-com"}
    run("update", cwd=work, env=env, ok=True)
    said = log.read_text()
    assert not [name for name in (*FOREIGN, PASSPHRASE, "GITHUB_TOKEN") if f"\n{name}=" in said]
    assert "for-github-com" not in said


def test_an_address_that_is_rewritten_takes_no_token_along(tmp_path: Path, server: Server) -> None:
    """Such as to ssh, whose programs would find it in their environment."""
    log = tmp_path / "ssh-env"
    script(tmp_path / "ssh", f"env >> {log}; exit 1")
    (tmp_path / "gitconfig").write_text(f'[url "ssh://git@example.org/"]\n\tinsteadOf = {server.url}/\n')
    config(tmp_path, source("weather", "up/weather"))
    env = {"GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig"), "GIT_SSH": str(tmp_path / "ssh")}
    run("update", cwd=tmp_path, env={**server_env(server, TOKEN), **env})
    said = log.read_text()
    assert "GIT_DIR" not in said  # git keeps its own from ssh, but not what is configured by variables
    assert "uthorization" not in said


def test_pushes_go_where_the_token_belongs(tmp_path: Path, server: Server) -> None:
    log = tmp_path / "ssh-env"
    script(tmp_path / "ssh", f"env >> {log}; exit 1")
    (tmp_path / "gitconfig").write_text(f'[url "ssh://git@example.org/"]\n\tpushInsteadOf = {server.url}/\n')
    config(tmp_path, source("weather", "up/weather"), destination="destination: {owner: acme, repo: charts}")
    env = {"GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig"), "GIT_SSH": str(tmp_path / "ssh")}
    run("update", cwd=tmp_path, env={**server_env(server, TOKEN), **env}, ok=True)
    assert not log.exists()


# --- what is left of a run


@has_gpg
@pytest.mark.parametrize("ending", ["done", "fails", "SIGTERM", "SIGINT twice"])
def test_the_agent_that_signing_started_ends_with_the_run(
    tmp_path: Path, hub: Hub, server: Server, keyring: dict[str, str], ending: str
) -> None:
    signing = threading.Event()
    if ending == "fails":
        hub.add_fault(Fault(on("POST", "/releases"), "refuse", times=None, status=422))
    elif ending != "done":
        hub.add_fault(Fault(on("POST", "^/api/uploads/"), "callback", times=None, action=signing.set))
        hub.add_fault(Fault(on("POST", "^/api/uploads/"), "slow", times=None, seconds=1.5))
    config(
        tmp_path,
        source("weather", "up/weather"),
        destination=f"destination: {{owner: acme, repo: charts, sign: {WHO}}}",
    )
    process = begin("update", cwd=tmp_path, env={**server_env(server, TOKEN), **keyring})
    with process:
        if ending.startswith("SIG"):
            assert signing.wait(30)
            assert agents(keyring["GNUPGHOME"]), "the test looks for the wrong thing"
            process.send_signal(signal.Signals[ending.split(maxsplit=1)[0]])
            if "twice" in ending:
                time.sleep(0.5)
                process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == {"done": 0, "fails": 1}.get(ending, 130), out + err
    end = time.monotonic() + 5  # it has been told, and takes a moment
    while agents(keyring["GNUPGHOME"]) and time.monotonic() < end:
        time.sleep(0.05)
    assert not agents(keyring["GNUPGHOME"])


@has_gpg
def test_an_agent_of_the_users_own_stays(tmp_path: Path, server: Server, keyring: dict[str, str]) -> None:
    full = {**os.environ, "GNUPGHOME": keyring["GNUPGHOME"]}
    subprocess.run(["gpg-connect-agent", "/bye"], env=full, check=True, capture_output=True)
    before = agents(keyring["GNUPGHOME"])
    assert before
    config(
        tmp_path,
        source("weather", "up/weather"),
        destination=f"destination: {{owner: acme, repo: charts, sign: {WHO}}}",
    )
    run("update", cwd=tmp_path, env={**server_env(server, TOKEN), **keyring}, ok=True)
    assert agents(keyring["GNUPGHOME"]) == before


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("where", ["up/weather.git", "acme/charts.git"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_no_git_outlives_the_run(
    tmp_path: Path, hub: Hub, server: Server, where: str, times: int, number: signal.Signals
) -> None:
    """A server that does not go on is waited for by git, not by a run that was asked to stop."""
    scratch, held, go_on = tmp_path / "scratch", threading.Event(), threading.Event()
    scratch.mkdir()

    def hold() -> None:
        held.set()
        go_on.wait(30)

    hub.add_fault(Fault(on("*", where), "callback", times=None, action=hold))
    config(tmp_path, source("weather", "up/weather"), destination="destination: {owner: acme, repo: charts}")
    env = {**server_env(server, TOKEN), "TMPDIR": str(scratch), "CHART_RELEASER_CACHE": str(scratch / "cache")}
    process = begin("update", cwd=tmp_path, env=env)
    try:
        with process:
            assert held.wait(30)
            assert ours(scratch), "the test looks for the wrong thing"
            begun = time.monotonic()
            for _ in range(times):
                process.send_signal(number)
                time.sleep(0.3)
            process.communicate(timeout=30)
        assert process.returncode == 130
        assert time.monotonic() - begun < 5
        assert not ours(scratch)
    finally:
        go_on.set()


def ours(scratch: Path) -> list[int]:
    """The processes whose temporary files would be in `scratch`, the program itself excepted."""
    return [
        pid for pid, environ in environments().items() if f"TMPDIR={scratch}\0" in environ and "GIT_DIR=" in environ
    ]
