"""Chart archives from strangers: what Helm refuses is refused, and nothing grows without bounds."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Sequence

import pytest

from chart_releaser.errors import ChartError
from chart_releaser.helm.archive import MAX_FILE_BYTES, Allowance, unpack


def archive(*members: tuple[str, bytes] | tarfile.TarInfo) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", format=tarfile.PAX_FORMAT) as out:
        for item in members:
            if isinstance(item, tarfile.TarInfo):
                out.addfile(item)
            else:
                member = tarfile.TarInfo(item[0])
                member.size = len(item[1])
                out.addfile(member, io.BytesIO(item[1]))
    return packed.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def test_files_are_named_below_the_top_directory() -> None:
    data = archive(special("c", tarfile.DIRTYPE), ("c/Chart.yaml", b"1"), ("other/./a//b", b"2"), ("c\\w\\x", b"3"))
    assert unpack(data, "x.tgz", Allowance()) == {"Chart.yaml": b"1", "a/b": b"2", "w/x": b"3"}


def test_a_dot_in_front_is_the_top_directory_as_for_helm() -> None:
    assert list(unpack(archive(("./c/Chart.yaml", b"")), "x.tgz", Allowance())) == ["c/Chart.yaml"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_empty_files_as_for_helm(kind: bytes) -> None:
    assert unpack(archive(special("c/l", kind, "/etc/passwd"), ("c/x", b"1")), "x.tgz", Allowance()) == {
        "l": b"",
        "x": b"1",
    }


@pytest.mark.parametrize("tail", [b"garbage", b"<html></html>", bytes(20) + b"x"])
def test_what_follows_the_end_of_the_tar_is_not_read(tail: bytes) -> None:
    assert unpack(archive(("c/x", b"1")) + tail, "x.tgz", Allowance()) == {"x": b"1"}
    plain = gzip.decompress(archive(("c/x", b"1")))
    assert unpack(gzip.compress(plain + tail * 600), "x.tgz", Allowance()) == {"x": b"1"}
    with pytest.raises(ChartError, match=r"^x\.tgz is not a chart archive: "):
        unpack(gzip.compress(plain[:1024]) + tail, "x.tgz", Allowance())  # without an end Helm reads on


def test_slashes_beside_backslashes_are_read_as_helm_does() -> None:
    assert list(unpack(archive(("c/w\\x/y\\z", b"")), "x.tgz", Allowance())) == ["x/y/z"]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("/etc/passwd", b"")], "leads out of the chart"),
        ([("c/../../x", b"")], "leads out of the chart"),
        ([("../c/x", b"")], "leads out of the chart"),
        ([("c//etc/passwd", b"")], "leads out of the chart"),
        ([("c\\..\\..\\x", b"")], "leads out of the chart"),
        ([("a/.\\/c/x", b"")], "leads out of the chart"),
        ([("c/C:/x", b"")], "leads out of the chart"),
        ([("Chart.yaml", b"")], "Chart.yaml is not below a directory"),
        ([("x", b"")], "'x' is not below a directory"),
        ([("c/.", b"")], "is not below a directory"),
        ([("c/\udcff", b"")], r"file name 'c/\\udcff' is not UTF-8"),
        ([("c/big", bytes(MAX_FILE_BYTES + 1))], "c/big is beyond what Helm loads"),
    ],
)
def test_hostile_members(members: Sequence[tuple[str, bytes] | tarfile.TarInfo], message: str) -> None:
    with pytest.raises(ChartError, match=rf"^x\.tgz: .*{message}|^x\.tgz: {message}"):
        unpack(archive(*members), "x.tgz", Allowance())


@pytest.mark.parametrize(
    "data",
    [b"", b"text", gzip.compress(b"text" * 500), archive(("c/x", b"1"))[:-20]],
    ids=["empty", "text", "no tar", "cut off"],
)
def test_what_is_no_archive(data: bytes) -> None:
    with pytest.raises(ChartError, match=r"^x\.tgz is not a chart archive: "):
        unpack(data, "x.tgz", Allowance())


def test_two_files_of_one_name_are_refused() -> None:
    for twin in ("c/x", "c/./x", "c\\x"):
        with pytest.raises(ChartError, match=r"^x\.tgz has two files called 'x'"):
            unpack(archive(("c/x", b"1"), (twin, b"2")), "x.tgz", Allowance())


def test_directories_and_pieces_count_too() -> None:
    with pytest.raises(ChartError, match="beyond what Helm loads"):
        unpack(archive(*[special("c/d", tarfile.DIRTYPE)] * 3), "x.tgz", Allowance(files=2))
    with pytest.raises(ChartError, match="consists of more than 1000 gzip files"):
        unpack(gzip.compress(b"") * 1001, "x.tgz", Allowance())
    allowance = Allowance(plain=15_000)
    unpack(gzip.compress(bytes(10_000)), "x.tgz", allowance)
    with pytest.raises(ChartError, match="unpacks to more than"):
        unpack(gzip.compress(bytes(10_000)), "x.tgz", allowance)


def test_a_bomb_stops_at_the_bound() -> None:
    block = gzip.compress(bytes(10 << 20))
    with pytest.raises(ChartError, match=r"^x\.tgz unpacks to more than the 100 MiB that Helm loads$"):
        unpack(block * 13, "x.tgz", Allowance())


def test_all_archives_of_a_chart_share_one_allowance() -> None:
    allowance = Allowance(files=3, bytes=10)
    data = archive(("c/a", b"12345"))
    unpack(data, "x.tgz", allowance)
    unpack(data, "x.tgz", allowance)
    with pytest.raises(ChartError, match="beyond what Helm loads"):
        unpack(data, "x.tgz", allowance)
    with pytest.raises(ChartError, match="beyond what Helm loads"):
        unpack(archive(("c/a", b""), ("c/b", b"")), "x.tgz", Allowance(files=1))


def headers(*members: tuple[str, bytes] | tarfile.TarInfo, change: dict[int, bytes]) -> bytes:
    """An archive whose tar has other bytes at some places, with the right checksum in every header."""
    plain = bytearray(gzip.decompress(archive(*members)))
    for at, text in change.items():
        plain[at : at + len(text)] = text
        header = at // 512 * 512
        plain[header + 148 : header + 156] = b" " * 8
        plain[header + 148 : header + 156] = b"%06o\0 " % sum(plain[header : header + 512])
    return gzip.compress(bytes(plain), mtime=0)


NEXT = 1024  # where the second member of an archive begins, if the first one is small


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({NEXT + 124: b"1_0"}, "a number that can't be read"),
        ({NEXT + 136: b"+1"}, "a number that can't be read"),
        ({NEXT + 124: b"\xff" * 12}, "a number that can't be read"),
        ({NEXT + 124: b"00000777777\0"}, "ends within what begins at byte 1024"),
        ({NEXT + 508: b"tar\0"}, "in the format of star"),
    ],
)
def test_a_member_with_an_odd_header_is_no_end_of_the_archive(change: dict[int, bytes], message: str) -> None:
    with pytest.raises(ChartError, match=rf"^x\.tgz is not a chart archive: .*{message}"):
        unpack(headers(("c/a", b"1"), ("c/b", b"2"), change=change), "x.tgz", Allowance())


def test_a_damaged_header_is_no_end_of_the_archive() -> None:
    plain = bytearray(gzip.decompress(archive(("c/a", b"1"), ("c/b", b"2"))))
    plain[NEXT] ^= 1
    with pytest.raises(ChartError, match=r"^x\.tgz is not a chart archive: it is damaged at byte 1024 of its tar$"):
        unpack(gzip.compress(bytes(plain)), "x.tgz", Allowance())


@pytest.mark.parametrize("size", [1024 + 100, 1024 + 512 + 100])
def test_an_archive_that_ends_within_a_block_is_cut_off(size: int) -> None:
    plain = gzip.decompress(archive(("c/a", b"1")))
    assert unpack(gzip.compress(plain[:1024]), "x.tgz", Allowance()) == {"a": b"1"}
    with pytest.raises(ChartError, match="damaged at byte 1024"):
        unpack(gzip.compress(plain[:size]), "x.tgz", Allowance())


def test_a_malformed_record_is_no_reason_for_another_name() -> None:
    data = archive(("c/" + "n" * 150, b"1"))
    assert list(unpack(data, "x.tgz", Allowance())) == ["n" * 150]
    broken = gzip.compress(gzip.decompress(data).replace(b"162 path=", b"1_2 path="))
    with pytest.raises(ChartError, match="has a record that can't be read"):
        unpack(broken, "x.tgz", Allowance())


def test_global_headers_say_nothing_of_files_as_for_helm() -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", format=tarfile.PAX_FORMAT, pax_headers={"path": "c/other"}) as out:
        member = tarfile.TarInfo("c/a")
        member.size = 1
        out.addfile(member, io.BytesIO(b"1"))
    assert unpack(packed.getvalue(), "x.tgz", Allowance()) == {"a": b"1"}


def test_the_mode_of_a_directory_makes_one_as_for_helm() -> None:
    data = headers(("c/a", b"1"), ("c/b", b"2"), change={NEXT + 100: b"0040755"})
    assert unpack(data, "x.tgz", Allowance()) == {"a": b"1"}


def test_gnu_names_streams_one_after_another_and_zeros_behind() -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as out:
        member = tarfile.TarInfo("c/" + "é" * 90)
        member.size = 1
        out.addfile(member, io.BytesIO(b"1"))
    plain = packed.getvalue()
    data = gzip.compress(plain[:700]) + gzip.compress(plain[700:]) + bytes(100)
    assert unpack(data, "x.tgz", Allowance()) == {"é" * 90: b"1"}
    with pytest.raises(ChartError, match="not a chart archive"):
        unpack(gzip.compress(plain[:700]) + bytes(100) + gzip.compress(plain[700:]), "x.tgz", Allowance())


def test_more_streams_than_any_tool_makes_are_refused_at_once() -> None:
    end = gzip.compress(gzip.decompress(archive(("c/a", b"1"))))
    assert unpack(gzip.compress(b"", mtime=0) * 999 + end, "x.tgz", Allowance()) == {"a": b"1"}
    with pytest.raises(ChartError, match="more than 1000 gzip files"):
        unpack(gzip.compress(b"", mtime=0) * (MAX_FILE_BYTES // 20), "x.tgz", Allowance())


@pytest.mark.parametrize("name", ["c/" + "a/" * 65 + "x", "c/" + "a" * 5000])
def test_paths_without_end(name: str) -> None:
    unpack(archive(("c/" + "a/" * 60 + "x", b"")), "x.tgz", Allowance())
    with pytest.raises(ChartError, match="is nested deeper than 64 directories, or too long a path"):
        unpack(archive((name, b"")), "x.tgz", Allowance())
