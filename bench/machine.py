"""Describes the machine, without which measurements can't be compared."""

from __future__ import annotations

import os
import platform
import subprocess
import zlib

from tools import get_helm


def describe() -> dict[str, str]:
    """Return processors, memory, load and versions."""
    return {
        "processors": str(os.cpu_count()),
        "load": f"{os.getloadavg()[0]:.1f}",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "git": _first_line("git", "version").removeprefix("git version "),
        "helm": _helm(),
        "zlib": zlib.ZLIB_RUNTIME_VERSION,
    }


def _helm() -> str:
    try:
        helm = get_helm.find()
    except get_helm.HelmMissingError:
        helm = None
    return _first_line(str(helm), "version", "--short") if helm else "none"


def _first_line(*command: str) -> str:
    run = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return (run.stdout.splitlines() or ["?"])[0]
