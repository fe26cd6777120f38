"""The server on loopback: connections, bodies, latency, faults and the journal; `rest` and `git_http` answer."""

from __future__ import annotations

import re
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, cast
from urllib.parse import unquote

from tests.hub import git_http, rest, rest_assets
from tests.hub.faults import Fault
from tests.hub.hub import Hub
from tests.hub.journal import Record
from tests.hub.limits import SECONDARY_DOCS, SECONDARY_MESSAGE
from tests.hub.messages import DOCS, Refused, Request, Response

IN_MEMORY = 1 << 20
BLOCK = 1 << 16
STOPPING = 10.0
"""Seconds that requests under way get to finish when the server stops."""


class _Dropped(Exception):  # noqa: N818 - asked for by a fault
    """Close the connection without an answer."""


class Server(ThreadingHTTPServer):
    """Serves a hub on a loopback port until `stop`."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, hub: Hub, port: int = 0) -> None:
        self.hub = hub
        self.errors: list[BaseException] = []
        self._hooks = tempfile.TemporaryDirectory(prefix="hub-hooks-")
        self.hooks = git_http.install_hooks(Path(self._hooks.name))
        self._open: dict[threading.Thread, socket.socket] = {}
        self._open_lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)
        self.url = hub.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.api_url = hub.api_url
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start serving in a thread."""
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, name="hub")
        self._thread.start()

    def stop(self) -> None:
        """Close all connections, wait for requests under way, and free the port."""
        if self._thread is not None:
            self.shutdown()
            self._thread.join()
        self.server_close()
        with self._open_lock:
            left = dict(self._open)
            for connection in left.values():
                with _ignored():
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in left:
            thread.join(STOPPING)
        self._hooks.cleanup()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Remember the connection for `stop`."""
        with self._open_lock:
            self._open[threading.current_thread()] = request
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._open_lock:
                self._open.pop(threading.current_thread(), None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that went away. Any other error is a bug in this server, which `running` raises."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, OSError):
            self.errors.append(error)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "github.com"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 120
    ENCODED: ClassVar[re.Pattern[str]] = re.compile(r"^/api/(v3|uploads)/repositories/(\d+)(?=/|$)")

    @property
    def hub(self) -> Hub:
        return cast("Server", self.server).hub

    def setup(self) -> None:
        super().setup()
        if self.hub.connect_latency:
            time.sleep(self.hub.connect_latency)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the Date header by the hub's clock, which its limits use too."""
        return super().date_time_string(self.hub.clock() if timestamp is None else timestamp)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Do nothing, because the journal records all requests."""

    def _serve(self) -> None:
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as body:
            request = self._read_head(body)
            record = self._record(request)
            faults = self.hub.faults.due(request.method, request.path, request.query_text)
            record.fault = " ".join(fault.kind for fault in faults)
            try:
                self._read_body(request)
                record.request_bytes = request.size
                record.lists_refs = request.body.read(19)[4:] == b"command=ls-refs"
                request.body.seek(0)
                self._corrupt_request(request, faults)
                if self.hub.latency:
                    time.sleep(self.hub.latency)
                self._send(request, self._answer(request, record, faults), record, faults)
            except (_Dropped, ConnectionError):
                self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def _read_head(self, body: tempfile.SpooledTemporaryFile[bytes]) -> Request:
        path, _, query = self.path.partition("?")
        match = self.ENCODED.match(path)
        if match is not None:
            repository = self.hub.repository_by_id(int(match[2]))
            slug = repository.slug if repository is not None else "-/-"
            path = f"/api/{match[1]}/repos/{slug}{path[match.end() :]}"
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(self.command, path, query, headers, cast("Any", body), 0)

    def _record(self, request: Request) -> Record:
        value = request.token
        token = self.hub.token(value) if value is not None else None
        kind = None if value is None else token.kind if token is not None else "unknown"
        in_url = any(known in unquote(self.path) for known in self.hub.token_values())
        record = Record(request.method, request.path, request.query_text, self.hub.clock(), kind, in_url)
        self.hub.journal.append(record)
        return record

    def _read_body(self, request: Request) -> None:
        for block in self._blocks(request):
            request.body.write(block)
            request.size += len(block)
        request.body.seek(0)

    def _corrupt_request(self, request: Request, faults: list[Fault]) -> None:
        """Corrupt the body of an upload. For other requests the answer is corrupted, since no body is stored."""
        if request.path.startswith("/api/uploads/") and any(fault.kind == "corrupt" for fault in faults):
            data = _other(request.body.read())
            request.body.seek(0)
            request.body.write(data)
            request.body.seek(0)

    def _blocks(self, request: Request) -> Iterator[bytes]:
        if request.headers.get("transfer-encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
                yield self._exactly(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return
        left = int(request.headers.get("content-length") or 0)
        while left:
            block = self._exactly(min(left, BLOCK))
            left -= len(block)
            yield block

    def _exactly(self, size: int) -> bytes:
        block = self.rfile.read(size)
        if len(block) < size:
            raise ConnectionResetError("the client went away")
        return block

    def _answer(self, request: Request, record: Record, faults: list[Fault]) -> Response:
        for fault in faults:
            if fault.kind == "slow":
                time.sleep(fault.seconds)
            if fault.action is not None:
                fault.action()
        for fault in faults:
            if fault.kind == "drop-before":
                raise _Dropped
            if fault.kind == "refuse":
                return _refusal(fault)
            if fault.kind == "redirect":
                return Response(fault.status or 302, {"Location": fault.location, **fault.headers})
            if fault.kind == "broken-upload":
                rest_assets.break_upload(self.hub, request)
                if fault.status:
                    return _refusal(fault)
                raise _Dropped
        response = self._route(request, record)
        if any(fault.after or fault.kind == "drop-after" for fault in faults):
            response.whole()
        for fault in faults:
            if fault.after is not None:
                fault.after()
        if any(fault.kind == "drop-after" for fault in faults):
            raise _Dropped
        return response

    def _route(self, request: Request, record: Record) -> Response:
        if request.path.startswith("/api/"):
            return rest.answer(self.hub, request)
        return (
            rest_assets.download(self.hub, request)
            or git_http.answer(self.hub, request, cast("Server", self.server).hooks, record)
            or Response(404, {"Content-Type": "text/plain; charset=utf-8"}, b"Not Found")
        )

    def _send(self, request: Request, response: Response, record: Record, faults: list[Fault]) -> None:
        cut = any(fault.kind == "truncate" for fault in faults)
        if cut:
            response.whole()
        if any(fault.kind == "corrupt" for fault in faults) and not request.path.startswith("/api/uploads/"):
            response.whole()
            response.body = _other(cast("bytes", response.body))
        try:
            self._write(request, response, record, cut=cut)
        finally:
            getattr(response.body, "close", lambda: None)()
        if cut:
            raise _Dropped

    def _write(self, request: Request, response: Response, record: Record, *, cut: bool) -> None:
        record.status = response.status
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if isinstance(response.body, bytes):
            if response.status not in {204, 304}:
                self.send_header("Content-Length", str(len(response.body)))
            body = b"" if request.method == "HEAD" else response.body
            body = body[: len(body) // 2] if cut else body
            record.response_bytes = len(body)
            self.end_headers()
            self.wfile.write(body)
        else:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for block in response.body:
                record.response_bytes += len(block)
                self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()


def _refusal(fault: Fault) -> Response:
    """Return the answer of a "refuse" fault, with GitHub's message for the status unless it has its own."""
    status = fault.status or 502
    if fault.body is not None:
        return Response(status, dict(fault.headers), fault.body)
    if status >= 500 and not fault.message:
        return Refused(status, "Server Error", docs=DOCS, headers=fault.headers).response()
    if status in {403, 429} and not fault.message:
        return Refused(status, SECONDARY_MESSAGE, docs=SECONDARY_DOCS, headers=fault.headers).response()
    return Refused(status, fault.message or "Bad Request", headers=fault.headers).response()


def _other(data: bytes) -> bytes:
    """Return `data` with one bit changed."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :] if data else data


@contextmanager
def _ignored() -> Iterator[None]:
    try:
        yield
    except OSError:
        return


@contextmanager
def running(hub: Hub, port: int = 0) -> Iterator[Server]:
    """Serve the hub on a free port of 127.0.0.1, or on the given one, while the body runs."""
    server = Server(hub, port)
    server.start()
    try:
        yield server
    finally:
        server.stop()
    if server.errors:
        raise server.errors[0]
