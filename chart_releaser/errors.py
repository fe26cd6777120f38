"""What can go wrong, by family. An error says what is wrong, where, and what to do about it.

The families decide the exit code, and the remedy where an error has none of its own.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, Self


class ChartReleaserError(Exception):
    """An expected failure, told to the user as `what; remedy`; its family decides the exit code.

    Modules below the commands say what is wrong with the thing in their hands; the commands put the source and the
    version in front.
    """

    exit_code: ClassVar[int] = 1
    usual_remedy: ClassVar[str] = "run again with --verbose to see more"
    """What to do where an error of the family has no remedy of its own."""

    def __init__(self, what: str, *, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy

    @classmethod
    def of(cls, error: ChartReleaserError, where: str = "") -> Self:
        """Return `error` as one of this family, with its own remedy, and `where` it happened in front."""
        return cls(f"{where}: {error.what}" if where else error.what, remedy=error.remedy)

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}" if self.remedy else self.what

    @property
    def advice(self) -> str:
        """What to do: the error's own remedy, else its family's; may be empty."""
        return self.remedy or self.usual_remedy

    @property
    def advised(self) -> str:
        """What is wrong and what to do, in one line."""
        return " ".join((f"{self.what}; {self.advice}" if self.advice else self.what).split())


class ConfigError(ChartReleaserError):
    """The configuration can't be used. Holds every problem found, each a line `file:line: key: what`."""

    exit_code = 2

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class UsageError(ChartReleaserError):
    """The command line asks for something that can't be; nothing was done."""

    exit_code = 2
    usual_remedy = ""  # each text says what to write in its place


class YamlError(ChartReleaserError):
    """A text is no YAML that can be used: malformed, too large, too deep, or expanding beyond its bounds."""

    usual_remedy = "correct it by hand, or have it mended upstream"


class GitHubError(ChartReleaserError):
    """GitHub's API refused a request; `status` is its HTTP status, 0 where no answer came."""

    usual_remedy = "try again later"

    def __init__(self, what: str, status: int = 0, *, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.status = status


class LostAnswerError(GitHubError):
    """No usable answer came to a request that may have had its effect: a broken connection, or a server's error."""


class UpstreamError(ChartReleaserError):
    """An upstream repository can't be asked, or does not have what was asked for."""

    usual_remedy = "check repo: of the source, then run again"


class SnapshotError(ChartReleaserError):
    """A path of an upstream tree can't be read: absent, a link that leads nowhere, too large."""

    usual_remedy = "leave the release out with versions:, or have it mended upstream"


class ChartError(ChartReleaserError):
    """What upstream has is no chart that could be published whole."""

    usual_remedy = "leave the release out with versions:, or have it mended upstream"


class BudgetError(ChartReleaserError):
    """Work on an upstream took more time or memory than it is allowed."""

    usual_remedy = "leave the release out with versions:, or raise limits: of the source"


class MachineError(ChartReleaserError):
    """This machine lacks what every run needs, such as room for temporary files."""


class DestinationError(ChartReleaserError):
    """The destination can't be read or written."""

    usual_remedy = "run again, and check the destination if it stays"


class DestinationUnusableError(DestinationError):
    """The destination can't be used as it is configured; found before anything was done."""

    exit_code = 2


class BrokenIndexError(DestinationError):
    """There is an index, but it is none that Helm or this program could use."""

    usual_remedy = "correct it by hand, or let verify --repair make it anew"


class ConflictError(DestinationError):
    """A published name and version exists with other content; nothing was overwritten."""

    usual_remedy = "verify tells what the destination has; to publish other content give it another version"


class RateLimitError(ChartReleaserError):
    """A rate limit ended the run early; another run goes on where this one stopped."""

    usual_remedy = "run again later, it goes on where this run stopped"

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
    return MachineError(what, remedy=f"choose another place with --cache-dir, or {run_again(error)}")
