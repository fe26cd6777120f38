"""Read the members of a tar as Go's archive/tar does, which Helm uses.

Python's tarfile differs: it treats a damaged header as the end of the archive, applies global headers, ignores
malformed records, and reads some numbers and modes differently, so files could get lost or have other names. Anything
so unusual that readers disagree on it is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

BLOCK = 512
_GNU = b"ustar  \0"
_OCTAL = re.compile(rb"[0-7]*")
# https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13_06
_MODE, _SIZE, _CHECKSUM, _TYPE = slice(100, 108), slice(124, 136), slice(148, 156), slice(156, 157)
_NUMBERS = (_MODE, _SIZE, slice(108, 116), slice(116, 124), slice(136, 148))  # mode, size, user, group, time
_DEVICE = (slice(329, 337), slice(337, 345))
_GNU_TIMES = (slice(345, 357), slice(357, 369))
_LENGTH = re.compile(rb"([1-9][0-9]{0,8}) ")
_INTEGER, _TIME = rb"(?:-?[0-9]{1,18})?", rb"(?:-?[0-9]{1,18}(?:\.[0-9]*)?)?"
_VALUES = {
    b"uid": _INTEGER,
    b"gid": _INTEGER,
    b"size": rb"[0-9]{0,18}",
    b"atime": _TIME,
    b"mtime": _TIME,
    b"ctime": _TIME,
}
_FILES = (b"0", b"7", b"\0")
_WITHOUT_CONTENT = (b"1", b"2", b"3", b"4", b"5", b"6")
_ABOUT_THE_NEXT = (b"x", b"g", b"L", b"K")
_DIRECTORY_MODE = 0o040000
_MAX_EXTENSION = 1 << 20  # Go's maxSpecialFileSize


MemberKind = Literal["file", "directory", "other"]


class TarError(ValueError):
    """The bytes are not a tar archive that all readers would read alike."""


@dataclass(frozen=True)
class Member:
    """A member of the archive."""

    name: str
    """The name in the archive; invalid UTF-8 is decoded to lone surrogates."""
    kind: MemberKind
    data: bytes = b""
    """The content; empty for directories, links and devices."""


def read_members(data: bytes) -> Iterator[Member]:
    """Yield the members of a tar in order. Raises TarError for a damaged tar, or one that Go does not read."""
    if not data:
        raise TarError("it is empty")
    at = 0
    records: dict[bytes, bytes] = {}
    long_name = b""
    while (header := _header(data, at)) is not None:
        kind = header[_TYPE]
        has_content = kind not in _WITHOUT_CONTENT
        size = _number(header[_SIZE], at)
        if has_content and kind not in _ABOUT_THE_NEXT:
            size = int(records.get(b"size") or size)
        start, size = at + BLOCK, size if has_content else 0
        if start + size > len(data):
            raise TarError(f"it ends within what begins at byte {at} of its tar")
        if kind == b"S":
            raise TarError(f"it has a sparse file at byte {at} of its tar")
        if kind in _ABOUT_THE_NEXT:
            if size > _MAX_EXTENSION:
                raise TarError(f"the extended header at byte {at} of its tar is too large")
            content = data[start : start + size]
            if kind == b"L":
                long_name = content.partition(b"\0")[0]
            elif kind == b"x":
                records = _records(content, at)
            elif kind == b"g":  # Go returns global headers as members and does not apply them
                _records(content, at)
                records, long_name = {}, b""
        else:
            name = long_name or records.get(b"path") or _name(header)
            mode = _number(header[_MODE], at)
            member_kind = _kind(kind, mode, name)
            yield Member(name.decode(errors="surrogateescape"), member_kind, data[start : start + size])
            records, long_name = {}, b""
        at = start + -(-size // BLOCK) * BLOCK
    if records or long_name:
        raise TarError("it ends with an extended header")


def has_end(data: bytes | bytearray) -> bool:
    """Tell whether a tar has its end marker, two blocks of zeros, before which all of its members are."""
    marker = bytes(2 * BLOCK)
    return any(data[at : at + 2 * BLOCK] == marker for at in range(0, len(data) - BLOCK, BLOCK))


def _header(data: bytes, at: int) -> bytes | None:
    """Return the header block at `at` after checking its fields, or None at the end of the archive."""
    header, rest = data[at : at + BLOCK], data[at : at + 2 * BLOCK]
    if not rest.strip(b"\0") and len(rest) % BLOCK == 0:
        return None
    total = sum(header) - sum(header[_CHECKSUM]) + 8 * ord(" ")
    if len(header) < BLOCK or _number(header[_CHECKSUM], at) != total:
        raise TarError(f"it is damaged at byte {at} of its tar")
    magic = header[257:265]
    if header[508:] == b"tar\0":
        raise TarError(f"the header at byte {at} of its tar is in the format of star")
    for field in (*_NUMBERS, *(_DEVICE if magic.startswith(b"ustar") else ())):
        _number(header[field], at)
    for field in _GNU_TIMES if magic == _GNU else ():
        _number(header[field], at)
    return header


def _number(field: bytes, at: int) -> int:
    if field[0] & 0x80:
        # GNU's binary numbers. Negative ones, and sizes that no file can have, are refused.
        value = int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
        if value < 1 << 62:
            return value
    else:
        digits = field.strip(b" \0").partition(b"\0")[0]
        if _OCTAL.fullmatch(digits):
            return int(digits or b"0", 8)
    raise TarError(f"the header at byte {at} of its tar has a number that can't be read")


def _name(header: bytes) -> bytes:
    name = header[:100].partition(b"\0")[0]
    prefix = header[345:500].partition(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _kind(kind: bytes, mode: int, name: bytes) -> MemberKind:
    is_old_directory = kind == b"\0" and name.endswith(b"/")
    if kind == b"5" or is_old_directory or (kind in _FILES and mode & ~0o7777 == _DIRECTORY_MODE):
        return "directory"
    return "file" if kind in _FILES and not mode & ~0o7777 & ~0o100000 else "other"


def _records(content: bytes, at: int) -> dict[bytes, bytes]:
    """Parse the records of a pax header, one `<length> <key>=<value>` a line. Raises TarError."""
    records: dict[bytes, bytes] = {}
    place = 0
    while place < len(content):
        length = _LENGTH.match(content, place)
        end = place + int(length[1]) if length else 0
        line = content[length.end() : end - 1] if length and end <= len(content) else b""
        key, equals, value = line.partition(b"=")
        is_sound = equals and key and content[end - 1 : end] == b"\n" and b"\0" not in line
        if not is_sound or key.startswith(b"GNU.sparse.") or not re.fullmatch(_VALUES.get(key, rb"(?s:.*)"), value):
            raise TarError(f"the header at byte {at} of its tar has a record that can't be read")
        records[key] = value
        place = end
    return records
