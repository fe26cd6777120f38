"""Parse git objects: trees, commits and tags. Malformed or dangerous ones are refused."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Protocol

from chart_releaser.errors import SnapshotError

DIRECTORY, FILE, LINK, SUBMODULE = 0o040000, 0o100000, 0o120000, 0o160000
_MODE = re.compile(rb"[0-7]{5,6}")
_SIGNATURES = (
    "-----BEGIN PGP SIGNATURE-----",
    "-----BEGIN PGP MESSAGE-----",
    "-----BEGIN SIGNED MESSAGE-----",
    "-----BEGIN SSH SIGNATURE-----",
)
_LAST_SECOND = 253_402_300_799  # of the year 9999


class ObjectReader(Protocol):
    """Returns type (blob, tree, commit or tag) and content of the object named `oid`, after verifying its hash.

    Raises MissingObjectError, and ObjectTooLargeError for content of more than `limit` bytes.
    """

    def __call__(self, oid: str, limit: int, /) -> tuple[str, bytes]: ...


class MissingObjectError(SnapshotError):
    """The object is not in the repository at hand."""

    def __init__(self, oid: str, text: str | None = None) -> None:
        super().__init__(text or f"object {oid} is missing from the repository")
        self.oid = oid


class ObjectTooLargeError(SnapshotError):
    """The object is larger than the reader's limit."""

    def __init__(self, oid: str, size: int, limit: int) -> None:
        super().__init__(f"object {oid} has {size} bytes, more than the {limit} that are read")
        self.oid, self.size, self.limit = oid, size, limit


@dataclass(frozen=True)
class TreeEntry:
    """One line of a tree object."""

    mode: int
    oid: str

    @property
    def type(self) -> int:
        """DIRECTORY, FILE, LINK or SUBMODULE; git writes no other types."""
        return self.mode & 0o170000


def parse_tree(data: bytes, oid_size: int) -> dict[bytes, TreeEntry]:
    """Return the entries of a tree object by name. `oid_size` is 20 or 32 bytes. Raises SnapshotError if malformed."""
    entries: dict[bytes, TreeEntry] = {}
    at = 0
    while at < len(data):
        space = data.find(b" ", at, at + 8)
        end = data.find(b"\0", space)
        if space < 0 or end < 0 or len(data) < end + 1 + oid_size:
            raise SnapshotError("a directory listing of the repository is malformed")
        mode, name = data[at:space], data[space + 1 : end]
        at = end + 1 + oid_size
        if not _MODE.fullmatch(mode) or name in entries:
            raise SnapshotError("a directory listing of the repository is malformed")
        entries[name] = TreeEntry(int(mode, 8), data[end + 1 : at].hex())
    return entries


def decode_name(name: bytes, folder: str) -> str:
    """Return a file name as text. Raises SnapshotError for a name that is unsafe or not portable."""
    where = folder or "the repository's top directory"
    try:
        text = name.decode()
    except UnicodeDecodeError:
        raise SnapshotError(f"{where} has a file name that is not UTF-8: {ascii(name)[2:-1]}") from None
    if text in {"", ".", ".."} or "/" in text or text.lower() == ".git":
        raise SnapshotError(f"{where} has a forbidden file name: {text!r}")
    odd = not text.isprintable() and any(unicodedata.category(char) in {"Cc", "Zl", "Zp"} for char in text)
    if "\\" in text or odd:
        raise SnapshotError(f"{where} has a file name with a control character or a backslash: {text!a}")
    return text


def parse_commit(data: bytes) -> tuple[str, int]:
    """Return a commit's tree and its committer time in seconds since the epoch. Raises SnapshotError if malformed.

    Times before 1970 or after 9999 are clamped.
    """
    tree = _header(data, "tree")
    head = data.split(b"\n\n", 1)[0]
    match = re.search(rb"^committer .*> (-?[0-9]{1,20}) [+-][0-9]+$", head, re.MULTILINE)
    if match is None:
        raise SnapshotError("its commit has no usable date")
    return tree, min(max(int(match[1]), 0), _LAST_SECOND)


def parse_tag_object(data: bytes) -> tuple[str, str]:
    """Return a tag object's target and its message without the signature. Raises SnapshotError if malformed."""
    target = _header(data, "object")
    lines = data.partition(b"\n\n")[2].decode("utf-8", "replace").split("\n")
    # As in git, the signature begins at the last line that could begin one.
    for number in range(len(lines) - 1, -1, -1):
        if lines[number].startswith(_SIGNATURES):
            lines = lines[:number]
            break
    return target, "\n".join(lines).strip("\n")


def _header(data: bytes, name: str) -> str:
    match = re.match(rb"%b ([0-9a-f]{40}(?:[0-9a-f]{24})?)\n" % name.encode(), data)
    if match is None:
        raise SnapshotError(f"its {name} line is malformed")
    return match[1].decode()
