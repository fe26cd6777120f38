"""How the benchmark measures and shows what it found; `make bench-smoke` runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench import synthetic
from bench.process import ROOT, CommandError, environment
from bench.process import measure as run_measured
from bench.results import Goal, Part
from chart_releaser.versions import Window, helm_sort_key, parse_tag


def test_an_unknown_part_is_a_wrong_usage(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "nothing"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "no part nothing" in done.stderr


def test_a_command_that_fails_is_not_measured(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="ended with 3: why"):
        run_measured([sys.executable, "-c", "import sys; sys.stderr.write('why'); sys.exit(3)"], home=tmp_path)


def test_memory_is_the_commands_own(tmp_path: Path) -> None:
    ballast = bytearray(200 << 20)
    used = run_measured([sys.executable, "-c", "pass"], home=tmp_path)
    assert 1 << 20 < used.memory < len(ballast) // 2


def test_goals_are_shown_with_what_became_of_them() -> None:
    part = Part("p", "a title")
    part.add("case", {"n": 1, "MB": 0.1234567, "none": None})
    part.goals = [Goal("few", 1, 2), Goal("fewer", 3, 2)]
    assert list(part.lines()) == [
        "p: a title",
        "        n     MB  none",
        "  case  1  0.123     -",
        "  goal met: few: 1, at most 2",
        "  goal MISSED: fewer: 3, at most 2",
    ]


@pytest.mark.parametrize("count", [1, 9, 30, 168, 833])
def test_synthetic_releases_are_as_upstream_makes_them(count: int) -> None:
    """The whole window is on the first page, as it is with repositories in use."""
    listed = synthetic.versions(count)
    parsed = [parse_tag(version) for version in listed]
    assert len(set(listed)) == count
    newest_first = [version for version in reversed(parsed) if version is not None]
    window = Window()
    page = newest_first[:100]
    assert window.select(page) == window.select(newest_first)
    assert window.is_complete(page) or count <= 100
    assert synthetic.newest(listed) == min(listed, key=helm_sort_key)
