"""What is tried again is counted, pauses grow, and a server that is away is not asked for ever."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from chart_releaser.attempts import CircuitBreaker, Retry, RetryLog, RetryPolicy


@dataclass
class Clock:
    """Seconds that go on when the test says so."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("policy", "pauses"),
    [
        (RetryPolicy(attempts=1, first_pause=1), [None]),
        (RetryPolicy(attempts=3, first_pause=1, factor=4), [1, 4, None, None]),
        (RetryPolicy(attempts=5, first_pause=1, longest_pause=3), [1, 2, 3, 3, None]),
    ],
)
def test_pauses(policy: RetryPolicy, pauses: list[float | None]) -> None:
    assert [policy.pause_after(failures) for failures in range(1, len(pauses) + 1)] == pauses


def test_what_is_tried_again_is_counted() -> None:
    log = RetryLog()
    for what in ("b; b", "a", "b; b", "c is away"):
        log.note(what)
    assert log.list() == [Retry("b; b", 2), Retry("a", 1), Retry("c is away", 1)]
    assert log.list()[0].as_json() == {"what": "b; b", "count": 2}


def test_a_server_that_is_away_is_given_up() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock=clock)
    for _ in range(30):
        breaker.failed("a.example")
    assert breaker.open_reason("a.example") == "", "many at once may be one short fault"
    clock.now += 121
    assert breaker.open_reason("a.example") == ("not tried, since a.example gave no answer to 30 requests in 121 s")
    assert breaker.open_reason("b.example") == ""
    breaker.answered("a.example")
    assert breaker.open_reason("a.example") == ""


def test_one_slow_request_does_not_speak_for_a_server() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock=clock)
    for _ in range(9):
        clock.now += 120
        breaker.failed("a.example")
    assert breaker.open_reason("a.example") == ""
    breaker.failed("a.example")
    assert breaker.open_reason("a.example")


@pytest.mark.parametrize("spares_known", [True, False])
def test_a_server_that_was_there_may_be_spared(spares_known: bool) -> None:
    breaker = CircuitBreaker(failures=2, seconds=0, spares_known=spares_known)
    breaker.answered("known")
    for server in ("known", "unknown"):
        for _ in range(2):
            assert breaker.open_reason(server) == ""
            breaker.failed(server)
    assert breaker.open_reason("unknown")
    assert bool(breaker.open_reason("known")) is not spares_known
