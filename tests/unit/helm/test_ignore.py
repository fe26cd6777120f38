"""`.helmignore` as Helm reads it; compared with the true Helm in test_charts_helm.py."""

from __future__ import annotations

import time

import pytest

from chart_releaser.errors import ChartError
from chart_releaser.helm.ignore import HelmIgnore


def ignored(rules: str, path: str, *, is_directory: bool = False) -> bool:
    return HelmIgnore.parse(rules.encode(), where=".helmignore").ignores(path, is_directory)


@pytest.mark.parametrize(
    ("rules", "path", "expected"),
    [
        ("*.bak", "a/b.bak", True),
        ("*.bak", "a.bak/b", False),
        ("a/*.bak", "a/b.bak", True),
        ("a/*.bak", "x/a/b.bak", False),
        ("/a", "a", True),
        ("/a", "b/a", False),
        ("a", "b/a", True),
        ("a/", "a", False),
        ("", "templates/.swp", True),
        ("", "templates/a/.swp", False),
        ("", "templates/.", False),
        ("", "charts/a/templates/.swp", False),
        ("# a\n\n  a  \n", "a", True),
        ("\ufeffa", "a", True),
        ("a\r\nb\r\n", "a", True),
        ("a\r\nb\r\n", "b", True),
        ("\\#a", "#a", True),
        ("\\!a", "!a", True),
        ("a\\*", "a*", True),
        ("a\\*", "ab", False),
        ("?", "é", True),
        ("[a-c]x", "bx", True),
        ("[^a-c]x", "bx", False),
        ("[^a-c]x", "dx", True),
        ("[c-a]x", "bx", False),
        ("[\\]]x", "]x", True),
        ("a*b*c", "aXbYc", True),
        ("a*b*c", "aXbYcZ", False),
        ("a*b*c", "aXbc/c", False),
        ("*/*", "a/b", True),
        ("*", "a/b", True),
        ("/*", "a/b", False),
    ],
)
def test_files(rules: str, path: str, *, expected: bool) -> None:
    assert ignored(rules, path) is expected


def test_a_negated_rule_ignores_what_it_does_not_match() -> None:
    assert not ignored("!a", "a")
    assert ignored("!a", "b")
    assert ignored("!a/", "a")
    assert not ignored("!a/", "a", is_directory=True)
    assert ignored("a\n!a", "a")


def test_directories() -> None:
    assert ignored("a/", "a", is_directory=True)
    assert ignored("a/", "b/a", is_directory=True)
    assert ignored("/b/a/", "b/a", is_directory=True)


@pytest.mark.parametrize(
    ("rules", "line", "what"),
    [
        ("a\n**/b", 2, r"double-star \(\*\*\) syntax is not supported: \*\*/b"),
        ("[", 1, "syntax error in pattern"),
        ("[]", 1, "syntax error in pattern"),
        ("[a-", 1, "syntax error in pattern"),
        ("[-a]", 1, "syntax error in pattern"),
        ("a\\", 1, "syntax error in pattern"),
        ("[a\\", 1, "syntax error in pattern"),
    ],
)
def test_what_helm_refuses(rules: str, line: int, what: str) -> None:
    with pytest.raises(ChartError, match=rf"^c/\.helmignore:{line}: {what}.*, so Helm would not load this chart$"):
        HelmIgnore.parse(rules.encode(), where="c/.helmignore")


def test_a_rule_that_is_malformed_without_its_slash_matches_nothing() -> None:
    assert not ignored("a\\/", "a", is_directory=True)


@pytest.mark.parametrize(
    ("rule", "loads"), [("b*[", True), ("a*[", False), ("*[", False), ("*c*[", False), ("*d*[", True)]
)
def test_helm_only_sees_an_error_that_it_comes_to_when_it_tries_a_rule_on_abc(rule: str, *, loads: bool) -> None:
    if loads:
        assert not ignored(rule, "b[")
    else:
        with pytest.raises(ChartError, match="syntax error"):
            ignored(rule, "x")


def test_no_pattern_takes_long() -> None:
    begun = time.perf_counter()
    assert not ignored("a*" * 50 + "b", "a" * 5000)
    assert time.perf_counter() - begun < 1


def test_more_than_any_chart_needs_is_refused() -> None:
    HelmIgnore.parse(b"a*\n" * 500, where="w")
    with pytest.raises(ChartError, match=r"^w:502: more than 500 rules"):
        HelmIgnore.parse(b"a*\n" * 502, where="w")
    with pytest.raises(ChartError, match=r"^w has 150,000 bytes"):
        HelmIgnore.parse(b"#a\n" * 50_000, where="w")


def test_only_what_go_takes_for_space_is_taken_off() -> None:
    assert ignored("\u00a0\u2003a\u0085", "a")
    assert not ignored("\x1ca", "a")
    assert ignored("\x1ca", "\x1ca")


def test_bytes_that_are_no_utf8_match_nothing() -> None:
    rules = HelmIgnore.parse(b"\xff\n*.\xc3\n", where=".helmignore")
    assert not rules.ignores("\ufffd", False)
    assert not rules.ignores("a.\ufffd", False)
    with pytest.raises(ChartError, match=r"^x:1: syntax error in pattern: \[\?\], so Helm") as caught:
        HelmIgnore.parse(b"[\xff]", where="x")
    assert str(caught.value).isascii()


def test_a_line_is_too_long_where_it_is_for_go() -> None:
    HelmIgnore.parse(b"#" * 65535 + b"\n", where="x")
    HelmIgnore.parse(b"#" + b"\xc3\xa9" * 32767, where="x")
    for line in (b"#" * 65536, b"##" + b"\xc3\xa9" * 32767):
        with pytest.raises(ChartError, match=r"^x:2: the line is too long"):
            HelmIgnore.parse(b"\n" + line + b"\na", where="x")
