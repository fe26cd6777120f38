"""Pacing: a budget over time, waits, and what an answer asks for."""

from __future__ import annotations

import threading

import pytest

from chart_releaser.errors import RateLimitError
from chart_releaser.github.pacing import Pacing, requested_wait


class Clock:
    """A time that passes by sleeping."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now += seconds
        return False


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_full_speed_within_the_budget(clock: Clock) -> None:
    pacing = Pacing(clock=clock, sleep=clock.sleep)
    for _ in range(80):
        pacing.before_creating()
    assert clock.waits == []


@pytest.mark.parametrize("interval", [0.0, 0.1, 0.7, 0.75, 1.0, 5.0, 7.2, 8.0])
def test_never_more_than_80_a_minute_and_500_an_hour(clock: Clock, interval: float) -> None:
    pacing = Pacing(max_wait=3700, clock=clock, sleep=clock.sleep)
    sent = []
    for _ in range(1_200):
        pacing.before_creating()
        sent.append(clock.now)
        clock.now += interval
    assert all(later - earlier > 60 for earlier, later in zip(sent, sent[80:], strict=False))
    assert all(later - earlier > 3600 for earlier, later in zip(sent, sent[500:], strict=False))
    assert (clock.waits == []) is (interval >= 7.21)


def test_a_wait_beyond_the_users_ends_the_run_and_says_so(clock: Clock) -> None:
    pacing = Pacing(max_wait=300, clock=clock, sleep=clock.sleep)
    for _ in range(500):
        pacing.before_creating()
    with pytest.raises(RateLimitError, match=r"asks for a wait of 53 min, --max-wait allows 5 min; what is done is"):
        pacing.before_creating()


@pytest.mark.parametrize(("seconds", "said"), [(0.4, None), (90, "90 s"), (125, "2 min 5 s"), (3000, "50 min")])
def test_waits_are_announced(clock: Clock, seconds: float, said: str | None) -> None:
    messages: list[str] = []
    Pacing(max_wait=4000, clock=clock, sleep=clock.sleep, on_wait=messages.append).wait(seconds, "the limit")
    assert messages == ([] if said is None else [f"waiting {said}: the limit"])


def test_a_stop_ends_the_wait() -> None:
    stop = threading.Event()
    stop.set()
    pacing = Pacing(sleep=stop.wait)
    with pytest.raises(RateLimitError, match="stopped while waiting for the limit"):
        pacing.wait(200, "the limit")
    assert pacing.pause(200)


def test_one_host_is_held_for_every_thread(clock: Clock) -> None:
    pacing = Pacing(clock=clock, sleep=clock.sleep)
    pacing.hold("a", 30, "the limit of a")
    pacing.hold("a", 10, "a shorter one")
    pacing.before_request("b")
    assert clock.waits == []
    pacing.before_request("a")
    pacing.before_request("a")
    assert clock.waits == [30]
    pacing.hold("a", 1000, "the limit of a")
    with pytest.raises(RateLimitError, match="the limit of a asks for a wait of 16 min"):
        pacing.before_request("a")


@pytest.mark.parametrize(
    ("status", "headers", "message", "expected"),
    [
        (403, {}, "Resource not accessible by integration", None),
        (404, {"retry-after": "5"}, "", None),
        (502, {"retry-after": "5"}, "", None),
        (403, {"retry-after": "5", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "2000"}, "", 5),
        (429, {"retry-after": "0"}, "", 0),
        (429, {"retry-after": "soon"}, "", 60),
        (429, {"retry-after": "²"}, "", 60),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1100"}, "", 100),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "900"}, "", 1),
        (403, {"x-ratelimit-remaining": "0"}, "", 60),
        (403, {"x-ratelimit-remaining": "12"}, "You have exceeded a secondary rate limit", 60),
        (403, {}, "You have triggered an abuse detection mechanism", 60),
        (429, {}, "", 60),
    ],
)
def test_what_an_answer_asks(status: int, headers: dict[str, object], message: str, expected: float | None) -> None:
    assert requested_wait(status, headers, message, 1_000.0) == expected


def test_a_wait_counts_down_where_somebody_looks(clock: Clock) -> None:
    told: list[str] = []
    Pacing(clock=clock, sleep=clock.sleep, on_countdown=told.append).wait(2.5, "x")
    assert told == ["waiting 3 s: x", "waiting 2 s: x", "waiting 1 s: x", ""]
    assert sum(clock.waits) == 2.5


def test_a_countdown_ends_when_the_user_wants_to_stop(clock: Clock) -> None:
    told: list[str] = []
    with pytest.raises(RateLimitError, match="stopped while waiting for x"):
        Pacing(clock=clock, sleep=lambda _seconds: True, on_countdown=told.append).wait(60, "x")
    assert told == ["waiting 60 s: x", ""]
