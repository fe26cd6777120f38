"""What can go wrong, by family. Every message says where, what and what next, on one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class ChartReleaserError(Exception):
    """An expected failure: its text is meant for the user, its family decides the exit code.

    Modules below the pipeline say what is wrong with the thing in their hands; the pipeline puts the source and the
    version in front.
    """

    exit_code: ClassVar[int] = 1


class ConfigError(ChartReleaserError):
    """The configuration can't be used. Holds every problem found, each a line `file:line: key: what`."""

    exit_code = 2

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class UsageError(ChartReleaserError):
    """The command line asks for something that can't be; nothing was done."""

    exit_code = 2


class YamlError(ChartReleaserError):
    """A text is no YAML that can be used: malformed, too large, too deep, or expanding beyond its bounds."""


class GitHubError(ChartReleaserError):
    """GitHub's API refused a request; `status` is its HTTP status, 0 where no answer came."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class LostAnswerError(GitHubError):
    """No usable answer came to a request that may have had its effect: a broken connection, or a server's error."""


class UpstreamError(ChartReleaserError):
    """An upstream repository can't be asked, or does not have what was asked for."""


class SnapshotError(ChartReleaserError):
    """A path of an upstream tree can't be read: absent, a link that leads nowhere, too large."""


class ChartError(ChartReleaserError):
    """What upstream has is no chart that could be published whole."""


class DestinationError(ChartReleaserError):
    """The destination can't be read or written."""


class DestinationUnusableError(DestinationError):
    """The destination can't be used as it is configured; found before anything was done."""

    exit_code = 2


class BrokenIndexError(DestinationError):
    """There is an index, but it is none that Helm or this program could use."""


class ConflictError(DestinationError):
    """A published name and version exists with other content; nothing was overwritten."""


class RateLimitError(ChartReleaserError):
    """A rate limit ended the run early; another run goes on where this one stopped."""

    exit_code = 3
