"""Run the git program through GitPython: a closed environment, bounds on time and size, errors as one clean line."""

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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from chart_releaser import children
from chart_releaser.environment import NO_TRACES
from chart_releaser.errors import UpstreamError
from chart_releaser.files import write_private
from chart_releaser.git.cachelock import CacheLock
from chart_releaser.temporary import temporary_directory, temporary_error, temporary_file

OLDEST = (2, 36)
"""`cat-file --batch-command` came with git 2.36, and with it all else that is used here."""
_OUTPUT_LIMIT = 64 << 20
_STDERR_LIMIT = 64 << 10
_MEMORY_LIMIT = 2 << 30
"""Bytes of memory of each of git's processes: it keeps all of a server's answer there, without a bound of its own."""
# A shell sets the limit, where the system has one, and becomes git; the command is never part of its text.
_LIMITED = 'ulimit -d "$1" 2>/dev/null; shift; exec "$@"'
# Read from the command line, so that neither a repository's nor the user's configuration can make git run something or
# look at more than it is told. What is fetched is checked object by object when it is read, hence no fsck of packs.
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
    """How a git command ended: exit status, standard output, standard error."""

    status: int
    stdout: bytes
    stderr: str


@dataclass(frozen=True)
class Login:
    """A token for one server, handed to git by environment only, never in an argument, an address or a file."""

    server_url: str
    token: str = field(repr=False)

    def config(self) -> list[tuple[str, str]]:
        basic = base64.b64encode(f"x-access-token:{self.token}".encode()).decode()
        scope = f"http.{self.server_url.rstrip('/')}/"
        # The empty value drops headers that the user's configuration has for this server: two would be refused. A
        # redirect may not carry the header to another host.
        header = f"{scope}.extraHeader"
        return [(header, ""), (header, f"Authorization: Basic {basic}"), (f"{scope}.followRedirects", "false")]

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.token, self.config()[1][1].rsplit(" ", 1)[1])


@dataclass(frozen=True)
class Git:
    """The git program for one git directory. `protocols` are those it may speak; none at all by default."""

    git_dir: Path
    objects: Path | None = None
    """The object database, if it is not in `git_dir`."""
    common: Path | None = None
    """The directory that a linked worktree shares with its repository."""
    protocols: str = "none"
    lock: CacheLock | None = None
    """What is held while it works; each process has a part in it, and so keeps it if it outlives this one."""

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

        `config` goes through the environment, so it may hold secrets; then `asks` has to be false, so that no program
        that asks for a password is started with it. The process and its children are killed after
        `timeout` seconds, or when `growth`, asked twice a second, says that too much was written; the result's stderr
        then says so. Raises UpstreamError if git can't be run at all.
        """
        began = time.monotonic()
        with temporary_file(stdin) as given:
            process = self._start(command, given, config, asks=asks)
            watch = _Watch(process)
            try:
                result = watch.result(timeout, growth)
            finally:
                stop(process)
        log_end(command, began, result.status, len(result.stdout), config)
        return result

    def start(self, *command: str) -> Any:
        """Start `git <command>` with pipes for its standard streams and return the process; end it with `stop`."""
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
        """What is set on top of this process's environment, so that nothing in that leads git to another place."""
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
            # The user's configuration can have git write down its configuration and environment (trace2.configParams,
            # trace2.envVars, trace2.eventTarget), and with it the token.
            **dict.fromkeys(NO_TRACES, "0"),
            "GIT_ALLOW_PROTOCOL": self.protocols,
            "GIT_NO_LAZY_FETCH": "0" if self.protocols != "none" else "1",
        }
        if not asks:
            given["GIT_ASKPASS"] = ""  # not even the program of core.askPass or SSH_ASKPASS
        return given | _more_config(os.environ, config)


def log_end(
    command: Sequence[str], began: float, status: int | None, size: int, config: Sequence[tuple[str, str]] = ()
) -> None:
    """Log a git command that began at `began` by the monotonic clock, and whose output had `size` bytes.

    Of its `config` only the address of the remote is shown, without a login in it.
    """
    if _log.isEnabledFor(logging.DEBUG):
        urls = [f" ({value})" for key, value in config if re.fullmatch(r"remote\..*\.url", key)]
        shown = _without_logins(" ".join(command) + "".join(urls))
        _log.debug("git %s: %s, %d ms, %d bytes", shown, status, round((time.monotonic() - began) * 1000), size)


def _limit() -> tuple[str, ...]:
    return ("/bin/sh", "-c", _LIMITED, "sh", str(_MEMORY_LIMIT >> 10))


def stop(process: Any) -> None:
    """End a process that was started here, and all its children; does nothing if it has ended."""
    children.terminate(process.proc)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


class Drain(threading.Thread):
    """Reads a stream to its end in the background and keeps its last `limit` bytes; `overflow` says there was more."""

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        super().__init__(daemon=True)
        self.data = bytearray()
        self.overflow = False
        self._stream, self._limit = stream, limit
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while chunk := self._stream.read1(1 << 16):  # type: ignore[attr-defined]
                self.data += chunk
                if len(self.data) > self._limit:
                    self.overflow = True
                    del self.data[: -self._limit]


