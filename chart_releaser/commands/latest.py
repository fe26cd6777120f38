"""The `fetch-latest-versions` command: bump each source's version in the configuration file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from chart_releaser.commands.planning import find_newest
from chart_releaser.commands.report import Bump, LatestReport, Note, ReleaseRow, UpdateReport
from chart_releaser.commands.run import Run, ask_each, record_failure
from chart_releaser.config.edit import set_versions
from chart_releaser.config.file import change_config, read_config
from chart_releaser.upstream.plan import configured_version, format_like, has_newest
from chart_releaser.versions import precedence_key

if TYPE_CHECKING:
    from semver import Version

    from chart_releaser.config.parse import Source
    from chart_releaser.location import Location
    from chart_releaser.upstream.releases import Release


def latest(run: Run, config: Path, *, writes: bool) -> LatestReport:
    """Bump each `version:` in the file `config` to the source's highest stable version, and return the report.

    Without `writes` the file is not changed. The report holds the failures of sources. Raises ConfigError, with and
    without `writes`, if the file can't be edited.
    """
    report = LatestReport()
    report.bumps = find_bumps(run, report.failures)
    new = {bump.source: bump.new for bump in report.changed}
    change = partial(set_versions, new=new, file=str(config))
    if new and writes:
        change_config(config, change)
    elif new:
        change(read_config(config))  # the result is discarded, but a dry run fails where a real one would
    report.failures.interrupted = run.stop.is_set()
    report.failures.retried = run.repositories.attempts.list()
    return report


def find_bumps(run: Run, failures: UpdateReport) -> list[Bump]:
    """Return the configured and the highest stable version of each source that has a `version:`."""

    def list_releases(location: Location, sources: Sequence[Source]) -> list[Release]:
        upstream = run.repositories.upstream(location)
        return upstream.releases(lambda releases: has_newest(sources, releases))

    bumps = []
    versioned = [source for source in run.sources if source.version is not None]
    for source, outcome in ask_each(run, versioned, list_releases):
        old = source.version or ""
        candidate = outcome if isinstance(outcome, Exception) else find_newest(run, source, outcome)
        if isinstance(candidate, Exception):
            record_failure(run, failures, ReleaseRow(source.name, old), candidate)
            continue
        new = format_like(candidate.release.tag, old, source.tag_prefix)
        bumps.append(Bump(source.name, old, new))
        now = configured_version(source)
        if now is not None and precedence_key(candidate.version) < precedence_key(now):
            failures.notes.append(_downgrade_note(source, now, new))
    return bumps


def _downgrade_note(source: Source, old: Version, new: str) -> Note:
    """Return a note about a version that becomes lower, which nobody expects of a bump."""
    is_allowed = source.versions is None or source.versions.matches(old, prereleases=True)
    why = "is higher than the newest stable release" if is_allowed else f"is outside versions: {source.versions}"
    return Note(source.name, f"{source.version} {why}, so the version goes down to {new}")
