"""What every command works with: sources, the way to their repositories, who is told, and what was not done."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from chart_releaser.commands.report import ReleaseRow, UpdateReport
from chart_releaser.commands.threads import Calls
from chart_releaser.errors import RateLimitError
from chart_releaser.upstream.repositories import Repositories

if TYPE_CHECKING:
    from chart_releaser.charts.provenance import Signer
    from chart_releaser.config.parse import Source
    from chart_releaser.location import Location

T = TypeVar("T")


class Reporter(Protocol):
    """Who is told how a run goes. Called from several threads."""

    def step(self, text: str) -> None:
        """Something was begun or done."""

    def success(self, text: str) -> None:
        """Something was published."""

    def detail(self, text: str) -> None:
        """Something for those who ask for more."""

    def failure(self, text: str) -> None:
        """One source or release failed."""

    def progress(self, what: str, done: int, total: int) -> None:
        """So much is done; `what` is being done now, and for which source."""


@dataclass
class Run:
    """What every command needs: the sources to work on, the way to their repositories, and who is told.

    `threads` repositories are worked on at a time. `stop` is set when the user wants an end: what is under way is
    finished, and nothing new begun.
    """

    sources: Sequence[Source]
    repositories: Repositories
    reporter: Reporter
    threads: int
    stop: threading.Event = field(default_factory=threading.Event)
    signer: Signer | None = None
    """Who signs what is published; None where nobody does."""
    marks_latest: Source | None = None
    """The source whose newest version GitHub shall call the latest release, if any."""


class _WaitProgress:
    """Tells which source is being waited for: of several that are asked at once, the one that takes longest."""

    def __init__(self, reporter: Reporter, total: int) -> None:
        self._reporter = reporter
        self._total = total
        self._names: list[str] = []
        self._done = 0
        self._lock = threading.Lock()

    def begin(self, name: str) -> None:
        with self._lock:
            self._names.append(name)
            self._tell()

    def end(self, name: str) -> None:
        with self._lock:
            self._names.remove(name)
            self._done += 1
            self._tell()

    def _tell(self) -> None:
        whom = f" {self._names[0]}" if self._names else ""
        self._reporter.progress(f"asking{whom}", self._done, self._total)


Answers = Callable[[], Iterator[tuple["Source", T | Exception]]]
"""Waits for what was asked, and yields each source, in order, with the outcome."""


@contextlib.contextmanager
def ask_in_background(
    run: Run, sources: Sequence[Source], ask: Callable[[Location, Sequence[Source]], T]
) -> Iterator[Answers[T]]:
    """Ask once for each distinct repository of `sources` while the body runs, which gets the answers by a call.

    Where the body ends without them nothing more is asked.
    """
    groups: dict[Location, list[Source]] = {}
    for source in sources:
        groups.setdefault(source.location, []).append(source)
    waiting = _WaitProgress(run.reporter, len(groups))

    def ask_one(location: Location, group: Sequence[Source]) -> T:
        name = group[0].name
        waiting.begin(name)
        try:
            return ask(location, group)
        finally:
            waiting.end(name)

    calls = Calls([partial(ask_one, location, group) for location, group in groups.items()], run.threads, run.stop)

    def answers() -> Iterator[tuple[Source, T | Exception]]:
        by_location = dict(zip(groups, calls.outcomes(), strict=True))
        for source in sources:
            yield source, by_location[source.location]

    try:
        yield answers
    except Exception:
        calls.abandon()
        raise


def ask_each(
    run: Run, sources: Sequence[Source], ask: Callable[[Location, Sequence[Source]], T]
) -> Iterator[tuple[Source, T | Exception]]:
    """Ask once for each distinct repository of `sources`; yield each source, in order, with the outcome."""
    with ask_in_background(run, sources, ask) as answers:
        outcomes = list(answers())
    yield from outcomes


def record_failure(run: Run, report: UpdateReport, row: ReleaseRow, error: Exception) -> None:
    """Record why a source or a release was not done: put off by a rate limit, or failed."""
    if isinstance(error, RateLimitError):
        report.stopped_early = report.stopped_early or str(error)
        run.reporter.detail(f"{row.title}: put off until another run")
    else:
        run.reporter.failure(report.fail(row, error))
