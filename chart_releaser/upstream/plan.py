"""Which releases of a source are tracked, which of them the destination lacks, and why others are not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from semver import Version

from chart_releaser.upstream.releases import Release
from chart_releaser.versions import Window, chart_version, parse_tag, precedence

if TYPE_CHECKING:
    from chart_releaser.config.parse import Source


NO_PATH = "no chart path is for this version"
_PREFIXED = re.compile(r"(.*?[^0-9.])v?[0-9]+\.[0-9]+\.[0-9]+.*")


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
    passed_over: tuple[tuple[str, str], ...]
    """Tags that are not tracked, each with the reason."""


def enough_for(sources: Sequence[Source], releases: Sequence[Release]) -> bool:
    """Tell whether `releases`, the newest created ones, are sure to hold all that `sources` track."""
    return all(source.window.complete(_versions(source, releases)) for source in sources)


def enough_for_newest(sources: Sequence[Source], releases: Sequence[Release]) -> bool:
    """Tell whether `releases` are sure to hold the highest stable version of each of `sources`."""
    return all(_newest_window(source).complete(_versions(source, releases)) for source in sources)


def plan_source(source: Source, releases: Sequence[Release], present: Iterable[str]) -> SourcePlan:
    """Return what to build for `source` out of `releases`, given the versions that are `present` at the destination."""
    by_version, passed_over = _candidates(source, releases)
    selected = source.window.select(version for version, _ in by_version.values())
    listed = frozenset(present)
    missing: list[Item] = []
    there: list[Item] = []
    for version in selected:
        item = item_of(source, by_version[str(version)][1])
        if not item.paths:
            passed_over.append((item.release.tag, NO_PATH))
        elif item.version in listed:
            there.append(item)
        else:
            missing.append(item)
    chosen = set(map(str, selected))
    others = (pair for exact, pair in by_version.items() if exact not in chosen)
    reason = source.window.reasons(selected)
    for version, release in sorted(others, key=lambda pair: precedence(pair[0]), reverse=True):
        passed_over.append((release.tag, reason(version) or "not tracked"))
    return SourcePlan(source, tuple(missing), tuple(there), tuple(passed_over))


def why_nothing(plan: SourcePlan, releases: Sequence[Release]) -> str:
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
        return f"nothing is tracked: no tag begins with {source.tag_prefix}, there are tags {_such_as(tags)}; {remedy}"
    if source.tag_prefix:
        tags = [tag for tag in tags if tag.startswith(source.tag_prefix)]
    reasons = Counter(reason for _, reason in plan.passed_over)
    listed = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    if set(reasons) == {"no semantic version"} and (prefix := _likely_prefix(tags)):
        remedy = f"set tagPrefix: {prefix} if they are meant"
    elif set(reasons) == {"prerelease"}:
        remedy = "set prereleases: true to track them"
    elif NO_PATH in reasons:
        remedy = "check the versions: of its charts"
    elif source.versions is not None:
        remedy = "check versions:"
    else:
        remedy = "check repo: and tagPrefix:"
    return f"nothing is tracked of {len(tags)} tag{'s' if len(tags) > 1 else ''} {_such_as(tags)}: {listed}; {remedy}"


def _such_as(tags: Sequence[str]) -> str:
    return f"such as {' and '.join(tags[:2])}"


def _likely_prefix(tags: Sequence[str]) -> str:
    """Return what most tags have in front of a version."""
    found = Counter(
        match[1] for tag in tags if (match := _PREFIXED.fullmatch(tag)) is not None and parse_tag(tag, match[1])
    )
    return found.most_common(1)[0][0] if found else ""


def item_of(source: Source, release: Release) -> Item:
    """Return the item for `release`, whether or not it is tracked; its tag must be a version."""
    version = parse_tag(release.tag, source.tag_prefix)
    paths = tuple(
        chart.path
        for chart in source.charts
        # A range on a path says where the path exists, so the prereleases before a version count with it.
        if chart.versions is None or (version is not None and chart.versions.matches(version, prereleases=True))
    )
    return Item(source, release, chart_version(release.tag, source.tag_prefix), paths)


def newest(source: Source, releases: Sequence[Release]) -> Release | None:
    """Return the release with the highest stable version in the source's range, None if there is none."""
    by_version, _ = _candidates(source, releases)
    selected = _newest_window(source).select(version for version, _ in by_version.values())
    return by_version[str(selected[0])][1] if selected else None


def tag_candidates(version: str, prefix: str) -> list[str]:
    """Return the tags that a configured version can mean: with and without the prefix, with and without the v."""
    bare = version.removeprefix(prefix)
    other = bare.removeprefix("v") if bare.startswith("v") else f"v{bare}"
    return [f"{prefix}{bare}", f"{prefix}{other}"]


def in_form_of(tag: str, current: str, prefix: str) -> str:
    """Return `tag` as the user writes versions: without prefix or v where `current` has none."""
    if prefix and not current.startswith(prefix):
        tag = tag.removeprefix(prefix)
        prefix = ""
    number = tag.removeprefix(prefix)
    if number.startswith("v") and not current.removeprefix(prefix).startswith("v"):
        number = number[1:]
    return prefix + number


def is_lower(tag: str, current: str, prefix: str) -> bool:
    """Tell whether the version of `tag` is lower than `current`, which may be written with or without the prefix."""
    new, old = parse_tag(tag, prefix), _configured(current, prefix)
    return new is not None and old is not None and precedence(new) < precedence(old)


def in_range(source: Source) -> bool:
    """Tell whether the source's `version` is in its own range; where it is no version, nothing speaks against it."""
    version = _configured(source.version or "", source.tag_prefix)
    return source.versions is None or version is None or source.versions.matches(version, prereleases=True)


def _configured(text: str, prefix: str) -> Version | None:
    return parse_tag(text.removeprefix(prefix))


def _newest_window(source: Source) -> Window:
    return Window(minors=1, patches="latest", range=source.versions, prereleases=False)


def _versions(source: Source, releases: Sequence[Release]) -> list[Version]:
    return [version for version, _ in _candidates(source, releases)[0].values()]


def _candidates(
    source: Source, releases: Sequence[Release]
) -> tuple[Mapping[str, tuple[Version, Release]], list[tuple[str, str]]]:
    """Return the releases that could be tracked, by exact version, and the tags that could not.

    By the text, since semver's equality leaves out build metadata, which tells charts apart.
    """
    found: dict[str, tuple[Version, Release]] = {}
    passed_over: list[tuple[str, str]] = []
    for release in releases:
        version = parse_tag(release.tag, source.tag_prefix)
        if version is None:
            if release.tag.startswith(source.tag_prefix):
                passed_over.append((release.tag, "no semantic version"))
        elif release.prerelease and not source.prereleases:
            passed_over.append((release.tag, "prerelease"))
        else:
            exact = str(version)
            known = found.get(exact)
            # Two tags of one version, with and without the v, would be one chart: the one with the v is taken.
            if known is None or len(release.tag) > len(known[1].tag):
                found[exact] = (version, release)
            if known is not None and known[1].tag != release.tag:
                taken, left = sorted((known[1].tag, release.tag), key=len, reverse=True)
                passed_over.append((left, f"the same version as {taken}"))
    return found, passed_over
