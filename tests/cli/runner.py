"""Run the installed program as a user does, and small upstream repositories to run it on."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from chart_releaser import children
from chart_releaser.cli import main as cli
from tests.forks import Forks, at_start
from tests.gitrepo import Content, GitRepo
from tests.hub import Server

SCRIPT = Path(sys.executable).with_name("chart-releaser")
OLD_SCRIPT = Path(sys.executable).with_name("gardener-chart-releaser")
TOKEN = "ghs_" + "s3cr3tOfTheUser0" * 2
_TIMEOUT = 60


@dataclass(frozen=True)
class Ran:
    """What came of a run."""

    code: int
    out: str
    err: str

    @property
    def messages(self) -> list[str]:
        """The lines on stderr, the last one without the time that it took."""
        return [re.sub(r", in (\d+ min )?[\d.]+ s$", "", line) for line in self.err.splitlines()]

    @property
    def errors(self) -> list[str]:
        return [line.removeprefix("error: ") for line in self.messages if line.startswith("error: ")]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The test's clean environment with a narrow COLUMNS, which must not matter."""
    return {**os.environ, "COLUMNS": "40", **(more or {})}


@functools.cache
def _forks() -> Forks:
    """One for this process, from when it is needed first."""
    forks = Forks(SCRIPT, environment())
    atexit.register(forks.close)
    return forks


def run(
    *words: str | Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    script: Path | None = None,
    ok: bool | None = None,
) -> Ran:
    """Run the program to its end; no run may show a traceback, colours, or the token. `ok` demands exit code 0.

    It runs in a fork of a process that has loaded it, or, where a `script` is named or a variable takes effect when
    Python starts, as that script.
    """
    whole, argv = environment(env), [str(script or SCRIPT), *map(str, words)]
    if script is None and at_start(whole) == _forks().at_start:
        done = _forks().run(argv, cwd, whole, _TIMEOUT)
    else:
        done = subprocess.run(
            argv, cwd=cwd, env=whole, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_TIMEOUT
        )
    ran = Ran(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in ran.err, ran.err
    assert "\x1b" not in ran.out + ran.err, repr(ran.out + ran.err)
    assert TOKEN not in ran.out + ran.err
    if ok:
        assert ran.code == 0, ran.err
    return ran


@contextlib.contextmanager
def passing() -> Iterator[None]:
    """Undo what a run in this process does to it: it takes most of the environment out, and starts no process after."""
    environ = dict(os.environ)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(children, "_is_over", False)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(environ)


def called(*words: str, capsys: pytest.CaptureFixture[str]) -> Ran:
    """Run the program in this process, for what can only be provoked from inside."""
    capsys.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["chart-releaser", *words])
        with passing():
            code = cli.run_program()
    out, err = capsys.readouterr()
    assert "Traceback" not in err, err
    return Ran(code, out, err)


def begin(*words: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start the program, with pipes for what it writes."""
    return subprocess.Popen(
        [SCRIPT, *words],
        cwd=cwd,
        env=environment(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


Files = dict[str | bytes, Content | None]


def chart(name: str = "weather", folder: str = "", *, more: Mapping[str, str] | None = None) -> Files:
    """Files of a small chart, below `folder` or `charts/<name>`."""
    folder = folder or f"charts/{name}"
    return {
        f"{folder}/Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: 0.0.1\ndescription: A chart\n",
        f"{folder}/values.yaml": "# how many\nreplicas: 1\nimage:\n  tag: latest\n",
        f"{folder}/templates/map.yaml": (
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n"
            "data:\n  replicas: {{ .Values.replicas | quote }}\n"
        ),
        **{f"{folder}/{path}": content for path, content in (more or {}).items()},
    }


def upstream(path: Path, tags: Sequence[str], files: Files | None = None) -> GitRepo:
    """A repository with a chart that says in its values which tag it is of."""
    repo = GitRepo(path)
    content = dict(files) if files is not None else chart()
    repo.commit(content)
    for tag in tags:
        where = next((str(name) for name in content if str(name).endswith("values.yaml")), "VERSION")
        repo.release(tag, {where: f"tag: {tag}\n"}, f"Notes of {tag}\n")
    return repo


def config(folder: Path, *sources: str, destination: str = "destination: {directory: public}") -> Path:
    """Write config.yaml; each source is one in YAML's flow style, without the braces."""
    path = folder / "config.yaml"
    path.write_text("\n".join([destination, "sources:", *(f"  - {{{source}}}" for source in sources)]) + "\n")
    return path


def source(name: str, repo: object, *, charts: str = "[charts/weather]", **more: object) -> str:
    """A source for `config`."""
    fields = "".join(f", {key}: {value}" for key, value in more.items())
    return f"name: {name}, repo: {repo}, charts: {charts}{fields}"


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Every path below a folder and its content."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def server_env(server: Server, token: str = "") -> dict[str, str]:
    """What makes `server` the GitHub server of a run."""
    environ = {"GITHUB_SERVER_URL": server.url, "GITHUB_API_URL": server.api_url}
    return {**environ, "GITHUB_TOKEN": token} if token else environ
