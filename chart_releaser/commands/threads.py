"""Runs calls in threads, with outcomes in order, and without keeping an interrupted program waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import Generic, TypeVar

T = TypeVar("T")
_POLL_SECONDS = 0.2
_LEAVE_SECONDS = 1.0


class Calls(Generic[T]):
    """Calls that run in at most `threads` threads. No more calls are begun once `stop` is set."""

    def __init__(self, calls: Sequence[Callable[[], T]], threads: int, stop: threading.Event) -> None:
        self._stop = stop
        self._abandoned = False
        self._futures: list[Future[T]] = [Future() for _ in calls]
        self._pending = iter(zip(calls, self._futures, strict=True))
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._work, daemon=True) for _ in range(min(max(threads, 1), len(calls)))
        ]
        for thread in self._threads:
            thread.start()

    def outcomes(self) -> list[T | Exception]:
        """Wait for all calls and return their results in order, with an Exception in place of a result.

        Raises KeyboardInterrupt if `stop` is set before all are done; the calls only read, so nothing has to be
        finished. Other BaseExceptions of a call, such as SystemExit, are raised here.
        """
        outcomes: list[T | Exception] = []
        for future in self._futures:
            outcome = _outcome(future, self._stop)
            outcomes.append(outcome)
        return outcomes

    def abandon(self) -> None:
        """Begin no more calls, because nobody wants the outcomes, and give those under way a moment to end."""
        self._abandoned = True
        end = time.monotonic() + _LEAVE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _work(self) -> None:
        while not (self._stop.is_set() or self._abandoned):
            with self._lock:
                call, future = next(self._pending, (None, None))
            if call is None or future is None:
                return
            try:
                result = call()
            except BaseException as error:  # SystemExit too, since somebody waits for the outcome
                future.set_exception(error)
            else:
                future.set_result(result)


def call_in_threads(calls: Sequence[Callable[[], T]], threads: int, stop: threading.Event) -> Sequence[T | Exception]:
    """Run `calls` in at most `threads` threads and return their outcomes; see `Calls.outcomes`."""
    return Calls(calls, threads, stop).outcomes()


def call_unless_stopped(stop: threading.Event, call: Callable[[], T]) -> T:
    """Run a call that only reads, and return its result or raise its error.

    Raises KeyboardInterrupt as soon as `stop` is set, without waiting for the call.
    """
    (outcome,) = call_in_threads([call], 1, stop)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _outcome(future: Future[T], stop: threading.Event) -> T | Exception:
    # Not future.result(timeout): its TimeoutError can't be told from one that the call itself raised.
    while not wait((future,), _POLL_SECONDS).done:
        if stop.is_set():
            raise KeyboardInterrupt
    try:
        return future.result()
    except Exception as error:
        return error
