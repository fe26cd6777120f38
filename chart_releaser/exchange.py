"""HTTP exchanges with a deadline for the whole of each and a size limit for its answer.

The timeouts of `requests` apply to each wait alone, so a server that sends a byte now and then can hold a program for
ever. Here a timer shuts down the connections of an exchange at its deadline, whatever they are waiting for.
"""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from chart_releaser.location import is_loopback, same_origin

_CHUNK = 64 * 1024
_MAX_HOPS = 10
_SHOWN_PARAMETERS = re.compile(r"(?:^|(?<=&))(?:page|per_page)=[0-9]+(?=&|$)")
"""The query parameters that are logged. Others may be a signature that grants access."""
_log = logging.getLogger(__name__)


class ResponseTooLargeError(requests.RequestException):
    """An answer is larger than its limit; it was not read to the end."""


class DeadlineError(requests.Timeout):
    """The exchange had not finished by its deadline."""


class _Exchange:
    """The deadline of one exchange, and the connections to shut down then."""

    def __init__(self, seconds: float) -> None:
        self.expired = False
        self.hops = 0
        self._used: list[_Guarded] = []
        self._left: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        self._timer.cancel()
        with self._lock:
            self._used.clear()
            for handle in self._left:
                handle.close()

    def add_connection(self, connection: _Guarded) -> None:
        with self._lock:
            self._used.append(connection)
            if self.expired:
                connection.shut()

    def add_handle(self, handle: socket.socket) -> None:
        """Watch over a connection that was closed while its answer is still to be read."""
        with self._lock:
            self._left.append(handle)
            if self.expired:
                _shut(handle)

    def _expire(self) -> None:
        with self._lock:
            self.expired = True
            for connection in self._used:
                connection.shut()
            for handle in self._left:
                _shut(handle)


def _shut(handle: socket.socket) -> None:
    with contextlib.suppress(OSError):
        handle.shutdown(socket.SHUT_RDWR)


_under_way = threading.local()


def _exchange() -> _Exchange | None:
    return getattr(_under_way, "exchange", None)


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Give the requests that this thread makes in the block, over sessions of `new_session`, `seconds` in total.

    Raises DeadlineError, in place of the exception that shutting down a connection caused.
    """
    outer, exchange = _exchange(), _Exchange(seconds)
    _under_way.exchange = exchange
    late = f"no whole answer within {seconds:g} s"
    try:
        yield
    except Exception as error:
        if exchange.expired:
            raise DeadlineError(late) from error
        raise
    finally:
        _under_way.exchange = outer
        exchange.end()
    if exchange.expired:  # an answer without a length ends with its connection, and looks complete
        raise DeadlineError(late)


def count_request() -> None:
    """Count a request of the current exchange, the first or a redirect. Raises requests.TooManyRedirects."""
    exchange = _exchange()
    if exchange is not None:
        exchange.hops += 1
        if exchange.hops > _MAX_HOPS:
            raise requests.TooManyRedirects(f"more than {_MAX_HOPS} redirects")


def read_body(answer: requests.Response, limit: int) -> bytes:
    """Return the body of an answer requested with `stream=True`. Raises ResponseTooLargeError beyond `limit` bytes."""
    data = bytearray()
    for chunk in answer.iter_content(_CHUNK):
        data += chunk
        if len(data) > limit:
            answer.close()
            raise ResponseTooLargeError(f"it has more than {limit:,} bytes")
    return bytes(data)


def new_session() -> requests.Session:
    """Return a session for one thread, with connections that `within` can shut down. It ignores ~/.netrc."""
    session = _Session()
    session.auth = _no_auth  # with any `auth` set, requests does not look for a password in ~/.netrc
    for scheme in ("https://", "http://"):
        session.mount(scheme, _Adapter(max_retries=0))
    return session


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class _Session(requests.Session):
    """Caches the proxies and certificates from the environment for each server: they do not change during a run."""

    def __init__(self) -> None:
        super().__init__()
        self._settings: dict[tuple[Any, ...], dict[str, Any]] = {}

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Return the cached settings: see `requests.Session`."""
        parts = urlsplit(str(url))
        key = (parts.scheme, parts.netloc, stream, verify, cert)
        if proxies:
            return super().merge_environment_settings(url, proxies, stream, verify, cert)
        if key not in self._settings:
            self._settings[key] = dict(super().merge_environment_settings(url, proxies, stream, verify, cert))
        return dict(self._settings[key])

    def rebuild_auth(self, prepared_request: Any, response: Any) -> None:
        """Remove credentials on a redirect to another server. Called by requests for each redirect.

        Raises requests.exceptions.InvalidSchema for a redirect to plain http, except on the same server or loopback.
        """
        before, url = response.request.url, prepared_request.url
        after = urlsplit(url)
        if after.scheme != "https" and not same_origin(url, before) and not is_loopback(after.hostname or ""):
            raise requests.exceptions.InvalidSchema(
                f"redirected to {after.scheme}://{after.netloc}, which is not secure"
            )
        strips: Any = self.should_strip_auth
        if strips(before, url):
            prepared_request.headers.pop("Authorization", None)


