"""Downloads of public packages: which addresses are asked, and that it ends soon where a server can't be reached."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from chart_releaser.attempts import Attempts, Retry
from chart_releaser.destinations.downloads import Downloads
from chart_releaser.errors import DestinationError
from chart_releaser.location import Server


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A port of this machine on which every connection is refused; pauses take no time."""
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening
        yield taken.getsockname()[1]


def test_a_server_that_can_never_be_reached_is_not_asked_for_ever(refusing: int) -> None:
    address = f"http://127.0.0.1:{refusing}/a.tgz"
    attempts = Attempts()
    downloads = Downloads(attempts=attempts)
    for _ in range(8):
        with pytest.raises(DestinationError, match=r"could not be downloaded \(ConnectionError\)"):
            downloads.get(address)
    with pytest.raises(DestinationError, match=r"not tried, since 127\.0\.0\.1:\d+ gave no answer to 32 requests"):
        downloads.get(address)
    what = f"a package from 127.0.0.1:{refusing}: it could not be downloaded (ConnectionError)"
    assert attempts.list() == [Retry(what, 24)]


@pytest.mark.parametrize("host", ["localhost", "localhost.", "x.localhost", "127.0.0.1"])
def test_plain_http_is_for_this_machine(refusing: int, host: str) -> None:
    with pytest.raises(DestinationError, match="could not be downloaded"):
        Downloads().get(f"http://{host}:{refusing}/a.tgz")


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("http://127.0.0.1.example.invalid/a.tgz", None),
        ("http://ghe.invalid/a.tgz", None),
        ("http://ghe.invalid/a.tgz", Server("https://ghe.invalid", "https://ghe.invalid/api/v3")),
        ("http://ghe.invalid:8080/a.tgz", Server("http://ghe.invalid", "http://ghe.invalid/api/v3")),
        ("ftp://ghe.invalid/a.tgz", Server("http://ghe.invalid", "http://ghe.invalid/api/v3")),
    ],
)
def test_plain_http_goes_to_nobody_else(url: str, server: Server | None) -> None:
    with pytest.raises(DestinationError, match="only https is fetched"):
        Downloads(server).get(url)


def test_plain_http_is_for_a_server_that_has_such_an_address() -> None:
    with pytest.raises(DestinationError, match="could not be downloaded"):
        Downloads(Server("http://ghe.invalid", "http://ghe.invalid/api/v3")).get("http://ghe.invalid:80/a.tgz")
