"""GitHub's REST API as values: one client a server, foreign exceptions turned into ours."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from github import Auth, BadCredentialsException, Github, GithubException
from github.Requester import Requester

from chart_releaser import __version__
from chart_releaser.errors import GitHubError, LostAnswerError
from chart_releaser.location import Server, is_loopback
from chart_releaser.pacing import Pacing, asked_wait
from chart_releaser.responses import Responses

T = TypeVar("T")

_TIMEOUT_SECONDS = 30
_UPLOAD_TIMEOUT = (_TIMEOUT_SECONDS, 120)  # to connect, and to hear something; sending has no end of its own
_DOWNLOAD_SECONDS = 15 * 60
_RETRIES = 4
_BACKOFF_SECONDS = 1.0
_NEXT_LINK = re.compile(r'<([^>]+)>\s*;\s*rel="next"')
_USER_AGENT = f"chart-releaser/{__version__}"
_MAX_MESSAGE = 500
PAGE_SIZE = 100
_Answer = tuple[Mapping[str, Any], Any]

Requester.injectLogger(logging.getLogger(__name__))  # PyGithub's own writes to stderr what is nobody's concern


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
    for. `responses` are those that earlier runs kept. Only `download` may be called from several threads.
    """

    def __init__(self, server: Server, token: str | None, pacing: Pacing, responses: Responses | None = None) -> None:
        self.server = server
        self._responses = responses
        self.has_token = token is not None
        self.pacing = pacing
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
        # Uploads go to another host than the API: PyGithub makes a connection for each, and sets it no time limit.
        self._uploads = requests.Session()

    def get(self, path: str, parameters: Mapping[str, Any] | None = None) -> tuple[Mapping[str, Any], Any]:
        """Return headers (lower case) and JSON of `GET path`, asked again where no answer came.

        Raises GitHubError and RateLimitError.
        """

        key = f"{self.server.api_url} {path} {sorted((parameters or {}).items())}"
        kept = self._responses.find(key) if self._responses is not None else None

        def ask() -> _Answer:
            validator = {} if kept is None else {"If-None-Match": kept.etag}
            status, headers, text = self._requester.requestJson("GET", path, dict(parameters or {}), validator)
            if status == 304 and kept is not None:
                return kept.headers, kept.value
            answer = _parsed(status, headers, str(text))
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
                raise GitHubError(f"{urlsplit(self.server.url).netloc} did not do it: {answer['message']}; run again")
            return _genuine(answer)

        return self._asked(ask, self.server.api_url, creates=creates)

    def upload(self, url: str, name: str, data: bytes, content_type: str) -> Any:
        """Return the JSON answer to an upload, sent once, to a release's upload address. Raises as `send`."""
        if not _takes_uploads(url, self.server.api_url):
            raise GitHubError(
                f"{urlsplit(self.server.url).netloc} wants uploads at {urlsplit(url).netloc}, which is another server; "
                "the token was not sent there"
            )

        def ask() -> Any:
            answer = self._uploads.post(
                url,
                params={"name": name},
                data=data,
                headers=self._headers("application/vnd.github+json") | {"Content-Type": content_type},
                auth=_Bearer(self._token),
                timeout=_UPLOAD_TIMEOUT,
                allow_redirects=False,
            )
            return _checked(answer).json()

        return self._asked(ask, self.server.api_url, creates=True)

    def graphql(self, query: str, variables: Mapping[str, Any]) -> Any:
        """Return the data of a GraphQL query's answer. Raises GitHubError."""
        with _translated(self.server):
            return self._requester.graphql_query(query, dict(variables))[1].get("data")

    def pages(self, path: str) -> Iterator[list[dict[str, Any]]]:
        """Yield the pages of a list, a hundred items each, asking for the next one only when it is wanted."""
        headers, items = self.get(path, {"per_page": PAGE_SIZE})
        while True:
            if not isinstance(items, list):
                raise GitHubError(f"{self.server.api_url}{path} answered with something that is no list")
            yield items
            following = _NEXT_LINK.search(str(headers.get("link", "")))
            if following is None:
                return
            headers, items = self.get(following[1])

    def download(self, url: str, *, limit: int) -> bytes:
        """Return the bytes at an asset's address, asked again where they did not arrive whole.

        Raises GitHubError beyond `limit` bytes or on failure, with the answer's status if there was one.
        """
        ours = self._token if _is_below(url, self.server.api_url) else None

        def ask() -> bytes:
            headers = self._headers("application/octet-stream")
            end = time.monotonic() + _DOWNLOAD_SECONDS
            data = bytearray()
            with requests.get(
                url, headers=headers, auth=_Bearer(ours), timeout=_TIMEOUT_SECONDS, stream=True
            ) as answer:
                for chunk in _checked(answer).iter_content(64 * 1024):
                    data += chunk
                    if len(data) > limit:
                        raise GitHubError(f"{url} has more than {limit:,} bytes; it was not read to its end")
                    if time.monotonic() > end:
                        raise GitHubError(f"{url} took longer than {_DOWNLOAD_SECONDS} s; try again later")
            return bytes(data)

        try:
            return self._asked(ask, url, repeats=True)
        except GitHubError as error:
            if str(error).startswith(url):
                raise
            raise GitHubError(f"{url} could not be downloaded: {error}", error.status) from error

    def _headers(self, accept: str) -> dict[str, str]:
        return {"Accept": accept, "User-Agent": _USER_AGENT}

    def _asked(self, ask: Callable[[], T], url: str, *, creates: bool = False, repeats: bool = False) -> T:
        """Send a request, again after each wait that GitHub asks for and `pacing` allows.

        With `repeats` also where no answer came, or a server's error; a writing request may have had its effect then.
        """
        host = urlsplit(url).netloc
        waited, limited, failures = 0.0, 0, 0
        while True:
            self.pacing.before_request(host)
            if creates:
                self.pacing.before_creating()
            try:
                with _translated(self.server):
                    return ask()
            except LostAnswerError:
                failures += 1
                if not repeats or failures > _RETRIES or self.pacing.pause(_BACKOFF_SECONDS * 2 ** (failures - 1)):
                    raise
            except GitHubError as error:
                seconds = self._asked_wait(error)
                if seconds is None:
                    raise
                # Where GitHub goes on refusing, it is to be asked less and less often, and not for ever.
                seconds = max(seconds, 2.0**limited)
                limited += 1
                waited += seconds
                advice = "" if self.has_token else " (set GITHUB_TOKEN for a higher one)"
                reason = f"the rate limit of {urlsplit(self.server.url).netloc}{advice}"
                self.pacing.hold(host, seconds, reason)
                if waited > self.pacing.max_wait:
                    raise self.pacing.too_long(seconds, reason) from error

    def _asked_wait(self, error: GitHubError) -> float | None:
        cause = error.__cause__
        if not isinstance(cause, GithubException):
            return None
        headers = {key.lower(): value for key, value in (cause.headers or {}).items()}
        return asked_wait(cause.status, headers, _message(cause), self.pacing.clock())


