"""Git's smart HTTP protocol, served by git's own http-backend, with GitHub's permissions.

The configuration of the served repository is not changed. GitHub's settings are passed in the environment.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast
from urllib.parse import unquote

from tests.hub.gitdir import environment
from tests.hub.hub import Hub
from tests.hub.journal import Record
from tests.hub.messages import Request, Response
from tests.hub.state import HubRepository, Token

PATH = re.compile(r"/([^/]+)/([^/]+?)(?:\.git)?/(info/refs|git-upload-pack|git-receive-pack)")
SETTINGS = {
    "safe.directory": "*",
    "http.receivepack": "true",
    "uploadpack.allowFilter": "true",
    "uploadpack.allowAnySHA1InWant": "true",
    "receive.autogc": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "core.logAllRefUpdates": "false",
}
HOOK = """#!/bin/sh
case "
$HUB_PROTECTED
" in
*"
$1
"*)
  echo "error: GH006: Protected branch update failed for $1." >&2
  echo "error: Changes must be made through a pull request." >&2
  exit 1
esac
"""
CHALLENGE = {"WWW-Authenticate": 'Basic realm="GitHub"'}


def install_hooks(directory: Path) -> Path:
    """Write the hook that guards protected branches to a directory of its own, and return that directory."""
    hook = directory / "update"
    hook.write_text(HOOK, encoding="utf-8")
    hook.chmod(0o755)
    return directory


def _say(status: int, text: str, **headers: str) -> Response:
    return Response(status, {"Content-Type": "text/plain; charset=utf-8", **headers}, text.encode())


def _refused(hub: Hub, repository: HubRepository | None, token: Token | None, *, push: bool) -> Response | None:
    """Return the refusal if the caller may not do this, else None."""
    slug = repository.slug if repository else ""
    seen = repository is not None and (not repository.private or (token is not None and token.may_read(slug)))
    if not seen:
        if token is None:
            return _say(401, "Repository not found.", **CHALLENGE)
        return _say(404, "Repository not found.")
    if not push:
        return None
    if token is None:
        return _say(401, "No anonymous write access.", **CHALLENGE)
    if not token.may_write(slug):
        if token.kind == "installation":
            return _say(403, "Write access to repository not granted.")
        return _say(403, f"Permission to {slug}.git denied to {token.login}.")
    if repository is not None and repository.archived:
        return _say(403, "This repository was archived so it is read-only.")
    return None


def answer(hub: Hub, request: Request, hooks: Path, record: Record) -> Response | None:
    """Return the answer to a request of git, or None for any other address."""
    match = PATH.fullmatch(request.path)
    if match is None:
        return None
    slug, what = f"{unquote(match[1])}/{unquote(match[2])}", match[3]
    service = request.query.get("service", "") if what == "info/refs" else what
    if service not in {"git-upload-pack", "git-receive-pack"}:
        return _say(403, "Please upgrade your git client.\nGitHub.com no longer supports git over dumb-http.")
    value = request.token
    token = hub.token(value) if value is not None else None
    if value is not None and token is None:
        text = "Invalid username or token. Password authentication is not supported for Git operations."
        return _say(401, text, **CHALLENGE)
    moved = hub.moved(slug)
    repository = hub.repository(moved or slug)
    refusal = _refused(hub, repository, token, push=service == "git-receive-pack")
    if refusal is not None or repository is None or repository.git is None:
        return refusal or _say(404, "Repository not found.")
    if moved is not None:
        query = f"?{request.query_text}" if request.query_text else ""
        return Response(301, {"Location": f"{hub.url}/{moved}.git/{what}{query}"})
    surroundings = _environment(request, repository, what, token, hooks)
    return _backend(request, surroundings, record)


def _environment(
    request: Request, repository: HubRepository, what: str, token: Token | None, hooks: Path
) -> dict[str, str]:
    assert repository.git is not None
    is_bound = token is None or token.value not in repository.pushers
    protected = sorted(repository.protected_branches) if is_bound else []
    settings = SETTINGS | {"core.hooksPath": str(hooks)}
    more = {
        "GIT_PROJECT_ROOT": str(repository.git.path),
        "PATH_INFO": f"/{what}",
        "GIT_HTTP_EXPORT_ALL": "1",
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.query_text,
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(request.size) if request.method == "POST" else "",
        "REMOTE_USER": token.login if token else "",
        "REMOTE_ADDR": "127.0.0.1",
        "GIT_CONFIG_COUNT": str(len(settings)),
        "HUB_PROTECTED": "\n".join(f"refs/heads/{name}" for name in protected),
    }
    for number, (name, value) in enumerate(settings.items()):
        more |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    for header in ("content-encoding", "git-protocol"):
        if header in request.headers:
            more[f"HTTP_{header.upper().replace('-', '_')}"] = request.headers[header]
    if "git-protocol" in request.headers:
        more["GIT_PROTOCOL"] = request.headers["git-protocol"]
    return environment(**more)


def _backend(request: Request, surroundings: dict[str, str], record: Record) -> Response:
    """Start http-backend and stream its answer."""
    body = cast("tempfile.SpooledTemporaryFile[bytes]", request.body)
    body.rollover()
    body.flush()
    os.lseek(body.fileno(), 0, os.SEEK_SET)
    complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the answer has been read
    process = subprocess.Popen(
        ["git", "http-backend"],
        stdin=body.fileno(),
        stdout=subprocess.PIPE,
        stderr=complaints,
        env=surroundings,
    )
    assert process.stdout is not None
    output = _Output(process, process.stdout, complaints, record)
    status, headers = 200, {}
    for line in iter(process.stdout.readline, b""):
        name, _, value = line.decode("latin-1").rstrip("\r\n").partition(":")
        if not name:
            break
        if name.lower() == "status":
            status = int(value.split()[0])
        else:
            headers[name] = value.strip()
    return Response(status, headers, output)


class _Output(Iterator[bytes]):
    """The output of the back end. At its end, or when it is closed, the process is waited for."""

    def __init__(
        self, process: subprocess.Popen[bytes], stdout: IO[bytes], complaints: IO[bytes], record: Record
    ) -> None:
        self._process = process
        self._stdout = stdout
        self._complaints = complaints
        self._record = record

    def __next__(self) -> bytes:
        block: bytes = b"" if self._stdout.closed else self._stdout.read1(65536)  # type: ignore[attr-defined]
        if not block:
            self.close()
            raise StopIteration
        return block

    def close(self) -> None:
        """Close the pipe, which ends a back end that is still writing, and wait for it."""
        self._stdout.close()
        self._process.wait()
        if not self._complaints.closed:
            self._complaints.seek(0)
            self._record.error = self._complaints.read().decode(errors="replace").strip()
            self._complaints.close()
