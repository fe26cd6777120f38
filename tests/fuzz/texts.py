"""YAML texts that mean different things to different readers, and pieces to make files of them."""

from __future__ import annotations

from hypothesis import strategies as st

# Not `! 1`: libyaml does not tell it from `1`, where Helm sees a text.
_WORDS = """
    a 1e3 1E3 12e4567 1.10 1.0 010 0o7 0x1F 0b11 1_000 _1 1_ 1__0 +1 -1 -0 0 y Y n yes No on OFF true False TRUE
    tRue ~ null Null NULL nULL .inf -.INF +.Inf .nan .NaN inf nan 2020-01-01 2001-12-14t21:59:43.10-05:00 12:30
    1:2:3.4 9007199254740993 18446744073709551615 18446744073709551616 -9223372036854775809 1e400 1e-7 123456789.0
    0.1 .5 5. 1. 0.00001 100000 1000000 123456 1234567 16777217 1.23456789 -.5 +.5e+2 = a#b é 0xz 08 0_8 0x_1 +0x1
    -0b1 0o8 1e e1 --1 + . ... !!str
"""
PLAIN_SCALARS = [
    *_WORDS.split(),
    "",
    "1 # c",
    "a b",
    "{{ x }}",
    "!!str 1e3",
    "!!int 12",
    "!!float 1",
    "!!bool yes",
    "!!null ''",
    "!own x",
    "!!timestamp 2020-01-01",
    "!!binary aGk=",
]
STRING = st.text(
    st.sampled_from(
        [*"ab1 .-_:#'\"\\{}[],&*!|>%@`~\t/+=<?", "é", "\u2028", "\u00a0", "\x7f", "\x85", "\ufeff", "🎈", "\x1b"]
    ),
    max_size=8,
)
_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\t": "\\t",
    "\x1b": "\\e",
    "\x7f": "\\x7f",
    "\x85": "\\N",
    "\ufeff": "\\ufeff",
    "\u2028": "\\L",
}


def quoted(text: str) -> str:
    """The text in double quotes."""
    return '"' + "".join(_ESCAPES.get(character, character) for character in text) + '"'


def single_quoted(text: str) -> str:
    """The text in single quotes, without what they can't hold."""
    kept = "".join(character for character in text if character not in _ESCAPES or character in '"\\')
    return "'" + kept.replace("'", "''") + "'"


QUOTED = STRING.map(quoted) | STRING.map(single_quoted) | st.sampled_from(PLAIN_SCALARS).map(single_quoted)
SCALAR = st.sampled_from(PLAIN_SCALARS) | QUOTED


@st.composite
def flow(draw: st.DrawFn, scalars: st.SearchStrategy[str] = SCALAR, depth: int = 2) -> str:
    """A value in flow style: a scalar, a list or a mapping."""
    kind = draw(st.integers(0, 3)) if depth else 0
    if kind <= 1:
        text = draw(scalars)
        return text if kind == 0 and depth == 2 else in_flow(text)
    items = draw(st.lists(flow(scalars, depth - 1), max_size=3))
    if kind == 2:
        return f"[{', '.join(items)}]"
    keys = draw(
        st.lists(
            st.sampled_from(["a", "b", "tag", "'2'", "on", "1.0", '"x y"']),
            min_size=len(items),
            max_size=len(items),
            unique=True,
        )
    )
    return "{" + ", ".join(f"{key}: {item}" for key, item in zip(keys, items, strict=True)) + "}"


def in_flow(text: str) -> str:
    """A scalar in such a way that it can stand in brackets."""
    return (
        quoted(text)
        if not text or (any(character in "{}[],#" for character in text) and text[0] not in "'\"")
        else text
    )
