"""Edits of YAML texts: what was asked for, and not a byte more."""

from __future__ import annotations

from typing import Any

import pytest

from chart_releaser import yamledit, yamlio
from chart_releaser.errors import YamlError
from chart_releaser.yamledit import Edit, apply_edits

TEXT = "# top\na: 1  # one\n\n# about b\nb:\n    x: 'y'   # why\n    z: [1,2]\n\n# the end\n"


def test_edits() -> None:
    assert apply_edits("abcdef", [Edit(3, 3, "x"), Edit(0, 1, ""), Edit(3, 3, "y"), Edit(5, 6, "F")]) == "bcxydeF"
    with pytest.raises(ValueError, match="overlap"):
        apply_edits("abc", [Edit(0, 2, ""), Edit(1, 3, "")])


@pytest.mark.parametrize(
    ("text", "key", "value", "expected"),
    [
        (TEXT, "a", "v1", TEXT.replace("a: 1 ", "a: v1 ")),
        (TEXT, "a", "1.10", TEXT.replace("a: 1 ", 'a: "1.10" ')),
        (TEXT, "c", "new", TEXT + "c: new\n"),
        ("a: 1", "b", 2, "a: 1\nb: 2\n"),
        ("a: 1\r\n", "b", 2, "a: 1\r\nb: 2\r\n"),
        ("  a: 1\n", "b", 2, "  a: 1\n  b: 2\n"),
        ("a: 1\n...\n", "b", 2, "a: 1\nb: 2\n...\n"),
        ("---\na: 1\n", "b", 2, "---\na: 1\nb: 2\n"),
        ("", "b", 2, "b: 2\n"),
        ("# nothing", "b", 2, "# nothing\nb: 2\n"),
        ("{}", "b", 2, '{"b": 2}'),
        ('{"a": 1}\n', "b", "x", '{"b": "x", "a": 1}\n'),
        ("a:  # none\nb: 1\n", "a", "x", "a: x  # none\nb: 1\n"),
        ("a: |\n  long\n  text\n# b\nb: 1\n", "a", "x", "a: x\n# b\nb: 1\n"),
        ("a:\n- 1\n# c\n- 2\n# b\nb: 1\n", "a", ["x"], "a:\n- x\n# b\nb: 1\n"),
        ("'a': \"1\" # c\n", "a", "2.0.0", "'a': 2.0.0 # c\n"),
        ("a: 1\na: 2\n", "a", 3, "a: 1\na: 3\n"),
        ("x: {a: 1}\na: 2\n", "a", 3, "x: {a: 1}\na: 3\n"),
    ],
)
def test_set_key(text: str, key: str, value: Any, expected: str) -> None:
    assert yamledit.set_key(text, key, value, where="w") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\n", "a: 1\ns:\n  up: false\n"),
        ("s: {}\n", 's: {"up": false}\n'),
        ("s: {a: 1} # c\n", 's: {"up": false, a: 1} # c\n'),
        ("s: { # c\n  a: 1}\n", 's: {"up": false,  # c\n  a: 1}\n'),
        ("s:\nb: 1\n", 's: {"up": false}\nb: 1\n'),
        ("s: ~ # c\n", 's: {"up": false} # c\n'),
        ("s: # c\n    # d\n    a: 1\n", "s: # c\n    up: false\n    # d\n    a: 1\n"),
        ("s:\r\n  a: 1\r\nb: 2\r\n", "s:\r\n  up: false\r\n  a: 1\r\nb: 2\r\n"),
        ("b: &b {a: 1}\ns: *b\n", 'b: &b {a: 1}\ns: {<<: *b, "up": false}\n'),
        ("s:\n  up:\n  a: 1\n", "s:\n  up: false\n  a: 1\n"),
        ("s: {up: null}\n", "s: {up: false}\n"),
        ('{"s": {"a": 1}}', '{"s": {"up": false, "a": 1}}'),
        ('{"a": 1}', '{"s": {"up": false}, "a": 1}'),
    ],
)
def test_insert_below(text: str, expected: str) -> None:
    assert yamledit.insert_below(text, {"s": {"up": False}}, where="w") == expected
    assert yamlio.load(expected, where="w")["s"] is not None


