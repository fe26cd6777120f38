"""What upstream may use up: time and memory for each release, time for each source, room in the index.

An upstream repository decides what building its charts costs. So that none of them can hold up the others, each release
and each source has a budget, which the configuration can raise (`limits:`). Where a budget is used up the release fails
with a message that names it.
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
"""What reading, editing and checking a YAML text takes at its peak for each of its nodes; measured: 800."""
FILE_COPIES = 3
"""A file is in memory as it was read, in the tar, and in the tgz."""
LARGE_BYTES = 64 << 20
"""Releases beyond this are built one at a time, so that the budgets of many do not add up."""
_COUNT_FROM_BYTES = 8 << 20


RELEASE_SECONDS = 120.0
"""For building one release; by default, as the other budgets."""
SOURCE_SECONDS = 1800.0
"""For fetching and building all of a source's releases in one run."""
MEMORY_BYTES = 512 << 20
"""For building one release."""
INDEX_BYTES = 10 << 20
"""For the entries of one chart in an index, all its versions together."""

_large = threading.Lock()


@dataclass
class Budget:
    """What is left for building one release: `seconds` of time and `memory` in bytes. For one thread."""

    seconds: float = RELEASE_SECONDS
    memory: int = MEMORY_BYTES
    source_time: float | None = None
    """The budget of the whole source, where no more than `seconds` are left of that."""
    clock: Callable[[], float] = time.monotonic
    """Tells seconds that never go backwards."""
    _start: float = field(init=False)
    _waited: float = 0.0
    _used: int = 0
    is_large: bool = False
    """Whether it keeps other large releases waiting."""

    def __post_init__(self) -> None:
        self._start = self.clock()

    @property
    def spent(self) -> float:
        """The seconds that the work has taken so far; waiting for other large releases costs nothing."""
        return self.clock() - self._start - self._waited

    @property
    def left(self) -> float:
        """The seconds that are left; not below 0."""
        return max(0.0, self.seconds - self.spent)

    def check_time(self, where: str) -> None:
        """Raise BudgetError, naming `where` the work has got to, once the time is over."""
        if self.spent <= self.seconds:
            return
        if self.source_time is not None:
            raise source_time_over(where, self.source_time)
        raise BudgetError(
            f"{where}: building this release takes longer than {duration(self.seconds)}",
            remedy="leave it out with versions:, or allow more under limits: releaseTime",
        )

    def take_file(self, size: int, where: str) -> None:
        """Account for a file of `size` bytes. Raises BudgetError."""
        self._take(size * FILE_COPIES, where)

    def take_yaml(self, text: str, where: str) -> None:
        """Account for a YAML text that will be read and edited. Raises BudgetError, YamlError."""
        nodes = yamlio.count_nodes(text, where=where, enough=_COUNT_FROM_BYTES // YAML_NODE_BYTES)
        self._take(nodes * YAML_NODE_BYTES, where)

    @contextmanager
    def spending(self) -> Iterator[Budget]:
        """Give the budget, and end what it holds for a large release."""
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


def source_time_over(where: str, seconds: float) -> BudgetError:
    """Return the error for a source whose work, which got as far as `where`, takes more than `seconds`."""
    return BudgetError(
        f"{where}: the work on this source takes longer than {duration(seconds)}",
        remedy="what is done stays done, the next run goes on; allow more under limits: sourceTime",
    )


def duration(seconds: float) -> str:
    """Return a length of time as the configuration writes it: `90s`, `2m`, `1h`."""
    whole = round(seconds)
    for size, unit in ((3600, "h"), (60, "m")):
        if whole >= size and whole % size == 0:
            return f"{whole // size}{unit}"
    return f"{seconds:g}s"
