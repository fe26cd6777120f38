"""Cache answers of GitHub's API with their ETags: unchanged ones do not count against the rate limit."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import re
import secrets
import stat
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chart_releaser.errors import MachineError
from chart_releaser.files import open_regular, read_regular, remove, write_private
from chart_releaser.git.cachedir import make_cache_directory

_KEPT_SECONDS = 60 * 24 * 3600
_STAGED_SECONDS = 24 * 3600
_MAX_BYTES = 20 * 1024 * 1024
_KEY_BYTES = 32
_KEY = "key"
_ANSWER = re.compile(r"answer-[0-9a-f]{64}\.json")
# Temporary files of killed runs, and files of earlier versions, whose names depended on the token.
_STAGED = re.compile(r"\.(?:answer-[0-9a-f]{64}\.json|key)\.chart-releaser-[0-9a-f]{16}\.tmp")
_FORMER = re.compile(r"[0-9a-f]{64}\.json(?:\.[0-9a-f]{16}\.new)?")
# The headers that are used: https://docs.github.com/rest/using-the-rest-api/using-pagination-in-the-rest-api
_HEADERS = ("link",)
_opening = threading.Lock()  # so that threads which start at the same time share one key


@dataclass(frozen=True)
class CachedResponse:
    """A cached answer: its ETag, the headers that are used, and the JSON value."""

    etag: str
    headers: Mapping[str, str]
    value: Any


class ResponseCache:
    """A directory of cached answers. Entries that can't be read or written count as missing.

    Each use asks the server whether the answer is unchanged, so a cached answer is never outdated, and is given only to
    a token that may see it:
    https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate

    Answers are authenticated by a key that only this user can read. What others write counts as missing.
    """

    def __init__(self, directory: Path) -> None:
        """`directory` is a part of the cache. It is not accessed yet."""
        self._directory = directory
        self._key: bytes | None = None

    def find(self, question: str) -> CachedResponse | None:
        """Return the cached answer to `question`, which consists of server, path and parameters, or None."""
        key = self._open(make=False)
        if key is None:
            return None
        path = self._path(question)
        try:
            code, _, text = read_regular(path, _MAX_BYTES).partition(b"\n")
            if not hmac.compare_digest(code, _code(key, question, text)):
                return None
            fields = json.loads(text)
            os.utime(path, follow_symlinks=False)  # `_prune` removes answers that are not used for long
            return CachedResponse(str(fields["etag"]), dict(fields["headers"]), fields["value"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def store(self, question: str, headers: Mapping[str, Any], value: Any) -> None:
        """Store the answer to `question` for the next run, replacing an earlier one, if it has an ETag."""
        etag = str(headers.get("etag") or "")
        if not etag:
            return
        used = {name: str(headers[name]) for name in _HEADERS if headers.get(name)}
        text = json.dumps({"etag": etag, "headers": used, "value": value}).encode()
        key = self._open(make=True) if len(text) < _MAX_BYTES - 100 else None
        if key is not None:
            with contextlib.suppress(OSError):
                write_private(self._path(question), _code(key, question, text) + b"\n" + text)

    def _path(self, question: str) -> Path:
        return self._directory / f"answer-{hashlib.sha256(question.encode()).hexdigest()}.json"

    def _open(self, *, make: bool) -> bytes | None:
        """Return the key, made if it is missing and `make` is true, or None if the cache can't be used."""
        with _opening:
            if self._key is None and (make or os.path.lexists(self._directory)):
                with contextlib.suppress(OSError, MachineError):
                    make_cache_directory(self._directory)
                    self._key = self._read_key()
                    self._prune(everything=self._key is None)
                    if self._key is None and make:
                        write_private(self._directory / _KEY, secrets.token_bytes(_KEY_BYTES))
                        self._key = self._read_key()
        return self._key

    def _read_key(self) -> bytes | None:
        """Return the key, or None if it is missing or another user could have read or written it."""
        path = self._directory / _KEY
        try:
            with open_regular(path) as file:
                status = os.fstat(file.fileno())
                key = file.read(_KEY_BYTES + 1)
        except OSError:
            return None
        is_ours = status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) == 0o600
        return key if is_ours and len(key) == _KEY_BYTES else None

    def _prune(self, *, everything: bool) -> None:
        """Remove answers that were not used for two months; with `everything` all answers and the key."""
        now = time.time()
        if everything:
            with contextlib.suppress(OSError):
                remove(self._directory / _KEY)
        for path in list(self._directory.iterdir()):
            with contextlib.suppress(OSError):  # a temporary file of another thread may be renamed meanwhile
                age = now - path.lstat().st_mtime
                if (
                    _FORMER.fullmatch(path.name)
                    or (_ANSWER.fullmatch(path.name) and (everything or age > _KEPT_SECONDS))
                    or (_STAGED.fullmatch(path.name) and age > _STAGED_SECONDS)
                ):
                    path.unlink(missing_ok=True)


def _code(key: bytes, question: str, text: bytes) -> bytes:
    """Return the HMAC (RFC 2104) of question and answer; the length of the question keeps them apart."""
    what = question.encode()
    return hmac.new(key, b"%d\n%b%b" % (len(what), what, text), "sha256").hexdigest().encode()
