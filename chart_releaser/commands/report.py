"""The results of the commands as values, from which tables, JSON and exit codes are made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from chart_releaser.errors import ChartReleaserError, RateLimitError

if TYPE_CHECKING:
    from chart_releaser.attempts import Retry
    from chart_releaser.upstream.passed_over import Reason
    from chart_releaser.upstream.plan import Item


_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+[\w.+-]*")


@dataclass(frozen=True)
class ReleaseRow:
    """One release and its outcome; `tag` is upstream's, `version` the chart's. A source that failed has neither."""

    source: str
    tag: str = ""
    version: str = ""
    url: str = ""
    digest: str = ""
    error: str = ""
    """What is wrong, if it failed."""
    remedy: str = ""
    """What the user can do about the error."""

    @property
    def title(self) -> str:
        """The prefix for messages about it: `provider-azure v1.62.1`."""
        return f"{self.source} {self.tag}".rstrip()

    @property
    def full_message(self) -> str:
        """The error with its remedy, in one line."""
        return f"{self.error}; {self.remedy}" if self.remedy else self.error

    @property
    def reason(self) -> str:
        """The error without the row's own versions, equal for releases that failed for the same reason."""
        reason = self.full_message
        for version in filter(None, (self.tag, self.version)):
            reason = re.sub(rf"(?<![\w.]){re.escape(version)}(?![\w+-])", "…", reason)
        return reason

    def as_json(self) -> dict[str, str]:
        """Return the row as in `update --json`, without empty fields."""
        fields = {"source": self.source, "version": self.version or self.tag, "chart": self.source}
        if self.tag:
            fields["tag"] = self.tag
        more = {"url": self.url, "digest": self.digest, "error": self.full_message}
        return fields | {key: value for key, value in more.items() if value}


@dataclass(frozen=True)
class PassedOver:
    """A tag of a source that is not tracked, with the reason."""

    source: str
    tag: str
    reason: Reason

    def as_json(self) -> dict[str, str]:
        """The row of `update --json`."""
        return {"source": self.source, "tag": self.tag, "reason": str(self.reason)}


@dataclass(frozen=True)
class Note:
    """A hint that a source's configuration probably does not do what was meant. It is not an error."""

    source: str
    text: str
    version: str = ""
    """The chart's version; empty if the note is about the source as a whole."""
    warns: bool = False
    """Whether a job should be marked: nothing else shows that a source is followed in vain."""

    def as_json(self) -> dict[str, str]:
        """Return the note as in `update --json`."""
        version = {"version": self.version} if self.version else {}
        return {"source": self.source, **version, "note": self.text}


@dataclass
class UpdateReport:
    """What `update` planned and did. `stopped_early` is the reason, if it stopped before everything was done."""

    planned: list[ReleaseRow] = field(default_factory=list)
    published: list[ReleaseRow] = field(default_factory=list)
    skipped: list[ReleaseRow] = field(default_factory=list)
    failed: list[ReleaseRow] = field(default_factory=list)
    passed_over: dict[str, Sequence[tuple[str, Reason]]] = field(default_factory=dict)
    """The tags of each source that are not tracked, each with the reason."""
    notes: list[Note] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    """The sources that were planned, in the order of the configuration."""
    retried: list[Retry] = field(default_factory=list)
    """What failed at first and was tried again, the most frequent first."""
    stopped_early: str = ""
    interrupted: bool = False
    bug: Exception | None = None

    def as_json(self) -> dict[str, Any]:
        """The JSON document of `update --json`."""
        lists: dict[str, Sequence[ReleaseRow | PassedOver | Note | Retry]] = {
            "planned": self.planned,
            "published": self.published,
            "skipped": self.skipped,
            "failed": self.failed,
            "passedOver": [PassedOver(name, *tag) for name, tags in self.passed_over.items() for tag in tags],
            "notes": self.notes,
            "retried": self.retried,
        }
        return {name: [row.as_json() for row in rows] for name, rows in lists.items()}

    @property
    def waiting(self) -> list[ReleaseRow]:
        """The planned releases that were neither published nor failed."""
        done = {(row.source, row.tag) for row in (*self.published, *self.failed)}
        return [row for row in self.planned if (row.source, row.tag) not in done]

    @property
    def exit_code(self) -> int:
        """130 if interrupted, 3 if stopped early, 1 if something failed, otherwise 0."""
        if self.interrupted:
            return 130
        if self.failed:
            return ChartReleaserError.exit_code
        return RateLimitError.exit_code if self.stopped_early else 0

    def sort(self, items: Sequence[Item]) -> None:
        """Put what was published, what failed and the notes into the order of `items`, whatever was done first."""
        _sort(items, self.published, self.failed)
        order = {(item.source.name, item.version): at for at, item in enumerate(items)}
        self.notes.sort(key=lambda note: order.get((note.source, note.version), -1))

    def add_notes(self, item: Item, texts: Iterable[str]) -> None:
        """Record what looks wrong in the chart of `item`."""
        self.notes += [Note(item.source.name, text, item.version) for text in texts]

    def fail(self, row: ReleaseRow, error: Exception) -> str:
        """Record that `row` failed and return the message for it, in one line."""
        if isinstance(error, ChartReleaserError):
            failed = replace(row, error=" ".join(error.what.split()), remedy=error.advice)
        else:
            self.bug = self.bug or error
            failed = replace(row, error=f"internal error: {type(error).__name__}: {' '.join(str(error).split())}")
        self.failed.append(failed)
        return f"{row.title}: {failed.full_message}"


