"""What every command works with: sources, the way to their repositories, who is told, and what was not done."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from chart_releaser.build import Job
from chart_releaser.errors import RateLimitError
from chart_releaser.report import Row, UpdateReport
from chart_releaser.repositories import Repositories, web_url
from chart_releaser.threads import in_threads

if TYPE_CHECKING:
    from chart_releaser.config import Source
    from chart_releaser.location import Location
    from chart_releaser.plan import Item

T = TypeVar("T")


class Reporter(Protocol):
    """Who is told how a run goes. Called from several threads."""

    def step(self, text: str) -> None:
        """Something was begun or done."""

    def detail(self, text: str) -> None:
        """Something for those who ask for more."""

    def failure(self, text: str) -> None:
        """One source or release failed."""

    def progress(self, what: str, done: int, total: int) -> None:
        """So much of it is done."""


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
    marks_latest: Source | None = None
    """The source whose newest version GitHub shall call the latest release, if any."""


def ask_each(
    run: Run, sources: Sequence[Source], ask: Callable[[Location, Sequence[Source]], T]
) -> Iterator[tuple[Source, T | Exception]]:
    """Ask once for each distinct repository of `sources`; yield each source, in order, with the outcome."""
    groups: dict[Location, list[Source]] = {}
    for source in sources:
        groups.setdefault(run.repositories.locate(source), []).append(source)
    answered = itertools.count(1)

    def ask_one(location: Location, group: Sequence[Source]) -> T:
        try:
            return ask(location, group)
        finally:
            run.reporter.progress("asking repositories", next(answered), len(groups))

    calls = [partial(ask_one, location, group) for location, group in groups.items()]
    by_location = dict(zip(groups, in_threads(calls, run.threads, run.stop), strict=True))
    for source in sources:
        yield source, by_location[run.repositories.locate(source)]


def not_done(run: Run, report: UpdateReport, row: Row, error: Exception) -> None:
    """Record why a source or a release was not done: put off by a rate limit, or failed."""
    if isinstance(error, RateLimitError):
        report.early = report.early or str(error)
        run.reporter.detail(f"{row.title}: put off until another run")
    else:
        run.reporter.failure(report.fail(row, error))


def jobs(run: Run, items: Sequence[Item]) -> list[Job]:
    """Return what is to be built of each repository, in order of first appearance."""
    groups: dict[Location, list[Item]] = {}
    for item in items:
        groups.setdefault(run.repositories.locate(item.source), []).append(item)
    return [
        Job(
            items=tuple(group),
            web_url=web_url(location),
            open=partial(run.repositories.open, location),
            upstream=partial(run.repositories.upstream, location),
        )
        for location, group in groups.items()
    ]
