"""Downloads packages from the public addresses in an index: no credentials, bounded, absent only if that is certain."""

from __future__ import annotations

import itertools
import threading
import time
from urllib.parse import urljoin, urlsplit

import requests

from chart_releaser import __version__, exchange
from chart_releaser.attempts import Attempts, CircuitBreaker, RetryPolicy
from chart_releaser.errors import DestinationError
from chart_releaser.location import Server, is_loopback

MAX_BYTES = 200 * 1024 * 1024
_TIMEOUT_SECONDS = 30
_TOTAL_SECONDS = 300
_MAX_REDIRECTS = 10
_RETRY = RetryPolicy(attempts=4, first_pause=0.3)
_GIVEN_UP_AFTER = 8 * _RETRY.attempts  # failed connections to a server that never answered
_TEMPORARY = (429, 500, 502, 503, 504)
_GONE = (404, 410)
_GZIP = b"\x1f\x8b"


class _TemporaryError(DestinationError):
    """A failure that may be gone when the request is repeated."""


class Downloads:
    """Downloads public packages. Thread-safe: each thread has its own connections."""

    def __init__(self, server: Server | None = None, attempts: Attempts | None = None) -> None:
        """`server` is the GitHub server. Plain http is used only if that server has such an address, and on loopback.

        `attempts` records what is tried again.
        """
        self._server = server
        self._attempts = attempts if attempts is not None else Attempts()
        self._breaker = CircuitBreaker(failures=_GIVEN_UP_AFTER, seconds=0, spares_known=True)
        self._local = threading.local()

    def get(self, url: str) -> bytes | None:
        """Return the bytes at `url`, or None only for a definite 404 or 410.

        Raises DestinationError for everything else, including an answer that is not a gzip file: the page of a login or
        a proxy says nothing about the package.
        """
        end = time.monotonic() + _TOTAL_SECONDS
        for failures in itertools.count(1):
            try:
                with exchange.within(end - time.monotonic()):
                    return self._follow(url)
            except (exchange.DeadlineError, exchange.ResponseTooLargeError) as error:
                raise DestinationError(str(error)) from error
            except (requests.RequestException, ValueError, _TemporaryError) as error:
                pause = _RETRY.pause_after(failures)
                known = isinstance(error, _TemporaryError)
                what = str(error) if known else f"it could not be downloaded ({type(error).__name__})"
                is_temporary = known or isinstance(error, (requests.ConnectionError, requests.Timeout))
                if not is_temporary or pause is None or time.monotonic() + pause >= end:
                    raise DestinationError(what) from error
                self._attempts.log.note(f"a package from {urlsplit(url).netloc}: {what}")
                time.sleep(pause)
        raise AssertionError("unreachable")

    def _follow(self, url: str) -> bytes | None:
        for _ in range(_MAX_REDIRECTS):
            self._check(url)
            host = urlsplit(url).netloc
            if why_not := self._breaker.open_reason(host):
                raise DestinationError(why_not)
            try:
                with self._session().get(url, timeout=_TIMEOUT_SECONDS, stream=True, allow_redirects=False) as answer:
                    self._breaker.answered(host)
                    if answer.is_redirect:
                        url = urljoin(url, answer.headers["location"])
                        continue
                    if answer.status_code in _GONE:
                        return None
                    if answer.status_code != 200:
                        kind = _TemporaryError if answer.status_code in _TEMPORARY else DestinationError
                        raise kind(f"the answer was {answer.status_code} {answer.reason or ''}".rstrip())
                    return _read(answer)
            except (requests.ConnectionError, requests.Timeout):
                self._breaker.failed(host)
                raise
        raise DestinationError(f"it was redirected more than {_MAX_REDIRECTS} times")

    def _check(self, url: str) -> None:
        parts = urlsplit(url)
        is_ours = self._server is not None and self._server.owns(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and (is_ours or is_loopback(parts.hostname or ""))):
            raise DestinationError(f"only https is fetched, not {parts.scheme or 'an address without a scheme'}")

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = exchange.new_session()
            session.headers.update({"User-Agent": f"chart-releaser/{__version__}", "Accept-Encoding": "identity"})
            self._local.session = session
        return session


def _read(answer: requests.Response) -> bytes:
    data = exchange.read_body(answer, MAX_BYTES)
    length = answer.headers.get("content-length", "")
    if length.isdigit() and int(length) != len(data) and "content-encoding" not in answer.headers:
        raise DestinationError(f"only {len(data):,} of {int(length):,} bytes arrived")
    if not data.startswith(_GZIP):
        kind = answer.headers.get("content-type") or "no type"
        raise DestinationError(f"the answer is not a package ({kind}, {len(data):,} bytes)")
    return data
