"""Writing requests: when one is repeated, and when its effect is looked up in place of that."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from chart_releaser.attempts import Attempts
from chart_releaser.destinations.github_writes import send_until_effective
from chart_releaser.errors import GitHubError, LostAnswerError

LOST = LostAnswerError("the connection broke")


@pytest.fixture
def api() -> Any:
    """The part of a client that waits and keeps the log."""
    pauses: list[float] = []
    return SimpleNamespace(attempts=Attempts(), pacing=SimpleNamespace(pause=pauses.append), pauses=pauses)


def sender(*outcomes: Exception | str) -> Callable[[], str]:
    """A request that has these outcomes, one after the other."""
    left = list(outcomes)

    def send() -> str:
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return send


def unexpected() -> str:
    raise AssertionError("nothing is to be looked up")


def test_an_answer_is_returned_as_it_is(api: Any) -> None:
    assert send_until_effective(api, sender("made"), unexpected) == "made"
    assert api.pauses == []


def test_after_a_lost_answer_the_effect_is_looked_up_first(api: Any) -> None:
    assert send_until_effective(api, sender(LOST), lambda: "made") == "made"
    assert send_until_effective(api, sender(LOST, "sent again"), lambda: None) == "sent again"
    assert len(api.pauses) == 2
    assert [one.what for one in api.attempts.list()] == ["the connection broke"]


def test_what_another_run_has_made_is_found_without_a_pause(api: Any) -> None:
    assert send_until_effective(api, sender(GitHubError("exists", 422)), lambda: "theirs") == "theirs"
    with pytest.raises(GitHubError, match="invalid"):
        send_until_effective(api, sender(GitHubError("invalid", 422)), lambda: None)
    assert api.pauses == []


def test_what_github_does_not_find_yet_is_asked_for_again(api: Any) -> None:
    gone = GitHubError("not found", 404)
    assert send_until_effective(api, sender(gone, "made"), lambda: None) == "made"
    with pytest.raises(GitHubError, match="not found"):
        send_until_effective(api, sender(gone), unexpected, missing=False)


def test_a_refusal_is_final_and_so_is_the_last_attempt(api: Any) -> None:
    with pytest.raises(GitHubError, match="no permission"):
        send_until_effective(api, sender(GitHubError("no permission", 403)), unexpected)
    with pytest.raises(LostAnswerError):
        send_until_effective(api, sender(*[LOST] * 5), lambda: None)
    assert len(api.pauses) == 4
