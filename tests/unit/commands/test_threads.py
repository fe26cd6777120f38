"""Several calls at a time: order, bounds, errors as values, and an end when somebody wants one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from chart_releaser.commands.threads import Calls, call_in_threads


def test_outcomes_are_in_order_and_errors_are_values() -> None:
    error = ValueError("no")

    def call(number: int) -> Callable[[], int]:
        def work() -> int:
            time.sleep(0.001 * (20 - number))
            if number == 7:
                raise error
            return number

        return work

    expected: list[int | Exception] = [*range(20)]
    expected[7] = error
    assert call_in_threads([call(number) for number in range(20)], 5, threading.Event()) == expected


@pytest.mark.parametrize("threads", [1, 3])
def test_no_more_than_so_many_at_a_time(threads: int) -> None:
    lock, now, most = threading.Lock(), 0, 0

    def work() -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.002)
        with lock:
            now -= 1

    call_in_threads([work] * 20, threads, threading.Event())
    assert most == threads


def test_nothing_to_do() -> None:
    assert call_in_threads([], 4, threading.Event()) == []


def test_a_timeout_of_the_call_itself_is_its_error() -> None:
    error = TimeoutError("its own")

    def work() -> None:
        time.sleep(0.3)
        raise error

    assert call_in_threads([work], 1, threading.Event()) == [error]


def test_stop_ends_the_wait_for_calls_that_hang() -> None:
    stop, release, begun = threading.Event(), threading.Event(), []

    def work() -> None:
        begun.append(1)
        stop.set()
        release.wait(10)

    try:
        with pytest.raises(KeyboardInterrupt):
            call_in_threads([work] * 10, 2, stop)
        assert len(begun) <= 2
    finally:
        release.set()


def test_what_is_no_exception_does_not_leave_anybody_waiting() -> None:
    def work() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        call_in_threads([work], 1, threading.Event())


def test_calls_run_while_somebody_does_something_else() -> None:
    begun, release = threading.Event(), threading.Event()

    def work() -> int:
        begun.set()
        release.wait(10)
        return 1

    calls = Calls([work], 2, threading.Event())
    assert begun.wait(10)
    release.set()
    assert calls.outcomes() == [1]


def test_abandoned_calls_end_and_no_other_one_is_begun() -> None:
    begun, ended, first = [], [], threading.Event()

    def work() -> None:
        begun.append(1)
        first.set()
        time.sleep(0.05)
        ended.append(1)

    calls = Calls([work] * 10, 2, threading.Event())
    assert first.wait(10)
    calls.abandon()
    assert len(begun) == len(ended) <= 2
    time.sleep(0.1)
    assert len(begun) == len(ended) <= 2


def test_what_hangs_is_not_waited_for_when_it_is_abandoned() -> None:
    release = threading.Event()
    calls = Calls([lambda: release.wait(20)], 1, threading.Event())
    begin = time.monotonic()
    calls.abandon()
    assert time.monotonic() - begin < 10
    release.set()
