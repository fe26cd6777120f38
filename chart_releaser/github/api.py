"""A client of GitHub's API for one server: retries, rate limits, conditional requests, and errors of ours."""

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
from chart_releaser.github.http import (
    check_json,
    check_status,
    convert_api_errors,
    error_message,
    parse_answer,
    thread_session,
)
from chart_releaser.github.pacing import Pacing, requested_wait
from chart_releaser.github.responses import ResponseCache
from chart_releaser.location import Server

T = TypeVar("T")

_TIMEOUT_SECONDS = 30
_UPLOAD_TIMEOUT = (_TIMEOUT_SECONDS, 120)  # to connect, and for each wait
# Deadlines for a whole exchange, including sending and redirects.
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
    """Sends the token as a header, which requests drops on redirects to another host.

    With None no credentials are sent.
    """

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class GitHubApi:
    """A client of the API of one server, for one thread: PyGithub keeps the state of a request in its client.

    `token` is sent to that server only; with None requests are anonymous. `pacing` decides how long to wait for limits,
    `attempts` records retries, and `responses` are those cached by earlier runs. Only `download` may be called from
    several threads.
    """

    def __init__(
        self,
        server: Server,
        token: str | None,
        pacing: Pacing,
        responses: ResponseCache | None = None,
        attempts: Attempts | None = None,
    ) -> None:
        self.server = server
        self.attempts = attempts if attempts is not None else Attempts()
        self._responses = responses
        self.has_token = token is not None
        self.pacing = pacing
        self.unchanged = 0
        """The number of cached answers that the server confirmed to be unchanged."""
        self._token = token
        # PyGithub's own retries sleep for any Retry-After, never repeat PATCH, and repeat a POST that took effect. So
        # this class repeats reading requests, `pacing` handles limits, and callers handle lost answers to writes.
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
        """Return headers (in lower case) and JSON of `GET path`, retried if no answer comes.

        With `fresh` the cache is not used. Raises GitHubError and RateLimitError.
        """

        key = f"{self.server.api_url} {path} {sorted((parameters or {}).items())}"
        cached = self._responses.find(key) if self._responses is not None and not fresh else None

        def ask() -> _Answer:
            validator = {} if cached is None else {"If-None-Match": cached.etag}
            status, headers, text = self._requester.requestJson("GET", path, dict(parameters or {}), validator)
            if status == 304 and cached is not None:
                self.unchanged += 1
                return cached.headers, cached.value
            answer = parse_answer(status, headers, str(text))
            if self._responses is not None:
                self._responses.store(key, headers, answer)
            return headers, answer

        return self._perform(ask, self.server.api_url, repeats=True)

    def send(self, verb: str, path: str, body: Mapping[str, Any] | None = None, *, creates: bool = True) -> Any:
        """Send a writing request once, and return the JSON answer.

        `creates` says whether it counts against GitHub's limits of content-creating requests. Raises LostAnswerError if
        it may have taken effect, GitHubError, RateLimitError.
        """

        def ask() -> Any:
            answer = self._requester.requestJsonAndCheck(verb, path, input=body)[1]
            if isinstance(answer, dict) and {"message", "documentation_url"} <= answer.keys():  # a redirect
                raise GitHubError(
                    f"{urlsplit(self.server.url).netloc} did not do it: {answer['message']}", remedy="run again"
                )
            return check_json(answer)

        return self._perform(ask, self.server.api_url, creates=creates)

    def upload(self, url: str, name: str, data: bytes, content_type: str) -> Any:
        """Upload `data` once to a release's upload address, and return the JSON answer. Raises the errors of `send`."""
        if not self.server.takes_uploads(url):
            raise GitHubError(
                f"{urlsplit(self.server.url).netloc} wants uploads at {urlsplit(url).netloc}, which is another server",
                remedy="the token was not sent there",
            )

        def ask() -> Any:
            # Not with PyGithub, which opens a connection for each upload and sets no timeout.
            with thread_session().post(
                url,
                params={"name": name},
                data=data,
                headers=self._headers("application/vnd.github+json") | {"Content-Type": content_type},
                auth=_Bearer(self._token),
                timeout=_UPLOAD_TIMEOUT,
                allow_redirects=False,
                stream=True,
            ) as answer:
                return json.loads(exchange.read_body(check_status(answer), _MAX_UPLOAD_ANSWER))

        return self._perform(ask, self.server.api_url, creates=True, seconds=_TRANSFER_SECONDS)

    def graphql(self, query: str, variables: Mapping[str, Any]) -> Any:
        """Return the data of the answer to a GraphQL query. Raises GitHubError."""
        with convert_api_errors(self.server), exchange.within(_ANSWER_SECONDS):
            return self._requester.graphql_query(query, dict(variables))[1].get("data")

    def pages(self, path: str, *, fresh: bool = False) -> Iterator[list[dict[str, Any]]]:
        """Yield the pages of a list, a hundred items each. The next page is requested only when needed.

        Raises GitHubError and RateLimitError.
        """
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
        """Download an asset, retried if it does not arrive completely within `seconds`, and return its bytes.

        Raises GitHubError on failure, with the HTTP status if there was an answer, and beyond `limit` bytes.
        """
        ours = self._token if self.server.owns(url) else None

        def ask() -> bytes:
            headers = self._headers("application/octet-stream")
            with thread_session().get(
                url, headers=headers, auth=_Bearer(ours), timeout=_TIMEOUT_SECONDS, stream=True
            ) as answer:
                return exchange.read_body(check_status(answer), limit)

        try:
            return self._perform(ask, url, repeats=True, seconds=min(seconds, _TRANSFER_SECONDS))
        except GitHubError as error:
            if error.what.startswith(url):
                raise
            what = f"{url} could not be downloaded: {error.what}"
            raise GitHubError(what, error.status, remedy=error.remedy) from error

    def _headers(self, accept: str) -> dict[str, str]:
        return {"Accept": accept, "User-Agent": _USER_AGENT}

    def _perform(
        self,
        ask: Callable[[], T],
        url: str,
        *,
        creates: bool = False,
        repeats: bool = False,
        seconds: float | None = None,
    ) -> T:
        """Call `ask`, and again after each wait that GitHub asks for and `pacing` allows.

        With `repeats` also after a missing answer or a server error. A writing request may have taken effect then, so
        it must not be repeated. `creates` is that of `send`.
        """
        host = urlsplit(url).netloc
        waited, limited, failures = 0.0, 0, 0
        while True:
            self.pacing.before_request(host)
            if creates:
                self.pacing.before_creating()
            if refusal := self.attempts.breaker.open_reason(host):
                raise LostAnswerError(refusal, remedy="run again later")
            try:
                with convert_api_errors(self.server), exchange.within(_ANSWER_SECONDS if seconds is None else seconds):
                    answer = ask()
            except LostAnswerError as error:
                self.attempts.breaker.failed(host)
                # A request that reached its deadline would probably reach it again.
                failures += 3 if isinstance(error.__cause__, exchange.DeadlineError) else 1
                pause = _RETRY.pause_after(failures)
                if not repeats or pause is None or self.pacing.pause(pause):
                    raise
                self.attempts.log.note(error.what)
            except GitHubError as error:
                self.attempts.breaker.answered(host)
                wait = self._requested_wait(error)
                if wait is None:
                    raise
                # Back off if GitHub keeps refusing, and give up in the end.
                wait = max(wait, 2.0**limited)
                limited += 1
                waited += wait
                advice = "" if self.has_token else " (set GITHUB_TOKEN for a higher one)"
                reason = f"the rate limit of {urlsplit(self.server.url).netloc}{advice}"
                self.pacing.hold(host, wait, reason)
                if waited > self.pacing.max_wait:
                    raise self.pacing.too_long_error(wait, reason) from error
                self.attempts.log.note(f"{urlsplit(self.server.url).netloc} answered {error.status}: its rate limit")
            else:
                self.attempts.breaker.answered(host)
                return answer

    def _requested_wait(self, error: GitHubError) -> float | None:
        cause = error.__cause__
        if not isinstance(cause, GithubException):
            return None
        headers = {key.lower(): value for key, value in (cause.headers or {}).items()}
        return requested_wait(cause.status, headers, error_message(cause), time.time())


def object_id(item: Mapping[str, Any]) -> int:
    """Return the id of a release or an asset in an answer, which becomes part of an address. Raises GitHubError."""
    number = item.get("id")
    if not isinstance(number, int):
        raise GitHubError(f"GitHub's answer has the id {str(number)[:50]!r}, which is not a number")
    return number
