"""Run git commands against a server: with retries, the token for its own server only, and classified failures."""

from __future__ import annotations

import errno
import itertools
import math
import os
import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn
from urllib.parse import urljoin, urlsplit

from chart_releaser.attempts import Attempts, RetryPolicy
from chart_releaser.errors import UpstreamError, cache_error
from chart_releaser.git.gitdir import temporary_git_dir
from chart_releaser.git.objects import DamagedError
from chart_releaser.git.output import failure_reason
from chart_releaser.git.refs import parse_refs
from chart_releaser.git.run import Git, Login, Result
from chart_releaser.location import same_origin

REMOTE = "chart-releaser"
"""The remote's name in git's configuration. The user's configuration may have settings for `origin`."""
_RETRY = RetryPolicy(attempts=3, first_pause=1.0, factor=4.0)
_FIRST_REQUEST = "/info/refs?service=git-upload-pack"
_TIMEOUT = (10, 30)
_SECONDS = 60
_PASSING = re.compile(
    r"returned error: (?:429|5\d\d)|RPC failed|early EOF|unexpected disconnect|hung up unexpectedly"
    r"|unable to access '[^']*': (?!The requested URL|SSL|server certificate|Protocol)"
    r"|Connection (?:reset|refused|timed out)"
)
_REFUSED = re.compile(
    r"could not read (?:Username|Password)|Authentication failed|[Rr]epository (?:'.*' )?not found"
    r"|returned error: 40[134]|Permission denied \(|does not appear to be a git repository|access denied",
)
_ELSEWHERE = re.compile(
    r"unable to access|unable to connect|Could not read from remote|Host key verification|remote error"
    r"|stopped (?:after|because)|transport '|unable to find remote helper|SSL|certificate|protocol error"
    r"|bad line length|No space left|redirect|Out of memory|dumb http"
)
_SETTINGS = r"^(credential\..*helper|url\..*\.insteadof)$"
# Git's errors about the local disk. Lines that begin with "remote: " are about the server's.
_NO_ROOM_CODES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
_NO_ROOM_WORDS = {os.strerror(code): code for code in _NO_ROOM_CODES} | {"Out of diskspace": errno.ENOSPC}
_NO_ROOM = re.compile(rf"^(?!remote: ).*({'|'.join(_NO_ROOM_WORDS)})", re.MULTILINE)


