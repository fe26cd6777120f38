"""Whatever the scan says of an index, the parser says, too; of one in the usual layout it says something."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chart_releaser.errors import BrokenIndexError
from chart_releaser.index.excerpt import Excerpt
from chart_releaser.index.index import Index, build_entry
from chart_releaser.index.scan import scan
from tests.charts import excerpt_of

DIGEST = "7025401985bf03428d4ab15f94c18fae638df84aa73fd45d682c1d43d8f72fac"
TEXT = f"""\
apiVersion: v1
entries:
  acl:
  - annotations:
      org.opencontainers.image.revision: 0c3f
      artifacthub.io/changes: |
        - one: two

        - three
    apiVersion: v2
    appVersion: "1.0"
    created: "2025-10-10T07:30:52.001089437Z"
    dependencies:
    - condition: controller.enabled
      name: controller
      repository: ""
    - name: runtime
      repository: https://charts.example.org
      tags:
      - one
      version: '>=1 # or more'
    description: A text that an older Helm has written
      in two lines, it's true
    digest: {DIGEST}
    keywords:
    - a
    - "b: c"
    maintainers: []
    name: acl
    urls:
    - https://charts.example.org/acl-1.13.0.tgz
    - acl-1.13.0.tgz
    version: 1.13.0
  - apiVersion: v2
    description: |-
      digest: none
      version: none
    digest: "{DIGEST}"
    name: acl
    urls:
    - acl-1.2.0+a.1.tgz
    version: "1.2.0+a.1"
  b.c:
  - version: v0.1.0-rc.1
    name: b.c
generated: "2025-11-21T13:00:30.771586047Z"
"""


def parsed(data: bytes) -> dict[str, dict[str, tuple[str, str]]] | None:
    """What the parser makes of it, None where it refuses."""
    try:
        return contents(excerpt_of(Index.parse(data.decode())))
    except (BrokenIndexError, UnicodeDecodeError):
        return None


def contents(excerpt: Excerpt | None) -> dict[str, dict[str, tuple[str, str]]] | None:
    return None if excerpt is None else {name: dict(versions) for name, versions in excerpt.charts.items()}


def test_the_usual_layout_is_understood() -> None:
    found = contents(scan(TEXT.encode()))
    assert found == {
        "acl": {
            "1.13.0": (DIGEST, "https://charts.example.org/acl-1.13.0.tgz"),
            "1.2.0+a.1": (DIGEST, "acl-1.2.0+a.1.tgz"),
        },
        "b.c": {"v0.1.0-rc.1": ("", "")},
    }
    assert found == parsed(TEXT.encode())


def test_what_this_program_writes_is_understood() -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    metadata = {
        "apiVersion": "v2",
        "name": "etcd",
        "version": "1.0.0",
        "appVersion": "1e3",
        "description": 'two: "lines"\nand ünicode # and a sign',
        "dependencies": [{"name": "a", "version": "1.0.0", "condition": "a.enabled", "repository": ""}],
        "maintainers": [{"name": "x", "email": "x@example.org"}],
        "annotations": {"org.opencontainers.image.revision": "0" * 40},
        "sources": ["https://github.com/a/b"],
    }
    made = [
        build_entry({**metadata, "version": version}, digest=DIGEST, url=f"etcd-{version}.tgz", created=now)
        for version in ("1.0.0", "1.10.0-e1", "2.0.0+b_c")
        if "_" not in version
    ]
    data = Index.parse(None).merge(made, generated=now).encode()
    found = contents(scan(data))
    assert found is not None
    assert found == parsed(data)
    assert set(found["etcd"]) == {"1.0.0", "1.10.0-e1"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("apiVersion: v1\n", "apiVersion: v1\nannotations: {}\n"),
        ("apiVersion: v1\n", "apiVersion: v2\n"),
        ("  b.c:\n", "  acl:\n"),
        ("    version: 1.13.0\n", "    version: 1.13\n"),
        ("    version: 1.13.0\n", "    version: null\n"),
        ("    version: 1.13.0\n", "    version: &a 1.13.0\n"),
        ("    name: acl\n", "    name: *a\n"),
        ("    name: acl\n", "    name: !!str acl\n"),
        ("    name: acl\n", "    name: {a: b,\n    version: 1.0.0}\n"),
        ("    name: acl\n", "    name: a: b\n"),
        ("    name: acl\n", "    name: 'a\n    version: 9.9.9'\n"),
        ("    name: acl\n", "    name: acl # a comment\n"),
        ("    name: acl\n", "   name: acl\n"),
        ("    name: acl\n", "    name: a\u2028    version: 9.9.9\n"),
        ("    name: acl\n", "    name: a\tb\n"),
        ("    name: acl\n", '    name: "\\ud800"\n'),
        (f"    digest: {DIGEST}\n", "    digest:\n"),
        ("generated:", "...\ngenerated:"),
        ("generated:", "---\ngenerated:"),
        ("generated:", "  d:\ngenerated:"),
        ("generated:", "  d: []\ngenerated:"),
    ],
)
def test_anything_else_is_left_to_the_parser(old: str, new: str) -> None:
    assert old in TEXT
    assert scan(TEXT.replace(old, new, 1).encode()) is None


def test_what_is_no_text_is_left_to_the_parser() -> None:
    data = TEXT.encode()
    assert scan(data.replace(b"A text", b"A \xff")) is None
    assert scan(b"\xef\xbb\xbf" + data) is None
    assert scan(data.replace(b"\n", b"\r\n")) is None
    assert scan(b"") is None
    assert scan(b"apiVersion: v1\nentries:\n") is None


INSERTED = [
    *"\n #:\"'\\|>[]{}!%@,?~\t\ré\u2028\x85\ufeff\0",
    "  ",
    "    ",
    "- ",
    ": ",
    " #",
    "|-\n",
    "&a ",
    "*a",
    "<<: ",
]
INSERTED += [
    "---\n",
    "...",
    "    version: 9.9.9\n",
    "    digest: x\n",
    "    urls:\n",
    "  acl:\n",
    "  - ",
    "    - a\n",
    "1",
]


@settings(max_examples=600, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, len(TEXT)), st.integers(0, 12), st.sampled_from(["", *INSERTED])),
        min_size=1,
        max_size=3,
    )
)
def test_it_never_says_anything_else_than_the_parser(changes: list[tuple[int, int, str]]) -> None:
    text = TEXT
    for at, length, new in changes:
        text = text[:at] + new + text[at + length :]
    data = text.encode()
    found = contents(scan(data))
    assert found is None or found == parsed(data)


@pytest.mark.parametrize(
    ("line", "is_read"),
    [
        ("appVersion: 72551e2", False),
        ("appVersion: '72551e2'", True),
        ("appVersion: 1.10", False),
        ("appVersion: 1.10.0", True),
        ("description: yes", False),
        ("description: yes it is", True),
        ("deprecated: true", True),
        ("foo: bar", False),
        ("home: ~", False),
        ("deprecated: maybe", False),
        ("maintainers:\n    - name: x\n      foo: y", False),
        ("maintainers:\n    - name: x\n      url: https://e.org", True),
        ("dependencies:\n    - foo: x", False),
        ("keywords:\n    - 123", False),
        ("sources:\n    - https://e.org/x", True),
        ("annotations:\n      org.opencontainers.image.revision: abc", True),
    ],
)
def test_what_helm_may_refuse_is_left_to_the_parser(line: str, is_read: bool) -> None:
    text = f"apiVersion: v1\nentries:\n  a:\n  - {line}\n    name: a\n    version: 1.0.0\n"
    assert (scan(text.encode()) is not None) == is_read
