"""GitHub's REST API as values: one client a server, foreign exceptions turned into ours."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from github import Auth, Github, GithubException

from chart_releaser import __version__, exchange
from chart_releaser.attempts import Attempts, RetryPolicy
from chart_releaser.errors import GitHubError, LostAnswerError
from chart_releaser.github.http import checked, genuine, message, parsed, session, translated
from chart_releaser.github.pacing import Pacing, asked_wait
from chart_releaser.github.responses import Responses
from chart_releaser.location import Server

T = TypeVar("T")

_TIMEOUT_SECONDS = 30
_UPLOAD_TIMEOUT = (_TIMEOUT_SECONDS, 120)  # to connect, and to hear something
# What the whole of an exchange may take, sending and redirects included.
_ANSWER_SECONDS = 60
_TRANSFER_SECONDS = 15 * 60
_RETRY = RetryPolicy(attempts=5, first_pause=1.0)
_MAX_UPLOAD_ANSWER = 1024 * 1024
_NEXT_LINK = re.compile(r'<([^>]+)>\s*;\s*rel="next"')
_USER_AGENT = f"chart-releaser/{__version__}"
PAGE_SIZE = 100
_MAX_PAGES = 200  # GitHub itself lists 10,000 releases at most
_Answer = tuple[Mapping[str, Any], Any]


class _Bearer(requests.auth.AuthBase):
    """The token as a header, which requests drops when redirected to another host; None: not even what ~/.netrc has."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class GitHubApi:
    """A client of the API of one server, for one thread: PyGithub keeps the state of a request in the client.

    `token` goes to that server and nowhere else; None asks anonymously. `pacing` says how long limits may be waited
    for, `attempts` is told what is tried again. `responses` are those that earlier runs kept. Only `download` may be
    called from several threads.
    """

    def __init__(
        self,
        server: Server,
        token: str | None,
        pacing: Pacing,
        responses: Responses | None = None,
        attempts: Attempts | None = None,
    ) -> None:
        self.server = server
        self.attempts = attempts if attempts is not None else Attempts()
        self._responses = responses
        self.has_token = token is not None
        self.pacing = pacing
        self.unchanged = 0
        """How many answers of earlier runs were used, since the server said that they are still the same."""
        self._token = token
        # PyGithub's own Retry sleeps through any Retry-After, never retries PATCH and repeats a POST that had its
        # effect: reading requests are repeated here, limits are for `pacing`, and lost answers for who knows what to
        # look up.
        self._requester = Github(
            auth=Auth.Token(token) if token else None,
            base_url=server.api_url,
            timeout=_TIMEOUT_SECONDS,
            user_agent=_USER_AGENT,
            retry=None,
            seconds_between_requests=0,
            seconds_between_writes=0,
        ).requester

    def get(
        self, path: str, parameters: Mapping[str, Any] | None = None, *, fresh: bool = False
    ) -> tuple[Mapping[str, Any], Any]:
        """Return headers (lower case) and JSON of `GET path`, asked again where no answer came.

        With `fresh` nothing is taken from an earlier run. Raises GitHubError and RateLimitError.
        """

        key = f"{self.server.api_url} {path} {sorted((parameters or {}).items())}"
        kept = self._responses.find(key) if self._responses is not None and not fresh else None

        def ask() -> _Answer:
            validator = {} if kept is None else {"If-None-Match": kept.etag}
            status, headers, text = self._requester.requestJson("GET", path, dict(parameters or {}), validator)
            if status == 304 and kept is not None:
                self.unchanged += 1
                return kept.headers, kept.value
            answer = parsed(status, headers, str(text))
            if self._responses is not None:
                self._responses.keep(key, headers, answer)
            return headers, answer

        return self._asked(ask, self.server.api_url, repeats=True)

    def send(self, verb: str, path: str, body: Mapping[str, Any] | None = None, *, creates: bool = True) -> Any:
        """Return the JSON answer to a writing request, sent once; `creates` says whether GitHub counts it as content.

        Raises LostAnswerError where it may have had its effect, GitHubError, RateLimitError.
        """

        def ask() -> Any:
            answer = self._requester.requestJsonAndCheck(verb, path, input=body)[1]
            if isinstance(answer, dict) and {"message", "documentation_url"} <= answer.keys():  # a redirect
                raise GitHubError(
                    f"{urlsplit(self.server.url).netloc} did not do it: {answer['message']}", remedy="run again"
                )
            return genuine(answer)

        return self._asked(ask, self.server.api_url, creates=creates)

    def upload(self, url: str, name: str, data: bytes, content_type: str) -> Any:
        """Return the JSON answer to an upload, sent once, to a release's upload address. Raises as `send`."""
        if not self.server.takes_uploads(url):
            raise GitHubError(
                f"{urlsplit(self.server.url).netloc} wants uploads at {urlsplit(url).netloc}, which is another server",
                remedy="the token was not sent there",
            )

        def ask() -> Any:
            # PyGithub would make a connection for each, and set it no time limit.
            with session().post(
                url,
                params={"name": name},
                data=data,
                headers=self._headers("application/vnd.github+json") | {"Content-Type": content_type},
                auth=_Bearer(self._token),
                timeout=_UPLOAD_TIMEOUT,
                allow_redirects=False,
                stream=True,
            ) as answer:
                return json.loads(exchange.read_body(checked(answer), _MAX_UPLOAD_ANSWER))

        return self._asked(ask, self.server.api_url, creates=True, seconds=_TRANSFER_SECONDS)

    def graphql(self, query: str, variables: Mapping[str, Any]) -> Any:
        """Return the data of a GraphQL query's answer. Raises GitHubError."""
        with translated(self.server), exchange.within(_ANSWER_SECONDS):
            return self._requester.graphql_query(query, dict(variables))[1].get("data")

    def pages(self, path: str, *, fresh: bool = False) -> Iterator[list[dict[str, Any]]]:
        """Yield the pages of a list, a hundred items each, asking for the next one only when it is wanted."""
        headers, items = self.get(path, {"per_page": PAGE_SIZE}, fresh=fresh)
        for _ in range(_MAX_PAGES):
            if not isinstance(items, list):
                raise GitHubError(f"{self.server.api_url}{path} answered with something other than a list")
            yield items
            following = _NEXT_LINK.search(str(headers.get("link", "")))
            if following is None:
                return
            headers, items = self.get(following[1], fresh=fresh)
        raise GitHubError(
            f"{self.server.api_url}{path} fills more than {_MAX_PAGES} pages, which GitHub's lists never do"
        )

    def download(self, url: str, *, limit: int, seconds: float = _TRANSFER_SECONDS) -> bytes:
        """Return the bytes at an asset's address, asked again where they did not arrive whole within `seconds`.

        Raises GitHubError beyond `limit` bytes or on failure, with the answer's status if there was one.
        """
        ours = self._token if self.server.owns(url) else None

        def ask() -> bytes:
            headers = self._headers("application/octet-stream")
            with session().get(
                url, headers=headers, auth=_Bearer(ours), timeout=_TIMEOUT_SECONDS, stream=True
            ) as answer:
                return exchange.read_body(checked(answer), limit)

        try:
            return self._asked(ask, url, repeats=True, seconds=min(seconds, _TRANSFER_SECONDS))
        except GitHubError as error:
            if error.what.startswith(url):
                raise
            what = f"{url} could not be downloaded: {error.what}"
            raise GitHubError(what, error.status, remedy=error.remedy) from error

    def _headers(self, accept: str) -> dict[str, str]:
        return {"Accept": accept, "User-Agent": _USER_AGENT}

    def _asked(
        self,
        ask: Callable[[], T],
        url: str,
        *,
        creates: bool = False,
        repeats: bool = False,
        seconds: float | None = None,
    ) -> T:
        """Send a request, again after each wait that GitHub asks for and `pacing` allows.

        With `repeats` also where no answer came, or a server's error; a writing request may have had its effect then.
        """
        host = urlsplit(url).netloc
        waited, limited, failures = 0.0, 0, 0
        while True:
            self.pacing.before_request(host)
            if creates:
                self.pacing.before_creating()
            if why_not := self.attempts.breaker.open_reason(host):
                raise LostAnswerError(why_not, remedy="run again later")
            try:
                with translated(self.server), exchange.within(_ANSWER_SECONDS if seconds is None else seconds):
                    answer = ask()
            except LostAnswerError as error:
                self.attempts.breaker.failed(host)
                # What took all of its time once would most likely do so again.
                failures += 3 if isinstance(error.__cause__, exchange.DeadlineError) else 1
                pause = _RETRY.pause_after(failures)
                if not repeats or pause is None or self.pacing.pause(pause):
                    raise
                self.attempts.log.note(error.what)
            except GitHubError as error:
                self.attempts.breaker.answered(host)
                wait = self._asked_wait(error)
                if wait is None:
                    raise
                # Where GitHub goes on refusing, it is to be asked less and less often, and not for ever.
                wait = max(wait, 2.0**limited)
                limited += 1
                waited += wait
                advice = "" if self.has_token else " (set GITHUB_TOKEN for a higher one)"
                reason = f"the rate limit of {urlsplit(self.server.url).netloc}{advice}"
                self.pacing.hold(host, wait, reason)
                if waited > self.pacing.max_wait:
                    raise self.pacing.too_long(wait, reason) from error
                self.attempts.log.note(f"{urlsplit(self.server.url).netloc} answered {error.status}: its rate limit")
            else:
                self.attempts.breaker.answered(host)
                return answer

    def _asked_wait(self, error: GitHubError) -> float | None:
        cause = error.__cause__
        if not isinstance(cause, GithubException):
            return None
        headers = {key.lower(): value for key, value in (cause.headers or {}).items()}
        return asked_wait(cause.status, headers, message(cause), time.time())
