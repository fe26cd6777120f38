"""The files of a chart archive, after the checks of Helm's archive loader."""

from __future__ import annotations

import posixpath
import re
import zlib
from dataclasses import dataclass, field

from chart_releaser.budget import Budget
from chart_releaser.errors import ChartError
from chart_releaser.helm.tarball import TarError, members

# Helm's loader refuses more than this: its pkg/chart/loader/archive.go.
MAX_FILE_BYTES = 5 * 1024 * 1024
MAX_CHART_BYTES = 100 * 1024 * 1024
_MAX_FILES = 20_000
# A tar of the largest chart, its headers and padding included.
_MAX_PLAIN_BYTES = MAX_CHART_BYTES + _MAX_FILES * 1024
_PIECE = 4096  # there can be many streams, and what is left of a piece is copied for each
# As in upstream's own tree: git.tree.Limits.
_DEEPEST_PATH = 64
_LONGEST_PATH = 4096  # characters
_DRIVE = re.compile(r"[a-zA-Z]:/")
_MAX_GZIP_PIECES = 1000  # several in one file are legal, but each takes its time


@dataclass
class Allowance:
    """What the archives of one chart, and those within them, may unpack to: files and bytes that are left."""

    files: int = _MAX_FILES
    # Of an archive in an archive both the packed and the unpacked bytes count.
    bytes: int = 2 * MAX_CHART_BYTES
    plain: int = 2 * _MAX_PLAIN_BYTES
    """Bytes of uncompressed archives, headers and padding included."""
    budget: Budget = field(default_factory=Budget)

    def take(self, size: int, what: str) -> None:
        """Take one file of `size` bytes off. Raises ChartError, naming `what`, if it is too much."""
        self.files -= 1
        self.bytes -= size
        if self.files < 0 or self.bytes < 0 or size > MAX_FILE_BYTES:
            raise ChartError(f"{what} is beyond what Helm loads: 5 MiB a file, 100 MiB a chart")
        self.budget.take_file(size, what)


def unpack(data: bytes, path: str, allowance: Allowance) -> dict[str, bytes]:
    """Return the files in the bytes of a tgz, called `path` in messages, by their path below its top directory.

    Raises ChartError for what Helm's loader refuses (absolute paths, `..`, drives, too large) and for links and
    devices, from which it would silently make empty files.
    """
    files: dict[str, bytes] = {}
    try:
        for member in members(_gunzip(data, path, allowance)):
            shown = ascii(member.name)[1:-1]
            if member.kind == "other":
                raise ChartError(f"{path}: {shown} is a link or a device", remedy="only files can be in a chart")
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
    # As in Go, one stream may follow another; some tools fill up the last block with zeros.
    while at == 0 or data[at : at + 1].strip(b"\0") or data[at:].strip(b"\0"):
        pieces += 1
        if pieces > _MAX_GZIP_PIECES:
            raise TarError(f"it consists of more than {_MAX_GZIP_PIECES} gzip files")
        stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        while not stream.eof:
            piece = data[at : at + _PIECE]
            if not piece:
                raise TarError("it is cut off")
            plain += stream.decompress(piece, limit + 1 - len(plain))
            at += len(piece) - len(stream.unused_data)
            if len(plain) > limit:  # a bomb stops here
                raise ChartError(f"{path} unpacks to more than the {MAX_CHART_BYTES >> 20} MiB that Helm loads")
    allowance.plain -= len(plain)
    return bytes(plain)


def _name(name: str, path: str) -> str:
    """Return a member's name below the archive's top directory, as Helm's archive loader does."""
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
