"""HTTP for GitHub's API: PyGithub's requests through our sessions, answers checked, exceptions converted to ours."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from github import BadCredentialsException, GithubException
from github.Requester import HTTPRequestsConnectionClass, HTTPSRequestsConnectionClass, Requester, RequestsResponse

from chart_releaser import exchange
from chart_releaser.errors import GitHubError, LostAnswerError
from chart_releaser.location import Server, same_origin

_MAX_ANSWER = 64 * 1024 * 1024
"""The largest answer in bytes: five times a page of a hundred releases with the longest notes that GitHub allows."""
_MAX_MESSAGE = 500
_sessions = threading.local()


def thread_session() -> requests.Session:
    """Return this thread's session for GitHub's hosts, which keeps connections open for reuse."""
    if not hasattr(_sessions, "session"):
        _sessions.session = exchange.new_session()
    session: requests.Session = _sessions.session
    return session


class _Answer(RequestsResponse):
    """An answer whose body has been read."""

    def __init__(self, answer: requests.Response, body: bytes) -> None:
        super().__init__(answer)
        self._body = body

    def read(self) -> str:
        """Return the body as text; the API's answers are UTF-8."""
        return self._body.decode("utf-8", "replace")


class _Exchanged:
    """A connection for PyGithub, which makes one for each request. The session behind it is shared."""

    protocol: str
    verb: str
    url: str
    input: Any
    headers: dict[str, str]

    def __init__(self, host: str, port: int | None = None, timeout: int | None = None, **_options: Any) -> None:
        self.host = host
        self._site = f"{self.protocol}://{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}"
        self.timeout = timeout

    def getresponse(self) -> RequestsResponse:
        """Send the request and read the whole answer.

        Temporary redirects on the same server are followed, because PyGithub follows only permanent ones.
        """
        url = f"{self._site}{self.url}"
        while True:
            exchange.count_request()
            with thread_session().request(
                self.verb,
                url,
                headers=self.headers,
                data=self.input,
                timeout=self.timeout,
                allow_redirects=False,
                stream=True,
            ) as answer:
                if answer.status_code == 202:  # PyGithub would poll without end
                    raise requests.HTTPError("the answer was 202, the result is not ready")
                target = urljoin(url, answer.headers.get("location", ""))
                if self.verb == "GET" and answer.status_code in (302, 307, 308) and same_origin(target, url):
                    url = target
                    continue
                return _Answer(answer, exchange.read_body(answer, _MAX_ANSWER))

    def close(self) -> None:
        """Do nothing: the session stays open for the next request."""


class PlainConnection(_Exchanged, HTTPRequestsConnectionClass):
    """A connection over plain http."""

    protocol = "http"


class TlsConnection(_Exchanged, HTTPSRequestsConnectionClass):
    """A connection over TLS."""

    protocol = "https"


# PyGithub would log headers and bodies. `exchange` logs what can be shown of each request.
_silent = logging.Logger("PyGithub")
_silent.addHandler(logging.NullHandler())
Requester.injectLogger(_silent)
Requester.injectConnectionClasses(PlainConnection, TlsConnection)


def check_status(answer: requests.Response) -> requests.Response:
    """Return `answer` if its status is 200 or 201. Raises GithubException for any other, as PyGithub does."""
    if answer.status_code in (200, 201):
        return answer
    try:
        data = answer.json()
    except ValueError:
        data = {"message": answer.reason or "no message"}
    raise Requester.createException(answer.status_code, dict(answer.headers), data)


def parse_answer(status: int, headers: Mapping[str, Any], text: str) -> object:
    """Return the JSON of an answer to a reading request.

    Raises GithubException for a status of 300 and above, ValueError for a body that is not JSON.
    """
    try:
        data = json.loads(text)
    except ValueError:
        if status < 300:
            raise
        data = {"message": " ".join(text.split())[:200] or "no message"}
    if status >= 300:
        raise Requester.createException(status, dict(headers), data if isinstance(data, dict) else {})
    return check_json(data)


def check_json(data: object) -> object:
    """Return `data`. Raises ValueError if PyGithub made it from a body that is not JSON, such as a proxy's page."""
    if isinstance(data, dict) and data.keys() <= {"data", "url"} and isinstance(data.get("data"), str):
        raise ValueError(f"no JSON but {str(data['data'])[:40]!r}")
    return data


def root_cause(error: BaseException) -> str:
    """Return the innermost cause of a network failure in one line, without memory addresses of objects."""
    while not isinstance(error, exchange.DeadlineError) and (error.__cause__ or error.__context__) is not None:
        error = error.__cause__ or error.__context__ or error
    text = " ".join(str(error).split()) or type(error).__name__
    return re.sub(r"<[^<>]* at 0x[0-9a-f]+>:? ?", "", text)


@contextmanager
def convert_api_errors(server: Server) -> Iterator[None]:
    """Convert exceptions of libraries to GitHubError, and to LostAnswerError if no usable answer came."""
    host = urlsplit(server.url).netloc
    try:
        yield
    except BadCredentialsException as error:
        raise GitHubError(
            f"{host} refused the token (bad credentials)", 401, remedy="set GITHUB_TOKEN to a valid one"
        ) from error
    except GithubException as error:
        kind = LostAnswerError if error.status >= 500 else GitHubError
        what, remedy = f"{host} answered {error.status}: {error_message(error)}", _single_sign_on(error, server)
        raise kind(what, error.status, remedy=remedy) from error
    except exchange.ResponseTooLargeError as error:
        raise GitHubError(f"{host} gave an answer that is too large: {error}") from error
    except requests.RequestException as error:
        raise LostAnswerError(f"{host} could not be reached: {root_cause(error)}", remedy="try again later") from error
    except (RuntimeError, AssertionError) as error:  # PyGithub raises these for redirects that it does not follow
        raise GitHubError(f"{host} gave an answer that is not GitHub's: {root_cause(error)}") from error
    except ValueError as error:
        raise LostAnswerError(f"{host} gave an answer that is not GitHub's: {root_cause(error)}") from error


def _single_sign_on(error: GithubException, server: Server) -> str:
    """Return the advice for a token that a person has to authorise for an organisation; empty for any other error.

    https://docs.github.com/rest/authentication/authenticating-to-the-rest-api#authenticating-in-a-workflow-using-saml
    """
    headers = {key.lower(): value for key, value in (error.headers or {}).items()}
    if error.status != 403 or not ("x-github-sso" in headers or "SAML" in error_message(error)):
        return ""
    url = re.search(r"url=(\S+)", headers.get("x-github-sso", ""))
    where = f" at {url[1]}" if url is not None and server.owns(url[1]) else " in the settings of its owner"
    return f"authorise the token for the organisation's single sign-on{where}"


def error_message(error: GithubException) -> str:
    """Return the message of GitHub's answer, with its validation errors, in one line."""
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
