"""Run the git program through GitPython: with a controlled environment, and limits on time, memory and output."""

from __future__ import annotations

import base64
import contextlib
import functools
import logging
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chart_releaser import children
from chart_releaser.environment import NO_TRACES
from chart_releaser.errors import UpstreamError
from chart_releaser.git.cachelock import CacheLock
from chart_releaser.git.output import Drain, without_logins
from chart_releaser.temporary import temporary_file

OLDEST_GIT = (2, 36)
"""The oldest version with `cat-file --batch-command` and everything else that is used here."""
_OUTPUT_LIMIT = 64 << 20
_STDERR_LIMIT = 64 << 10
_MEMORY_LIMIT = 2 << 30
"""Bytes of memory for each git process: git buffers a server's answer without a limit of its own."""
# A shell sets the limit, if the system supports it, and execs git. The command is passed as arguments, not as text.
_LIMITED = 'ulimit -d "$1" 2>/dev/null; shift; exec "$@"'
# Set on the command line, which overrides the configuration of the repository and the user, so that git runs no
# programs and fetches nothing else. Objects are verified one by one when they are read, so packs need no fsck.
_FIXED = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.fsync=none",
    "protocol.version=2",
    "gc.auto=0",
    "maintenance.auto=false",
    "fetch.fsckObjects=false",
    "transfer.fsckObjects=false",
    "transfer.bundleURI=false",
    "fetch.prune=false",
    "fetch.pruneTags=false",
    "fetch.writeCommitGraph=false",
    "submodule.recurse=false",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
)


_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """The result of a git command: exit status, standard output, standard error."""

    status: int
    stdout: bytes
    stderr: str


@dataclass(frozen=True)
class Login:
    """A token for one server. Git gets it through the environment only, never in an argument, a URL or a file."""

    server_url: str
    token: str = field(repr=False)

    def config(self) -> list[tuple[str, str]]:
        basic = base64.b64encode(f"x-access-token:{self.token}".encode()).decode()
        scope = f"http.{self.server_url.rstrip('/')}/"
        # The empty value removes headers from the user's configuration, since servers reject two of them. Redirects are
        # not followed, because git would send the header to the other host.
        header = f"{scope}.extraHeader"
        return [(header, ""), (header, f"Authorization: Basic {basic}"), (f"{scope}.followRedirects", "false")]

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.token, self.config()[1][1].rsplit(" ", 1)[1])


@dataclass(frozen=True)
class Git:
    """The git program for one git directory. `protocols` are the transports that it may use, by default none."""

    git_dir: Path
    objects: Path | None = None
    """The object database, if it is not in `git_dir`."""
    common: Path | None = None
    """The directory that a linked worktree shares with its repository."""
    protocols: str = "none"
    lock: CacheLock | None = None
    """The lock to hold while git runs. Each git process inherits it, and so keeps it if it outlives this one."""

    def run(
        self,
        *command: str,
        stdin: bytes = b"",
        config: Sequence[tuple[str, str]] = (),
        asks: bool = True,
        timeout: float = 120,
        growth: Callable[[], bool] | None = None,
    ) -> Result:
        """Run `git <command>` to its end.

        `config` is passed through the environment, so it may contain secrets. In that case `asks` must be false, so
        that no program that asks for a password inherits them. The process and its children are killed after `timeout`
        seconds, or when `growth`, called twice a second, returns True because too much was written; the result's stderr
        then says so. Raises UpstreamError if git can't be run, MachineError if the input can't be written.
        """
        began = time.monotonic()
        with temporary_file(stdin) as given:
            process = self._start(command, given, config, asks=asks)
            watch = _Watch(process)
            try:
                result = watch.result(timeout, growth)
            finally:
                stop_process(process)
        log_command(command, began, result.status, len(result.stdout), config)
        return result

    def start(self, *command: str) -> Any:
        """Start `git <command>` with pipes as standard streams, and return the process. End it with `stop_process`."""
        return self._start(command, subprocess.PIPE, ())

    def _start(
        self, command: Sequence[str], stdin: Any, config: Sequence[tuple[str, str]], *, asks: bool = True
    ) -> Any:
        import git

        options = [part for setting in _FIXED for part in ("-c", setting)]
        with children.starting_process() as add:
            try:
                process: Any = git.Git("/").execute(
                    [*_limit(), git.Git.GIT_PYTHON_GIT_EXECUTABLE, *options, *command],
                    istream=stdin,
                    as_process=True,
                    env=self._environment(config, asks=asks),
                    start_new_session=True,
                    pass_fds=self.lock.descriptors if self.lock is not None else (),
                )
            except git.exc.GitCommandNotFound as error:
                raise UpstreamError(_NO_GIT) from error
            add(process.proc)
        return process

    def _environment(self, config: Sequence[tuple[str, str]], *, asks: bool) -> dict[str, str]:
        """Return the variables to add to this process's environment, overriding those that redirect git elsewhere."""
        git_dir = self.git_dir.absolute()
        common = (self.common or git_dir).absolute()
        given = {
            "GIT_DIR": str(git_dir),
            "GIT_COMMON_DIR": str(common),
            "GIT_WORK_TREE": str(git_dir),
            "GIT_OBJECT_DIRECTORY": str((self.objects or common / "objects").absolute()),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": "",
            "GIT_NAMESPACE": "",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_TRACE_REDACT": "1",
            # The user's configuration can make git log its configuration and environment, and so the token
            # (trace2.configParams, trace2.envVars, trace2.eventTarget).
            **dict.fromkeys(NO_TRACES, "0"),
            "GIT_ALLOW_PROTOCOL": self.protocols,
            "GIT_NO_LAZY_FETCH": "0" if self.protocols != "none" else "1",
        }
        if not asks:
            given["GIT_ASKPASS"] = ""  # overrides core.askPass and SSH_ASKPASS, too
        return given | _more_config(os.environ, config)