@pytest.mark.parametrize("text", ["s: text\n", "s: [1]\n", "s: 'null'\n"])
def test_insert_below_what_is_no_mapping(text: str) -> None:
    with pytest.raises(YamlError, match=r"^w:1: s is not a mapping, so s\.up can't be set$"):
        yamledit.insert_below(text, {"s": {"up": False}}, where="w")


@pytest.mark.parametrize("text", ["- 1\n", "text\n"])
def test_a_root_that_is_no_mapping(text: str) -> None:
    with pytest.raises(YamlError, match=r"^w:1: expected a mapping"):
        yamledit.set_key(text, "a", 1, where="w")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("d:\n- a # one\n# end\nb: 1\n", "d:\n- a # one\n- name: x\n  c: ''\n# end\nb: 1\n"),
        ("d:\n  - a", "d:\n  - a\n  - name: x\n    c: ''\n"),
        ("d: [a]\n", 'd: [a, {"name": "x", "c": ""}]\n'),
        ("d: []\n", 'd: [{"name": "x", "c": ""}]\n'),
        ("b: 1\n", "b: 1\nd:\n- name: x\n  c: ''\n"),
        ("d:\nb: 1\n", "d:\n- name: x\n  c: ''\nb: 1\n"),
    ],
)
def test_append_items(text: str, expected: str) -> None:
    found = yamledit.append_items(text, "d", [{"name": "x", "c": ""}], where="w")
    assert found == expected.replace("''", '""')


def test_set_in_items() -> None:
    text = "d:\n- v: 1 # a\n  n: x\n- {n: y, v: '2'}\n- n: z\n"
    assert yamledit.set_in_items(text, "d", "v", {0: "3.0.0", 1: "4.0.0"}, where="w") == (
        "d:\n- v: 3.0.0 # a\n  n: x\n- {n: y, v: 4.0.0}\n- n: z\n"
    )
    for number in (2, 3):
        with pytest.raises(YamlError, match=rf"^w: d\[{number}\]\.v can't be set$"):
            yamledit.set_in_items(text, "d", "v", {number: "x"}, where="w")


def replaced(text: str, new: str = "v1.2.3") -> str:
    return yamledit.replace_scalars(
        text, lambda key, node, _: new if key == "tag" and node.value == "latest" else None, where="w"
    )[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tag: latest", "tag: v1.2.3"),
        ("tag: 'latest' # latest\n", "tag: 'v1.2.3' # latest\n"),
        ('a: [{tag: "latest"}, {"tag":"latest"}]\n', 'a: [{tag: "v1.2.3"}, {"tag":"v1.2.3"}]\n'),
        ("a:\r\n- tag:   latest\r\n  x: latest\r\n", "a:\r\n- tag:   v1.2.3\r\n  x: latest\r\n"),
        ("tag: &latest latest\nb: {tag: *latest}\n", "tag: &latest v1.2.3\nb: {tag: *latest}\n"),
        ("tag: !!str latest\n", "tag: !!str v1.2.3\n"),
        ("tag: |-\n  latest\n", "tag: |-\n  v1.2.3\n"),
        ("tag: |\n  latest\n", "tag: |\n  latest\n"),
        ("# tag: latest\nmytag: latest\ntag: latest-1\ntag2: {tag: {latest: latest}}\n", None),
        ("", ""),
    ],
)
def test_replace_scalars(text: str, expected: str | None) -> None:
    assert replaced(text) == (text if expected is None else expected)


def test_replaced_scalars_stay_texts() -> None:
    assert replaced("tag: latest", "1.10") == 'tag: "1.10"'
    with pytest.raises(YamlError, match=r"^w:1: tag: latest is written in a way that can't be edited$"):
        replaced('tag: "l\\x61test"')
