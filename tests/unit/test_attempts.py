"""What is tried again is counted, and a server that is away is not asked for ever."""

from __future__ import annotations

from dataclasses import dataclass

from chart_releaser.attempts import Again, Attempts


@dataclass
class Clock:
    """Seconds that go on when the test says so."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def test_what_is_tried_again_is_counted() -> None:
    attempts = Attempts()
    for what in ("b", "a", "b", "c"):
        attempts.again(what)
    assert attempts.list() == [Again("b", 2), Again("a", 1), Again("c", 1)]
    assert attempts.list()[0].as_json() == {"what": "b", "count": 2}


def test_a_server_that_is_away_is_given_up() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    for _ in range(30):
        attempts.failed("a.example")
    assert attempts.why_not("a.example") == "", "many at once may be one short fault"
    clock.now += 121
    assert attempts.why_not("a.example") == (
        "not tried, since a.example gave no answer to 30 requests in 121 s; run again later"
    )
    assert attempts.why_not("b.example") == ""
    attempts.answered("a.example")
    assert attempts.why_not("a.example") == ""


def test_one_slow_request_does_not_speak_for_a_server() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    for _ in range(9):
        clock.now += 120
        attempts.failed("a.example")
    assert attempts.why_not("a.example") == ""
    attempts.failed("a.example")
    assert attempts.why_not("a.example")
