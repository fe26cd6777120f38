"""The same bytes for the same chart, in the order of Helm's archives, and never what Helm's loader refuses."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from chart_releaser.charts.chart import Chart
from chart_releaser.charts.package import build_package, chart_files
from chart_releaser.errors import ChartError
from chart_releaser.helm.archive import MAX_FILE_BYTES

FILES = {
    "z.txt": b"z", "Chart.lock": b"l", "templates/b.yaml": b"b", "templates/a/x.yaml": b"a",
    "values.schema.json": b"{}",
    "README.md": b"r", "crds/c.yaml": b"c", ".helmignore": b"", "docs/Grüße – 你好/" + "long" * 40: b"d",
}  # fmt: skip
ORDER = [
    "Chart.yaml", "Chart.lock", "values.yaml", "values.schema.json", "templates/a/x.yaml", "templates/b.yaml",
    ".helmignore",
    "README.md", "crds/c.yaml", "docs/Grüße – 你好/" + "long" * 40, "z.txt",
]  # fmt: skip


def made(files: dict[str, bytes] | None = None) -> Chart:
    def sub(name: str) -> Chart:
        return Chart(path="x", chart_yaml=f"name: {name}\n", files={"templates/t.yaml": b""})

    text = "name: product\nversion: 1.2.3+b\n"
    return Chart(
        path="c",
        chart_yaml=text,
        values="a: 1\n",
        files=FILES if files is None else files,
        subcharts=(sub("b"), sub("a")),
    )


def members(data: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return archive.getmembers()


def test_order() -> None:
    below = [f"charts/{name}/{path}" for name in "ab" for path in ("Chart.yaml", "templates/t.yaml")]
    assert [path for path, _ in chart_files(made())] == ORDER + below
    assert [member.name for member in members(build_package(made(), 0).data)] == [
        f"product/{path}" for path in ORDER + below
    ]


def test_members_tell_nothing_of_the_machine() -> None:
    for member in members(build_package(made(), 1_700_000_000).data):
        assert (member.mode, member.uid, member.gid, member.uname, member.gname) == (0o644, 0, 0, "", "")
        assert (member.mtime, member.isreg()) == (1_700_000_000, True)


def test_bytes_are_the_same_everywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = build_package(made(), 1_700_000_000)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("USER", "someone")
    monkeypatch.setattr("time.time", lambda: 12345.0)
    shuffled = made(dict(reversed(FILES.items())))
    assert build_package(shuffled, 1_700_000_000) == first
    # Of the tar, since another zlib gives other bytes; changed only when what is published changes on purpose.
    tar = hashlib.sha256(gzip.decompress(first.data)).hexdigest()
    assert tar == TAR_DIGEST
    assert first.data[4:8] == (1_700_000_000).to_bytes(4, "little")


TAR_DIGEST = "bb880c8c2a246ea14078266cd2b89f59f459149be29b1376ba0d85f3e914110d"


@pytest.mark.parametrize(("time", "stamp"), [(-5, 0), (0, 0), (2**32, 2**32 - 1), (253_402_300_799, 2**32 - 1)])
def test_times_that_a_header_can_not_hold(time: int, stamp: int) -> None:
    assert {member.mtime for member in members(build_package(made(), time).data)} == {stamp}


def test_the_package_knows_its_name_and_digest() -> None:
    packed = build_package(made(), 0)
    assert (packed.name, packed.version, packed.filename) == ("product", "1.2.3+b", "product-1.2.3+b.tgz")
    assert packed.digest == hashlib.sha256(packed.data).hexdigest()
    assert packed.metadata == {"name": "product", "version": "1.2.3+b"}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"big": bytes(MAX_FILE_BYTES + 1)}, r"^c: big has 5\.0 MiB; Helm loads at most 5 MiB a file$"),
        (
            {f"f{number}": bytes(MAX_FILE_BYTES) for number in range(21)},
            r"^c: the chart has 105\.0 MiB; Helm loads at most",
        ),
        ({"a\\b": b""}, r"is a path that Helm's loader refuses$"),
        ({"C:/x": b""}, r"is a path that Helm's loader refuses$"),
        ({"a\nb": b""}, r"is a path that Helm's loader refuses$"),
    ],
)
def test_limits(files: dict[str, bytes], message: str) -> None:
    with pytest.raises(ChartError, match=message):
        build_package(made(files), 0)


def test_a_file_of_just_the_limit_is_taken() -> None:
    assert len(chart_files(made({"big": bytes(MAX_FILE_BYTES)}))) == 7
