"""The members of a tar archive, read strictly and in time linear in its size, as Go's archive/tar reads them for Helm.

Python's own tarfile is made for archives that one trusts: a hostile header has it search for hours, recurse without end
or go backwards in the archive, depending on the release of Python.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

_BLOCK = 512
_END = bytes(_BLOCK)
_MAX_EXTENSION = 1 << 20  # Go's maxSpecialFileSize
_RECORD_LENGTH = re.compile(rb"[0-9]{1,7} ")
_OCTAL = re.compile(rb"[ \0]*([0-7]*)[ \0]*")

Kind = Literal["file", "directory", "other"]


class TarError(ValueError):
    """The bytes are no tar archive that can be read with certainty."""


@dataclass(frozen=True)
class Member:
    """One member; what is no UTF-8 in its name is in surrogates. Only a file has `data`."""

    name: str
    kind: Kind
    data: bytes = b""


def members(archive: bytes) -> Iterator[Member]:
    """Yield the members of an uncompressed tar archive, of the POSIX (ustar, pax), GNU and oldest formats.

    Global pax headers are passed over, as Helm does. Raises TarError for what is malformed or cut off, for sparse
    files, and for sizes that the archive does not have.
    """
    if not archive:
        raise TarError("it is empty")
    at = 0
    name: bytes | None = None  # what an extended header says of the member behind it
    size: int | None = None
    while at < len(archive):
        header = archive[at : at + _BLOCK]
        at += _BLOCK
        if header == _END:
            if archive[at : at + _BLOCK] not in (b"", _END):
                raise TarError("something is behind its end")
            return
        kind = _checked_type(header)
        own_size = _number(header[124:136], "size")
        if kind in b"xgLK":
            data = _content(archive, at, own_size)
            if own_size > _MAX_EXTENSION:
                raise TarError("an extended header is too large")
            at += _padded(own_size)
            if kind == b"x":
                name, size = _pax(data)
            elif kind == b"L":
                name = data.partition(b"\0")[0]
            continue
        shown = _name(header) if name is None else name
        text = shown.decode("utf-8", "surrogateescape")
        if kind == b"S":
            raise TarError(f"{text!a} is a sparse file")
        if kind in b"\x0007" and not (kind == b"\0" and shown.endswith(b"/")):
            length = own_size if size is None else size
            yield Member(text, "file", _content(archive, at, length))
            at += _padded(length)
        else:
            # Links, devices and directories have no content, whatever their size says.
            yield Member(text, "directory" if kind in b"\x005" else "other")
        name = size = None
    if name is not None or size is not None:
        raise TarError("it ends with an extended header")


def _checked_type(header: bytes) -> bytes:
    if len(header) < _BLOCK:
        raise TarError("it is cut off")
    # Very old programs took bytes for signed numbers.
    rest = header[:148] + b" " * 8 + header[156:]
    wanted = _number(header[148:156], "checksum")
    if wanted != sum(rest) and wanted != sum(byte - 256 * (byte > 127) for byte in rest):
        raise TarError("a header has a wrong checksum")
    return header[156:157]


def _number(field: bytes, what: str) -> int:
    """Return the number in a header's field: octal digits, or binary where they do not suffice."""
    if field[0] & 0x80:
        number = int.from_bytes(bytes((field[0] & 0x7F, *field[1:])), "big")
        if field[0] & 0x40:
            raise TarError(f"a header has a negative {what}")
        return number
    digits = _OCTAL.fullmatch(field.partition(b"\0")[0] or b"0")
    if digits is None:
        raise TarError(f"a header has no number for its {what}")
    return int(digits[1] or b"0", 8)


def _content(archive: bytes, at: int, size: int) -> bytes:
    if size > len(archive) - at:
        raise TarError("it is cut off, or a member's size is wrong")
    return archive[at : at + size]


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _name(header: bytes) -> bytes:
    name = header[:100].partition(b"\0")[0]
    prefix = header[345:500].partition(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _pax(data: bytes) -> tuple[bytes | None, int | None]:
    """Return the name and the size that the records of an extended header tell, each `<length> <key>=<value>\\n`."""
    name: bytes | None = None
    size: int | None = None
    at = 0
    while at < len(data):
        length = _RECORD_LENGTH.match(data, at)
        end = at + int(length[0]) if length is not None else 0
        if length is None or not length.end() < end <= len(data) or data[end - 1] != 10:
            raise TarError("an extended header is malformed")
        key, equals, value = data[length.end() : end - 1].partition(b"=")
        at = end
        if not equals or not key:
            raise TarError("an extended header is malformed")
        if key.startswith(b"GNU.sparse."):
            raise TarError("it has a sparse file")
        if key == b"path":
            if b"\0" in value:
                raise TarError("an extended header is malformed")
            name = value or None
        elif key == b"size":
            if value and (not value.isdigit() or len(value) > 20):
                raise TarError("an extended header has no number for a size")
            size = int(value) if value else None
    return name, size
