"""What the modules log, on the console: for those who ask for more twice."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from chart_releaser.cli.console import Console


class _Handler(logging.Handler):
    """Shows each record as a line of its own; the console takes out secrets and what would steer a terminal."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.detail(record.getMessage())


@contextmanager
def show_logs(console: Console) -> Iterator[None]:
    """Show on `console`, in the body, what this package logs."""
    logger = logging.getLogger("chart_releaser")
    handler, level = _Handler(console), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
