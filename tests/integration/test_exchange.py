"""Servers that send a byte now and then, never stop, or lead elsewhere: each exchange ends in time and in bounds."""

from __future__ import annotations

import contextlib
import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests

from chart_releaser import exchange
from chart_releaser.errors import GitHubError, LostAnswerError
from chart_releaser.github import api as githubapi
from chart_releaser.github import http as githubhttp
from chart_releaser.github.api import GitHubApi
from chart_releaser.location import Server as Where
from tests.publishing import impatient

Talk = Callable[[socket.socket], None]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@contextmanager
def listening(talk: Talk) -> Iterator[str]:
    """Serve by `talk`, which gets each connection once its request is there; the value is the server's address."""
    over = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            talk(connection)

    def accept() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                connection.settimeout(5)
                thread = threading.Thread(target=serve, args=(connection,))
                thread.start()
                threads.append(thread)

    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            accepting.join()
            for thread in threads:
                thread.join()


def dripping(text: bytes) -> Talk:
    def talk(connection: socket.socket) -> None:
        connection.sendall(text)
        for _ in range(300):
            connection.sendall(b" ")
            time.sleep(0.02)

    return talk


def endless(head: bytes, block: bytes) -> Talk:
    def talk(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(100_000):
            connection.sendall(block)

    return talk


def silent(connection: socket.socket) -> None:
    # All that comes is read: to close with something unread resets the connection, which is another fault.
    with contextlib.suppress(TimeoutError):
        while connection.recv(65536):
            pass


SLOW: dict[str, Talk] = {
    "the status line": dripping(b"HTTP/1.1 200"),
    "headers": dripping(HEAD + b"X-Long: "),
    "a body of some length": dripping(HEAD + b"Content-Length: 100000\r\n\r\n"),
    "a body that ends with the connection": dripping(HEAD + b"\r\n"),
    "a body in chunks": dripping(HEAD + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n"),
    "nothing at all": silent,
}


@pytest.mark.parametrize("what", SLOW)
def test_an_exchange_ends_with_its_time(what: str) -> None:
    with listening(SLOW[what]) as url:
        begin = time.monotonic()
        with (
            pytest.raises(exchange.DeadlineError, match=r"no whole answer within 0\.3 s"),
            exchange.within(0.3),
            exchange.new_session() as session,
            session.get(url, timeout=5, stream=True) as answer,
        ):
            exchange.read_body(answer, 1 << 20)
        assert time.monotonic() - begin < 2


def test_the_next_exchange_has_a_time_of_its_own() -> None:
    def talk(connection: socket.socket) -> None:
        if turns.pop():
            SLOW["headers"](connection)
        else:
            connection.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}")

    turns = [False, True]
    with listening(talk) as url, exchange.new_session() as session:
        with pytest.raises(exchange.DeadlineError), exchange.within(0.2):
            session.get(url, timeout=5)
        with exchange.within(2):
            assert session.get(url, timeout=5).content == b"{}"


@pytest.mark.parametrize(
    ("head", "block"),
    [
        (HEAD + b"\r\n", b"x" * 65536),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"8000\r\n" + b"x" * 0x8000 + b"\r\n"),
        (HEAD + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"\0" * 50_000_000)),
    ],
    ids=["to the connection's end", "in chunks", "a bomb"],
)
def test_an_answer_ends_at_its_bound(head: bytes, block: bytes) -> None:
    with (
        listening(endless(head, block)) as url,
        exchange.new_session() as session,
        exchange.within(10),
        session.get(url, timeout=5, stream=True) as answer,
        pytest.raises(exchange.ResponseTooLargeError, match=r"more than 1,000,000 bytes"),
    ):
        exchange.read_body(answer, 1_000_000)


def api(url: str) -> GitHubApi:
    return GitHubApi(Where(url, f"{url}/api/v3"), "a-token-of-tests", impatient())


