"""What is kept of an index answers as the index itself, or is not there."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from chart_releaser.index import Index
from chart_releaser.index_excerpt import Excerpt, KeptExcerpt, blob_name, digest_and_url

TEXT = """apiVersion: v1
entries:
  a:
  - {name: a, version: 1.0.0, digest: aa, urls: [https://example.org/a-1.0.0.tgz, elsewhere]}
  - {name: a, version: 1.0.0, digest: second, urls: [second]}
  - {name: a, version: "2", urls: no list}
  - no entry
  "1.5":
  - {name: "1.5", version: 0.1.0+b, digest: 12, urls: []}
  none: []
"""
BLOB = "0123456789" * 4


@pytest.fixture
def kept(tmp_path: Path) -> KeptExcerpt:
    return KeptExcerpt(tmp_path / "index" / "a.json")


def excerpt() -> Excerpt:
    return Excerpt.of(Index.parse(TEXT))


def assert_same(found: Excerpt | None) -> None:
    index = Index.parse(TEXT)
    assert found is not None
    for name in ("a", "1.5", "none", "absent"):
        assert found.versions(name) == index.versions(name)
        for version in index.versions(name):
            assert digest_and_url(found.entry(name, version) or {}) == digest_and_url(index.entry(name, version) or {})
    assert found.entry("a", "9") is None
    assert found.entry("absent", "1.0.0") is None
    assert digest_and_url(found.entry("a", "1.0.0") or {}) == ("aa", "https://example.org/a-1.0.0.tgz")


def test_it_answers_as_the_index(kept: KeptExcerpt) -> None:
    assert_same(excerpt())
    assert kept.find(BLOB) is None
    kept.keep(BLOB, excerpt())
    assert_same(kept.find(BLOB))


def test_it_is_of_one_index_only(kept: KeptExcerpt, tmp_path: Path) -> None:
    kept.keep(BLOB, excerpt())
    assert kept.find(BLOB[::-1]) is None
    kept.keep(BLOB[::-1], Excerpt({}, 0, {}))
    assert kept.find(BLOB) is None
    assert len(list((tmp_path / "index").iterdir())) == 1, "what is old goes"


def test_one_that_is_damaged_is_as_if_it_were_not_there(kept: KeptExcerpt, tmp_path: Path) -> None:
    kept.keep(BLOB, excerpt())
    path = tmp_path / "index" / "a.json"
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        assert kept.find(BLOB) is None
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert kept.find(BLOB) is None
    path.write_bytes(whole + b" ")
    assert kept.find(BLOB) is None
    kept.keep(BLOB, excerpt())
    assert_same(kept.find(BLOB))


def test_a_place_that_can_not_be_used_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "directory.json").mkdir()
    for path in (tmp_path / "file" / "a.json", tmp_path / "directory.json"):
        kept = KeptExcerpt(path)
        kept.keep(BLOB, excerpt())
        assert kept.find(BLOB) is None


@pytest.mark.parametrize("data", [b"", b"x\n", bytes(range(256)) * 300])
def test_content_is_named_as_git_names_it(data: bytes, tmp_path: Path) -> None:
    command = ["git", "hash-object", "--no-filters", "--stdin"]
    said = subprocess.run(command, input=data, cwd=tmp_path, capture_output=True, check=True).stdout
    assert blob_name(data) == said.decode().strip()
    assert blob_name(data) != hashlib.sha1(data).hexdigest()
