"""Exported charts: replaced as a whole, and never what the user has edited."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from chart_releaser.commands import export_directory
from chart_releaser.commands.export_directory import STATE_FILE, ExportDirectory, ExportError
from chart_releaser.errors import UsageError

OLD = [("Chart.yaml", b"name: a\n"), ("templates/x.yaml", b"old\n"), ("gone.txt", b"gone\n")]
NEW = [("Chart.yaml", b"name: a\n"), ("templates/x.yaml", b"new\n")]


def export(path: Path, files: list[tuple[str, bytes]] = OLD, name: str = "a", *, force: bool = False) -> str:
    with ExportDirectory(path, force=force) as directory:
        return directory.write_chart(name, files)


def content(path: Path) -> list[tuple[str, bytes]]:
    return sorted((str(file.relative_to(path)), file.read_bytes()) for file in path.rglob("*") if file.is_file())


@pytest.fixture
def charts(tmp_path: Path) -> Path:
    """A directory with one exported chart, `a`."""
    assert export(tmp_path / "charts") == "written"
    return tmp_path / "charts"


@pytest.fixture(params=["exchange", "rename"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the system's atomic exchange of two paths, and without it."""
    if request.param == "rename":
        monkeypatch.setattr(export_directory, "swap_paths", lambda _one, _other: False)


@pytest.mark.usefixtures("_way")
def test_a_new_version_replaces_the_whole_directory(charts: Path) -> None:
    assert export(charts, NEW) == "written"
    assert content(charts / "a") == sorted(NEW)
    assert sorted(path.name for path in charts.iterdir()) == [STATE_FILE, "a"]


def test_what_is_the_same_is_not_written(charts: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in [charts, *charts.rglob("*")]}
    assert export(charts) == "unchanged"
    assert {path: path.stat().st_mtime_ns for path in [charts, *charts.rglob("*")]} == before


def _edit(chart: Path) -> None:
    (chart / "templates/x.yaml").write_text("mine\n")


def _add(chart: Path) -> None:
    (chart / "mine.txt").write_text("mine\n")


def _delete(chart: Path) -> None:
    (chart / "gone.txt").unlink()


def _link(chart: Path) -> None:
    (chart / "mine").symlink_to("/etc")


def _pipe(chart: Path) -> None:
    os.mkfifo(chart / "pipe")


def _rename(chart: Path) -> None:
    (chart / "gone.txt").rename(chart / "kept.txt")


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("change", [_edit, _add, _delete, _link, _pipe, _rename])
def test_what_the_user_changed_is_left_alone_unless_forced(charts: Path, change: object) -> None:
    assert callable(change)
    change(charts / "a")
    names = sorted(path.name for path in (charts / "a").rglob("*"))
    with pytest.raises(ExportError) as caught:
        export(charts, NEW)
    assert str(caught.value) == (
        f"{charts / 'a'} was changed since it was exported; it was left alone, --force replaces it"
    )
    assert sorted(path.name for path in (charts / "a").rglob("*")) == names
    assert export(charts, NEW, force=True) == "written"
    assert content(charts / "a") == sorted(NEW)
    assert Path("/etc").is_dir()
    assert export(charts) == "written"  # what was forced counts as exported from then on


def test_what_was_there_before_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/mine").write_text("mine")
    with pytest.raises(ExportError, match="was not exported by chart-releaser; it was left alone, --force replaces it"):
        export(tmp_path)
    assert content(tmp_path / "a") == [("mine", b"mine")]
    assert export(tmp_path, force=True) == "written"


def test_what_was_there_and_is_the_same_is_adopted(charts: Path) -> None:
    (charts / STATE_FILE).unlink()
    assert export(charts) == "unchanged"
    assert export(charts, NEW) == "written"


@pytest.mark.parametrize("record", ["", "[]", "{}", '{"charts": []}', '{"charts": null}', "\0"])
def test_a_damaged_record_loses_nothing(charts: Path, record: str) -> None:
    (charts / STATE_FILE).write_text(record)
    with pytest.raises(ExportError, match="left alone"):
        export(charts, NEW)
    assert export(charts) == "unchanged"
    assert export(charts, NEW) == "written"


