"""The benchmark's small version: requests, bytes and writes stay within their bounds. Seconds are never looked at."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import synthetic
from bench.__main__ import PARTS, measure
from bench.process import ROOT, CommandError, environment
from bench.process import measure as run_measured
from bench.results import Goal, Part
from chart_releaser.versions import Window, helm_order, parse_tag

NOT_YET = {
    "export": {"requests a repository, cold cache"},
}
"""Goals of counts that are known to be missed. One that is reached is taken out of here, so that it stays reached."""


@pytest.mark.parametrize("name", [name for name in PARTS if name != "start-up"])
def test_counts_stay_within_their_goals(name: str) -> None:
    part = measure(name, small=True)
    counted = [goal for goal in part.goals if goal.kind == "count"]
    missed = {goal.text: (goal.value, goal.bound) for goal in counted if not goal.met}
    assert counted
    assert missed.keys() == NOT_YET.get(name, set()), missed


def test_the_command_prints_tables_and_writes_json(tmp_path: Path) -> None:
    target = tmp_path / "figures.json"
    command = [sys.executable, "-m", "bench", "--small", "--json", str(target), "start-up"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True, check=True, timeout=300
    )
    assert "--version" in done.stdout
    found = json.loads(target.read_text())
    assert found["small"] is True
    assert {"processors", "python", "git", "helm"} <= found["machine"].keys()
    (part,) = found["parts"]
    assert [row[""] for row in part["rows"]] == ["--help", "--version", "update --help", "python -c pass"]
    assert all(row["MB memory"] > 1 for row in part["rows"])


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
    assert window.complete(page) or count <= 100
    assert synthetic.newest(listed) == min(listed, key=helm_order)
