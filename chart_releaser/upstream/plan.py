"""Which releases of a source are tracked, which of them the destination lacks, and why others are not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from semver import Version

from chart_releaser.upstream.passed_over import Cause, Reason, explain_versions
from chart_releaser.upstream.releases import Release
from chart_releaser.versions import Window, parse_tag, precedence

if TYPE_CHECKING:
    from chart_releaser.config.parse import Source


_PREFIXED = re.compile(r"(.*?[^0-9.])v?[0-9]+\.[0-9]+\.[0-9]+.*")


@dataclass(frozen=True)
class Candidate:
    """A release whose tag is a version, after the `tagPrefix` of the source that it is a candidate of."""

    release: Release
    version: Version


@dataclass(frozen=True)
class Item:
    """One release of one source: the chart `source.name` in `version`, built from `paths` of the release's tag."""

    source: Source
    release: Release
    version: str
    paths: tuple[str, ...]

    @property
    def title(self) -> str:
        """What messages put in front: `provider-azure v1.62.1`."""
        return f"{self.source.name} {self.release.tag}"


@dataclass(frozen=True)
class SourcePlan:
    """What a run knows of a source before it builds anything, newest first."""

    source: Source
    missing: tuple[Item, ...]
    present: tuple[Item, ...]
    passed_over: tuple[tuple[str, Reason], ...]
    """Tags that are not tracked, each with the reason."""


def has_all_tracked(sources: Sequence[Source], releases: Sequence[Release]) -> bool:
    """Tell whether `releases`, the newest created ones, are sure to hold all that `sources` track."""
    return all(source.window.complete(_versions(source, releases)) for source in sources)


def has_newest(sources: Sequence[Source], releases: Sequence[Release]) -> bool:
    """Tell whether `releases` are sure to hold the highest stable version of each of `sources`."""
    return all(_newest_window(source).complete(_versions(source, releases)) for source in sources)


def plan_source(source: Source, releases: Sequence[Release], present: Iterable[str]) -> SourcePlan:
    """Return what to build for `source` out of `releases`, given the versions that are `present` at the destination."""
    candidates, passed_over = _candidates(source, releases)
    selected = source.window.select(one.version for one in candidates.values())
    listed = frozenset(present)
    missing: list[Item] = []
    there: list[Item] = []
    for version in selected:
        item = make_item(source, candidates.pop(str(version)))
        if not item.paths:
            passed_over.append((item.release.tag, Reason(Cause.NO_PATH)))
        elif item.version in listed:
            there.append(item)
        else:
            missing.append(item)
    reason = explain_versions(source.window, selected)
    for other in sorted(candidates.values(), key=lambda one: precedence(one.version), reverse=True):
        passed_over.append((other.release.tag, reason(other.version)))
    return SourcePlan(source, tuple(missing), tuple(there), tuple(passed_over))


def explain_empty_plan(plan: SourcePlan, releases: Sequence[Release]) -> str:
    """Return why a source tracks none of its `releases`, and what to do; nothing where it tracks some.

    That is no error, since upstream may have nothing yet, but more often the configuration excludes what was meant.
    """
    if plan.missing or plan.present:
        return ""
    source = plan.source
    tags = [release.tag for release in releases]
    if not tags:
        return "nothing is tracked: there are no releases yet; check repo: if there should be some"
    if not any(tag.startswith(source.tag_prefix) for tag in tags):
        meant = _likely_prefix(tags)
        remedy = f"did you mean tagPrefix: {meant}?" if meant not in {"", "v"} else "take tagPrefix: out, or correct it"
        return f"nothing is tracked: no tag begins with {source.tag_prefix}, there are tags {_examples(tags)}; {remedy}"
    if source.tag_prefix:
        tags = [tag for tag in tags if tag.startswith(source.tag_prefix)]
    counted = Counter(reason for _, reason in plan.passed_over)
    listed = ", ".join(f"{count} {reason}" for reason, count in counted.most_common())
    causes = {reason.cause for reason in counted}
    if causes == {Cause.NO_VERSION} and (prefix := _likely_prefix(tags)):
        remedy = f"set tagPrefix: {prefix} if they are meant"
    elif causes == {Cause.PRERELEASE}:
        remedy = "set prereleases: true to track them"
    elif Cause.NO_PATH in causes:
        remedy = "check the versions: of its charts"
    elif source.versions is not None:
        remedy = "check versions:"
    else:
        remedy = "check repo: and tagPrefix:"
    return f"nothing is tracked of {len(tags)} tag{'s' if len(tags) > 1 else ''} {_examples(tags)}: {listed}; {remedy}"


