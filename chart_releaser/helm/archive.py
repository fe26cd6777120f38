"""Unpack a chart archive in memory, with the checks of Helm's archive loader."""

from __future__ import annotations

import posixpath
import re
import zlib
from dataclasses import dataclass, field

from chart_releaser.budget import Budget
from chart_releaser.errors import ChartError
from chart_releaser.helm.tarball import TarError, has_end, read_members

# Limits of Helm's loader: pkg/chart/loader/archive.go.
MAX_FILE_BYTES = 5 * 1024 * 1024
MAX_CHART_BYTES = 100 * 1024 * 1024
_MAX_FILES = 20_000
# The largest uncompressed tar of a chart, with headers and padding.
_MAX_PLAIN_BYTES = MAX_CHART_BYTES + _MAX_FILES * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_PIECE = 4096  # small, because the rest of a piece is copied for each gzip stream, and there can be many
# The same bounds as for upstream's git tree: git.limits.TreeLimits.
_DEEPEST_PATH = 64
_LONGEST_PATH = 4096  # characters
_DRIVE = re.compile(r"[a-zA-Z]:/")
_MAX_GZIP_PIECES = 1000  # concatenated streams are legal, but each one costs time


@dataclass
class Allowance:
    """The files and bytes that the archives of one chart, including nested ones, may still unpack to."""

    files: int = _MAX_FILES
    # Twice the limit, because the packed and the unpacked bytes of a nested archive both count.
    bytes: int = 2 * MAX_CHART_BYTES
    plain: int = 2 * _MAX_PLAIN_BYTES
    """Bytes of uncompressed archives, with headers and padding."""
    budget: Budget = field(default_factory=Budget)

    def take(self, size: int, what: str) -> None:
        """Deduct one file of `size` bytes. Raises ChartError, with `what` as its name, and BudgetError."""
        self.files -= 1
        self.bytes -= size
        if self.files < 0 or self.bytes < 0 or size > MAX_FILE_BYTES:
            raise ChartError(f"{what} is beyond what Helm loads: 5 MiB a file, 100 MiB a chart")
        self.budget.take_file(size, what)


def unpack(data: bytes, path: str, allowance: Allowance) -> dict[str, bytes]:
    """Return the files of a tgz by their path below its top directory. `path` names the archive in messages.

    A link or a device is an empty file, as for Helm. Raises ChartError for everything that Helm's loader refuses
    (absolute paths, `..`, drives, too large), and BudgetError beyond the budget of `allowance`.
    """
    files: dict[str, bytes] = {}
    try:
        for member in read_members(_gunzip(data, path, allowance)):
            shown = ascii(member.name)[1:-1]
            allowance.take(len(member.data), f"{path}: {shown}")
            if member.kind == "directory":
                continue
            name = _name(member.name, path)
            if name in files:
                raise ChartError(f"{path} has two files called {name!a}, and readers disagree on which one counts")
            files[name] = member.data
    except (TarError, zlib.error) as error:
        raise ChartError(f"{path} is not a chart archive: {error}") from error
    return files


def _gunzip(data: bytes, path: str, allowance: Allowance) -> bytes:
    limit = min(allowance.plain, _MAX_PLAIN_BYTES)
    plain = bytearray()
    at = pieces = 0
    # As in Go, several streams may follow each other. Some tools pad the last block with zeros.
    while at == 0 or data[at : at + 1].strip(b"\0") or data[at:].strip(b"\0"):
        pieces += 1
        if pieces > _MAX_GZIP_PIECES:
            raise TarError(f"it consists of more than {_MAX_GZIP_PIECES} gzip files")
        stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        if pieces > 1 and not data.startswith(_GZIP_MAGIC, at) and has_end(plain):
            break  # Go's reader stops at the end of the tar, and never sees what follows
        while not stream.eof:
            piece = data[at : at + _PIECE]
            if not piece:
                raise TarError("it is cut off")
            plain += stream.decompress(piece, limit + 1 - len(plain))
            at += len(piece) - len(stream.unused_data)
            if len(plain) > limit:  # a decompression bomb
                raise ChartError(f"{path} unpacks to more than the {MAX_CHART_BYTES >> 20} MiB that Helm loads")
    allowance.plain -= len(plain)
    return bytes(plain)


def _name(name: str, path: str) -> str:
    """Return a member's path below the archive's top directory, as Helm's archive loader computes it."""
    shown = ascii(name)
    delimiter = "\\" if "\\" in name else "/"  # archives made on Windows have backslashes
    top, _, below = name.partition(delimiter)
    below = below.replace(delimiter, "/")
    if top == "Chart.yaml":
        raise ChartError(f"{path}: Chart.yaml is not below a directory named after the chart")
    if len(name) > _LONGEST_PATH or name.count(delimiter) > _DEEPEST_PATH:
        raise ChartError(
            f"{path}: {shown[:100]}… is nested deeper than {_DEEPEST_PATH} directories, or too long a path"
        )
    clean = posixpath.normpath(below) if below else "."
    if clean == ".":
        raise ChartError(f"{path}: {shown} is not below a directory named after the chart")
    if below.startswith("/") or clean.startswith("..") or top in ("", "..") or _DRIVE.match(clean):
        raise ChartError(f"{path}: {shown} leads out of the chart")
    try:
        clean.encode()
    except UnicodeEncodeError as error:
        raise ChartError(f"{path}: the file name {shown} is not UTF-8") from error
    return clean
