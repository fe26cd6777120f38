"""Helm's provenance files: who vouches for a package, signed with the user's own gpg key."""

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
    """gpg can't sign with the configured key; found before anything was published."""


@dataclass
class Signer:
    """Signs with `key`: anything that names a secret key to gpg, such as a fingerprint or an address.

    The keyring is gpg's own (GNUPGHOME). Without a `passphrase` the agent is asked; with one it reaches gpg through a
    pipe. An agent that gpg starts for this ends with the run, since it remembers the passphrase.
    """

    key: str
    passphrase: str = field(default="", repr=False)
    _first: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)
    _knows_agent: bool = field(default=False, repr=False, compare=False)

    def check(self) -> None:
        """Raise SigningError unless the key can sign."""
        self._sign("Is anybody there?\n")

    def signed(self, package: Package) -> Package:
        """Return the package with its provenance file. Raises SigningError."""
        return replace(package, provenance=self._sign(statement(package)).encode())

    def _sign(self, text: str) -> str:
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
    """Have gpg-agent ended when the run is over, unless one is running already that somebody else may use.

    With `forgets` it keeps no passphrase from one signature to the next: each comes with it.
    """
    env = environment.gpg_environment(os.environ)
    connect, conf = shutil.which("gpg-connect-agent"), shutil.which("gpgconf")
    if connect is None or conf is None:
        return
    try:
        found = children.run_command(
            [connect, "--no-autostart", "getinfo pid", "/bye"], given=b"", env=env, seconds=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return
    if b"OK" not in found.stdout.split():
        kill = [conf, "--kill", "gpg-agent"]
        children.call_at_end(
            lambda: subprocess.run(kill, cwd="/", env=env, capture_output=True, check=False, timeout=5)
        )
        if forgets and (agent := shutil.which("gpg-agent")) is not None:
            # This run may be killed before it can end the agent, which then must not know the passphrase.
            start = [agent, "--daemon", "--default-cache-ttl", "0", "--max-cache-ttl", "0"]
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):  # gpg starts one, too
                children.run_command(start, given=b"", env=env, seconds=_SECONDS)


def statement(package: Package) -> str:
    """Return what is signed: Chart.yaml, and the package's name with its digest.

    Also under the name that GitHub makes of it, which is that of the file once somebody has pulled it.
    https://helm.sh/docs/topics/provenance/#the-provenance-file
    """
    names = (package.filename, re.sub(r"[^A-Za-z0-9._-]", ".", package.filename))
    sums = yamlio.dump({"files": dict.fromkeys(names, f"sha256:{package.digest}")})
    return f"{yamlio.dump(package.metadata)}\n...\n{sums}"


def _reason(stderr: bytes) -> str:
    """Return gpg's last word in one line."""
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    text = lines[-1] if lines else "it gave no reason"
    return re.sub(r"^gpg: (?:\[stdin\]: )?", "", "".join(c if c.isprintable() else " " for c in text))
