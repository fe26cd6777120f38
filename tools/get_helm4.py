"""Install Helm 4's library for the tests, in a virtual environment of its own because it needs a newer Python."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".tools" / "helm4"
PYTHON = HOME / "bin" / "python"
PACKAGES = ("helm-sdkpy==0.1.32", "cffi==2.1.1", "pycparser==3.12")
OLDEST = (3, 12)
"""The oldest Python that the library supports."""


class Helm4MissingError(Exception):
    """Helm 4 can't be installed; the message says why."""


def _candidates() -> Iterator[Path]:
    yield Path(sys.executable)
    for minor in (12, 13, 14):
        if found := shutil.which(f"python3.{minor}"):
            yield Path(found)
    if found := shutil.which("python3"):
        yield Path(found)
    for folder in sorted(Path.home().glob(".pyenv/versions/3.*/bin")):
        yield folder / "python3"


def find_python() -> Path | None:
    """Return a Python that is new enough and can create virtual environments, or None."""
    probe = "import sys, ensurepip, venv; print('%d.%d' % sys.version_info[:2])"
    for candidate in _candidates():
        try:
            answer = subprocess.run(
                [candidate, "-c", probe],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        match = re.fullmatch(r"(\d+)\.(\d+)\s*", answer.stdout)
        if answer.returncode == 0 and match and (int(match[1]), int(match[2])) >= OLDEST:
            return candidate
    return None


def works(python: Path = PYTHON) -> bool:
    """Tell whether the environment exists and its library can be imported."""
    if not python.exists():
        return False
    command = [str(python), "-c", "import helm_sdkpy; helm_sdkpy.Configuration()"]
    try:
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def bring() -> Path:
    """Create the environment if it is missing, and return its interpreter. Raises Helm4MissingError."""
    if works():
        return PYTHON
    python = find_python()
    if python is None:
        raise Helm4MissingError("its library needs Python 3.12 or later, and none was found")
    for command in (
        [str(python), "-m", "venv", "--clear", str(HOME)],
        [
            str(PYTHON),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--only-binary",
            ":all:",
            *PACKAGES,
        ],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            reason = " ".join((done.stderr or done.stdout).split())[-300:]
            raise Helm4MissingError(f"{' '.join(command[1:4])} failed: {reason}")
    if not works():
        raise Helm4MissingError("its library was installed but does not load on this machine")
    return PYTHON


def main() -> int:
    """Print the interpreter and return 0, or print the reason to standard error and return 1.

    With `--can`, only check whether there is a suitable Python.
    """
    if sys.argv[1:] == ["--can"]:
        return 0 if find_python() is not None else 1
    try:
        print(bring())
    except Helm4MissingError as error:
        print(f"!!! The tests with Helm 4 can't run: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
