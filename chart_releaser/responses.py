"""Answers of GitHub's API kept between runs with their ETags: what has not changed costs no limit and few bytes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_KEPT_SECONDS = 60 * 24 * 3600
_MAX_BYTES = 20 * 1024 * 1024
# What of an answer's headers is used: https://docs.github.com/rest/using-the-rest-api/using-pagination-in-the-rest-api
_HEADERS = ("link",)


@dataclass(frozen=True)
class Response:
    """An answer as it was given: its validator, the headers that are used, the JSON value."""

    etag: str
    headers: Mapping[str, str]
    value: Any


class Responses:
    """A directory of answers. Whatever can't be read or written there is as if it had never been kept.

    Every use asks the server whether the answer is still the same, so a kept one is never older than the question:
    https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate
    """

    def __init__(self, directory: Path, identity: str) -> None:
        """`identity` stands for who asks; what one may see is never given to another. It is kept as a hash only."""
        self._directory = directory
        self._identity = identity
        self._is_pruned = False

    def find(self, url: str) -> Response | None:
        """Return the kept answer to `GET url`, None if there is none."""
        path = self._path(url)
        try:
            if path.stat().st_size > _MAX_BYTES:
                return None
            digest, _, text = path.read_text(encoding="utf-8").partition("\n")
            if digest != _digest(text):
                return None
            kept = json.loads(text)
            response = Response(str(kept["etag"]), dict(kept["headers"]), kept["value"])
            os.utime(path)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return response

    def keep(self, url: str, headers: Mapping[str, Any], value: Any) -> None:
        """Keep an answer for the next run, if it has an ETag."""
        etag = str(headers.get("etag") or "")
        if not etag:
            return
        used = {name: str(headers[name]) for name in _HEADERS if headers.get(name)}
        text = json.dumps({"etag": etag, "headers": used, "value": value})
        if len(text) > _MAX_BYTES:
            return
        path = self._path(url)
        staged = path.with_name(f"{path.name}.{secrets.token_hex(8)}.new")
        with contextlib.suppress(OSError):
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._prune()
            try:
                staged.write_text(f"{_digest(text)}\n{text}", encoding="utf-8")
                staged.replace(path)
            finally:
                staged.unlink(missing_ok=True)

    def _path(self, url: str) -> Path:
        return self._directory / f"{_digest(f'{self._identity} {url}')}.json"

    def _prune(self) -> None:
        if self._is_pruned:
            return
        self._is_pruned = True
        oldest = time.time() - _KEPT_SECONDS
        for path in self._directory.iterdir():
            with contextlib.suppress(OSError):  # what another thread was writing has its own name by now
                if path.stat().st_mtime < oldest:
                    path.unlink(missing_ok=True)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
