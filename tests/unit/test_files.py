"""Only regular files are read, at once and within a bound; what is private is so whatever the umask."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from chart_releaser.files import IrregularError, TooLargeError, find_irregular, read_regular, remove, write_private


def test_a_file_is_read_up_to_a_bound(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert read_regular(tmp_path / "a", 5) == b"12345"
    with pytest.raises(TooLargeError):
        read_regular(tmp_path / "a", 4)
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "b", 5)


@pytest.mark.parametrize("kind", ["link", "fifo", "socket", "directory", "device"])
def test_nothing_else_is_read_or_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    match kind:
        case "link":
            (tmp_path / "target").write_text("a")
            path.symlink_to("target")
        case "fifo":
            os.mkfifo(path)
        case "socket":
            os.mknod(path, stat.S_IFSOCK | 0o600)
        case "directory":
            path.mkdir()
        case "device":
            path = Path("/dev/zero")
    with pytest.raises(IrregularError):
        read_regular(path, 100)
    assert find_irregular(tmp_path if kind != "device" else path) == (None if kind == "directory" else path)


def test_what_is_private_is_so_whatever_the_umask(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("theirs")
    (tmp_path / "a").symlink_to("target")
    before = os.umask(0)
    try:
        write_private(tmp_path / "a", b"ours")
    finally:
        os.umask(before)
    assert (tmp_path / "a").lstat().st_mode & 0o777 == 0o600
    assert (tmp_path / "a").read_bytes() == b"ours"
    assert (tmp_path / "target").read_text() == "theirs"


def test_what_can_not_be_put_in_place_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(IsADirectoryError):
        write_private(tmp_path / "a", b"ours")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_of_a_link_the_link_is_removed(tmp_path: Path) -> None:
    (tmp_path / "target" / "x").mkdir(parents=True)
    (tmp_path / "a").symlink_to("target")
    (tmp_path / "b" / "inner").mkdir(parents=True)
    (tmp_path / "b" / "inner" / "link").symlink_to(tmp_path / "target")
    for name in ("a", "b", "not there"):
        remove(tmp_path / name)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == ["target", "target/x"]