class _Watch:
    def __init__(self, process: Any) -> None:
        self._process = process
        self._stdout = Drain(process.stdout, _OUTPUT_LIMIT)
        self._stderr = Drain(process.stderr, _STDERR_LIMIT)

    def result(self, timeout: float, growth: Callable[[], bool] | None) -> Result:
        end = time.monotonic() + timeout
        killed = ""
        while True:
            # Its output ends with it, and waking up for that is quicker than wait(), which looks every 50 ms at last.
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
                    stop(self._process)
                    status = -1
                    break
        # A helper left behind by git may hold the streams open: what it would say is not waited for.
        self._stdout.join(5)
        self._stderr.join(5)
        if self._stdout.overflow:
            status, killed = -1, "fatal: stopped because the answer is too large\n"
        stderr = self._stderr.data.decode("utf-8", "replace")
        return Result(status, bytes(self._stdout.data), killed or stderr)


_NO_GIT = f"git was not found: install git {OLDEST[0]}.{OLDEST[1]} or newer"


_asking = threading.Lock()


def require_git() -> None:
    """Raises UpstreamError if there is no git program, or one that is too old; the program is asked once."""
    with _asking:  # a cache alone lets threads that begin at the same time ask once each
        _require_git()


@functools.cache
def _require_git() -> None:
    text = git_version()
    found = re.search(r"(\d+)\.(\d+)", text)
    if found is None or (int(found[1]), int(found[2])) < OLDEST:
        raise UpstreamError(f"{text} is too old: install git {OLDEST[0]}.{OLDEST[1]} or newer")


def git_version() -> str:
    """Return what the git program calls itself: `git version 2.39.5`. Raises UpstreamError if there is none."""
    try:
        import git
    except ImportError as error:  # what GitPython raises when it finds no program
        raise UpstreamError(_NO_GIT) from error
    began = time.monotonic()
    try:
        text = str(git.Git("/").execute([git.Git.GIT_PYTHON_GIT_EXECUTABLE, "version"]))
    except (git.exc.CommandError, OSError) as error:
        raise UpstreamError(_NO_GIT) from error
    log_end(["version"], began, 0, len(text))
    return text


def _more_config(environ: Mapping[str, str], config: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Configuration as environment variables, after what the caller's environment has of that kind."""
    count = environ.get("GIT_CONFIG_COUNT", "")
    first = int(count) if count.isdigit() else 0
    more = {"GIT_CONFIG_COUNT": str(first + len(config))}
    for number, (key, value) in enumerate(config, first):
        more[f"GIT_CONFIG_KEY_{number}"] = key
        more[f"GIT_CONFIG_VALUE_{number}"] = value
    return more


def reason(stderr: str, secrets: Sequence[str] = ()) -> str:
    """Return why git failed in one printable line without secrets: the server's word, or git's last fatal line."""
    for secret in secrets:
        stderr = stderr.replace(secret, "***")
    stderr = _without_logins(stderr)
    lines = ["".join(char if char.isprintable() else " " for char in line).strip() for line in stderr.splitlines()]
    for wanted in (r"remote: (?:fatal|error): ", "fatal: ", "error: ", "(?:ssh|remote): ?", ""):
        for line in reversed(lines):
            if (found := re.match(wanted, line)) and len(line) > found.end():
                return line[found.end() :][:300].rstrip(". ")
    return "git gave no reason"


def _without_logins(text: str) -> str:
    return re.sub(r"(\w://)[^/\s@]+@", r"\1", text)


@contextlib.contextmanager
def bare_view(objects: Path, oid_size: int) -> Iterator[Git]:
    """Give a Git that sees the object database `objects` and nothing else: no references, no configuration, no remote.

    So reading can neither run anything that a repository's configuration names nor fetch what is missing.
    """
    with temporary_git_dir(oid_size) as directory:
        yield Git(directory, objects=objects)


@contextlib.contextmanager
def temporary_git_dir(oid_size: int) -> Iterator[Path]:
    """Give a bare git directory without objects and references. Raises MachineError."""
    with temporary_directory() as directory:
        try:
            write_git_dir(directory, object_config(oid_size))
        except OSError as error:
            raise temporary_error(error) from error
        yield directory


def object_config(oid_size: int, *, version: int = 0) -> str:
    """The configuration of a bare repository with object names of 20 (SHA-1) or 32 (SHA-256) bytes."""
    version = 1 if oid_size == 32 else version
    text = f"[core]\n\trepositoryFormatVersion = {version}\n\tbare = true\n"
    return text + "[extensions]\n\tobjectFormat = sha256\n" if oid_size == 32 else text


def write_git_dir(directory: Path, config: str) -> None:
    """Make `directory` a bare git directory; in one that exists, only HEAD and the configuration are replaced."""
    for name in ("objects/pack", "objects/info", "refs"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    for name, text in (("HEAD", "ref: refs/heads/none\n"), ("config", config)):
        write_private(directory / name, text.encode())