def test_a_link_in_the_place_of_a_chart_is_replaced_by_force_and_its_target_stays(charts: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    (charts / "a").rename(target)
    (charts / "a").symlink_to(target)
    with pytest.raises(ExportError, match="left alone"):
        export(charts, NEW)
    export(charts, NEW, force=True)
    assert not (charts / "a").is_symlink()
    assert content(target) == sorted(OLD)


def test_packages(tmp_path: Path) -> None:
    with ExportDirectory(tmp_path / "out") as directory:
        assert directory.write_package("a-1.tgz", b"one") == "written"
        assert directory.write_package("a-1.tgz", b"one") == "unchanged"
        assert directory.write_package("a-1.tgz", b"two") == "written"
    (tmp_path / "out/a-1.tgz").write_bytes(b"mine")
    with ExportDirectory(tmp_path / "out") as directory, pytest.raises(ExportError, match="left alone"):
        directory.write_package("a-1.tgz", b"three")
    with ExportDirectory(tmp_path / "out", force=True) as directory:
        directory.write_package("a-1.tgz", b"three")
    assert (tmp_path / "out/a-1.tgz").read_bytes() == b"three"


def test_modes_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        export(tmp_path / "out")
        with ExportDirectory(tmp_path / "out") as directory:
            directory.write_package("a-1.tgz", b"one")
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").rglob("*")}
    assert modes["a"] == modes["templates"] == 0o750
    assert modes["Chart.yaml"] == modes["a-1.tgz"] == modes[STATE_FILE] == 0o640


def test_nothing_to_write_makes_no_directory(tmp_path: Path) -> None:
    with ExportDirectory(tmp_path / "out"):
        pass
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("make", ["file", "dangling"])
def test_a_target_that_is_no_directory(tmp_path: Path, make: str) -> None:
    target = tmp_path / "charts"
    if make == "file":
        target.write_text("mine")
    else:
        target.symlink_to("nowhere")
    with pytest.raises(UsageError) as caught, ExportDirectory(target):
        pass
    assert str(caught.value) == f"{target} is not a directory; name another one with --target-dir"


def test_a_target_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match=r"file/charts/a can't be written: Not a directory; what was"):
        export(tmp_path / "file/charts")


@pytest.mark.parametrize("function", ["tempfile.mkdtemp", "os.fsync", "os.replace"])
@pytest.mark.parametrize("reason", [errno.EACCES, errno.ENOSPC])
def test_what_cannot_be_written_leaves_what_was_there(
    charts: Path, monkeypatch: pytest.MonkeyPatch, function: str, reason: int
) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr(function, refuse)
    with pytest.raises(ExportError) as caught:
        export(charts, NEW)
    assert f"can't be written: {os.strerror(reason)}; what was there is unchanged" in str(caught.value)
    monkeypatch.undo()
    assert content(charts / "a") == sorted(OLD)
    assert export(charts, NEW) == "written"


