"""Loading within bounds, whatever the text; dumping what every reader takes for the same."""

from __future__ import annotations

import io
from typing import Any

import pytest
import ruamel.yaml
import yaml
from hypothesis import given
from hypothesis import strategies as st

from chart_releaser import yamlio
from chart_releaser.errors import YamlError
from chart_releaser.helm import yaml as helmyaml

LEVELS = 100_000  # far beyond what libyaml's bindings survive
DEEP = {
    "brackets": "[" * LEVELS,
    "closed brackets": "[" * LEVELS + "]" * LEVELS,
    "braces": "{a: " * LEVELS,
    "keys in braces": "{" * LEVELS,
    "dashes": "- " * LEVELS + "x",
    "questions": "? " * LEVELS + "x",
    "after a byte order mark": "\ufeff" + "- " * LEVELS + "x",
    "after quotes": '{"a":' * LEVELS,
    "tags": "!!seq [" * LEVELS,
    "second document": "a: 1\n---\n" + "- " * LEVELS + "x",
    "after carriage returns": "".join(" " * level + "a:\r" for level in range(2000)),
    "after next lines": "".join(" " * level + "a:\x85" for level in range(2000)),
    "indented": "".join(" " * level + "a:\n" for level in range(2000)),
    "indented lists": "".join(" " * level + "-\n" for level in range(2000)),
}


@pytest.mark.parametrize("read", [yamlio.load, yamlio.compose, yamlio.compose_all])
@pytest.mark.parametrize("shape", DEEP)
def test_deep_texts_are_refused_and_do_not_end_the_process(shape: str, read: Any) -> None:
    with pytest.raises(YamlError, match=r"^w:\d+: nested deeper than 200 levels$"):
        read(DEEP[shape], where="w")


@pytest.mark.parametrize("levels", [60, 199])
def test_texts_within_the_bound_are_read(levels: int) -> None:
    for text in (
        "[" * levels + "]" * levels,
        "- " * (levels - 1) + "[]",
        "{a: " * (levels - 1) + "{}" + "}" * (levels - 1),
    ):
        assert yamlio.load(text, where="w") is not None
        assert yamlio.compose(text, where="w") is not None


def test_many_brackets_that_nest_nothing_are_no_depth() -> None:
    text = "".join(f"- '[[{{{{ {number}'\n" for number in range(300))
    assert len(yamlio.load(text, where="w")) == 300


@pytest.mark.parametrize("read", [yamlio.load, yamlio.compose])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a0: &a0 [x,x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)),
         "aliases expand to more than 1,000,000 nodes"),
        ("a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 9)),
         "aliases expand to more than 1,000,000 nodes"),
        ("a: &a [*a]", "an alias refers to a node that contains it"),
        ("a: &a {b: {*a : 1}}", "an alias refers to a node that contains it"),
        ("a0: &a0 []\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 300)),
         "nested deeper than 200 levels"),
        ("a: *nobody", "malformed YAML: found undefined alias"),
    ],
)  # fmt: skip
def test_aliases_are_bounded(read: Any, text: str, message: str) -> None:
    with pytest.raises(YamlError, match=message):
        read(text, where="w")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", r"^w:2:1: malformed YAML: "),
        ("a: 1\nb\nc: 2", r"^w:3:1: malformed YAML: "),
        ("a: 1\n---\nb: 2\n", r"^w:2:1: malformed YAML: but found another document"),
        ("a: \x00", r"^w: malformed YAML: control characters"),
        ("\ud800", r"^w: unusable YAML: "),
        ("[" * 300 + "\ud800", r"^w: unusable YAML: "),
        ("!!python/object/apply:os.system [x]", r"^w:1:1: malformed YAML: could not determine a constructor"),
        ("!own x", r"^w:1:1: malformed YAML: could not determine a constructor"),
        ("0000-00-00", r"^w: unusable YAML: "),
        ("!!int ''", r"^w: unusable YAML: "),
        ("!!bool x", r"^w: unusable YAML: "),
        ("!!timestamp x", r"^w: unusable YAML: "),
        ("9" * 5000, r"^w: unusable YAML: "),
        ("{a: 1}: b", r"^w:1:1: malformed YAML: .*unhashable"),
    ],
)
def test_what_can_not_be_loaded_is_a_yaml_error_of_one_line(text: str, message: str) -> None:
    with pytest.raises(YamlError, match=message) as caught:
        yamlio.load(text, where="w")
    assert "\n" not in str(caught.value)


def test_the_number_of_characters_is_bounded() -> None:
    with pytest.raises(YamlError, match=r"^w: 11 characters of YAML; at most 10 are read$"):
        yamlio.load("a: 12345678", where="w", max_characters=10)


