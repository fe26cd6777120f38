"""Budgets for work on an upstream: time and memory for each release, time for each source, space in the index.

An upstream repository decides what building its charts costs. So that none of them can hold up the others, each release
and each source has a budget, which the configuration can raise (`limits:`). A release that exceeds one fails with a
message that names the budget.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from chart_releaser import yamlio
from chart_releaser.errors import BudgetError

YAML_NODE_BYTES = 1024
"""Peak memory per node for reading, editing and checking a YAML text; about 800 bytes were measured."""
FILE_COPIES = 3
"""Copies of a file in memory: as read from upstream, in the tar, and in the tgz."""
LARGE_BYTES = 64 << 20
"""Releases that need more than this are built one at a time, so that their memory does not add up."""
_COUNT_FROM_BYTES = 8 << 20


RELEASE_SECONDS = 120.0
"""Default time for building one release."""
SOURCE_SECONDS = 1800.0
"""Default time for fetching and building all releases of a source in one run."""
MEMORY_BYTES = 512 << 20
"""Default memory for building one release."""
INDEX_BYTES = 10 << 20
"""Default space in an index for all versions of one chart."""

_large = threading.Lock()


@dataclass
class Budget:
    """The budget for building one release: `seconds` of time and `memory` in bytes. For one thread."""

    seconds: float = RELEASE_SECONDS
    memory: int = MEMORY_BYTES
    source_time: float | None = None
    """The time budget of the whole source, if `seconds` is what is left of it."""
    clock: Callable[[], float] = time.monotonic
    """A monotonic clock, in seconds."""
    _start: float = field(init=False)
    _waited: float = 0.0
    _used: int = 0
    is_large: bool = False
    """Whether it holds the lock for large releases."""

    def __post_init__(self) -> None:
        self._start = self.clock()

    @property
    def spent(self) -> float:
        """The seconds spent so far, without the time spent waiting for other large releases."""
        return self.clock() - self._start - self._waited

    @property
    def left(self) -> float:
        """The seconds left, at least 0."""
        return max(0.0, self.seconds - self.spent)

    def check_time(self, where: str) -> None:
        """Raise BudgetError, with `where` the work has got to, once the time is used up."""
        if self.spent <= self.seconds:
            return
        if self.source_time is not None:
            raise source_time_error(where, self.source_time)
        raise BudgetError(
            f"{where}: building this release takes longer than {format_duration(self.seconds)}",
            remedy="leave it out with versions:, or allow more under limits: releaseTime",
        )

    def take_file(self, size: int, where: str) -> None:
        """Charge a file of `size` bytes. Raises BudgetError."""
        self._take(size * FILE_COPIES, where)

    def take_yaml(self, text: str, where: str) -> None:
        """Charge a YAML text that will be read and edited. Raises BudgetError, YamlError."""
        nodes = yamlio.count_nodes(text, where=where, enough=_COUNT_FROM_BYTES // YAML_NODE_BYTES)
        self._take(nodes * YAML_NODE_BYTES, where)

    @contextmanager
    def spending(self) -> Iterator[Budget]:
        """Yield the budget, and release the lock for large releases afterwards."""
        try:
            yield self
        finally:
            if self.is_large:
                self.is_large = False
                _large.release()

    def _take(self, size: int, where: str) -> None:
        self.check_time(where)
        self._used += size
        if self._used > self.memory:
            raise BudgetError(
                f"{where}: building this release takes more than {self.memory >> 20} MiB of memory",
                remedy="leave it out with versions:, or allow more under limits: memory",
            )
        if self._used > LARGE_BYTES and not self.is_large:
            start = self.clock()
            _large.acquire()
            self.is_large = True
            self._waited += self.clock() - start


def source_time_error(where: str, seconds: float) -> BudgetError:
    """Return the error for a source that exceeds its time budget of `seconds`; the work got as far as `where`."""
    return BudgetError(
        f"{where}: the work on this source takes longer than {format_duration(seconds)}",
        remedy="what is done is kept, the next run continues; allow more under limits: sourceTime",
    )


def format_duration(seconds: float) -> str:
    """Return a time span as the configuration writes it: `90s`, `2m`, `1h`."""
    whole = round(seconds)
    for size, unit in ((3600, "h"), (60, "m")):
        if whole >= size and whole % size == 0:
            return f"{whole // size}{unit}"
    return f"{seconds:g}s"
