"""Read objects from a git object database through one long-running `cat-file` process, and verify their hashes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import select
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from chart_releaser.errors import UpstreamError
from chart_releaser.git.gitdir import bare_view
from chart_releaser.git.objectformat import MissingObjectError, ObjectTooLargeError
from chart_releaser.git.output import Drain, failure_reason
from chart_releaser.git.run import Git, log_command, stop_process

_COMMAND = ("cat-file", "--batch-command")
_HEADER = re.compile(rb"([0-9a-f]+) (blob|tree|commit|tag) ([0-9]+)\n")
_OID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_CHUNK = 1 << 20
_PIPE = 1 << 16  # the default capacity of a pipe on Linux
_LINE = 200
# A batch of requests fits into a pipe's buffer, so writing it never blocks while git waits for its answers to be read.
_BATCH = 50
_ANSWER_SECONDS = 60.0
"""How long to wait for output of git, which reads only local files here."""


class DamagedError(UpstreamError):
    """An object does not match its hash, or git can't read the repository at all."""


class Objects:
    """The objects of one repository. Use it from one thread only."""

    def __init__(self, git: Git, title: str) -> None:
        self._began = time.monotonic()
        self._process: Any = git.start(*_COMMAND)
        self._questions, self._answers = self._process.stdin, _Answers(self._process.stdout.fileno())
        self._stderr = Drain(self._process.stderr, 1 << 14)
        self._title = title

    def close(self) -> None:
        stop_process(self._process)
        log_command(_COMMAND, self._began, self._process.proc.returncode, self._answers.bytes)

    def __call__(self, oid: str, limit: int, /) -> tuple[str, bytes]:
        """Return type and content of the object `oid` after verifying its hash.

        Raises MissingObjectError, ObjectTooLargeError for more than `limit` bytes, DamagedError.
        """
        self._ask([oid])
        kind, size, data = self._answer(oid, limit)
        if size > limit:
            raise ObjectTooLargeError(oid, size, limit)
        return kind, data

    def missing(self, oids: Iterable[str]) -> list[str]:
        """Return which of these objects are missing, and verify the hashes of the others. Raises DamagedError."""
        absent: list[str] = []
        waiting = sorted(oids)
        for start in range(0, len(waiting), _BATCH):
            batch = waiting[start : start + _BATCH]
            self._ask(batch)
            for oid in batch:
                try:
                    self._answer(oid, 0)
                except MissingObjectError:
                    absent.append(oid)
        return absent

    def _ask(self, oids: list[str]) -> None:
        if not all(_OID.fullmatch(oid) for oid in oids):
            raise DamagedError(f"{self._title}: malformed object name")
        try:
            self._questions.write("".join(f"contents {oid}\n" for oid in oids).encode())
            self._questions.flush()
        except (OSError, ValueError) as error:
            raise self._damaged() from error

    def _answer(self, oid: str, limit: int) -> tuple[str, int, bytes]:
        """Read one answer to its end, and return type, size and content, which is empty beyond `limit` bytes."""
        try:
            return self._read_answer(oid, limit)
        except TimeoutError as error:
            stop_process(self._process)
            raise DamagedError(
                f"{self._title}: git could not read object {oid} within {_ANSWER_SECONDS:g} seconds",
                remedy="check the file system that it is on, then run again",
            ) from error

    def _read_answer(self, oid: str, limit: int) -> tuple[str, int, bytes]:
        line = self._answers.line()
        if line == f"{oid} missing\n".encode():
            raise MissingObjectError(oid)
        header = _HEADER.fullmatch(line)
        if header is None or header[1].decode() != oid:
            raise self._damaged()
        size = int(header[3])
        check = (hashlib.sha1 if len(oid) == 40 else hashlib.sha256)(usedforsecurity=False)
        check.update(header[2] + b" " + header[3] + b"\0")
        kept: list[bytes] = []
        left = size
        while left:
            chunk = self._answers.read(min(left, _CHUNK))
            if not chunk:
                raise self._damaged()
            check.update(chunk)
            left -= len(chunk)
            if size <= limit:
                kept.append(chunk)
        if self._answers.read(1) != b"\n":
            raise self._damaged()
        if check.hexdigest() != oid:
            raise DamagedError(f"{self._title}: object {oid} does not match its hash")
        return header[2].decode(), size, b"".join(kept)

    def _damaged(self) -> DamagedError:
        stop_process(self._process)
        self._stderr.join(5)
        why = failure_reason(self._stderr.data.decode("utf-8", "replace"))
        return DamagedError(f"{self._title}: its objects can't be read: {why}")


class _Answers:
    """Reads from a pipe. Its methods raise TimeoutError if nothing arrives for too long."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._waiting, self._at = b"", 0
        self.bytes = 0
        """The number of bytes received so far."""

    def line(self) -> bytes:
        """Return the next line, or its beginning if it is too long for the first line of an answer."""
        while True:
            end = self._waiting.find(b"\n", self._at, self._at + _LINE) + 1
            if end or len(self._waiting) - self._at >= _LINE or not self._more():
                return self._take(end - self._at if end else _LINE)

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes, or b"" at the end."""
        if self._at == len(self._waiting):
            self._more()
        return self._take(size)

    def _take(self, size: int) -> bytes:
        taken = self._waiting[self._at : self._at + size]
        self._at += len(taken)
        return taken

    def _more(self) -> bool:
        if not self._poll.poll(_ANSWER_SECONDS * 1000):
            raise TimeoutError
        data = os.read(self._descriptor, _PIPE)
        self.bytes += len(data)
        self._waiting = self._waiting[self._at :] + data
        self._at = 0
        return bool(data)


@contextlib.contextmanager
def open_objects(directory: Path, oid_size: int, title: str) -> Iterator[Objects]:
    """Open the object database in `directory`. `title` names the repository in errors. Raises UpstreamError."""
    with bare_view(directory, oid_size) as git:
        objects = Objects(git, title)
        try:
            yield objects
        finally:
            objects.close()
