"""This process: its standard streams, and the signals that ask it to end."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import typer

from chart_releaser import children
from chart_releaser.cli.console import Console

INTERRUPTED = 130
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def end_children_on_exit() -> Iterator[None]:
    """End the processes that were started in the block when it is left, also by a signal."""

    def on_signal(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in _ENDING}
    for number, handler in before.items():
        if handler == signal.SIG_DFL:  # it would end this process alone, and at once
            signal.signal(number, on_signal)
    with ExitStack() as stack:
        for number, handler in before.items():
            stack.callback(signal.signal, number, handler or signal.SIG_DFL)
        stack.enter_context(children.supervise())
        try:
            yield
        finally:
            for number in _ENDING:
                signal.signal(number, signal.SIG_IGN)  # what comes now takes a moment, and has to be done


@contextmanager
def finish_on_signal(stop: threading.Event) -> Iterator[None]:
    """Let SIGINT or SIGTERM finish what is under way; the same signal once more ends the program.

    The same one, since a cancelled workflow gets SIGINT first, and SIGTERM while it is still finishing.
    """
    seen: set[int] = set()

    def on_signal(number: int, _frame: object) -> None:
        if number in seen:
            raise KeyboardInterrupt
        seen.add(number)
        stop.set()
        name = signal.Signals(number).name
        # Not through the console: it may be in the middle of a message, and hold its lock.
        with suppress(OSError):
            os.write(2, b"%s: finishing what is under way; once more ends at once\n" % name.encode())

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        Console().error("interrupted; what was done is kept, another run goes on from there")
        raise typer.Exit(INTERRUPTED) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def flush_stdout() -> OSError | None:
    """Return why stdout takes no more, None if it does: what it did not take is written once more."""
    try:
        sys.stdout.flush()
    except OSError as error:
        return error
    return None


def open_closed_streams() -> None:
    """Open the null device for each standard stream that the caller has closed: no file of ours may get its number."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, os.fdopen(number, mode))
