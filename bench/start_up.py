"""How long the command takes to print its help and its version."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

from bench.process import chart_releaser, measure
from bench.results import Goal, Part, mb


def run(folder: Path, *, small: bool) -> Part:
    """Measure --help, --version and, as a lower bound, Python doing nothing, in turns; report medians."""
    part = Part("start-up", "the command's first words")
    commands = {
        "--help": [*chart_releaser(), "--help"],
        "--version": [*chart_releaser(), "--version"],
        "update --help": [*chart_releaser(), "update", "--help"],
        "python -c pass": [sys.executable, "-c", "pass"],
    }
    turns = [
        {case: measure(command, home=folder) for case, command in commands.items()} for _ in range(2 if small else 11)
    ]
    for case in commands:
        seconds = statistics.median(turn[case].seconds for turn in turns)
        cpu = statistics.median(turn[case].cpu for turn in turns)
        memory = max(turn[case].memory for turn in turns)
        part.add(case, {"s": round(seconds, 3), "CPU s": round(cpu, 3), "MB memory": mb(memory)})
    for case, bound in (("--help", 0.3), ("--version", 0.15)):
        part.goals.append(Goal(f"s of {case}", float(part.row(case)["s"] or 0), bound, "machine"))
    return part
