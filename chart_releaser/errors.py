"""The exceptions of this package. Each says where something failed, what is wrong, and what to do about it.

The class decides the exit code, and the remedy of an error that has none of its own.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, Self


class ChartReleaserError(Exception):
    """Base of all expected failures, shown to the user as `what; remedy`.

    Modules below `commands/` describe the object that they work on; the commands add the source and the version.
    """

    exit_code: ClassVar[int] = 1
    """The exit code of the program when such an error ends it."""
    usual_remedy: ClassVar[str] = "run again with --verbose to see more"
    """The remedy of errors that have none of their own."""

    def __init__(self, what: str, *, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy

    @classmethod
    def of(cls, error: ChartReleaserError, where: str = "") -> Self:
        """Return `error` converted to this class, with its remedy, and prefixed with `where` it happened."""
        return cls(f"{where}: {error.what}" if where else error.what, remedy=error.remedy)

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}" if self.remedy else self.what

    @property
    def advice(self) -> str:
        """The remedy to show: the error's own, or else that of its class. May be empty."""
        return self.remedy or self.usual_remedy

    @property
    def full_message(self) -> str:
        """What is wrong and what to do about it, in one line."""
        return " ".join((f"{self.what}; {self.advice}" if self.advice else self.what).split())


class ConfigError(ChartReleaserError):
    """The configuration is invalid. `problems` holds everything found, each as `file:line: key: what`."""

    exit_code = 2

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class UsageError(ChartReleaserError):
    """The command line or environment asks for something impossible; nothing was done."""

    exit_code = 2
    usual_remedy = ""  # each error says what to write instead


class YamlError(ChartReleaserError):
    """A YAML text is malformed, too large, nested too deeply, or expands beyond its bounds."""

    usual_remedy = "correct it by hand, or have it fixed upstream"


class GitHubError(ChartReleaserError):
    """GitHub's API refused a request. `status` is the HTTP status, 0 without an answer."""

    usual_remedy = "try again later"

    def __init__(self, what: str, status: int = 0, *, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.status = status


class LostAnswerError(GitHubError):
    """A request got no usable answer, though it may have taken effect: a broken connection, or a server error."""


class UpstreamError(ChartReleaserError):
    """An upstream repository can't be reached, or lacks what was asked for."""

    usual_remedy = "check repo: of the source, then run again"


class SnapshotError(ChartReleaserError):
    """A path of an upstream tree can't be read: it does not exist, is a broken link, or is too large."""

    usual_remedy = "leave the release out with versions:, or have it fixed upstream"


class ChartError(ChartReleaserError):
    """An upstream directory or archive is not a chart that can be published completely."""

    usual_remedy = "leave the release out with versions:, or have it fixed upstream"


class BudgetError(ChartReleaserError):
    """Work on an upstream took more time or memory than its limits allow."""

    usual_remedy = "leave the release out with versions:, or raise limits: of the source"


class MachineError(ChartReleaserError):
    """This machine lacks something that every run needs, such as space for temporary files."""


class DestinationError(ChartReleaserError):
    """The destination can't be read or written."""

    usual_remedy = "run again, and check the destination if the error persists"


class DestinationUnusableError(DestinationError):
    """The destination can't be used as configured; raised before anything was changed."""

    exit_code = 2


class BrokenIndexError(DestinationUnusableError):
    """The destination's index exists, but neither Helm nor this program can use it."""

    usual_remedy = "correct it by hand, or let verify --repair rebuild it"


class ConflictError(DestinationError):
    """The name and version are already published with different content; nothing was overwritten."""

    usual_remedy = "verify shows what the destination has; publish other content as another version"


class RateLimitError(ChartReleaserError):
    """A rate limit ended the run early; another run continues where this one stopped."""

    usual_remedy = "run again later, it continues where this run stopped"

    exit_code = 3


_MENDED_BY = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "with more free space"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "with the permission to read and write it"),
}


def retry_advice(error: OSError) -> str:
    """Return the remedy for a file system error, such as `run again with more free space`."""
    return f"run again {_MENDED_BY.get(error.errno or 0, 'when that is fixed')}"


def close_matches(wanted: str, known: Iterable[str], *, limit: int = 1, cutoff: float = 0.6) -> list[str]:
    """Return at most `limit` of the `known` names that resemble `wanted`, best first. Letter case is ignored.

    `cutoff` is the least similarity: difflib's ratio, from 0 to 1.
    """
    import difflib

    folded: dict[str, str] = {}
    for name in known:
        folded.setdefault(name.lower(), name)
    return [folded[name] for name in difflib.get_close_matches(wanted.lower(), folded, n=limit, cutoff=cutoff)]


def did_you_mean(names: Sequence[str]) -> str:
    """Return the question whether one of `names` was meant: `did you mean a, b or c?`."""
    *others, last = names
    return f"did you mean {', '.join(others)}{' or ' if others else ''}{last}?"


def cache_error(place: Path, error: OSError) -> MachineError:
    """Return the error for a cache at `place` that can't be read or written."""
    what = f"the cache {place} can't be used: {error.strerror or error}"
    return MachineError(what, remedy=f"choose another place with --cache-dir, or {retry_advice(error)}")
