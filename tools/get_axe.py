"""Bring axe-core, which finds what keeps people from using a page, for the tests in the browser; optional there."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.get_helm import ROOT, HelmMissingError, unpack

SCRIPT = ROOT / ".tools" / "axe.min.js"
"""Where it is kept."""

NPM_PACKAGE = "axe-core@4.14.1"
NPM_MEMBER = "package/axe.min.js"
SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"


def main() -> int:
    """Exit code 0 and the path on standard output, or 1 and the reason on standard error."""
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
