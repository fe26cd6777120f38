"""Several calls at a time, outcomes in order, and no thread that keeps a stopped program waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import TypeVar

T = TypeVar("T")
_POLL_SECONDS = 0.2


def in_threads(calls: Sequence[Callable[[], T]], threads: int, stop: threading.Event) -> Sequence[T | Exception]:
    """Return the outcome of each of `calls`, errors as values, at most `threads` of them running at a time.

    Raises KeyboardInterrupt when `stop` is set before all are done: the calls only read, so nothing has to be finished.
    What is no Exception, such as SystemExit, is raised here as it was there.
    """
    futures: list[Future[T]] = [Future() for _ in calls]
    pending = iter(zip(calls, futures, strict=True))
    lock = threading.Lock()

    def work() -> None:
        while not stop.is_set():
            with lock:
                call, future = next(pending, (None, None))
            if call is None or future is None:
                return
            try:
                result = call()
            except BaseException as error:  # also what would end this thread: somebody waits for the outcome
                future.set_exception(error)
            else:
                future.set_result(result)

    for _ in range(min(max(threads, 1), len(calls))):
        threading.Thread(target=work, daemon=True).start()
    outcomes: list[T | Exception] = []
    for future in futures:
        outcome = _outcome(future, stop)
        outcomes.append(outcome)
    return outcomes


def _outcome(future: Future[T], stop: threading.Event) -> T | Exception:
    # Not future.result(timeout): its TimeoutError can't be told from one that the call itself raised.
    while not wait((future,), _POLL_SECONDS).done:
        if stop.is_set():
            raise KeyboardInterrupt
    try:
        return future.result()
    except Exception as error:
        return error
