"""Sign packages: make Helm's provenance files with the user's gpg key."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import threading
from dataclasses import dataclass, field, replace

from chart_releaser import children, environment, yamlio
from chart_releaser.charts.package import Package
from chart_releaser.errors import UsageError

_SECONDS = 60
_ADVICE = "import the key, name another one under destination: sign, or take sign out"


class SigningError(UsageError):
    """gpg can't sign with the configured key. Raised before anything is published."""


@dataclass
class Signer:
    """Signs packages with `key`: anything by which gpg finds a secret key, such as a fingerprint or an address.

    The keyring is gpg's own (GNUPGHOME). A `passphrase` is passed to gpg through a pipe; without one gpg asks its
    agent. An agent that gpg starts for this is ended with the run, since it remembers the passphrase.
    """

    key: str
    passphrase: str = field(default="", repr=False)
    _first: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)
    _knows_agent: bool = field(default=False, repr=False, compare=False)

    def check(self) -> None:
        """Raise SigningError unless the key can sign."""
        self._clearsign("test\n")

    def sign_package(self, package: Package) -> Package:
        """Return `package` with its provenance file. Raises SigningError."""
        return replace(package, provenance=self._clearsign(statement(package)).encode())

    def _clearsign(self, text: str) -> str:
        gpg = shutil.which("gpg")
        if gpg is None:
            raise SigningError("destination: sign needs the program gpg, which was not found", remedy="install GnuPG")
        self._end_new_agent_with_run()
        command = [gpg, "--batch", "--no-tty", "--yes", "--local-user", self.key, "--digest-algo", "SHA512"]
        ours, gpgs = os.pipe()
        try:
            if self.passphrase:
                command += ["--pinentry-mode", "loopback", "--passphrase-fd", str(ours)]
                os.write(gpgs, self.passphrase.encode() + b"\n")
            os.close(gpgs)
            gpgs = -1
            done = children.run_command(
                [*command, "--clearsign", "--output", "-"],
                given=text.encode(),
                env=environment.gpg_environment(os.environ),
                seconds=_SECONDS,
                pass_fds=(ours,),
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SigningError(f"gpg could not sign with {self.key}: {error}", remedy=_ADVICE) from error
        finally:
            os.close(ours)
            if gpgs >= 0:
                os.close(gpgs)
        if done.returncode:
            raise SigningError(f"gpg can't sign with {self.key}: {_reason(done.stderr)}", remedy=_ADVICE)
        return done.stdout.decode()

    def _end_new_agent_with_run(self) -> None:
        with self._first:
            if not self._knows_agent:
                self._knows_agent = True
                _end_new_agent_with_run(forgets=bool(self.passphrase))


def _end_new_agent_with_run(*, forgets: bool) -> None:
    """Arrange for gpg-agent to end with the run, unless one is already running that others may use.

    With `forgets` the agent does not cache passphrases; each signature passes its own.
    """
    env = environment.gpg_environment(os.environ)
    connect, conf = shutil.which("gpg-connect-agent"), shutil.which("gpgconf")
    if connect is None or conf is None:
        return
    try:
        ping = children.run_command(
            [connect, "--no-autostart", "getinfo pid", "/bye"], given=b"", env=env, seconds=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return
    if b"OK" not in ping.stdout.split():
        kill = [conf, "--kill", "gpg-agent"]
        children.call_at_end(
            lambda: subprocess.run(kill, cwd="/", env=env, capture_output=True, check=False, timeout=5)
        )
        if forgets and (agent := shutil.which("gpg-agent")) is not None:
            # If this run is killed, the agent lives on, so it must not know the passphrase.
            start = [agent, "--daemon", "--default-cache-ttl", "0", "--max-cache-ttl", "0"]
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):  # gpg would start one itself
                children.run_command(start, given=b"", env=env, seconds=_SECONDS)


def statement(package: Package) -> str:
    """Return the text to sign: Chart.yaml, and the package's file name with its digest.

    https://helm.sh/docs/topics/provenance/#the-provenance-file. The file is listed twice if GitHub renames it on
    upload, because `helm verify` looks for the name of the downloaded file.
    """
    names = (package.filename, re.sub(r"[^A-Za-z0-9._-]", ".", package.filename))
    sums = yamlio.dump({"files": dict.fromkeys(names, f"sha256:{package.digest}")})
    return f"{yamlio.dump(package.metadata)}\n...\n{sums}"


def _reason(stderr: bytes) -> str:
    """Return the last line of gpg's error output."""
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    text = lines[-1] if lines else "it gave no reason"
    return re.sub(r"^gpg: (?:\[stdin\]: )?", "", "".join(c if c.isprintable() else " " for c in text))