def test_a_record_that_cannot_be_written_at_the_end(charts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def write() -> None:
        with ExportDirectory(charts) as directory:
            directory.write_chart("a", NEW)
            monkeypatch.setattr("os.fsync", refuse)

    with pytest.raises(ExportError, match="can't be written: No space left on device"):
        write()
    monkeypatch.undo()
    # The next export still knows the chart: it was recorded before it was written.
    assert export(charts, OLD) == "written"


def test_a_chart_that_cannot_be_read_is_left_alone(charts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object, onerror: object) -> list[object]:
        assert callable(onerror)
        onerror(PermissionError(errno.EACCES, "Permission denied"))
        return []

    monkeypatch.setattr("os.walk", refuse)
    with pytest.raises(ExportError, match="Permission denied"):
        export(charts, NEW)


def test_leftovers_of_a_killed_run_are_put_back_or_cleared_away(charts: Path) -> None:
    stage = charts / ".chart-releaser-abc.tmp"
    (stage / "new").mkdir(parents=True)
    (charts / "a").rename(stage / "old-a")
    (charts / ".chart-releaser-def.tmp").write_bytes(b"half a record")
    assert export(charts, NEW) == "written"
    assert content(charts / "a") == sorted(NEW)
    assert sorted(path.name for path in charts.iterdir()) == [STATE_FILE, "a"]


def test_two_at_once_take_turns(charts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_directory, "_LOCK_SECONDS", 0)
    first, second = ExportDirectory(charts), ExportDirectory(charts)
    with first:
        with pytest.raises(ExportError, match=r"another run has been writing to .*; end it or try again"), second:
            pass
        first.write_chart("a", NEW)
    with second:
        assert second.write_chart("a", NEW) == "unchanged"


def test_two_that_began_before_the_directory_was_there_lose_no_record(tmp_path: Path) -> None:
    first, second = ExportDirectory(tmp_path / "out"), ExportDirectory(tmp_path / "out")
    with first:
        with second:
            second.write_chart("b", OLD)
        first.write_chart("a", OLD)
    assert set(json.loads((tmp_path / "out" / STATE_FILE).read_text())["charts"]) == {"a", "b"}
    assert export(tmp_path / "out", NEW, "b") == "written"


def _fifo(path: Path, _tmp_path: Path) -> None:
    os.mkfifo(path)


def _record_elsewhere(path: Path, tmp_path: Path) -> None:
    """A link to a record by which the user's changes would count as exported."""
    edited = export(tmp_path / "other", [("Chart.yaml", b"mine\n")])
    assert edited == "written"
    path.symlink_to(tmp_path / "other" / STATE_FILE)


def _device(path: Path, _tmp_path: Path) -> None:
    path.symlink_to("/dev/zero")


def _as_folder(path: Path, _tmp_path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("make", [_fifo, _record_elsewhere, _device, _as_folder])
def test_a_record_that_is_no_file_is_an_error_and_nothing_is_written(
    charts: Path, tmp_path: Path, make: Callable[[Path, Path], None]
) -> None:
    (charts / "a" / "Chart.yaml").write_text("mine\n")
    (charts / "a" / "templates/x.yaml").unlink()
    (charts / "a" / "gone.txt").unlink()
    (charts / STATE_FILE).unlink()
    make(charts / STATE_FILE, tmp_path)
    with pytest.raises(ExportError, match=r"\.chart-releaser\.json is not a regular file; remove it, "):
        export(charts, NEW)
    assert (charts / "a" / "Chart.yaml").read_text() == "mine\n"
    (charts / STATE_FILE).rmdir() if make is _as_folder else (charts / STATE_FILE).unlink()
    assert export(charts, NEW, force=True) == "written"


def test_a_record_that_nests_without_an_end_or_is_too_large_counts_for_nothing(
    charts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = (charts / STATE_FILE).read_bytes()
    for text in (b"[" * 200_000, record + b" " * 200):
        monkeypatch.setattr(export_directory, "_MAX_RECORD", 250_000 if text.startswith(b"[") else 200)
        (charts / STATE_FILE).write_bytes(text)
        with pytest.raises(ExportError, match="was not exported by chart-releaser"):
            export(charts, NEW)


def test_more_than_could_have_been_exported_is_not_read(charts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_directory, "_MAX_PRESENT", 1_000_000)
    with (charts / "a" / "large").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ExportError, match="was changed since it was exported"):
        export(charts, NEW)
    assert export(charts, NEW, force=True) == "written"


def test_what_looks_like_a_leftover_and_is_a_link_leads_nowhere(charts: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "old-b").mkdir(parents=True)
    (charts / ".chart-releaser-x.tmp").symlink_to(elsewhere)
    (charts / ".chart-releaser-y.tmp" / "old-a").mkdir(parents=True)
    (charts / "a").rename(tmp_path / "a")
    (charts / "a").symlink_to("nowhere")
    with pytest.raises(ExportError, match="was changed since it was exported"):
        export(charts, NEW)
    assert sorted(path.name for path in charts.iterdir()) == [STATE_FILE, "a"]
    assert [path.name for path in elsewhere.iterdir()] == ["old-b"]
    assert (charts / "a").is_symlink()