def _examples(tags: Sequence[str]) -> str:
    return f"such as {' and '.join(tags[:2])}"


def _likely_prefix(tags: Sequence[str]) -> str:
    """Return what most tags have in front of a version."""
    found = Counter(
        match[1] for tag in tags if (match := _PREFIXED.fullmatch(tag)) is not None and parse_tag(tag, match[1])
    )
    return found.most_common(1)[0][0] if found else ""


def make_candidate(source: Source, release: Release) -> Candidate | None:
    """Return `release` as a candidate of `source`; None if its tag is no version there."""
    version = parse_tag(release.tag, source.tag_prefix)
    return None if version is None else Candidate(release, version)


def make_item(source: Source, candidate: Candidate) -> Item:
    """Return the item for a release of `source`, whether or not it is tracked."""
    paths = tuple(
        chart.path
        for chart in source.charts
        # A range on a path says where the path exists, so the prereleases before a version count with it.
        if chart.versions is None or chart.versions.matches(candidate.version, prereleases=True)
    )
    return Item(source, candidate.release, str(candidate.version), paths)


def newest_candidate(source: Source, releases: Sequence[Release]) -> Candidate | None:
    """Return the release with the highest stable version in the source's range, None if there is none."""
    candidates, _ = _candidates(source, releases)
    selected = _newest_window(source).select(one.version for one in candidates.values())
    return candidates[str(selected[0])] if selected else None


def possible_tags(version: str, prefix: str) -> list[str]:
    """Return the tags that a configured version can mean: with and without the prefix, with and without the v."""
    bare = version.removeprefix(prefix)
    other = bare.removeprefix("v") if bare.startswith("v") else f"v{bare}"
    return [f"{prefix}{bare}", f"{prefix}{other}"]


def format_like(tag: str, current: str, prefix: str) -> str:
    """Return `tag` as the user writes versions: without prefix or v where `current` has none."""
    if prefix and not current.startswith(prefix):
        tag = tag.removeprefix(prefix)
        prefix = ""
    number = tag.removeprefix(prefix)
    if number.startswith("v") and not current.removeprefix(prefix).startswith("v"):
        number = number[1:]
    return prefix + number


def configured_version(source: Source) -> Version | None:
    """Return what the source's `version:` names, written with or without the prefix; None where that is no version."""
    return parse_tag((source.version or "").removeprefix(source.tag_prefix))


def _newest_window(source: Source) -> Window:
    return Window(minors=1, patches="latest", range=source.versions, prereleases=False)


def _versions(source: Source, releases: Sequence[Release]) -> list[Version]:
    return [one.version for one in _candidates(source, releases)[0].values()]


def _candidates(source: Source, releases: Sequence[Release]) -> tuple[dict[str, Candidate], list[tuple[str, Reason]]]:
    """Return the releases that could be tracked, by exact version, and the tags that could not.

    By the text, since semver's equality leaves out build metadata, which tells charts apart.
    """
    found: dict[str, Candidate] = {}
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
            known = found.get(exact)
            # Two tags of one version, with and without the v, would be one chart: the one with the v is taken.
            if known is None or len(release.tag) > len(known.release.tag):
                found[exact] = candidate
            if known is not None and known.release.tag != release.tag:
                taken, left = sorted((known.release.tag, release.tag), key=len, reverse=True)
                passed_over.append((left, Reason(Cause.SAME_VERSION, taken)))
    return found, passed_over