def make_row(item: Item, *, url: str = "", digest: str = "") -> ReleaseRow:
    """Return the row for `item`."""
    return ReleaseRow(item.source.name, item.release.tag, item.version, url, digest)


@dataclass(frozen=True)
class FailureGroup:
    """Releases of one source that failed for the same reason, newest first, or sources that could not be asked."""

    rows: tuple[ReleaseRow, ...]

    @property
    def title(self) -> str:
        """`provider-azure v1.62.1`, or `provider-hcloud: 72 releases, v0.6.42 to v0.1.0`."""
        first, last = self.rows[0], self.rows[-1]
        if len(self.rows) == 1:
            return first.title
        if self.sources[1:]:
            return f"{len(self.sources)} sources: {', '.join(self.sources)}"
        return f"{first.source}: {len(self.rows)} releases, {first.tag} to {last.tag}"

    @property
    def sources(self) -> list[str]:
        """The names of the sources, in order of appearance."""
        return list(dict.fromkeys(row.source for row in self.rows))

    @property
    def versions(self) -> str:
        """`v1.62.1`, or `v0.6.42 to v0.1.0 (72 releases)`; empty for several sources."""
        first, last = self.rows[0], self.rows[-1]
        if self.sources[1:]:
            return ""
        return first.tag if len(self.rows) == 1 else f"{first.tag} to {last.tag} ({len(self.rows)} releases)"

    @property
    def newest(self) -> ReleaseRow:
        """The newest release, whose error is shown for the whole group."""
        return self.rows[0]


def failure_groups(rows: Sequence[ReleaseRow]) -> list[FailureGroup]:
    """Return `rows` grouped by source and reason, in order of appearance.

    Sources that could not be asked for the very same reason, such as those of one repository, are one group.
    """
    groups: dict[tuple[str, str], list[ReleaseRow]] = {}
    for row in rows:
        groups.setdefault((row.source if row.version else "", row.reason), []).append(row)
    return [FailureGroup(tuple(group)) for group in groups.values()]


def note_lines(notes: Sequence[Note]) -> list[tuple[str, bool]]:
    """Return a line for each note, and whether it warns, in order of first appearance.

    Notes that differ in versions only are one line.
    """
    groups: dict[tuple[str, str], list[Note]] = {}
    for note in notes:
        groups.setdefault((note.source, _VERSION.sub("…", note.text)), []).append(note)
    return [(_note_line(group), group[0].warns) for group in groups.values()]


def _note_line(group: Sequence[Note]) -> str:
    first, last = group[0], group[-1]
    if len(group) == 1:
        return f"{f'{first.source} {first.version}'.rstrip()}: {first.text}"
    return f"{first.source}: {len(group)} releases, {first.version} to {last.version}: {first.text}"


@dataclass
class ExportReport:
    """What `export` wrote."""

    written: list[ReleaseRow] = field(default_factory=list)
    unchanged: list[ReleaseRow] = field(default_factory=list)
    failures: UpdateReport = field(default_factory=UpdateReport)

    def sort(self, items: Sequence[Item]) -> None:
        """See `UpdateReport.sort`."""
        _sort(items, self.written, self.unchanged, self.failures.failed)


def _sort(items: Sequence[Item], *lists: list[ReleaseRow]) -> None:
    order = {(item.source.name, item.release.tag): at for at, item in enumerate(items)}
    for rows in lists:
        rows.sort(key=lambda row: order.get((row.source, row.tag), -1))


@dataclass(frozen=True)
class Bump:
    """A source's version in the configuration, and the newest one upstream."""

    source: str
    old: str
    new: str

    @property
    def changed(self) -> bool:
        """Whether the two versions differ."""
        return self.old != self.new


@dataclass
class LatestReport:
    """What `fetch-latest-versions` found and changed."""

    bumps: list[Bump] = field(default_factory=list)
    failures: UpdateReport = field(default_factory=UpdateReport)

    @property
    def changed(self) -> list[Bump]:
        """The versions that were changed in the file, or would be."""
        return [bump for bump in self.bumps if bump.changed]
