"""Budgets: what a release may use up, and what it is told when that is over."""

from __future__ import annotations

import threading

import pytest

from chart_releaser.budget import FILE_COPIES, LARGE_BYTES, YAML_NODE_BYTES, Budget, format_duration
from chart_releaser.errors import BudgetError


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_time_is_over_when_it_is_over() -> None:
    clock = Clock()
    budget = Budget(60, clock=clock)
    clock.now = 60
    budget.check_time("here")
    assert budget.left == 0
    clock.now = 60.5
    message = (
        "^here: building this release takes longer than 1m; leave it out with versions:, or allow more under "
        "limits: releaseTime$"
    )
    with pytest.raises(BudgetError, match=message):
        budget.check_time("here")
    with pytest.raises(BudgetError, match=message):
        budget.take_file(0, "here")


def test_a_release_at_the_end_of_its_sources_time_is_told_so() -> None:
    clock = Clock()
    budget = Budget(5, source_time=1800, clock=clock)
    clock.now = 6
    with pytest.raises(
        BudgetError, match=r"^v1: the work on this source takes longer than 30m; .* limits: sourceTime$"
    ):
        budget.check_time("v1")


def test_files_and_yaml_share_the_memory() -> None:
    budget = Budget(memory=1 << 20)
    budget.take_file(100_000, "a")
    budget.take_yaml("a: 1\n" * 200, "b")
    with pytest.raises(BudgetError, match=r"^c: .* takes more than 1 MiB of memory; .* under limits: memory$"):
        budget.take_file((1 << 20) // FILE_COPIES - 100_000, "c")


@pytest.mark.parametrize("text", ["# a comment\n" * 500_000, "a: |\n" + "  long text: - , [ {\n" * 200_000])
def test_long_texts_of_few_nodes_cost_little(text: str) -> None:
    Budget(memory=9000 * YAML_NODE_BYTES).take_yaml(text, "values.yaml")


def test_large_releases_are_built_one_at_a_time_and_waiting_costs_them_nothing() -> None:
    clock = Clock()
    first, second = Budget(60, memory=1 << 30, clock=clock), Budget(60, memory=1 << 30, clock=clock)
    entered = threading.Event()

    def build() -> None:
        with second.spending():
            second.take_file(LARGE_BYTES, "x")
            entered.set()

    with first.spending():
        first.take_file(LARGE_BYTES, "x")
        thread = threading.Thread(target=build)
        thread.start()
        assert not entered.wait(0.2)
        clock.now = 1000
    assert entered.wait(10)
    thread.join()
    assert second.spent < 60
    second.check_time("x")


@pytest.mark.parametrize(("seconds", "text"), [(90, "90s"), (120, "2m"), (5400, "90m"), (7200, "2h"), (0.5, "0.5s")])
def test_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
