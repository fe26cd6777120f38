"""Kept answers are given back whole or not at all."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from chart_releaser.responses import Responses

URL = "https://api.example.org/repos/o/n/releases [('per_page', 100)]"


@pytest.fixture
def responses(tmp_path: Path) -> Responses:
    return Responses(tmp_path / "api", "somebody")


def the_file(tmp_path: Path) -> Path:
    (path,) = (tmp_path / "api").iterdir()
    return path


def test_an_answer_comes_back_with_its_validator_and_the_link_to_the_next_page(responses: Responses) -> None:
    assert responses.find(URL) is None
    responses.keep(URL, {"etag": 'W/"1"', "link": '<x>; rel="next"', "x-other": "dropped"}, [{"tag_name": "v1"}])
    kept = responses.find(URL)
    assert kept is not None
    assert (kept.etag, kept.headers, kept.value) == ('W/"1"', {"link": '<x>; rel="next"'}, [{"tag_name": "v1"}])


def test_an_answer_without_a_validator_is_not_kept(responses: Responses, tmp_path: Path) -> None:
    responses.keep(URL, {}, [])
    assert responses.find(URL) is None
    assert not (tmp_path / "api").exists()


def test_what_one_may_see_is_not_given_to_another(responses: Responses, tmp_path: Path) -> None:
    responses.keep(URL, {"etag": '"1"'}, ["private"])
    assert Responses(tmp_path / "api", "another").find(URL) is None


@pytest.mark.parametrize("damage", [b"", b"garbage", b"\xff\xfe", b"0" * 64 + b"\n{}"])
def test_a_damaged_answer_is_as_if_it_had_never_been_kept(responses: Responses, tmp_path: Path, damage: bytes) -> None:
    responses.keep(URL, {"etag": '"1"'}, ["x"])
    the_file(tmp_path).write_bytes(damage)
    assert responses.find(URL) is None


def test_one_changed_character_is_noticed(responses: Responses, tmp_path: Path) -> None:
    responses.keep(URL, {"etag": '"1"'}, ["v1.0.0"])
    path = the_file(tmp_path)
    path.write_text(path.read_text().replace("v1.0.0", "v9.0.0"))
    assert responses.find(URL) is None


def test_a_place_that_can_not_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "api").write_text("a file")
    responses = Responses(tmp_path / "api", "")
    responses.keep(URL, {"etag": '"1"'}, [])
    assert responses.find(URL) is None


def test_answers_that_nobody_asked_for_in_two_months_are_removed(responses: Responses, tmp_path: Path) -> None:
    responses.keep(URL, {"etag": '"1"'}, [])
    old = time.time() - 61 * 24 * 3600
    os.utime(the_file(tmp_path), (old, old))
    Responses(tmp_path / "api", "somebody").keep("another", {"etag": '"2"'}, [])
    assert responses.find(URL) is None
    assert len(list((tmp_path / "api").iterdir())) == 1


def test_no_name_in_the_cache_tells_who_asked(tmp_path: Path) -> None:
    Responses(tmp_path / "api", "a-secret-token").keep(URL, {"etag": '"1"'}, ["x"])
    path = the_file(tmp_path)
    assert "secret" not in path.name
    assert b"secret" not in path.read_bytes()


def test_a_file_that_vanishes_while_old_ones_are_looked_for(tmp_path: Path) -> None:
    """Another thread's answer has a name of its own until it is written."""
    directory = tmp_path / "api"
    directory.mkdir()
    (directory / "gone.new").symlink_to(tmp_path / "nowhere")
    responses = Responses(directory, "somebody")
    responses.keep(URL, {"etag": "1"}, [])
    assert responses.find(URL) is not None
