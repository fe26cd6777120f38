"""What can go wrong, by family. Every message says where, what and what next, on one line.

A message is `what is wrong; what to do`. Where nothing special can be advised the text stops before the semicolon, and
`advised` adds what helps with the whole family.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar


class ChartReleaserError(Exception):
    """An expected failure: its text is meant for the user, its family decides the exit code.

    Modules below the pipeline say what is wrong with the thing in their hands; the pipeline puts the source and the
    version in front.
    """

    exit_code: ClassVar[int] = 1
    remedy: ClassVar[str] = "run again with --verbose to see more"
    """What to do where the text itself does not say it."""

    @property
    def advised(self) -> str:
        """The text in one line, with the family's remedy where it has none of its own."""
        text = " ".join(str(self).split())
        return text if "; " in text or not self.remedy else f"{text}; {self.remedy}"


class ConfigError(ChartReleaserError):
    """The configuration can't be used. Holds every problem found, each a line `file:line: key: what`."""

    exit_code = 2

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class UsageError(ChartReleaserError):
    """The command line asks for something that can't be; nothing was done."""

    exit_code = 2
    remedy = ""  # each text says what to write in its place


class YamlError(ChartReleaserError):
    """A text is no YAML that can be used: malformed, too large, too deep, or expanding beyond its bounds."""

    remedy = "correct it by hand, or have it mended upstream"


class GitHubError(ChartReleaserError):
    """GitHub's API refused a request; `status` is its HTTP status, 0 where no answer came."""

    remedy = "try again later"

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class LostAnswerError(GitHubError):
    """No usable answer came to a request that may have had its effect: a broken connection, or a server's error."""


class UpstreamError(ChartReleaserError):
    """An upstream repository can't be asked, or does not have what was asked for."""

    remedy = "check repo: of the source, then run again"


class SnapshotError(ChartReleaserError):
    """A path of an upstream tree can't be read: absent, a link that leads nowhere, too large."""

    remedy = "leave the release out with versions:, or have it mended upstream"


class ChartError(ChartReleaserError):
    """What upstream has is no chart that could be published whole."""

    remedy = "leave the release out with versions:, or have it mended upstream"


class BudgetError(ChartReleaserError):
    """Work on an upstream took more time or memory than it is allowed."""

    remedy = "leave the release out with versions:, or raise limits: of the source"


class MachineError(ChartReleaserError):
    """This machine lacks what every run needs, such as room for temporary files."""


class DestinationError(ChartReleaserError):
    """The destination can't be read or written."""

    remedy = "run again, and check the destination if it stays"


class DestinationUnusableError(DestinationError):
    """The destination can't be used as it is configured; found before anything was done."""

    exit_code = 2


class BrokenIndexError(DestinationError):
    """There is an index, but it is none that Helm or this program could use."""

    remedy = "correct it by hand, or let verify --repair make it anew"


class ConflictError(DestinationError):
    """A published name and version exists with other content; nothing was overwritten."""

    remedy = "verify tells what the destination has; to publish other content give it another version"


class RateLimitError(ChartReleaserError):
    """A rate limit ended the run early; another run goes on where this one stopped."""

    remedy = "run again later, it goes on where this run stopped"

    exit_code = 3


_MENDED_BY = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "with more free space"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "with the permission to read and write it"),
}


def run_again(error: OSError) -> str:
    """Return what helps against a refusal of the file system: `run again with more free space`."""
    return f"run again {_MENDED_BY.get(error.errno or 0, 'when that is mended')}"


def close_matches(wanted: str, known: Iterable[str], *, limit: int = 1, cutoff: float = 0.6) -> list[str]:
    """Return the names that `wanted` is most likely a slip for, best first, at most `limit`; letter case is ignored.

    `cutoff` is how alike they have to be: difflib's ratio, from 0 to 1.
    """
    import difflib

    folded: dict[str, str] = {}
    for name in known:
        folded.setdefault(name.lower(), name)
    return [folded[name] for name in difflib.get_close_matches(wanted.lower(), folded, n=limit, cutoff=cutoff)]


def did_you_mean(names: Sequence[str]) -> str:
    """Return the advice to take one of `names`: `did you mean a, b or c?`."""
    *others, last = names
    return f"did you mean {', '.join(others)}{' or ' if others else ''}{last}?"


def cache_failed(place: Path, error: OSError) -> MachineError:
    """Return what to say where the cache, in `place`, can't be read or written."""
    what = f"the cache {place} can't be used: {error.strerror or error}"
    return MachineError(f"{what}; choose another place with --cache-dir, or {run_again(error)}")
