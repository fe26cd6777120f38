"""The results of a measurement: rows of a table, and goals that are met or missed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

Value = int | float | str | None


@dataclass(frozen=True)
class Goal:
    """The goal that a measured `value` is at most `bound`.

    Goals of the kind "count" (requests, bytes) hold on every machine. Those of the kind "machine" (time, memory) are
    set for two cores.
    """

    text: str
    value: float
    bound: float
    kind: Literal["count", "machine"] = "count"

    @property
    def met(self) -> bool:
        """Whether the goal is met."""
        return self.value <= self.bound


@dataclass
class Part:
    """One part of the benchmark. All rows have the same keys, which name the unit of a size; times are in seconds."""

    name: str
    title: str
    rows: list[dict[str, Value]] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)

    def add(self, case: str, figures: Mapping[str, Value]) -> None:
        """Add a row."""
        self.rows.append({"": case, **figures})

    def row(self, case: str) -> dict[str, Value]:
        """Return the row of a case. Raises KeyError if there is none."""
        for row in self.rows:
            if row[""] == case:
                return row
        raise KeyError(case)

    def lines(self) -> Iterator[str]:
        """Return the part as lines of text: a heading, a table, the goals."""
        yield f"{self.name}: {self.title}"
        if self.rows:
            head = list(self.rows[0])
            body = [[show(row[key]) for key in head] for row in self.rows]
            widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
            for cells in (head, *body):
                first, *others = zip(cells, widths, strict=True)
                line = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
                yield "  " + "  ".join(line).rstrip()
        for goal in self.goals:
            verdict = "met" if goal.met else "MISSED"
            yield f"  goal {verdict}: {goal.text}: {show(goal.value)}, at most {show(goal.bound)}"

    def as_json(self) -> dict[str, object]:
        """Return the part as JSON values."""
        goals = [{**vars(goal), "met": goal.met} for goal in self.goals]
        return {"name": self.name, "title": self.title, "rows": self.rows, "goals": goals}


def show(value: Value) -> str:
    """Return a value as text, with the three significant digits that a measurement has."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)


def mb(size: float) -> float:
    """Return bytes as megabytes, rounded to kilobytes."""
    return round(size / 1e6, 3)


def ratio(ours: float, theirs: float) -> float:
    """Return how many times as much the other way costs."""
    return round(theirs / ours, 2) if ours else 0.0
