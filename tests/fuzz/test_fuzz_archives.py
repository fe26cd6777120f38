"""Archives: any bytes give a chart's files or a ChartError; what is taken Helm takes, and sees the same files in it."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import strategies as st

from chart_releaser.errors import ChartError
from chart_releaser.helm.archive import Allowance, unpack
from tests.fuzz.oracle import indexed, unpacked
from tests.fuzz.running import batch_of, prop
from tests.helm import Helm

BATCH = 25
VALUES = b"a: 1\n"
CHART_YAML = b"apiVersion: v2\nname: c\nversion: 0.1.0\n"

NAMES = st.one_of(
    st.sampled_from(
        [
            "c/a",
            "c/templates/t.yaml",
            "c/values.yaml",
            "./c/x",
            "c//a",
            "c/./b",
            "c/../b",
            "c/d/../../../b",
            "/c/b",
            "c",
        ]
    ),
    st.sampled_from(
        ["C:/b", "c/C:/b", "c/C:b", "c/\\b", "c\\d\\b", "c/..b", "c/b/..", "c/b/", "c/...", "../c/b", "Chart.yaml", ""]
    ),
    st.sampled_from(["é/b", "c/é\u2028", "c/" + "n" * 150, "c/" + "d/" * 60 + "b", "c/a b", "c/_x", "c/.b", "c/ "]),
    st.lists(st.sampled_from(["c", "a", "..", ".", "", "C:", "\\", "templates", "é"]), min_size=1, max_size=5).map(
        "/".join
    ),
)
TYPES = st.one_of(
    st.just(tarfile.REGTYPE),
    st.sampled_from([tarfile.AREGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CONTTYPE]),
    st.sampled_from([tarfile.REGTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, *(b"%c" % kind for kind in b"AZgxSKV")]),
)
MEMBERS = st.tuples(NAMES, st.binary(max_size=600), TYPES, st.booleans())


def tar(members: list[tuple[str, bytes, bytes, bool]], form: int, *, chart_first: bool) -> bytes:
    plain = io.BytesIO()
    chart = ("c/Chart.yaml", CHART_YAML, tarfile.REGTYPE, False)
    with tarfile.open(fileobj=plain, mode="w", format=form, encoding="utf-8", errors="surrogateescape") as archive:
        for name, given, kind, odd in [chart, *members] if chart_first else [*members, chart]:
            content = VALUES if name == "c/values.yaml" else given
            member = tarfile.TarInfo(name)
            member.type = kind
            has_content = kind in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
            member.size = len(content) if has_content else 0
            if odd:
                member.mode, member.mtime, member.uname, member.linkname = 0o7777, 1_700_000_000.5, "é", "c/a"
                if form == tarfile.PAX_FORMAT:
                    member.pax_headers = {"comment": "é", "SCHILY.xattr.user.x": "y"}
            archive.addfile(member, io.BytesIO(content) if has_content else None)
    return plain.getvalue()


@st.composite
def archives(draw: st.DrawFn) -> bytes:
    """Well-formed archives with odd members, and the same with bytes changed, cut out, put in or doubled."""
    form = draw(st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT]))
    try:
        plain = tar(draw(st.lists(MEMBERS, max_size=4)), form, chart_first=draw(st.booleans()))
    except ValueError:  # a name that this format can't hold
        plain = tar([], form, chart_first=True)
    if draw(st.booleans()):
        plain = mutated(draw, plain)
    if draw(st.integers(0, 3)):
        packed = gzip.compress(plain, draw(st.sampled_from([0, 6])), mtime=0)
    else:
        cut = draw(st.integers(0, len(plain)))
        packed = gzip.compress(plain[:cut], mtime=0) + gzip.compress(plain[cut:], mtime=0)
    return mutated(draw, packed) if draw(st.integers(0, 3)) == 0 else packed


def mutated(draw: st.DrawFn, data: bytes) -> bytes:
    for _ in range(draw(st.integers(1, 3))):
        # Headers are where a tar has something to say.
        at = draw(st.integers(0, len(data))) if draw(st.booleans()) else min(draw(st.integers(0, 600)), len(data))
        length = draw(st.sampled_from([1, 1, 2, 8, 12, 512]))
        what = draw(st.sampled_from(["change", "cut", "double", "end", "insert"]))
        piece = draw(st.binary(min_size=1, max_size=12)) if what in ("change", "insert") else b""
        if what == "change":
            data = data[:at] + piece + data[at + len(piece) :]
        elif what == "insert":
            data = data[:at] + piece + data[at:]
        elif what == "cut":
            data = data[:at] + data[at + length :]
        elif what == "double":
            data = data[:at] + data[at : at + length] + data[at:]
        else:
            data = data[:at]
    return data


def with_sound_checksums(data: bytes) -> bytes:
    """The tar with right checksums wherever there is a header, so that what else is odd in it gets looked at."""
    blocks = bytearray(data)
    for at in range(0, len(blocks) - 511, 512):
        if blocks[at + 257 : at + 262] == b"ustar":
            blocks[at + 148 : at + 156] = b" " * 8
            blocks[at + 148 : at + 156] = b"%06o\0 " % sum(blocks[at : at + 512])
    return bytes(blocks)


@st.composite
def odd_headers(draw: st.DrawFn) -> bytes:
    """Archives with changed bytes in headers whose checksums are right all the same."""
    form = draw(st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT]))
    members = [("c/" + draw(st.sampled_from(["b", "n" * 120, "é"])), b"x", tarfile.REGTYPE, draw(st.booleans()))]
    try:
        plain = tar(members, form, chart_first=True)
    except ValueError:
        plain = tar([], form, chart_first=True)
    changed = bytearray(plain)
    for _ in range(draw(st.integers(1, 3))):
        block = draw(st.integers(0, len(plain) // 512 - 1)) if draw(st.booleans()) else 2
        field, size = draw(
            st.sampled_from(
                [(0, 100), (100, 8), (108, 8), (124, 12), (136, 12), (156, 1), (157, 100), (263, 2), (345, 155)]
            )
        )
        text = draw(
            st.one_of(
                st.sampled_from(
                    [b"", b"\x80", b"\xff" * 12, b"-1", b"0x1", b"00000000012 ", b" 1", b"1\0002", b"g", b"x", b"L"]
                ),
                st.sampled_from(
                    [b"\x80" + bytes(10) + b"\x01", b"c/e", b"/c/e", b"../e", b"5", b"S", b"K", b"1_0", b"+1"]
                ),
                st.binary(max_size=size),
            )
        )
        at = block * 512 + field + draw(st.sampled_from([0, 0, 0, size // 2]))
        changed[at : at + len(text)] = text[: len(changed) - at]
    return gzip.compress(with_sound_checksums(bytes(changed)), mtime=0)


def ours(data: bytes) -> dict[str, bytes] | None:
    try:
        return unpack(data, "x.tgz", Allowance())
    except ChartError:
        return None


def compare(helm: Helm, cases: list[bytes]) -> None:
    mine = [ours(data) for data in cases]
    with TemporaryDirectory() as name:
        listed = indexed(helm, cases, Path(name) / "index")
        taken = {number: data for number, data in enumerate(cases) if listed[number] is not None and mine[number]}
        seen = unpacked(helm, taken, Path(name) / "files") if taken else {}
    different: list[tuple[object, ...]] = []
    for number, data in enumerate(cases):
        files = mine[number]
        if files is None:
            continue
        if listed[number] is None:
            texts = files.get("Chart.yaml"), files.get("values.yaml", VALUES)
            if texts == (CHART_YAML, VALUES) and not any(path.startswith("charts/") for path in files):
                different.append(("Helm refuses", list(files), data))
            continue
        # Helm writes Chart.yaml anew, and takes byte order marks off.
        expected = {path: content.removeprefix(b"\xef\xbb\xbf") for path, content in files.items()}
        del expected["Chart.yaml"]
        helms = {path: content for path, content in seen[number].items() if path != "Chart.yaml"}
        if helms != expected:
            different.append((f"Helm sees {helms}", expected, data))
    assert not different, "\n".join(map(str, different))


@prop(examples=6, batch=BATCH, cases=batch_of(archives(), BATCH))
def test_what_is_taken_helm_takes_with_the_same_files(helm: Helm, cases: list[bytes]) -> None:
    compare(helm, cases)


@prop(examples=6, batch=BATCH, cases=batch_of(odd_headers(), BATCH))
def test_odd_headers_mean_to_us_what_they_mean_to_helm(helm: Helm, cases: list[bytes]) -> None:
    compare(helm, cases)
