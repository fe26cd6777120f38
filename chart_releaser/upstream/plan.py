"""Decides which releases of a source are tracked, and which of these the destination lacks."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from semver import Version

from chart_releaser.upstream.passed_over import Cause, Reason, explain_versions
from chart_releaser.upstream.releases import Release
from chart_releaser.versions import Window, parse_tag, precedence_key

if TYPE_CHECKING:
    from chart_releaser.config.parse import Source


@dataclass(frozen=True)
class Candidate:
    """A release whose tag, without the source's `tagPrefix`, is a semantic version."""

    release: Release
    version: Version


@dataclass(frozen=True)
class Item:
    """One release of one source: chart `source.name` in `version`, built from `paths` at the release's tag."""

    source: Source
    release: Release
    version: str
    paths: tuple[str, ...]

    @property
    def title(self) -> str:
        """The prefix for messages about it: `provider-azure v1.62.1`."""
        return f"{self.source.name} {self.release.tag}"


@dataclass(frozen=True)
class SourcePlan:
    """The releases of a source, sorted by what to do with them, each group with the newest first."""

    source: Source
    missing: tuple[Item, ...]
    present: tuple[Item, ...]
    passed_over: tuple[tuple[str, Reason], ...]
    """The tags that are not tracked, each with the reason."""


@dataclass(frozen=True)
class _Selection:
    """What the tags of a repository mean to sources that track alike."""

    tracked: tuple[Candidate, ...]
    passed_over: tuple[tuple[str, Reason], ...]


def has_all_tracked(sources: Sequence[Source], releases: Sequence[Release]) -> bool:
    """Tell whether `releases`, the most recently created ones, certainly hold all releases that `sources` track."""
    return all(source.window.is_complete(_versions(source, releases)) for source in _different(sources))


def has_newest(sources: Sequence[Source], releases: Sequence[Release]) -> bool:
    """Tell whether `releases` certainly hold the highest stable version of each of `sources`."""
    return all(_newest_window(source).is_complete(_versions(source, releases)) for source in _different(sources))


class Planner:
    """Plans sources. Those of one repository that track alike share the work on its tags."""

    def __init__(self) -> None:
        self._selections: dict[tuple[Hashable, ...], tuple[Sequence[Release], _Selection]] = {}

    def plan(self, source: Source, releases: Sequence[Release], present: Iterable[str]) -> SourcePlan:
        """Return the plan for `source`, given its `releases` and the versions `present` at the destination."""
        selection = self._select(source, releases)
        listed = frozenset(present)
        missing: list[Item] = []
        up_to_date: list[Item] = []
        without_path: list[tuple[str, Reason]] = []
        for candidate in selection.tracked:
            item = make_item(source, candidate)
            if not item.paths:
                without_path.append((item.release.tag, Reason(Cause.NO_PATH)))
            elif item.version in listed:
                up_to_date.append(item)
            else:
                missing.append(item)
        # The same tuple for all sources that share the selection: there can be thousands of them.
        passed_over = (*without_path, *selection.passed_over) if without_path else selection.passed_over
        return SourcePlan(source, tuple(missing), tuple(up_to_date), passed_over)

    def _select(self, source: Source, releases: Sequence[Release]) -> _Selection:
        key = id(releases), *_tracking(source)
        if key not in self._selections:
            # The releases are kept along, so that no others get their id.
            self._selections[key] = releases, _select(source, releases)
        return self._selections[key][1]


def _select(source: Source, releases: Sequence[Release]) -> _Selection:
    candidates, passed_over = _candidates(source, releases)
    selected = source.window.select(one.version for one in candidates.values())
    tracked = tuple(candidates.pop(str(version)) for version in selected)
    reason = explain_versions(source.window, selected)
    for other in sorted(candidates.values(), key=lambda one: precedence_key(one.version), reverse=True):
        passed_over.append((other.release.tag, reason(other.version)))
    return _Selection(tracked, tuple(passed_over))


def _tracking(source: Source) -> tuple[Hashable, ...]:
    """Return what decides which releases of its repository a source tracks."""
    return source.tag_prefix, source.minors, source.patches, str(source.versions), source.prereleases


