"""What a run did, as values: for the table, for JSON, for the exit code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from chart_releaser.errors import ChartReleaserError, RateLimitError

if TYPE_CHECKING:
    from chart_releaser.plan import Item


@dataclass(frozen=True)
class Row:
    """One release: the source, the upstream version (tag), the chart's version, and what became of it."""

    source: str
    version: str = ""
    chart: str = ""
    url: str = ""
    digest: str = ""
    error: str = ""

    @property
    def title(self) -> str:
        """What messages put in front: `provider-azure v1.62.1`."""
        return f"{self.source} {self.version}".rstrip()

    def as_json(self) -> dict[str, str]:
        """The row with the fields that say something: the chart by its name and version, and upstream's tag."""
        fields = {"source": self.source, "version": self.chart or self.version, "chart": self.source}
        if self.version:
            fields["tag"] = self.version
        more = {"url": self.url, "digest": self.digest, "error": self.error}
        return fields | {key: value for key, value in more.items() if value}


@dataclass
class UpdateReport:
    """What `update` planned and did; `early` says why it stopped before everything was done, if it did."""

    planned: list[Row] = field(default_factory=list)
    published: list[Row] = field(default_factory=list)
    skipped: list[Row] = field(default_factory=list)
    failed: list[Row] = field(default_factory=list)
    early: str = ""
    interrupted: bool = False
    bug: Exception | None = None

    def as_json(self) -> dict[str, Any]:
        """The JSON document of `update --json`."""
        lists = {name: getattr(self, name) for name in ("planned", "published", "skipped", "failed")}
        return {name: [row.as_json() for row in rows] for name, rows in lists.items()}

    @property
    def exit_code(self) -> int:
        """0 all done; 130 interrupted; 3 stopped early, another run goes on; 1 some failed."""
        if self.interrupted:
            return 130
        if self.early:
            return RateLimitError.exit_code
        return ChartReleaserError.exit_code if self.failed else 0

    def fail(self, row: Row, error: Exception) -> str:
        """Record that `row` failed and return the message: source and version in front, one line."""
        self.failed.append(replace(row, error=describe(error)))
        if not isinstance(error, ChartReleaserError):
            self.bug = self.bug or error
        return f"{row.title}: {describe(error)}"


def item_row(item: Item, *, url: str = "", digest: str = "") -> Row:
    """Return the row of a release."""
    return Row(item.source.name, item.release.tag, item.version, url, digest)


def describe(error: Exception) -> str:
    """Return an error's text in one line; one that is not ours is a bug, and is called so."""
    text = " ".join(str(error).split())
    if isinstance(error, ChartReleaserError):
        return text
    return f"internal error: {type(error).__name__}: {text}"


@dataclass
class ExportReport:
    """What `export` wrote."""

    written: list[Row] = field(default_factory=list)
    unchanged: list[Row] = field(default_factory=list)
    failures: UpdateReport = field(default_factory=UpdateReport)


@dataclass(frozen=True)
class Bump:
    """A source's version in the configuration and the newest upstream."""

    source: str
    old: str
    new: str

    @property
    def changed(self) -> bool:
        """Whether there is something to write."""
        return self.old != self.new


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines with aligned columns, the last one as long as it is."""
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return ["  ".join([*map(str.ljust, row[:-1], widths), row[-1]]).rstrip() for row in rows]
