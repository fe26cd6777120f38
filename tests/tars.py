"""Tar archives by hand, with headers that no program would write."""

from __future__ import annotations

import gzip
from collections.abc import Mapping


def header(name: str, size: int, kind: bytes = b"0", *, link: str = "") -> bytes:
    """A header whose checksum is right; a size that octal digits can't express is binary, as GNU tar writes it."""
    block = bytearray(512)
    block[: len(name)] = name.encode()
    block[100:124] = b"0000644\x000000000\x000000000\0"
    if 0 <= size < 8**11:
        block[124:136] = b"%011o\0" % size
    else:
        block[124:136] = (size & (1 << 95) - 1 | 1 << 95 | (size < 0) << 94).to_bytes(12, "big")
    block[136:156] = b"00000000000\0        "
    block[156:157] = kind
    block[157 : 157 + len(link)] = link.encode()
    block[257:265] = b"ustar\x0000"
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def member(name: str, data: bytes, kind: bytes = b"0") -> bytes:
    """A member, padded."""
    return header(name, len(data), kind) + data + bytes(-len(data) % 512)


def pax(records: Mapping[str, str], kind: bytes = b"x") -> bytes:
    """An extended header for the member behind it."""
    return member(
        "PaxHeaders/x", b"".join(_record(f" {key}={value}\n".encode()) for key, value in records.items()), kind
    )


def _record(text: bytes) -> bytes:
    size = len(text)
    while size != len(text) + len(str(size)):
        size = len(text) + len(str(size))
    return b"%d" % size + text


def tgz(*parts: bytes) -> bytes:
    """An archive of such parts, with its end."""
    return gzip.compress(b"".join(parts) + bytes(1024), 1, mtime=0)