def _different(sources: Sequence[Source]) -> Iterable[Source]:
    """Return one source for each way of tracking."""
    return {_tracking(source): source for source in sources}.values()


def make_candidate(source: Source, release: Release) -> Candidate | None:
    """Return `release` as a candidate of `source`, or None if its tag is not a version of that source."""
    version = parse_tag(release.tag, source.tag_prefix)
    return None if version is None else Candidate(release, version)


def make_item(source: Source, candidate: Candidate) -> Item:
    """Return the item for `candidate` with the chart paths that exist in its version; tracking plays no part."""
    paths = tuple(
        chart.path
        for chart in source.charts
        # A range on a path says in which versions the path exists, and the prereleases of a version have it too.
        if chart.versions is None or chart.versions.matches(candidate.version, prereleases=True)
    )
    return Item(source, candidate.release, str(candidate.version), paths)


def newest_candidate(source: Source, releases: Sequence[Release]) -> Candidate | None:
    """Return the release with the highest stable version in the source's range, or None."""
    candidates, _ = _candidates(source, releases)
    selected = _newest_window(source).select(one.version for one in candidates.values())
    return candidates[str(selected[0])] if selected else None


def possible_tags(version: str, prefix: str) -> list[str]:
    """Return the tags that a configured version may stand for, with the prefix, with and without `v`."""
    bare = version.removeprefix(prefix)
    other = bare.removeprefix("v") if bare.startswith("v") else f"v{bare}"
    return [f"{prefix}{bare}", f"{prefix}{other}"]


def reasons_without_newest(source: Source, releases: Sequence[Release]) -> list[tuple[str, Reason]]:
    """Return the tags of `releases`, each with the reason why it is not the newest stable version of the source."""
    candidates, passed_over = _candidates(source, releases)
    reason = explain_versions(_newest_window(source), ())
    return [*passed_over, *((one.release.tag, reason(one.version)) for one in candidates.values())]


def format_like(tag: str, current: str, prefix: str) -> str:
    """Return `tag` in the notation of `current`: without the prefix, or without `v`, if `current` lacks it."""
    if prefix and not current.startswith(prefix):
        tag = tag.removeprefix(prefix)
        prefix = ""
    number = tag.removeprefix(prefix)
    if number.startswith("v") and not current.removeprefix(prefix).startswith("v"):
        number = number[1:]
    return prefix + number


def configured_version(source: Source) -> Version | None:
    """Return the source's `version:` without its prefix, parsed, or None if it is not a semantic version."""
    return parse_tag((source.version or "").removeprefix(source.tag_prefix))


def _newest_window(source: Source) -> Window:
    return Window(minors=1, patches="latest", range=source.versions, prereleases=False)


def _versions(source: Source, releases: Sequence[Release]) -> list[Version]:
    return [one.version for one in _candidates(source, releases)[0].values()]


def _candidates(source: Source, releases: Sequence[Release]) -> tuple[dict[str, Candidate], list[tuple[str, Reason]]]:
    """Return the releases that may be tracked, by version, and the tags that may not be, each with the reason.

    The keys are texts because semver's equality ignores build metadata, in which published charts may differ.
    """
    candidates: dict[str, Candidate] = {}
    passed_over: list[tuple[str, Reason]] = []
    for release in releases:
        candidate = make_candidate(source, release)
        if candidate is None:
            if release.tag.startswith(source.tag_prefix):
                passed_over.append((release.tag, Reason(Cause.NO_VERSION)))
        elif release.prerelease and not source.prereleases:
            passed_over.append((release.tag, Reason(Cause.PRERELEASE)))
        else:
            exact = str(candidate.version)
            known = candidates.get(exact)
            # v1.2.3 and 1.2.3 would be one chart: the longer tag, which has the v, is taken.
            if known is None or len(release.tag) > len(known.release.tag):
                candidates[exact] = candidate
            if known is not None and known.release.tag != release.tag:
                taken, left = sorted((known.release.tag, release.tag), key=len, reverse=True)
                passed_over.append((left, Reason(Cause.SAME_VERSION, taken)))
    return candidates, passed_over