def log_command(
    command: Sequence[str], began: float, status: int | None, size: int, config: Sequence[tuple[str, str]] = ()
) -> None:
    """Log a git command that began at `began` (monotonic clock) and wrote `size` bytes of output.

    Of `config`, only the URL of the remote is logged, without a login.
    """
    if _log.isEnabledFor(logging.DEBUG):
        urls = [f" ({value})" for key, value in config if re.fullmatch(r"remote\..*\.url", key)]
        shown = without_logins(" ".join(command) + "".join(urls))
        _log.debug("git %s: %s, %d ms, %d bytes", shown, status, round((time.monotonic() - began) * 1000), size)


def _limit() -> tuple[str, ...]:
    return ("/bin/sh", "-c", _LIMITED, "sh", str(_MEMORY_LIMIT >> 10))


def stop_process(process: Any) -> None:
    """End a process that `Git.start` returned, and its children, unless it has ended, and close its streams."""
    children.terminate(process.proc)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


class _Watch:
    def __init__(self, process: Any) -> None:
        self._process = process
        self._stdout = Drain(process.stdout, _OUTPUT_LIMIT)
        self._stderr = Drain(process.stderr, _STDERR_LIMIT)

    def result(self, timeout: float, growth: Callable[[], bool] | None) -> Result:
        end = time.monotonic() + timeout
        killed = ""
        while True:
            # The end of the output wakes this thread up sooner than wait(), which polls every 50 ms.
            self._stdout.join(0.5)
            try:
                status = self._process.proc.wait(timeout=0 if self._stdout.is_alive() else 0.5)
                break
            except subprocess.TimeoutExpired:
                if time.monotonic() > end:
                    killed = f"fatal: stopped after {timeout:g} seconds\n"
                elif self._stdout.overflow or (growth is not None and growth()):
                    killed = "fatal: stopped because the answer is too large\n"
                if killed:
                    stop_process(self._process)
                    status = -1
                    break
        # A helper that outlives git may keep the streams open, so waiting for them is bounded.
        self._stdout.join(5)
        self._stderr.join(5)
        if self._stdout.overflow:
            status, killed = -1, "fatal: stopped because the answer is too large\n"
        stderr = self._stderr.data.decode("utf-8", "replace")
        return Result(status, bytes(self._stdout.data), killed or stderr)


_NO_GIT = f"git was not found: install git {OLDEST_GIT[0]}.{OLDEST_GIT[1]} or newer"


_asking = threading.Lock()


def require_git() -> None:
    """Raise UpstreamError if git is missing or too old. The version is read once per process."""
    with _asking:  # functools.cache alone lets concurrent first calls run the program several times
        _require_git()


@functools.cache
def _require_git() -> None:
    text = git_version()
    version = re.search(r"(\d+)\.(\d+)", text)
    if version is None or (int(version[1]), int(version[2])) < OLDEST_GIT:
        raise UpstreamError(f"{text} is too old: install git {OLDEST_GIT[0]}.{OLDEST_GIT[1]} or newer")


def git_version() -> str:
    """Return the output of `git version`, such as `git version 2.39.5`. Raises UpstreamError if git is missing."""
    try:
        import git
    except ImportError as error:  # GitPython raises it if it finds no git program
        raise UpstreamError(_NO_GIT) from error
    began = time.monotonic()
    try:
        text = str(git.Git("/").execute([git.Git.GIT_PYTHON_GIT_EXECUTABLE, "version"]))
    except (git.exc.CommandError, OSError) as error:
        raise UpstreamError(_NO_GIT) from error
    log_command(["version"], began, 0, len(text))
    return text


def _more_config(environ: Mapping[str, str], config: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return `config` as environment variables, numbered after those that `environ` already has."""
    count = environ.get("GIT_CONFIG_COUNT", "")
    first = int(count) if count.isdigit() else 0
    more = {"GIT_CONFIG_COUNT": str(first + len(config))}
    for number, (key, value) in enumerate(config, first):
        more[f"GIT_CONFIG_KEY_{number}"] = key
        more[f"GIT_CONFIG_VALUE_{number}"] = value
    return more
