"""HTTP exchanges that end: each as a whole within so many seconds, its answer within so many bytes.

A time limit of `requests` is for each wait alone: a server that sends a byte now and then, or never stops, holds a
program for ever. Here a connection that is in use when its exchange's time is over is shut down, wherever it waits.
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
"""What the log shows of a query: the rest may be a signature that lets anybody read what it is for."""
_log = logging.getLogger(__name__)


class TooLargeError(requests.RequestException):
    """An answer has more bytes than were allowed; it was not read to its end."""


class LateError(requests.Timeout):
    """The whole answer had not come when the time of its exchange was over."""


class _Exchange:
    """The connections that one exchange uses, and the end of its time."""

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

    def uses(self, connection: _Guarded) -> None:
        with self._lock:
            self._used.append(connection)
            if self.expired:
                connection.shut()

    def takes(self, handle: socket.socket) -> None:
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
    """Let what this thread asks for in the body, over sessions of `session`, take `seconds` at most.

    Raises LateError when they are over, whatever else that led to.
    """
    outer, exchange = _exchange(), _Exchange(seconds)
    _under_way.exchange = exchange
    late = f"no whole answer within {seconds:g} s"
    try:
        yield
    except Exception as error:
        if exchange.expired:
            raise LateError(late) from error
        raise
    finally:
        _under_way.exchange = outer
        exchange.end()
    if exchange.expired:  # an answer whose length nobody told ends with its connection, and looks whole
        raise LateError(late)


def hop() -> None:
    """Count one request of the exchange that is under way. Raises requests.TooManyRedirects."""
    exchange = _exchange()
    if exchange is not None:
        exchange.hops += 1
        if exchange.hops > _MAX_HOPS:
            raise requests.TooManyRedirects(f"more than {_MAX_HOPS} redirects")


def read(answer: requests.Response, limit: int) -> bytes:
    """Return the body of an answer that was asked for with `stream`. Raises TooLargeError beyond `limit` bytes."""
    data = bytearray()
    for chunk in answer.iter_content(_CHUNK):
        data += chunk
        if len(data) > limit:
            answer.close()
            raise TooLargeError(f"it has more than {limit:,} bytes")
    return bytes(data)


def session() -> requests.Session:
    """Return a session, for one thread, whose exchanges `within` can end. No password is looked up in ~/.netrc."""
    made = _Session()
    made.auth = _nothing
    for scheme in ("https://", "http://"):
        made.mount(scheme, _Adapter(max_retries=0))
    return made


def _nothing(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class _Session(requests.Session):
    """Asks the environment once a server for its proxies and certificates: it stays as it is for a run."""

    def __init__(self) -> None:
        super().__init__()
        self._settings: dict[tuple[Any, ...], dict[str, Any]] = {}

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """As inherited."""
        parts = urlsplit(str(url))
        key = (parts.scheme, parts.netloc, stream, verify, cert)
        if proxies:
            return super().merge_environment_settings(url, proxies, stream, verify, cert)
        if key not in self._settings:
            self._settings[key] = dict(super().merge_environment_settings(url, proxies, stream, verify, cert))
        return dict(self._settings[key])

    def rebuild_auth(self, prepared_request: Any, response: Any) -> None:
        """Called for each redirect. No credentials go to another server, and plain http leads to this machine alone.

        Raises requests.exceptions.InvalidSchema.
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


def _shown(request: requests.PreparedRequest) -> str:
    """Return method and address of a request for the log, without what may be secret in the address."""
    parts = urlsplit(str(request.url))
    query = "&".join(_SHOWN_PARAMETERS.findall(parts.query))
    return f"{request.method} {parts.netloc.rpartition('@')[2]}{parts.path}{query and f'?{query}'}"


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


class _Guarded(HTTPConnection):
    """A connection that tells the exchange that it is used by, and can be shut down from another thread."""

    _handle: socket.socket | None = None

    def shut(self) -> None:
        """End whatever waits for this connection."""
        if self._handle is not None:
            _shut(self._handle)

    def connect(self) -> None:
        """As inherited."""
        self._tell()
        super().connect()

    def request(self, *arguments: Any, **options: Any) -> None:
        """As inherited."""
        self._tell()
        super().request(*arguments, **options)

    def close(self) -> None:
        """As inherited."""
        handle, self._handle = self._handle, None
        exchange = _exchange()
        if handle is not None and exchange is not None:
            exchange.takes(handle)
        elif handle is not None:
            handle.close()
        super().close()

    def _new_conn(self) -> socket.socket:
        made = super()._new_conn()
        # A second handle on the same connection: the first one changes hands when TLS begins.
        self._handle = made.dup()
        exchange = _exchange()
        if exchange is not None and exchange.expired:
            self.shut()
        return made

    def _tell(self) -> None:
        exchange = _exchange()
        if exchange is not None:
            exchange.uses(self)


class _GuardedTls(_Guarded, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Guarded


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedTls


_POOLS = {"http": _Pool, "https": _TlsPool}


class _Adapter(HTTPAdapter):
    """Makes guarded connections; through a SOCKS proxy, whose pools are its own, each wait alone is bounded."""

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        """As inherited; each request is logged."""
        if not _log.isEnabledFor(logging.DEBUG):
            return super().send(request, *arguments, **options)
        began = time.monotonic()
        try:
            answer = super().send(request, *arguments, **options)
        except Exception as error:
            _log.debug("%s: no answer, %s, %d ms", _shown(request), type(error).__name__, _since(began))
            raise
        close = answer.close

        def close_and_log() -> None:
            answer.close = close  # type: ignore[method-assign]
            close()
            size, left = answer.raw.tell(), answer.headers.get("x-ratelimit-remaining", "")
            limit = f", {left} requests left" if left.isdigit() else ""
            _log.debug("%s: %d, %d ms, %d bytes%s", _shown(request), answer.status_code, _since(began), size, limit)

        answer.close = close_and_log  # type: ignore[method-assign] # only then is it known how long the answer was
        return answer

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """As inherited."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: Any, **options: Any) -> Any:
        """As inherited."""
        manager = super().proxy_manager_for(proxy, **options)
        if not str(proxy).lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager
