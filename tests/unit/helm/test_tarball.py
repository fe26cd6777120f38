"""Tar archives as other programs write them, and as nobody should."""

from __future__ import annotations

import io
import tarfile
import time

import pytest

from chart_releaser.helm.tarball import Member, TarError, read_members
from tests.tars import header, pax

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", ["c/x", "c/" + "a" * 97, "c/" + "d" * 90 + "/" + "f" * 90, "c/ü", "c/a b=c\t"])
def test_what_tarfile_writes_is_read(form: str, name: str) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=FORMATS[form]) as archive:
        folder = tarfile.TarInfo("c")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for path, data in ((name, b"x" * 513), ("c/empty", b"")):
            member = tarfile.TarInfo(path)
            member.size = len(data)
            member.uid = 2**40 if form != "ustar" else 0
            member.mtime = 1.5 if form == "pax" else 1
            archive.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo("c/link")
        link.type, link.linkname = tarfile.SYMTYPE, "x" * (150 if form != "ustar" else 50)
        archive.addfile(link)
    read = [Member(member.name.rstrip("/"), member.kind, member.data) for member in read_members(packed.getvalue())]
    assert read == [
        Member("c", "directory"),
        Member(name, "file", b"x" * 513),
        Member("c/empty", "file"),
        Member("c/link", "other"),
    ]


def test_a_global_header_says_nothing_of_a_file() -> None:
    archive = pax({"path": "evil", "comment": "a" * 40}, kind=b"g") + header("c/x", 1) + b"1".ljust(512, b"\0")
    assert list(read_members(archive)) == [Member("c/x", "file", b"1")]


def test_an_extended_header_is_for_the_next_member_only() -> None:
    archive = pax({"path": "c/long", "size": "2"}) + header("c/x", 1) + b"12".ljust(512, b"\0") + header("c/y", 0)
    assert list(read_members(archive)) == [Member("c/long", "file", b"12"), Member("c/y", "file")]


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (b"", "it is empty"),
        (b"x", "damaged at byte 0"),
        (b"x" * 512, "has a number that can't be read"),
        (header("c/x", 0)[:-1] + b"1", "damaged at byte 0"),
        (header("c/x", 600) + bytes(512), "it ends within what begins at byte 0"),
        (header("c/x", -512) + bytes(512), "has a number that can't be read"),
        (header("c/x/", -512, b"5"), "has a number that can't be read"),
        (header("c/x", 1 << 60), "it ends within what begins at byte 0"),
        (header("c/x", 0, b"S"), "it has a sparse file at byte 0"),
        (pax({"GNU.sparse.major": "1"}) + header("c/x", 0), "has a record that can't be read"),
        (pax({"size": "-512"}) + header("c/x", 0), "has a record that can't be read"),
        (pax({"size": "9" * 19}) + header("c/x", 0), "has a record that can't be read"),
        (pax({"path": "a\0b"}) + header("c/x", 0), "has a record that can't be read"),
        (header("x", 512, b"x") + b"9" * 512 + header("c/x", 0), "has a record that can't be read"),
        (header("x", 512, b"x") + b"99 a=b\n".ljust(512, b"\0"), "has a record that can't be read"),
        (header("x", 2 << 20, b"x") + bytes(2 << 20), "the extended header at byte 0 of its tar is too large"),
        (pax({"path": "c/x"}), "ends with an extended header"),
        (header("c/x", 0) + bytes(512) + header("c/y", 0), "damaged at byte 512"),
    ],
)  # fmt: skip
def test_what_can_not_be_read_with_certainty(archive: bytes, message: str) -> None:
    with pytest.raises(TarError, match=message):
        list(read_members(archive))


def test_hostile_headers_take_no_time() -> None:
    started = time.monotonic()
    chain = (header("x", 512, b"x") + b"6 a=b\n".ljust(506, b"0") + b" a=b\n\n") * 5000
    for archive in (
        header("x", 1 << 20, b"x") + b"1" * (1 << 20),
        (pax({"a": "1" * 400}) * 5_000) + header("c/x", 0),
        (header("x", 10, b"L") + b"name".ljust(512, b"\0")) * 5_000 + header("c/x", 0),
        chain + header("c/x", 0),
    ):
        try:
            list(read_members(archive))
        except TarError:
            continue
    assert time.monotonic() - started < 10