def test_documents() -> None:
    assert yamlio.compose("", where="w") is None
    assert yamlio.compose("# nothing\n---\n", where="w") is None
    assert [yamlio.line_of(node) for node in yamlio.compose_all("---\n---\na: 1\n---\nb\n", where="w")] == [3, 5]
    with pytest.raises(YamlError, match=r"^w:3: a second YAML document begins here"):
        yamlio.compose("a: 1\n---\nb: 1\n", where="w")
    assert yamlio.load("", where="w") is None


def test_nodes_tell_a_plain_scalar_from_a_tagged_one() -> None:
    node = yamlio.compose("[1, '1', !!str 1, !!int 1, !own 1]", where="w")
    assert isinstance(node, yaml.SequenceNode)
    assert [isinstance(item.tag, yamlio.ImplicitTag) for item in node.value] == [True, False, False, False, False]


AMBIGUOUS = [
    "1", "1.0", "1.10", "010", "0o10", "0x1", "0b1", "1e3", "12e4567", "1_000", ".5", "5.", "-1", "+1", "1:", "0",
    ".inf", "-.INF", ".nan", "~", "null", "Null", "y", "Y", "n", "N", "yes", "No", "on", "Off", "true", "FALSE",
    "=", "<<", "2020-01-01", "2020-01-01T00:00:00Z", "12:30:45", "1:20", "-", "+", ".", "_", "_1", "0.0.0e1", "1.2.3_4",
]  # fmt: skip
TRICKY = [
    "", " ", "a ", " a", "a: b", "a #b", "# a", "- a", "? a", ": a", "a:", "{a", "[a", "]", "}", ",a", "&a", "*a",
    "!a", "|", ">", "%a", "@a", "`a", "'a", '"a', "a\nb", "a\n", "\ta", "a\tb", "a\u2028b", "a\x85b", "\ufeffa", "é",
    "\U0001f600", "---", "...", "\x07", "{{ a }}", "a\rb", "\\", "a" * 300 + " " + "b" * 300,
]  # fmt: skip


def readings(text: str) -> list[Any]:
    pure = ruamel.yaml.YAML(typ="safe", pure=True)
    older = ruamel.yaml.YAML(typ="safe", pure=True)
    older.version = (1, 1)
    return [
        yaml.load(text, Loader=yaml.SafeLoader),
        yamlio.load(text, where="w"),
        helmyaml.construct(yamlio.compose(text, where="w"), where="w"),
        pure.load(io.StringIO(text)),
        older.load(io.StringIO(text)),
    ]


@pytest.mark.parametrize("value", [*AMBIGUOUS, *TRICKY])
def test_a_dumped_text_is_the_same_text_to_every_reader(value: str) -> None:
    text = yamlio.dump({"k": value, "l": [value]})
    assert readings(text) == [{"k": value, "l": [value]}] * 5
    assert yamlio.dump(value).count("\n") <= 2  # not folded


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"), max_size=12))
def test_any_text_survives(value: str) -> None:
    text = yamlio.dump({"k": value})
    assert yamlio.load(text, where="w") == {"k": value}
    assert helmyaml.construct(yamlio.compose(text, where="w"), where="w") == {"k": value}


@pytest.mark.parametrize("value", AMBIGUOUS)
def test_ambiguous_keys_are_quoted_too(value: str) -> None:
    assert readings(yamlio.dump({value: 1})) == [{value: 1}] * 5


def test_dumping_is_plain_where_it_can_be() -> None:
    value = {
        "version": "1.2.3",
        "b": True,
        "a": None,
        "name": "cert-management",
        "url": "https://example.org/x",
        "count": 1,
    }
    assert yamlio.dump(value) == (
        "a: null\nb: true\ncount: 1\nname: cert-management\nurl: https://example.org/x\nversion: 1.2.3\n"
    )
    assert yamlio.dump({"b": 1, "a": 1}, sort_keys=False) == "b: 1\na: 1\n"
    shared = ["x"]
    assert yamlio.dump({"a": shared, "b": shared}) == "a:\n- x\nb:\n- x\n"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x85", "\u2028", "\u2029"])
def test_directives_without_end(end: str) -> None:
    """libyaml compares each with all before it: 100,000 take it a minute, in which no other thread gets a turn."""
    text = "".join(f"%TAG !a{number}! x{end}" for number in range(100_000)) + f"---{end}a: 1{end}"
    for read in (yamlio.load, yamlio.compose, yamlio.compose_all):
        with pytest.raises(YamlError, match=r"^w: more than 50 lines that begin with %"):
            read(text, where="w")
    few = "".join(f"%TAG !a{number}! x\n" for number in range(40)) + "---\na: '" + "%" * 100 + "'\n"
    assert yamlio.load(few, where="w") == {"a": "%" * 100}