def _checked(answer: requests.Response) -> requests.Response:
    """Return an answer that is what was asked for. Raises GithubException for any other, as PyGithub does."""
    if answer.status_code in (200, 201):
        return answer
    try:
        data = answer.json()
    except ValueError:
        data = {"message": answer.reason or "no message"}
    raise Requester.createException(answer.status_code, dict(answer.headers), data)


def _parsed(status: int, headers: Mapping[str, Any], text: str) -> object:
    """Return the JSON of an answer to a reading request. Raises ValueError for anything else, GithubException."""
    try:
        data = json.loads(text)
    except ValueError:
        if status < 400:
            raise
        data = {"message": " ".join(text.split())[:200] or "no message"}
    if status >= 400:
        raise Requester.createException(status, dict(headers), data if isinstance(data, dict) else {})
    return _genuine(data)


def _genuine(data: object) -> object:
    """Return an answer's JSON. ValueError for anything else, such as a proxy's page, which PyGithub calls data."""
    if isinstance(data, dict) and data.keys() <= {"data", "url"} and isinstance(data.get("data"), str):
        raise ValueError(f"no JSON but {str(data['data'])[:40]!r}")
    return data


def _is_below(url: str, base: str) -> bool:
    ours, theirs = urlsplit(base), urlsplit(url)
    return (ours.scheme, ours.netloc) == (theirs.scheme, theirs.netloc)


def _takes_uploads(url: str, api_url: str) -> bool:
    """Tell whether `url` is of the API's own server: its host, uploads.X beside api.X, or both on loopback."""
    ours, theirs = urlsplit(api_url), urlsplit(url)
    hosts = {ours.netloc}
    if ours.netloc.startswith("api."):
        hosts.add(f"uploads.{ours.netloc.removeprefix('api.')}")
    if ours.scheme == theirs.scheme and theirs.netloc in hosts:
        return True
    return is_loopback(ours.hostname or "") and is_loopback(theirs.hostname or "")


def _reason(error: BaseException) -> str:
    """Return the innermost cause of a network failure in one line, without addresses of objects in memory."""
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__ or error
    text = " ".join(str(error).split()) or type(error).__name__
    return re.sub(r"<[^<>]* at 0x[0-9a-f]+>:? ?", "", text)


@contextmanager
def _translated(server: Server) -> Iterator[None]:
    host = urlsplit(server.url).netloc
    try:
        yield
    except BadCredentialsException as error:
        raise GitHubError(
            f"{host} refused the token (bad credentials); set GITHUB_TOKEN to a valid one", 401
        ) from error
    except GithubException as error:
        kind = LostAnswerError if error.status >= 500 else GitHubError
        raise kind(f"{host} answered {error.status}: {_message(error)}", error.status) from error
    except requests.RequestException as error:
        raise LostAnswerError(f"{host} could not be reached: {_reason(error)}; try again later") from error
    except (RuntimeError, AssertionError) as error:  # PyGithub's, for redirects that it does not follow
        raise GitHubError(f"{host} gave an answer that is not GitHub's: {_reason(error)}") from error
    except ValueError as error:
        raise LostAnswerError(f"{host} gave an answer that is not GitHub's: {_reason(error)}") from error


def _message(error: GithubException) -> str:
    """Return what GitHub said, with the errors of a validation, in one line."""
    data: object = error.data
    said = data if isinstance(data, dict) else {}
    details = said.get("errors")
    words = [
        str(detail.get("message") or " ".join(str(detail.get(key, "")) for key in ("resource", "field", "code")))
        for detail in (details if isinstance(details, list) else [])
        if isinstance(detail, dict)
    ]
    text = ": ".join(filter(None, [str(said.get("message") or error.message or "no message"), ", ".join(words)]))
    return " ".join(text.split())[:_MAX_MESSAGE]
