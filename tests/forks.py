"""The program in forks of a process that has it loaded: a tenth of the time that an interpreter takes to start.

`Forks` is the side of the tests. The other side is a process of its own without threads, this file as a script,
which forks once for each request and never runs anything of the program itself. A fork finds what a freshly started
script finds: modules as they are after import, default signal handlers, a session of its own, and the arguments,
environment, directory, umask and standard streams of the request.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import re
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

_LIBRARIES = (
    *("github", "git", "jinja2", "ruamel.yaml", "jsonschema", "platformdirs", "requests", "http.client"),
    *("encodings.ascii", "encodings.idna"),  # a run as another user may not be able to read what is not loaded
)
_AT_START = re.compile(r"PATH|TZ|LANG|LANGUAGE|LC_\w+|LD_\w+|PYTHON\w+|GIT_PYTHON_\w+")
"""Variables that take effect when an interpreter starts or a module is imported."""


def at_start(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of an environment that a fork can't be given."""
    return {name: value for name, value in env.items() if _AT_START.fullmatch(name)}


class Forks:
    """A process that has the program loaded, for runs from any thread."""

    def __init__(self, script: Path, env: Mapping[str, str]) -> None:
        """Start it as `script` would be started in `env`."""
        self._lock = threading.Lock()
        self._asking, asked = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.at_start = at_start(env)
        with asked:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(asked.fileno()), str(script)],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,  # what its forks write to is of the same kind, so its streams fit
                stderr=subprocess.PIPE,
                pass_fds=[asked.fileno()],
                start_new_session=True,
            )

    def close(self) -> None:
        """End the process; runs that are under way go on."""
        self._asking.close()
        with self._process:
            pass

    def run(
        self, argv: Sequence[str], cwd: str | Path, env: Mapping[str, str], seconds: float
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the program to its end with pipes for what it writes and nothing to read.

        Raises subprocess.TimeoutExpired after so many seconds; the run and what it started have been killed then.
        """
        mine, theirs = socket.socketpair()
        out, out_end = os.pipe()
        err, err_end = os.pipe()
        nothing = os.open(os.devnull, os.O_RDONLY)
        try:
            with self._lock:
                socket.send_fds(self._asking, [b"run"], [theirs.fileno(), nothing, out_end, err_end])
        finally:
            theirs.close()
            for handle in (nothing, out_end, err_end):
                os.close(handle)
        with mine, open(out, "rb") as out_file, open(err, "rb") as err_file:  # noqa: PTH123 - pipes, not paths
            request = {"argv": argv, "cwd": str(cwd), "env": dict(env), "umask": _umask()}
            mine.sendall(json.dumps(request).encode())
            mine.shutdown(socket.SHUT_WR)
            found = _read_all([mine.fileno(), out_file.fileno(), err_file.fileno()], seconds)
            pid, *code = found[0].split() or [b""]
            if pid and not code:
                os.killpg(int(pid), signal.SIGKILL)
                mine.recv(16)  # it has ended
        assert self._process.poll() is None, f"the process to fork has died: {self._process.communicate()}"
        if not code:
            raise subprocess.TimeoutExpired(list(argv), seconds, *found[1:])
        return subprocess.CompletedProcess(list(argv), int(code[0]), *found[1:])


def _read_all(handles: Sequence[int], seconds: float) -> list[bytes]:
    """Read from all of them until each has ended, or the time is over."""
    until = time.monotonic() + seconds
    found: dict[int, bytearray] = {handle: bytearray() for handle in handles}
    with selectors.DefaultSelector() as selector:
        for handle in handles:
            selector.register(handle, selectors.EVENT_READ)
        while selector.get_map() and (left := until - time.monotonic()) > 0:
            for key, _events in selector.select(left):
                if data := os.read(key.fd, 1 << 16):
                    found[key.fd] += data
                else:
                    selector.unregister(key.fd)
    return [bytes(data) for data in found.values()]


def _umask() -> int:
    """Return this process's umask without setting it, which other threads would notice."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("Umask:"))
    return int(line.split()[1], 8)


# --- the process that is forked


def load() -> None:
    """Import the program and the libraries that it imports when it needs them."""
    import chart_releaser

    for module in pkgutil.walk_packages(chart_releaser.__path__, "chart_releaser."):
        if not module.name.endswith("__main__"):  # which would run
            importlib.import_module(module.name)
    for name in _LIBRARIES:
        importlib.import_module(name)
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a thread would not be in the forks"
    gc.freeze()


def become(argv: Sequence[str], env: Mapping[str, str], prepare: Callable[[], object]) -> NoReturn:
    """Be the program, after a last step; exit code 99 says that it was not reached."""
    try:
        prepare()
        os.environ.clear()
        os.environ.update(env)
        tempfile.tempdir = None
        sys.argv = list(argv)
    except BaseException:
        traceback.print_exc()
        os._exit(99)
    try:
        from chart_releaser.cli.main import run_console_script as program

        program()
    except BaseException:  # what the interpreter does with what is caught nowhere
        traceback.print_exc()
    os._exit(1)


def _prepare(streams: Sequence[int], cwd: str, umask: int) -> None:
    os.setsid()
    for number, handle in enumerate(streams):
        os.dup2(handle, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.umask(umask)
    os.chdir(cwd)


def _begin(connection: socket.socket, streams: Sequence[int]) -> int:
    """Fork, and give the new process's number; it reads from the connection what it is to run."""
    pid = os.fork()
    if not pid:
        asked: dict[str, Any] = json.loads(b"".join(iter(lambda: connection.recv(1 << 16), b"")))
        become(asked["argv"], asked["env"], lambda: _prepare(streams, asked["cwd"], asked["umask"]))
    for handle in streams:
        os.close(handle)
    with contextlib.suppress(BrokenPipeError):  # it is not waited for any more
        connection.sendall(b"%d " % pid)
    return pid


def _end(pid: int, connection: socket.socket) -> None:
    """Say how a process ended: its exit code, or minus the signal that killed it."""
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with connection, contextlib.suppress(BrokenPipeError):  # as above
        connection.sendall(b"%d" % code)


def main() -> None:
    """Fork for each request that comes through the socket, until its other end is closed."""
    asked = socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(asked.fileno(), False)
    load()
    sys.path[0] = str(Path(sys.argv[2]).parent)  # as it is for a script
    with selectors.DefaultSelector() as selector:
        selector.register(asked, selectors.EVENT_READ)
        while True:
            for key, _events in selector.select():
                if key.data is not None:
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    _end(*key.data)
                    continue
                told, handles, _flags, _address = socket.recv_fds(asked, 16, 4)
                if not told:
                    return
                connection = socket.socket(fileno=handles[0])
                pid = _begin(connection, handles[1:])
                selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, connection))


if __name__ == "__main__":
    main()
