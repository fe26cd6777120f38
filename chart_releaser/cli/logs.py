"""Shows the log records of this package on the console, for `-vv`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from chart_releaser.cli.console import Console


class _Handler(logging.Handler):
    """Writes each record to the console, which removes secrets and control characters."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.detail(record.getMessage())


@contextmanager
def show_logs(console: Console) -> Iterator[None]:
    """Show the log records of this package on `console` while the body runs."""
    logger = logging.getLogger("chart_releaser")
    handler, level = _Handler(console), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