@pytest.mark.parametrize("what", SLOW)
def test_the_api_is_not_waited_for_for_ever(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(githubapi, "_ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(githubapi, "_TRANSFER_SECONDS", 0.2)
    with listening(SLOW[what]) as url:
        begin = time.monotonic()
        with pytest.raises(LostAnswerError, match=r"no whole answer within 0\.2 s"):
            api(url).get("/repos/a/b/releases")
        with pytest.raises(LostAnswerError, match=r"no whole answer within 0\.2 s"):
            api(url).send("POST", "/repos/a/b/releases", {})
        with pytest.raises(LostAnswerError, match=r"no whole answer within 0\.2 s"):
            api(url).upload(f"{url}/upload", "a.tgz", b"data", "application/gzip")
        with pytest.raises(GitHubError, match=r"no whole answer within 0\.2 s"):
            api(url).download(f"{url}/asset", limit=1 << 20)
        assert time.monotonic() - begin < 10


def test_the_api_is_not_read_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(githubhttp, "_MAX_ANSWER", 1_000_000)
    with listening(endless(HEAD + b"\r\n", b"[" * 65536)) as url:
        with pytest.raises(GitHubError, match=r"an answer that is too large: .* more than 1,000,000 bytes"):
            api(url).get("/repos/a/b/releases")
        with pytest.raises(GitHubError, match="more than 1,000 bytes"):
            api(url).download(f"{url}/asset", limit=1000)


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent"])
def test_redirects_do_not_go_on_for_ever(status: str) -> None:
    asked: list[int] = []

    def talk(connection: socket.socket) -> None:
        asked.append(1)
        there = f"{url}/api/v3/repos/a/b{len(asked)}"
        connection.sendall(
            f"HTTP/1.1 {status}\r\nLocation: {there}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode()
        )

    with listening(talk) as url, pytest.raises(LostAnswerError, match=r"more than 10 redirects|not GitHub's"):
        api(url).get("/repos/a/b")
    assert len(asked) <= 55


def test_a_temporary_redirect_on_the_same_server_is_followed() -> None:
    def talk(connection: socket.socket) -> None:
        if not asked:
            asked.append("once")
            head = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /api/v3/x?a=b\r\n"
            connection.sendall(head + b"Connection: close\r\nContent-Length: 0\r\n\r\n")
        else:
            connection.sendall(HEAD + b'Content-Length: 8\r\n\r\n{"a": 1}')

    asked: list[str] = []
    with listening(talk) as url:
        assert api(url).get("/repos/a/b")[1] == {"a": 1}


@pytest.mark.parametrize("status", ["302 Found", "307 Temporary Redirect"])
def test_a_redirect_to_another_server_is_not_followed(status: str) -> None:
    def elsewhere(connection: socket.socket) -> None:
        visits.append("was here")

    visits: list[str] = []
    with listening(elsewhere) as other:

        def talk(connection: socket.socket) -> None:
            body = b'{"message": "Moved"}'
            head = f"HTTP/1.1 {status}\r\nLocation: {other}/api/v3/repos/a/b\r\nConnection: close\r\n"
            head += f"Content-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)

        with listening(talk) as url, pytest.raises(GitHubError, match=r"answered 30[27]: Moved"):
            api(url).get("/repos/a/b")
    assert not visits


def test_an_answer_that_is_none_yet_is_not_waited_for() -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")

    with listening(talk) as url, pytest.raises(LostAnswerError, match="the answer was 202"):
        api(url).get("/repos/a/b")


def test_pages_do_not_go_on_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(githubapi, "_MAX_PAGES", 5)

    def talk(connection: socket.socket) -> None:
        following = f'Link: <{url}/api/v3/more>; rel="next"\r\n'.encode()
        connection.sendall(HEAD + following + b"Connection: close\r\nContent-Length: 4\r\n\r\n[{}]")

    with listening(talk) as url, pytest.raises(GitHubError, match="fills more than 5 pages"):
        list(api(url).pages("/repos/a/b/releases"))


def test_a_redirect_to_plain_http_elsewhere_is_refused() -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(
            b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        )

    with (
        listening(talk) as url,
        exchange.new_session() as session,
        pytest.raises(requests.exceptions.InvalidSchema, match=r"redirected to http://192\.0\.2\.1"),
    ):
        session.get(url, timeout=5)
