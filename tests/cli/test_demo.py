"""`make demo` as a user sees it, but in a temporary folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from examples.demo import ROOT
from tests.helm import Helm


def run_demo(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "examples.demo", "--folder", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_the_demo_publishes_charts_that_helm_takes_and_then_finds_nothing_new(tmp_path: Path, helm: Helm) -> None:
    first = run_demo(tmp_path)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "Every file in public/ is as it was." in first.stdout
    packages = sorted(path.name for path in (tmp_path / "public").glob("*.tgz"))
    assert packages == [
        *(f"provider-acme-{version}.tgz" for version in ("1.0.0", "1.1.0", "1.1.1", "1.2.0", "1.2.1")),
        *(f"terminal-{version}.tgz" for version in ("0.33.0", "0.34.0")),
        *(f"weather-{version}.tgz" for version in ("1.2.0", "1.2.1", "1.2.2", "2.0.0", "2.0.1", "2.1.0")),
    ]
    for package in packages:
        helm("show", "all", tmp_path / "public" / package)
        helm("template", "demo", tmp_path / "public" / package)
    before = {path.name: path.read_bytes() for path in (tmp_path / "public").iterdir()}
    again = run_demo(tmp_path)
    assert again.returncode == 0, again.stdout + again.stderr
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "public").iterdir()}
