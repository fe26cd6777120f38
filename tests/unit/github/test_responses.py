"""Kept answers are given back whole, as they were kept by this user, or not at all."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from chart_releaser.github.responses import ResponseCache
from tests.lacking import ONLY_ROOT, lacking

URL = "https://api.example.org /repos/o/n/releases [('per_page', 100)]"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "api"


@pytest.fixture
def responses(directory: Path) -> ResponseCache:
    return ResponseCache(directory)


def answers(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if path.name != "key")


def the_file(directory: Path) -> Path:
    (path,) = answers(directory)
    return path


def found(directory: Path, question: str = URL) -> object:
    """What a new run finds."""
    kept = ResponseCache(directory).find(question)
    return None if kept is None else kept.value


def test_an_answer_comes_back_with_its_validator_and_the_link_to_the_next_page(responses: ResponseCache) -> None:
    assert responses.find(URL) is None
    responses.store(URL, {"etag": 'W/"1"', "link": '<x>; rel="next"', "x-other": "dropped"}, [{"tag_name": "v1"}])
    kept = responses.find(URL)
    assert kept is not None
    assert (kept.etag, kept.headers, kept.value) == ('W/"1"', {"link": '<x>; rel="next"'}, [{"tag_name": "v1"}])


def test_a_later_run_finds_it_and_a_later_answer_takes_its_place(directory: Path) -> None:
    ResponseCache(directory).store(URL, {"etag": '"1"'}, ["x"])
    assert found(directory) == ["x"]
    ResponseCache(directory).store(URL, {"etag": '"2"'}, ["y"])
    assert found(directory) == ["y"]
    assert len(answers(directory)) == 1


def test_an_answer_without_a_validator_is_not_kept(responses: ResponseCache, directory: Path) -> None:
    responses.store(URL, {}, [])
    assert responses.find(URL) is None
    assert not directory.exists()


@pytest.mark.parametrize("damage", [b"", b"garbage", b"\xff\xfe", b"0" * 64 + b"\n{}", b"\n" + b"[" * 100_000])
def test_a_damaged_answer_is_as_if_it_had_never_been_kept(
    responses: ResponseCache, directory: Path, damage: bytes
) -> None:
    responses.store(URL, {"etag": '"1"'}, ["x"])
    the_file(directory).write_bytes(damage)
    assert responses.find(URL) is None


def test_one_changed_character_is_noticed(responses: ResponseCache, directory: Path) -> None:
    responses.store(URL, {"etag": '"1"'}, ["v1.0.0"])
    path = the_file(directory)
    path.write_bytes(path.read_bytes().replace(b"v1.0.0", b"v9.0.0"))
    assert found(directory) is None


def test_a_checksum_that_anybody_can_compute_makes_no_answer(responses: ResponseCache, directory: Path) -> None:
    responses.store(URL, {"etag": '"1"'}, ["v1.0.0"])
    text = json.dumps({"etag": '"1"', "headers": {}, "value": ["v9.0.0"]})
    the_file(directory).write_text(f"{sha256(text.encode()).hexdigest()}\n{text}")
    assert found(directory) is None


def test_an_answer_is_not_taken_for_that_to_another_question(responses: ResponseCache, directory: Path) -> None:
    responses.store(URL, {"etag": '"1"'}, ["x"])
    mine = the_file(directory)
    responses.store("another", {"etag": '"2"'}, ["y"])
    (other,) = set(answers(directory)) - {mine}
    other.replace(mine)
    assert found(directory) is None


def _other_mode(key: Path) -> None:
    key.chmod(0o640)


def _short(key: Path) -> None:
    key.write_bytes(key.read_bytes()[:31])


def _long(key: Path) -> None:
    key.write_bytes(key.read_bytes() + b"x")


def _link(key: Path) -> None:
    key.rename(key.parent.parent / "elsewhere")
    key.symlink_to("../elsewhere")


def _fifo(key: Path) -> None:
    key.unlink()
    os.mkfifo(key, 0o600)


def _directory(key: Path) -> None:
    key.unlink()
    (key / "x").mkdir(parents=True)


def _owner(key: Path) -> None:
    if os.geteuid() != 0:
        lacking(ONLY_ROOT)
    os.chown(key, 12_345, -1)


@pytest.mark.parametrize("change", [_other_mode, _short, _long, _link, _fifo, _directory, _owner, Path.unlink])
def test_a_key_that_others_may_know_is_thrown_away_with_all_answers(
    responses: ResponseCache, directory: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    responses.store(URL, {"etag": '"1"'}, ["x"])
    key = directory / "key"
    before = key.read_bytes()
    assert (key.stat().st_mode & 0o777, len(before)) == (0o600, 32)
    change(key)
    assert found(directory) is None
    assert list(directory.iterdir()) == []
    ResponseCache(directory).store(URL, {"etag": '"1"'}, ["y"])
    assert found(directory) == ["y"]
    assert key.read_bytes() != before
    assert not (tmp_path / "elsewhere").exists() or (tmp_path / "elsewhere").read_bytes() == before


def test_an_answer_that_is_a_link_or_waits_for_somebody(
    responses: ResponseCache, directory: Path, tmp_path: Path
) -> None:
    responses.store(URL, {"etag": '"1"'}, ["x"])
    path = the_file(directory)
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    whole = elsewhere.read_bytes()
    path.symlink_to(elsewhere)
    assert found(directory) is None
    responses.store(URL, {"etag": '"2"'}, ["y"])
    assert (found(directory), elsewhere.read_bytes()) == (["y"], whole)
    path.unlink()
    os.mkfifo(path)
    assert found(directory) is None


def test_a_directory_that_is_a_link_is_not_used(responses: ResponseCache, directory: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / f"{'0' * 64}.json").write_text("{}")
    directory.symlink_to(elsewhere)
    responses.store(URL, {"etag": '"1"'}, ["x"])
    assert found(directory) is None
    assert [path.name for path in elsewhere.iterdir()] == [f"{'0' * 64}.json"]


def test_a_place_that_can_not_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "api").write_text("a file")
    responses = ResponseCache(tmp_path / "api")
    responses.store(URL, {"etag": '"1"'}, [])
    assert responses.find(URL) is None


def test_answers_that_nobody_asked_for_in_two_months_are_removed(responses: ResponseCache, directory: Path) -> None:
    responses.store(URL, {"etag": '"1"'}, [])
    old = time.time() - 61 * 24 * 3600
    os.utime(the_file(directory), (old, old))
    ResponseCache(directory).store("another", {"etag": '"2"'}, [])
    assert responses.find(URL) is None
    assert len(answers(directory)) == 1


def test_what_earlier_versions_kept_is_removed_and_nothing_of_the_users(directory: Path) -> None:
    directory.mkdir()
    for name in (f"{'a' * 64}.json", f"{'b' * 64}.json.{'0' * 16}.new", "notes.json"):
        (directory / name).write_text("{}")
    assert found(directory) is None
    assert [path.name for path in directory.iterdir()] == ["notes.json"]


def test_a_file_that_vanishes_while_old_ones_are_looked_for(directory: Path, tmp_path: Path) -> None:
    """Another thread's answer has a name of its own until it is written."""
    directory.mkdir()
    (directory / f".key.chart-releaser-{'0' * 16}.tmp").symlink_to(tmp_path / "nowhere")
    responses = ResponseCache(directory)
    responses.store(URL, {"etag": '"1"'}, ["x"])
    assert responses.find(URL) is not None
