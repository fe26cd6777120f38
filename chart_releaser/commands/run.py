"""The context of a command run: sources, access to their repositories, reporting, and concurrent requests."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
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
    """Receives messages about the progress of a run. Called from several threads."""

    def step(self, text: str) -> None:
        """Report a step that was begun or done."""

    def success(self, text: str) -> None:
        """Report something that was published."""

    def detail(self, text: str) -> None:
        """Report a detail, which is shown with --verbose."""

    def detail_each(self, texts: Iterable[str]) -> None:
        """The same for many texts, which are made only if somebody asks for more."""

    def failure(self, text: str) -> None:
        """Report that one source or release failed."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Report that `done` of `total` are done and `what` is being done now."""


@dataclass
class Run:
    """What every command needs: the sources to work on, access to their repositories, and a reporter.

    `threads` is the number of repositories to work on at a time. `stop` is set when the user interrupts: what is under
    way is finished, and nothing new is begun.
    """

    sources: Sequence[Source]
    repositories: Repositories
    reporter: Reporter
    threads: int
    stop: threading.Event = field(default_factory=threading.Event)
    signer: Signer | None = None
    """Signs the packages; None if they are not signed."""
    marks_latest: Source | None = None
    """The source whose newest version becomes GitHub's latest release, if any."""


class _WaitProgress:
    """Reports which source the run is waiting for: of those asked at the same time, the one that was asked first."""

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
"""Waits for the answers, and yields each source, in order, with its answer or error."""


@contextlib.contextmanager
def ask_in_background(
    run: Run, sources: Sequence[Source], ask: Callable[[Location, Sequence[Source]], T]
) -> Iterator[Answers[T]]:
    """Call `ask` in threads, once for each distinct repository of `sources`, while the body runs.

    The body gets a function that waits for the answers and returns them. If the body fails, no more calls are begun.
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
    """Call `ask` once for each distinct repository of `sources`; yield each source in order with its outcome."""
    with ask_in_background(run, sources, ask) as answers:
        outcomes = list(answers())
    yield from outcomes


def record_failure(run: Run, report: UpdateReport, row: ReleaseRow, error: Exception) -> None:
    """Record in `report` that a source or release failed, or was postponed by a rate limit."""
    if isinstance(error, RateLimitError):
        report.stopped_early = report.stopped_early or str(error)
        run.reporter.detail(f"{row.title}: postponed to another run")
    else:
        run.reporter.failure(report.fail(row, error))
