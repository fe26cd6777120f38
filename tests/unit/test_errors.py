"""The families of errors and their exit codes."""

from __future__ import annotations

import inspect

import pytest

from chart_releaser import errors
from chart_releaser.errors import (
    ChartReleaserError,
    ConfigError,
    DestinationError,
    GitHubError,
    LostAnswerError,
    close_matches,
    did_you_mean,
)

FAMILIES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, ChartReleaserError)]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_expected_and_has_a_code_of_the_contract(family: type[ChartReleaserError]) -> None:
    assert family.exit_code in (1, 2, 3)
    assert family.__doc__


def test_codes() -> None:
    two = {family.__name__ for family in FAMILIES if family.exit_code == 2}
    assert {"ConfigError", "UsageError", "DestinationUnusableError"} <= two
    assert {family.__name__ for family in FAMILIES if family.exit_code == 3} == {"RateLimitError"}
    assert DestinationError.exit_code == 1


def test_a_configuration_error_holds_each_problem_as_a_line() -> None:
    error = ConfigError(["a:1: x", "a:2: y"])
    assert error.problems == ("a:1: x", "a:2: y")
    assert str(error).splitlines() == ["a:1: x", "a:2: y"]


def test_what_is_most_likely_meant() -> None:
    names = ["Weather", "lake", "lakes", "sea"]
    assert close_matches("weathr", names) == ["Weather"]
    assert close_matches("LAKE", names, limit=3) == ["lake", "lakes"]
    assert close_matches("lagoon", names) == []
    assert close_matches("lakeside", names, limit=2, cutoff=0.9) == []
    assert did_you_mean(["a"]) == "did you mean a?"
    assert did_you_mean(["a", "b", "c"]) == "did you mean a, b or c?"


def test_a_refusal_keeps_its_status() -> None:
    assert GitHubError("no", 404).status == 404
    assert LostAnswerError("no").status == 0
