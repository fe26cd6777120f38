"""Standard streams and signal handling of this process."""

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
    """End all child processes when the body ends, whether normally or by a signal."""

    def on_signal(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in _ENDING}
    for number, handler in before.items():
        if handler == signal.SIG_DFL:  # it would end this process at once and leave its children running
            signal.signal(number, on_signal)
    with ExitStack() as stack:
        for number, handler in before.items():
            stack.callback(signal.signal, number, handler or signal.SIG_DFL)
        stack.enter_context(children.supervise())
        try:
            yield
        finally:
            for number in _ENDING:
                signal.signal(number, signal.SIG_IGN)  # ending the children takes a moment and must not be interrupted


@contextmanager
def finish_on_signal(stop: threading.Event) -> Iterator[None]:
    """Set `stop` on SIGINT or SIGTERM, so that what is under way is finished; the same signal again ends the program.

    Raises typer.Exit in that case. A different second signal does not count, because GitHub sends a cancelled workflow
    SIGINT and then, while it is still finishing, SIGTERM.
    """
    seen: set[int] = set()

    def on_signal(number: int, _frame: object) -> None:
        if number in seen:
            raise KeyboardInterrupt
        seen.add(number)
        stop.set()
        name = signal.Signals(number).name
        # Not through the console: this handler may have interrupted it while it holds its lock.
        with suppress(OSError):
            os.write(2, b"%s: finishing what is under way; once more ends at once\n" % name.encode())

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        Console().error("interrupted; what was done is kept, the next run continues from there")
        raise typer.Exit(INTERRUPTED) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def flush_stdout() -> OSError | None:
    """Flush stdout, and return the error if that fails."""
    try:
        sys.stdout.flush()
    except OSError as error:
        return error
    return None


def open_closed_streams() -> None:
    """Open the null device for each closed standard stream, so that no file of ours gets its descriptor."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, os.fdopen(number, mode))
