"""What a failed git command's words stand for."""

from __future__ import annotations

from pathlib import Path

import pytest

from chart_releaser.errors import MachineError
from chart_releaser.git.remote import check_writable

PLACE = Path("/cache/git/x.git")


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("fatal: write error: No space left on device", "No space left on device; "),
        ("fatal: sha1 file '<stdout>' write error. Out of diskspace\nfatal: index-pack failed", "No space left on "),
        ("error: unable to create temporary file: Read-only file system\n", "Read-only file system; "),
        ("error: file write error: File too large\nfatal: fetch-pack: invalid index-pack output", "File too large; "),
    ],
)
def test_a_place_that_takes_no_more_is_named(said: str, what: str) -> None:
    with pytest.raises(MachineError) as caught:
        check_writable(said, PLACE)
    assert str(caught.value).startswith(f"the cache {PLACE} can't be used: {what}")


@pytest.mark.parametrize("said", ["remote: fatal: No space left on device\nfatal: the remote end hung up", "fatal: x"])
def test_what_is_wrong_elsewhere_is_not_taken_for_it(said: str) -> None:
    check_writable(said, PLACE)
