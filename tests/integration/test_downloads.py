"""Downloads of public packages end soon where a server can't be reached."""

from __future__ import annotations

import socket

import pytest

from chart_releaser.destinations.downloads import _GIVEN_UP_AFTER, Downloads
from chart_releaser.errors import DestinationError


def test_a_server_that_can_never_be_reached_is_not_asked_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: every connection is refused
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/a.tgz"
        downloads = Downloads()
        monkeypatch.setattr("time.sleep", lambda _seconds: None)
        for _ in range(_GIVEN_UP_AFTER):
            with pytest.raises(DestinationError, match="could not be downloaded"):
                downloads.get(address)
        with pytest.raises(DestinationError, match=r"not tried, since 127\.0\.0\.1:\d+ could not be reached 8 times"):
            downloads.get(address)
