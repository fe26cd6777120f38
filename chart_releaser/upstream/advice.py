"""Explain why a source has nothing to take: what its repository has instead, and which key is most likely meant."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from chart_releaser.errors import close_matches
from chart_releaser.upstream.passed_over import Cause, Reason
from chart_releaser.versions import parse_tag

if TYPE_CHECKING:
    from chart_releaser.config.parse import Source

_PREFIXED = re.compile(r"(.*?[^0-9.])v?[0-9]+\.[0-9]+\.[0-9]+.*")
_SEPARATORS = "-_/@.v"
_LISTED = 5


def explain_nothing(
    source: Source, tags: Sequence[str], reasons: Sequence[tuple[str, Reason]], *, only_tags: bool
) -> tuple[str, str]:
    """Return what stands in the way of a source that takes none of its releases, and what to do.

    `tags` are those of the releases, `reasons` why each is not taken. `only_tags` says that the repository has tags and
    no releases.
    """
    if only_tags:
        return "the repository has tags and no releases", "set follow: tags to take the tags"
    if not tags:
        return "there are no releases yet", "check repo: if there should be some"
    if not any(tag.startswith(source.tag_prefix) for tag in tags):
        return f"no tag begins with {source.tag_prefix}, there are tags {_examples(tags)}", _other_prefix(source, tags)
    tags = [tag for tag in tags if tag.startswith(source.tag_prefix)]
    counted = Counter(reason for _, reason in reasons)
    listed = ", ".join(f"{count} {reason}" for reason, count in counted.most_common())
    what = f"of {len(tags)} tag{'s' if len(tags) > 1 else ''} {_examples(tags)}: {listed}"
    return what, _remedy(source, tags, {reason.cause for reason in counted})


def _remedy(source: Source, tags: Sequence[str], causes: set[Cause]) -> str:
    if causes == {Cause.NO_VERSION} and not source.tag_prefix and (prefixes := _prefixes(tags)):
        if fitting := _fitting(source, prefixes):
            return f"set tagPrefix: {fitting} if they are meant"
        return f"set tagPrefix: to the one that is meant: {', '.join(prefixes[:_LISTED])}"
    if causes == {Cause.PRERELEASE}:
        return "set prereleases: true to track them"
    if Cause.NO_PATH in causes:
        return "check the versions: of its charts"
    if source.versions is not None and Cause.OUTSIDE_RANGE in causes:
        return "check versions:"
    return "check repo: and tagPrefix:"


def _other_prefix(source: Source, tags: Sequence[str]) -> str:
    """Return the advice for a `tagPrefix` that no tag has."""
    prefixes = _prefixes(tags)
    if not prefixes or set(prefixes) == {"v"}:
        return "take tagPrefix: out, or correct it"
    close = close_matches(source.tag_prefix, prefixes)
    if meant := (close[0] if close else _fitting(source, prefixes)):
        return f"did you mean tagPrefix: {meant}?"
    return f"check repo: and tagPrefix:, tags begin with {', '.join(prefixes[:_LISTED])}"


def _fitting(source: Source, prefixes: Sequence[str]) -> str:
    """Return the prefix that names the source or one of its chart directories; the empty string if none does."""
    names = [source.name, *(chart.path.rpartition("/")[2] for chart in source.charts)]
    stripped = {prefix.rstrip(_SEPARATORS).rpartition("/")[2].lower(): prefix for prefix in reversed(prefixes)}
    by_name = (stripped.get(name.lower()) for name in names)
    return next((prefix for prefix in by_name if prefix is not None), prefixes[0] if len(prefixes) == 1 else "")


def _prefixes(tags: Sequence[str]) -> list[str]:
    """Return the texts in front of versions in `tags`, the most frequent first."""
    counted = Counter(
        match[1] for tag in tags if (match := _PREFIXED.fullmatch(tag)) is not None and parse_tag(tag, match[1])
    )
    return [prefix for prefix, _ in counted.most_common()]


def _examples(tags: Sequence[str]) -> str:
    return f"such as {' and '.join(tags[:2])}"