def _describe_request(request: requests.PreparedRequest) -> str:
    """Return the method and URL of a request for the log, without credentials and most of the query."""
    parts = urlsplit(str(request.url))
    query = "&".join(_SHOWN_PARAMETERS.findall(parts.query))
    return f"{request.method} {parts.netloc.rpartition('@')[2]}{parts.path}{query and f'?{query}'}"


def _elapsed_ms(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


class _Guarded(HTTPConnection):
    """A connection that registers with the current exchange and can be shut down from another thread."""

    _handle: socket.socket | None = None

    def shut(self) -> None:
        """Shut the connection down, which wakes up any thread waiting for it."""
        if self._handle is not None:
            _shut(self._handle)

    def connect(self) -> None:
        """Register with the exchange, then connect."""
        self._register()
        super().connect()

    def request(self, *arguments: Any, **options: Any) -> None:
        """Register with the exchange, then send the request."""
        self._register()
        super().request(*arguments, **options)

    def close(self) -> None:
        """Close the connection. An exchange keeps the handle, since the answer may still be read."""
        handle, self._handle = self._handle, None
        exchange = _exchange()
        if handle is not None and exchange is not None:
            exchange.add_handle(handle)
        elif handle is not None:
            handle.close()
        super().close()

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        # A second handle on the same connection, because TLS takes over the first one.
        self._handle = sock.dup()
        exchange = _exchange()
        if exchange is not None and exchange.expired:
            self.shut()
        return sock

    def _register(self) -> None:
        exchange = _exchange()
        if exchange is not None:
            exchange.add_connection(self)


class _GuardedTls(_Guarded, HTTPSConnection):
    """A guarded connection over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Guarded


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedTls


_POOLS = {"http": _Pool, "https": _TlsPool}


class _Adapter(HTTPAdapter):
    """Makes guarded connections. A SOCKS proxy has pools of its own, so only each single wait is bounded there."""

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        """Send a request and log it."""
        if not _log.isEnabledFor(logging.DEBUG):
            return super().send(request, *arguments, **options)
        began = time.monotonic()
        try:
            answer = super().send(request, *arguments, **options)
        except Exception as error:
            _log.debug("%s: no answer, %s, %d ms", _describe_request(request), type(error).__name__, _elapsed_ms(began))
            raise
        close = answer.close

        def close_and_log() -> None:
            answer.close = close  # type: ignore[method-assign]
            close()
            size, left = answer.raw.tell(), answer.headers.get("x-ratelimit-remaining", "")
            limit = f", {left} requests left" if left.isdigit() else ""
            _log.debug(
                "%s: %d, %d ms, %d bytes%s",
                _describe_request(request),
                answer.status_code,
                _elapsed_ms(began),
                size,
                limit,
            )

        answer.close = close_and_log  # type: ignore[method-assign] # the size of the answer is known only at the end
        return answer

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Set up the pools with guarded connections."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: Any, **options: Any) -> Any:
        """Return the manager of a proxy, with guarded connections unless it is a SOCKS proxy."""
        manager = super().proxy_manager_for(proxy, **options)
        if not str(proxy).lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager
