"""Files that only stand in for others are refused by name, wherever in a chart they are."""

from __future__ import annotations

import pytest

from chart_releaser.charts.pointers import check_content, stand_in
from chart_releaser.errors import ChartError
from tests.memorytree import below, chart, published, tgz

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 12345\n" % 7
GIT_CRYPT = b"\0GITCRYPT\0\x01\xfe\xff"
ANNEX = b"/annex/objects/SHA256E-s3--%064d.yaml\n" % 7


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (LFS, "a Git LFS pointer"),
        (LFS.replace(b"git-lfs", b"hawser"), "a Git LFS pointer"),
        (LFS.replace(b"oid", b"ext-0-foo sha256:1\noid"), "a Git LFS pointer"),
        (GIT_CRYPT, "a file encrypted by git-crypt"),
        (ANNEX, "a git-annex pointer"),
        (b"", ""),
        (b"# see version https://git-lfs.github.com/spec/v1\n", ""),
        (b"version https://git-lfs.github.com/spec/v1\n", ""),
        (LFS + b"x" * 1024, ""),
        (b"kind: GITCRYPT\n", ""),
    ],
)
def test_what_a_file_is(data: bytes, kind: str) -> None:
    assert stand_in(data) == kind


def test_the_message_names_the_file_and_what_it_is() -> None:
    with pytest.raises(ChartError, match=r"^c/x is a Git LFS pointer, not the file itself: .*; leave the release out"):
        check_content("c/x", LFS)


@pytest.mark.parametrize(
    "path",
    [
        "Chart.yaml", "values.yaml", "values.schema.json", "templates/a.yaml", "crds/a.yaml", "files/a.json",
        "charts/s/values.yaml", "charts/s-1.tgz", "charts/s-1.tgz.prov", "README.md",
    ],
)  # fmt: skip
@pytest.mark.parametrize("data", [LFS, GIT_CRYPT])
def test_no_such_file_gets_into_a_chart(path: str, data: bytes) -> None:
    files: dict[str, str | bytes] = {**chart("c"), **below("charts/s", chart("s")), path: data}
    with pytest.raises(ChartError, match=f"^c/{path} is a "):
        published(below("c", files))


def test_nor_by_an_archive() -> None:
    archive = tgz("s", {**chart("s"), "files/a.bin": LFS})
    with pytest.raises(ChartError, match=r"^c/charts/s\.tgz/files/a\.bin is a Git LFS pointer"):
        published(below("c", {**chart("c"), "charts/s.tgz": archive}))


def test_what_is_ignored_may_be_one() -> None:
    assert published(below("c", {**chart("c"), "docs/big.png": LFS, ".helmignore": "docs\n"})).name == "product"
