"""Helm's provenance files: who vouches for a package, signed with the user's own gpg key."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, replace

from chart_releaser import yamlio
from chart_releaser.errors import UsageError
from chart_releaser.package import Package

PASSPHRASE = "CHART_RELEASER_GPG_PASSPHRASE"  # noqa: S105 - the name of a variable
SUFFIX = ".prov"
_SECONDS = 60
_ADVICE = "import the key, name another one under destination: sign, or take sign out"


class SigningError(UsageError):
    """gpg can't sign with the configured key; found before anything was published."""


@dataclass(frozen=True)
class Signer:
    """Signs with `key`: anything that names a secret key to gpg, such as a fingerprint or an address.

    The keyring is gpg's own (GNUPGHOME). The passphrase comes from the agent or, where nobody can be asked, from the
    environment variable CHART_RELEASER_GPG_PASSPHRASE; it reaches gpg through a pipe.
    """

    key: str

    def check(self) -> None:
        """Raise SigningError unless the key can sign."""
        self._sign("Is anybody there?\n")

    def signed(self, package: Package) -> Package:
        """Return the package with its provenance file. Raises SigningError."""
        return replace(package, provenance=self._sign(statement(package)).encode())

    def _sign(self, text: str) -> str:
        passphrase = os.environ.get(PASSPHRASE, "")
        command = ["gpg", "--batch", "--no-tty", "--yes", "--local-user", self.key, "--digest-algo", "SHA512"]
        ours, gpgs = os.pipe()
        try:
            if passphrase:
                command += ["--pinentry-mode", "loopback", "--passphrase-fd", str(ours)]
                os.write(gpgs, passphrase.encode() + b"\n")
            os.close(gpgs)
            gpgs = -1
            done = subprocess.run(
                [*command, "--clearsign", "--output", "-"],
                input=text.encode(),
                capture_output=True,
                timeout=_SECONDS,
                check=False,
                pass_fds=(ours,),
            )
        except FileNotFoundError as error:
            raise SigningError("destination: sign needs the program gpg, which was not found; install GnuPG") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SigningError(f"gpg could not sign with {self.key}: {error}; {_ADVICE}") from error
        finally:
            os.close(ours)
            if gpgs >= 0:
                os.close(gpgs)
        if done.returncode:
            raise SigningError(f"gpg can't sign with {self.key}: {_reason(done.stderr)}; {_ADVICE}")
        return done.stdout.decode()


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
