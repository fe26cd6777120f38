"""Ask a git server: with the user's own settings, the token for its own server only, failures told apart."""

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
from chart_releaser.git.objects import DamagedError
from chart_releaser.git.refs import parse_refs
from chart_releaser.git.run import Git, Login, Result, reason, temporary_git_dir
from chart_releaser.location import same_origin

REMOTE = "chart-releaser"
"""The remote's name in git's configuration; not origin, which the user's own configuration may speak of."""
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
# What git says of this machine; what the server says of its own begins with "remote: ".
_NO_ROOM_CODES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
_NO_ROOM_WORDS = {os.strerror(code): code for code in _NO_ROOM_CODES} | {"Out of diskspace": errno.ENOSPC}
_NO_ROOM = re.compile(rf"^(?!remote: ).*({'|'.join(_NO_ROOM_WORDS)})", re.MULTILINE)


class Remote:
    """The server's side of one repository."""

    def __init__(self, url: str, login: Login | None = None, attempts: Attempts | None = None) -> None:
        self._url = url
        self._login = login
        self._attempts = attempts if attempts is not None else Attempts()
        self.end = math.inf
        """When, by the monotonic clock, all that is asked of the server has to be done."""
        self._settings: list[tuple[str, str]] | None = None
        self.title = re.sub(r"(\w://)[^/@]+@", r"\1", url) if not url.startswith("ssh://") else url
        # The user's configuration may turn an address into one of another kind (insteadOf).
        self.protocols = "https:ssh:file" + (":http" if url.startswith("http://") else "")

    def tags(self) -> dict[str, str]:
        """Return the names of all tags and the objects that they name.

        Raises UpstreamError, also for what has no references at all: git takes any page, such as that of a login or a
        proxy, for a repository of the oldest kind that is empty.
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
        found = parse_refs(result.stdout, "refs/tags/")
        if is_empty and found:
            self.again("an answer without any tag")
        return found

    def run(
        self,
        git: Git,
        *command: str,
        stdin: bytes = b"",
        timeout: float = 300,
        growth: Callable[[], bool] | None = None,
    ) -> Result:
        """Run a git command that talks to the server; what looks like a passing failure is tried again."""
        breaker = self._attempts.breaker
        for failures in itertools.count(1):
            if why_not := breaker.open_reason(self._host):
                return Result(-1, b"", f"fatal: unable to access '{self.title}': {why_not}\n")
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
            self.again(self._reason(result.stderr))
            time.sleep(pause)
        raise AssertionError("unreachable")

    def again(self, why: str) -> None:
        """Count what is asked a second time, to be told at the end of the run."""
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
        # The repository has moved: on its server the token may go along, to another it may not.
        new_url = _moved(self._url, self._login)
        if new_url is not None and same_origin(new_url, self._login.server_url):
            self._url = new_url
        else:
            self._login = None
        return attempt()

    def _login_config(self, git: Git) -> list[tuple[str, str]]:
        """Return the configuration for the login, none if the user's own leads git to another server.

        Git hands it on to the programs that it starts in their environment. So no credential helper is left, nor does
        an ssh that the address is rewritten for get the token.
        """
        if self._login is None:
            return []
        if self._settings is None:
            shown = git.run("config", "--null", "--get-regexp", _SETTINGS).stdout.decode("utf-8", "surrogateescape")
            self._settings = [(key, value) for key, _, value in (line.partition("\n") for line in shown.split("\0"))]
        if not same_origin(rewritten(self._url, self._settings), self._login.server_url):
            return []
        helpers = dict.fromkeys(["credential.helper", *(key for key, _ in self._settings if key.endswith(".helper"))])
        # With an address of its own for pushes, no other one is made for them (pushInsteadOf).
        return [(f"remote.{REMOTE}.pushUrl", self._url), *self._login.config(), *((key, "") for key in helpers)]

    @property
    def _host(self) -> str:
        """The server in messages, for a path the path."""
        return urlsplit(self.title).netloc or self.title

    def _reason(self, stderr: str) -> str:
        return reason(stderr, self._login.secrets if self._login else ())

    def fail(self, stderr: str, *, place: Path | None = None) -> NoReturn:
        """Raise what a failed command's `stderr` stands for.

        UpstreamError, or DamagedError if it may be the repository on this machine, in `place`. MachineError if that
        can't be written.
        """
        check_room(stderr, place)
        why = self._reason(stderr)
        text = f"could not fetch {self.title}: {why}"
        if _REFUSED.search(stderr):
            raise UpstreamError(text, remedy="check its address and, if it is private, your token or credentials")
        if _PASSING.search(stderr) or _ELSEWHERE.search(stderr) or place is None:
            raise UpstreamError(text, remedy="check the network and the server, then run again")
        raise DamagedError(text, remedy="run again")


def check_room(stderr: str, place: Path | None) -> None:
    """Raises MachineError if a failed command's `stderr` tells that `place`, where it wrote, takes no more."""
    found = _NO_ROOM.search(stderr)
    if place is not None and found is not None:
        code = _NO_ROOM_WORDS[found[1]]
        raise cache_error(place, OSError(code, os.strerror(code)))


def _moved(url: str, login: Login) -> str | None:
    """Return where the server says that the repository at `url` is now, None if it does not say so."""
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


def rewritten(url: str, settings: Iterable[tuple[str, str]]) -> str:
    """Return the address that git makes of `url` by the `url.<base>.insteadOf` among its settings."""
    found = ("", "")
    for key, prefix in settings:
        if key.startswith("url.") and url.startswith(prefix) and len(prefix) > len(found[1]):
            found = (key.removeprefix("url.").removesuffix(".insteadof"), prefix)
    return found[0] + url[len(found[1]) :]
