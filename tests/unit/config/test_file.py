"""The configuration file: read as it is, replaced in one step or not at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from chart_releaser.config.file import change_config, read_config
from chart_releaser.errors import ChartReleaserError, ConfigError


def test_the_text_comes_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes("\ufeffa: ü\r\nb: 1\n".encode())
    assert read_config(path) == "\ufeffa: ü\r\nb: 1\n"
    path.chmod(0o604)
    change_config(path, lambda _text: "a: ö\r\n")
    assert path.read_bytes() == "a: ö\r\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


@pytest.mark.parametrize("reason", [errno.EACCES, errno.EROFS, errno.ENOSPC])
@pytest.mark.parametrize("function", ["os.open", "os.replace", "os.fsync"])
def test_a_file_that_cannot_be_written_is_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: int, function: str
) -> None:
    def refuse(*_values: object, **_options: object) -> None:
        raise OSError(reason, os.strerror(reason))

    path = tmp_path / "config.yaml"
    path.write_text("old\n")
    monkeypatch.setattr(function, refuse)
    with pytest.raises(ChartReleaserError) as caught:
        change_config(path, lambda _text: "new\n")
    what = f"{path} can't be written: {os.strerror(reason)}; it is unchanged"
    remedy = "more free space" if reason == errno.ENOSPC else "the permission to read and write it"
    assert str(caught.value) == f"{what}, run again with {remedy}"
    monkeypatch.undo()
    assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == [("config.yaml", "old\n")]


def test_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ConfigError, match="config can't be read: Permission denied; name a readable"):
        read_config(Path("config"))


def test_what_others_write_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("a: 1\n")

    def change(text: str) -> str:
        if "b" not in text:
            path.write_text(f"{text}b: 1\n")  # an editor, after the file was read
        return text.replace("a: 1", "a: 2")

    change_config(path, change)
    assert path.read_text() == "a: 2\nb: 1\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["config.yaml"]


def test_what_killed_runs_left_is_cleared_away(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("old\n")
    (tmp_path / f".config.yaml.chart-releaser-{'0a' * 8}.tmp").write_text("half")
    kept = [".config.yaml.swp", ".config.yaml.tmp", f".other.yaml.chart-releaser-{'0a' * 8}.tmp"]
    for name in kept:
        (tmp_path / name).write_text("somebody else's")
    change_config(path, lambda _text: "new\n")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted([*kept, "config.yaml"])
