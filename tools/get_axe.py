"""Download axe-core, an accessibility checker, for the browser tests, which also run without it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.get_helm import ROOT, HelmMissingError, unpack

SCRIPT = ROOT / ".tools" / "axe.min.js"
"""The path of the downloaded file."""

NPM_PACKAGE = "axe-core@4.14.1"
NPM_MEMBER = "package/axe.min.js"
SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"


def main() -> int:
    """Print the path and return 0, or print the reason to standard error and return 1."""
    npm = shutil.which("npm")
    if not SCRIPT.exists() and npm is None:
        print("axe-core can't be brought: there is no npm; install it", file=sys.stderr)
        return 1
    if not SCRIPT.exists():
        with tempfile.TemporaryDirectory(prefix="get-axe-") as folder:
            command = [str(npm), "pack", "--silent", "--ignore-scripts", "--pack-destination", folder, NPM_PACKAGE]
            try:
                subprocess.run(
                    command, cwd=folder, check=True, timeout=600, stdin=subprocess.DEVNULL, stdout=sys.stderr
                )
                unpack(next(Path(folder).glob("*.tgz")), SCRIPT, member=NPM_MEMBER, sha256=SHA256)
            except (subprocess.SubprocessError, StopIteration, HelmMissingError) as error:
                print(f"axe-core can't be brought: {error}", file=sys.stderr)
                return 1
        SCRIPT.chmod(0o644)
    print(SCRIPT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
