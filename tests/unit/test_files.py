"""Locks, writes in one step, and reading nothing but regular files, at once and within a bound."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from chart_releaser.files import (
    FileTooLargeError,
    IrregularError,
    find_irregular,
    lock_directory,
    read_regular,
    remove,
    remove_staged,
    staged_prefix,
    write_private,
    write_staged,
)


def test_a_file_is_read_up_to_a_bound(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert read_regular(tmp_path / "a", 5) == b"12345"
    with pytest.raises(FileTooLargeError):
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


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[int]:
    """A directory, open."""
    directory = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield directory
    os.close(directory)


@pytest.mark.parametrize(("mode", "umask", "expected"), [(0o666, 0o027, 0o640), (0o644, 0o002, 0o644)])
def test_a_file_has_the_mode_that_the_umask_allows(
    tmp_path: Path, opened: int, mode: int, umask: int, expected: int
) -> None:
    before = os.umask(umask)
    try:
        assert write_staged(tmp_path / "a", b"1", mode=mode)
        assert write_staged(Path("b"), b"2", directory=opened, mode=mode)
        assert write_staged(tmp_path / "c", b"3", chmod=0o6755)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"a": expected, "b": expected, "c": 0o6755}


@pytest.mark.parametrize("sync", [True, False])
def test_the_data_is_on_the_disk_before_the_file_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sync: bool
) -> None:
    synced: list[bytes] = []

    def fsync(handle: int) -> None:
        assert not (tmp_path / "a").exists()
        synced.append(Path(f"/proc/self/fd/{handle}").read_bytes())

    monkeypatch.setattr(os, "fsync", fsync)
    write_staged(tmp_path / "a", b"data", sync=sync)
    assert synced == ([b"data"] if sync else [])
    assert (tmp_path / "a").read_bytes() == b"data"


def test_what_is_not_wanted_any_more_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"theirs")
    assert not write_staged(tmp_path / "a", b"ours", is_wanted=lambda: False)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"theirs")]


@pytest.mark.parametrize("function", ["fsync", "fchmod", "replace"])
def test_a_failure_leaves_nothing(tmp_path: Path, opened: int, monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    (tmp_path / "a").write_bytes(b"before")

    def refuse(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt  # whatever it is

    monkeypatch.setattr(os, function, refuse)
    for path, directory in ((tmp_path / "a", None), (Path("a"), opened)):
        with pytest.raises(KeyboardInterrupt):
            write_staged(path, b"after", directory=directory, chmod=0o600)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"before")]


def test_what_killed_writers_left_is_removed(tmp_path: Path, opened: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "replace", lambda *_arguments, **_options: None)
    write_staged(tmp_path / "a", b"half")
    write_staged(tmp_path / "a.b", b"half")
    remove_staged(opened, staged_prefix("a"))
    left = [path.name for path in tmp_path.iterdir()]
    assert len(left) == 1
    assert left[0].startswith(".a.b.chart-releaser-")


def test_a_lock_is_waited_for_and_ends_with_its_descriptor(tmp_path: Path, opened: int) -> None:
    lock_directory(opened, 0)
    other = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    with pytest.raises(TimeoutError):
        lock_directory(other, 0.1)
    third = os.dup(opened)
    os.close(third)  # of the same opening: closing the last one alone releases it
    with pytest.raises(TimeoutError):
        lock_directory(other, 0)
    os.close(other)


def test_a_lock_of_a_writer_that_is_gone_is_free(tmp_path: Path, opened: int) -> None:
    if (child := os.fork()) == 0:
        lock_directory(os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY), 0)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    lock_directory(opened, 0)


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
