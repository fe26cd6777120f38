"""Scalars, keys and merges as Helm's YAML reader sees them."""

from __future__ import annotations

import math

import pytest

from chart_releaser import yamlio
from chart_releaser.errors import YamlError
from chart_releaser.helm.yaml import Value, as_string, construct

# What Helm shows for an annotation that is written so; compared with the true Helm in test_charts_helm.py.
AS_STRING = {
    "1.10": "1.1", "010": "8", "1e3": "1000", "12e4567": "12e4567", "0x1F": "31", "0o17": "15", "0b101": "5",
    "1_000": "1000", "+12": "12", "-0": "0", "1.": "1", ".5": "0.5", "-.5e-3": "-0.0005", "1e-7": "1e-07",
    "123456": "123456", "1234567": "1234567", "16777217": "16777217", "0.1": "0.1", "1.5e300": "+Inf",
    "9223372036854775807": "9223372036854775807", "18446744073709551615": "18446744073709551615",
    "18446744073709551616": "1.8446744e+19", "+18446744073709551615": "1.8446744e+19",
    "-9223372036854775809": "-9.223372e+18", "0x1ffffffffffffffffff": "0x1ffffffffffffffffff",
    "0777777777777777777777777": "7.777778e+23", "089": "89", "0.0": "0", "-0.0": "-0", ".inf": "+Inf",
    "-.Inf": "-Inf", ".nan": "NaN", "y": "true", "Yes": "true", "on": "true", "off": "false", "n": "false",
    "True": "true", "tRUE": "tRUE", "~": "", "null": "", "''": "", "'1.10'": "1.10", "\"on\"": "on",
    "2001-12-14": "2001-12-14", "12:30:45": "12:30:45", "1.2.3": "1.2.3", "=": "=", ".": ".", "+": "+", "1 2": "1 2",
    "0x": "0x", "_1": "_1", "1__0": "10", "!!str 1.10": "1.10", "!!str on": "on", "!own 12": "12", "!!float 3": "3",
    "!!int \"3\"": "3", "&a 7": "7", "1e": "1e", "e1": "e1", ".e1": ".e1", "1.5.": "1.5.", "+.inf": "+Inf",
    "0b2": "0b2", "0o8": "0o8", "1e+10": "1e+10", "1E5": "100000", "100000": "100000", "1000000": "1000000",
    "12345678901234567890123": "1.2345679e+22",
}  # fmt: skip


def read(text: str) -> Value:
    return construct(yamlio.compose(text, where="x.yaml"), where="x.yaml")


@pytest.mark.parametrize(("written", "seen"), AS_STRING.items())
def test_texts_of_scalars(written: str, seen: str) -> None:
    value = read(f"k: {written}\n")
    assert isinstance(value, dict)
    assert as_string(value["k"]) == seen


def test_types_of_scalars() -> None:
    assert read("[1, 0x1F, 010, 1.0, yes, off, ~, 'yes', 2020-01-01, 1_0, 12e4567]") == [
        1, 31, 8, 1.0, True, False, None, "yes", "2020-01-01", 10, "12e4567",
    ]  # fmt: skip
    assert [type(value) for value in read("[1, 1.0, 1e3, true]") or []] == [int, float, float, bool]  # type: ignore[union-attr]


def test_numbers_beyond_every_bound_are_floats_or_texts() -> None:
    nines = "9" * 5000
    assert read(nines) == nines
    assert read(f"0x{nines}") == f"0x{nines}"
    assert read("9" * 400) == "9" * 400
    assert read("9" * 300) == float("9" * 300)
    assert read("18446744073709551615") == 2**64 - 1
    assert isinstance(read("18446744073709551616"), float)
    assert isinstance(read("-9223372036854775809"), float)
    assert read("1e-400") == 0.0


def test_quoted_and_tagged_scalars_are_texts() -> None:
    assert read("""['1', "on", !!str 1.10, !!str 1e3, !own 12, |-\n 1]""".replace(", |-\n 1", "")) == [
        "1", "on", "1.10", "1e3", "12",
    ]  # fmt: skip
    assert read("|-\n  12\n") == "12"


def test_a_merge_goes_over_the_keys_above_it() -> None:
    base = "b: &b {a: base, c: base}\nt: &t {a: two, d: two}\n"
    found = read(base + "x: {a: own, <<: *b}\nw: {<<: *b, a: own}\nz: {<<: [*b, *t]}\nq: {'<<': 1}\n")
    assert isinstance(found, dict)
    assert found["x"] == {"a": "base", "c": "base"}
    assert found["w"] == {"a": "own", "c": "base"}
    assert found["z"] == {"a": "base", "c": "base", "d": "two"}
    assert found["q"] == {"<<": 1}


@pytest.mark.parametrize("text", ["a: 1\n<<: text\n", "a: 1\n<<: [[1]]\n", "a: 1\n~: 2\n", "a: 1\n? [x]\n: 2\n"])
def test_what_helm_does_not_load_is_an_error_with_its_line(text: str) -> None:
    with pytest.raises(YamlError, match=r"^x\.yaml:2: "):
        read(text)


def test_keys_are_texts_and_the_last_of_a_doubled_key_counts() -> None:
    assert read("yes: 1\n1.50: 2\n010: 3\na: 4\na: 5\n") == {"true": 1, "1.5": 2, "8": 3, "a": 5}


def test_texts_of_other_values() -> None:
    assert as_string([1]) == as_string({"a": 1}) == as_string(None) == ""
    assert as_string(math.nan) == "NaN"
    assert as_string(-math.inf) == "-Inf"
    assert construct(None, where="x") is None


def test_binary_values_are_decoded() -> None:
    assert construct(yamlio.compose("a: !!binary aGk=", where="w"), where="w") == {"a": "hi"}
    with pytest.raises(YamlError, match=r"^w:1: !!binary with something other than base64$"):
        construct(yamlio.compose("a: !!binary 'é~'", where="w"), where="w")