class Remote:
    """The remote side of one repository."""

    def __init__(self, url: str, login: Login | None = None, attempts: Attempts | None = None) -> None:
        self._url = url
        self._login = login
        self._attempts = attempts if attempts is not None else Attempts()
        self.end = math.inf
        """The deadline of all requests to the server, by the monotonic clock."""
        self._settings: list[tuple[str, str]] | None = None
        self.title = re.sub(r"(\w://)[^/@]+@", r"\1", url) if not url.startswith("ssh://") else url
        # All of these, because insteadOf in the user's configuration may change the scheme of the URL.
        self.protocols = "https:ssh:file" + (":http" if url.startswith("http://") else "")

    def tags(self) -> dict[str, str]:
        """Return the object names of all tags by their names.

        Raises UpstreamError, also for a repository without any reference: git reads an HTML page, such as that of a
        login or a proxy, as an empty repository of the oldest protocol.
        """
        with temporary_git_dir(20) as directory:
            git = Git(directory, protocols=self.protocols)
            result = self.run(git, "ls-remote", "--quiet", "--tags", "--refs", REMOTE)
            is_empty = result.status == 0 and not result.stdout.strip()
            if is_empty:
                result = self.run(git, "ls-remote", "--quiet", REMOTE)
                if result.status == 0 and not result.stdout.strip():
                    raise UpstreamError(
                        f"{self.title} has no branch and no tag, if it is a git repository at all",
                        remedy="check its address",
                    )
        if result.status:
            self.fail(result.stderr)
        tags = parse_refs(result.stdout, "refs/tags/")
        if is_empty and tags:
            self.note_retry("an answer without any tag")
        return tags

    def run(
        self,
        git: Git,
        *command: str,
        stdin: bytes = b"",
        timeout: float = 300,
        growth: Callable[[], bool] | None = None,
    ) -> Result:
        """Run a git command that talks to the server, and retry failures that look temporary.

        The result of the last attempt is returned, also if it failed. If no request is allowed any more, because of the
        circuit breaker or the deadline, the result is a failure that says so.
        """
        breaker = self._attempts.breaker
        for failures in itertools.count(1):
            if refusal := breaker.open_reason(self._host):
                return Result(-1, b"", f"fatal: unable to access '{self.title}': {refusal}\n")
            left = self.end - time.monotonic()
            if left <= 0:
                return Result(-1, b"", f"fatal: unable to access '{self.title}': it has used up its time\n")
            result = self._once(git, command, stdin, min(timeout, left), growth)
            if result.status == 0 or not _PASSING.search(result.stderr) or "remote error" in result.stderr:
                breaker.answered(self._host)
                return result
            breaker.failed(self._host)
            pause = _RETRY.pause_after(failures)
            if pause is None:
                return result
            self.note_retry(self._reason(result.stderr))
            time.sleep(pause)
        raise AssertionError("unreachable")

    def note_retry(self, why: str) -> None:
        """Count a retry, and the reason `why`, for the report of the run."""
        self._attempts.log.note(f"git with {self._host}: {why}")

    def _once(
        self, git: Git, command: tuple[str, ...], stdin: bytes, timeout: float, growth: Callable[[], bool] | None
    ) -> Result:
        def attempt() -> Result:
            config = [(f"remote.{REMOTE}.url", self._url)]
            login = self._login_config(git)
            return git.run(*command, stdin=stdin, config=config + login, asks=not login, timeout=timeout, growth=growth)

        result = attempt()
        if self._login is None or not re.search(r"returned error: 30\d", result.stderr):
            return result
        # The repository has moved. The token may be used at the new address on the same server, but not on another.
        new_url = _new_location(self._url, self._login)
        if new_url is not None and same_origin(new_url, self._login.server_url):
            self._url = new_url
        else:
            self._login = None
        return attempt()

    def _login_config(self, git: Git) -> list[tuple[str, str]]:
        """Return the configuration for the login, or none if the user's configuration redirects git to another server.

        Programs that git starts inherit this configuration in their environment. So credential helpers are disabled,
        and an ssh program, to which the URL may be rewritten, does not get the token.
        """
        if self._login is None:
            return []
        if self._settings is None:
            shown = git.run("config", "--null", "--get-regexp", _SETTINGS).stdout.decode("utf-8", "surrogateescape")
            self._settings = [(key, value) for key, _, value in (line.partition("\n") for line in shown.split("\0"))]
        if not same_origin(apply_instead_of(self._url, self._settings), self._login.server_url):
            return []
        helpers = dict.fromkeys(["credential.helper", *(key for key, _ in self._settings if key.endswith(".helper"))])
        # With an explicit pushUrl, git does not apply pushInsteadOf.
        return [(f"remote.{REMOTE}.pushUrl", self._url), *self._login.config(), *((key, "") for key in helpers)]

    @property
    def _host(self) -> str:
        """The server's name for messages; the path of a local repository."""
        return urlsplit(self.title).netloc or self.title

    def _reason(self, stderr: str) -> str:
        return failure_reason(stderr, self._login.secrets if self._login else ())

    def fail(self, stderr: str, *, place: Path | None = None) -> NoReturn:
        """Raise the error for a failed command with this `stderr`.

        Raises MachineError if `place`, the local repository, can't be written; DamagedError if the local repository may
        be at fault; else UpstreamError.
        """
        check_writable(stderr, place)
        why = self._reason(stderr)
        text = f"could not fetch {self.title}: {why}"
        if _REFUSED.search(stderr):
            raise UpstreamError(text, remedy="check its address and, if it is private, your token or credentials")
        if _PASSING.search(stderr) or _ELSEWHERE.search(stderr) or place is None:
            raise UpstreamError(text, remedy="check the network and the server, then run again")
        raise DamagedError(text, remedy="run again")


def check_writable(stderr: str, place: Path | None) -> None:
    """Raise MachineError if `stderr` says that the disk of `place` is full, over its quota or read-only."""
    match = _NO_ROOM.search(stderr)
    if place is not None and match is not None:
        code = _NO_ROOM_WORDS[match[1]]
        raise cache_error(place, OSError(code, os.strerror(code)))


def _new_location(url: str, login: Login) -> str | None:
    """Return the address to which the server redirects the repository at `url`, or None if it does not."""
    import requests

    from chart_releaser import exchange

    try:
        with (
            exchange.within(_SECONDS),
            exchange.new_session() as session,
            session.get(
                url + _FIRST_REQUEST,
                auth=("x-access-token", login.token),
                allow_redirects=False,
                stream=True,
                timeout=_TIMEOUT,
            ) as answer,
        ):
            target = urljoin(answer.url, answer.headers.get("Location", ""))
    except (requests.RequestException, ValueError):
        return None
    return target.removesuffix(_FIRST_REQUEST) if target.endswith(_FIRST_REQUEST) else None


def apply_instead_of(url: str, settings: Iterable[tuple[str, str]]) -> str:
    """Return `url` as git rewrites it by the settings `url.<base>.insteadOf`. As in git, the longest prefix wins."""
    base, longest = "", ""
    for key, prefix in settings:
        if key.startswith("url.") and url.startswith(prefix) and len(prefix) > len(longest):
            base, longest = key.removeprefix("url.").removesuffix(".insteadof"), prefix
    return base + url[len(longest) :]
