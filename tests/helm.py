"""The true Helm as tests call it: isolated from the machine's own Helm, its network settings and its configuration."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "TZ")


@dataclass(frozen=True)
class Helm:
    """A Helm with homes of its own below `home`; call it with the arguments of the command line."""

    binary: Path
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment of a call: no proxies, no kubeconfig, no home directory of a person."""
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return kept | {
            "HOME": str(self.home),
            "HELM_CACHE_HOME": str(self.home / "cache"),
            "HELM_CONFIG_HOME": str(self.home / "config"),
            "HELM_DATA_HOME": str(self.home / "data"),
            "KUBECONFIG": os.devnull,
        }

    def __call__(
        self, *arguments: str | Path, check: bool = True, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run it, with text output captured. With `check`, a failure fails the test and shows what Helm said."""
        done = subprocess.run(
            [self.binary, *map(str, arguments)],
            cwd=cwd or self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(
                f"helm {' '.join(map(str, arguments))}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
            )
        return done
