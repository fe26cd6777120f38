"""Git's objects from strangers: any bytes are an object, or refused as a SnapshotError and nothing else."""

from __future__ import annotations

from hypothesis import strategies as st

from chart_releaser.errors import SnapshotError
from chart_releaser.git.objectformat import decode_name, parse_commit, parse_tag_object, parse_tree
from tests.fuzz.running import prop

OID = st.binary(min_size=20, max_size=20)
MODES = st.sampled_from(
    [b"40000", b"100644", b"100755", b"120000", b"160000", b"040000", b"0", b"", b"999999", b"1000000", b"+40000"]
)
NAMES = st.sampled_from(
    [b"a", b".", b"..", b".git", b"", b"\xff", "é".encode(), b"a/b", b"a\\b", b"\n", b".GIT"]
) | st.binary(max_size=5)
ENTRIES = st.tuples(MODES, st.just(b" "), NAMES, st.just(b"\0"), OID).map(b"".join)
TREES = st.one_of(
    st.lists(ENTRIES, max_size=4).map(b"".join),
    st.tuples(st.lists(ENTRIES, max_size=3).map(b"".join), st.binary(max_size=30)).map(b"".join),
    st.binary(max_size=80),
)
NUMBERS = st.sampled_from(
    [b"0", b"-1", b"1700000000", b"99999999999999999999", b"999999999999999999999", b"1e3", b"", b"1_0"]
)
HEADERS = st.one_of(
    st.sampled_from(
        [b"tree " + b"a" * 40, b"object " + b"0" * 40, b"object " + b"f" * 64, b"tree " + b"A" * 40, b"parent x", b""]
    ),
    st.sampled_from(
        [b"type commit", b"tag v1", b"encoding latin-1", b"gpgsig -----BEGIN PGP SIGNATURE-----", b" x", b"mergetag"]
    ),
    NUMBERS.map(lambda number: b"committer a <b> " + number + b" +0000"),
    st.binary(max_size=20),
)
BODIES = st.lists(
    st.sampled_from(
        [b"text", b"", b"-----BEGIN PGP SIGNATURE-----", b"-----BEGIN SSH SIGNATURE-----x", b"\xff", b"-----END"]
    )
    | st.binary(max_size=9),
    max_size=4,
).map(b"\n".join)
OBJECTS = st.tuples(st.lists(HEADERS, max_size=5).map(b"\n".join), st.sampled_from([b"\n\n", b"\n", b""]), BODIES).map(
    b"".join
)


@prop(examples=150, data=TREES, oid_size=st.sampled_from([20, 32]))
def test_any_bytes_are_a_tree_or_refused(data: bytes, oid_size: int) -> None:
    try:
        entries = parse_tree(data, oid_size)
    except SnapshotError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return
    again = b"".join(b"%o %s\0" % (entry.mode, name) + bytes.fromhex(entry.oid) for name, entry in entries.items())
    assert again == data.replace(b"040000 ", b"40000 ") or b"0" in data
    for name in entries:
        try:
            text = decode_name(name, "")
        except SnapshotError as error:
            assert str(error).isprintable()  # noqa: PT017
            continue
        assert text.encode() == name
        assert "/" not in text
        assert text not in {"", ".", ".."}


@prop(examples=150, data=OBJECTS)
def test_any_bytes_are_a_commit_or_refused(data: bytes) -> None:
    try:
        tree, time = parse_commit(data)
    except SnapshotError:
        return
    assert data.startswith(b"tree " + tree.encode() + b"\n")
    assert 0 <= time <= 253_402_300_799


@prop(examples=150, data=OBJECTS)
def test_any_bytes_are_a_tag_or_refused(data: bytes) -> None:
    try:
        target, message = parse_tag_object(data)
    except SnapshotError:
        return
    assert data.startswith(b"object " + target.encode() + b"\n")
    assert message == message.strip("\n")
    message.encode()
