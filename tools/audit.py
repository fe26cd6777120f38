"""Check the pinned packages for known vulnerabilities with pip-audit, if its database can be reached.

The exit code is 1 if a package has a vulnerability, or if the check was impossible and REQUIRE_AUDIT=1.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from tools.wheels import ROOT, TOOLS

PIP_AUDIT = "pip-audit==2.10.1"
_HOME = TOOLS / "audit"
_PYTHON = _HOME / "bin" / "python"


def main() -> int:
    """Run the check, print the result, and return the exit code."""
    try:
        packages = _audit(ROOT / "constraints.txt")
    except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        return _unasked(f"pip-audit could not be run: {error}")
    checked = [package for package in packages if "vulns" in package]
    vulnerable = [package for package in checked if package["vulns"]]
    for package in vulnerable:
        for one in package["vulns"]:
            fixed = ", ".join(one.get("fix_versions") or ()) or "none yet"
            print(f"{package['name']} {package['version']}: {one['id']}; fixed in {fixed}")
    if vulnerable:
        return 1
    if not checked:
        return _unasked("the database of known vulnerabilities does not answer here")
    left = f", {len(packages) - len(checked)} are not in the database" if len(packages) > len(checked) else ""
    print(f"no known vulnerability in {len(checked)} pinned packages{left}")
    return 0


def _audit(constraints: Path) -> list[dict[str, Any]]:
    """Return pip-audit's result for each pinned package. The packages are neither installed nor run for it."""
    if not (_HOME / "bin" / "pip-audit").exists():
        venv.create(_HOME, with_pip=True, clear=True)
        command = [str(_PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PIP_AUDIT]
        subprocess.run(command, check=True, timeout=600, stdout=sys.stderr)
    command = [str(_PYTHON), "-m", "pip_audit", "--progress-spinner", "off", "--format", "json"]
    command += ["--no-deps", "--disable-pip", "--requirement", str(constraints)]
    done = subprocess.run(command, capture_output=True, timeout=600, check=False)
    packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    return packages


def _unasked(reason: str) -> int:
    print(f"NOT CHECKED: {reason}", file=sys.stderr)
    return 1 if os.environ.get("REQUIRE_AUDIT") == "1" else 0


if __name__ == "__main__":
    sys.exit(main())
