"""The summary of a job, read by a Markdown parser: text from outside is shown as it is, and as nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from chart_releaser.cli.markdown import Link, RawMarkdown, code_span, markdown_table

HOSTILE = [
    "https://evil.example/x",
    "www.evil.example",
    "me@evil.example",
    "@everyone and @org/team",
    "#1 and o/r#2 and GH-3",
    "0123456789abcdef0123456789abcdef01234567",
    "$x$ and $$y$$ and $`z`$",
    ":smile:",
    "~~struck~~ *a* __b__",
    "[a](https://evil.example) ![b](https://evil.example/c.png) [c]: https://evil.example",
    "<https://evil.example> <img src=x onerror=alert(1)> <!-- </td></table><script>",
    "a | b \\| c \\\\| d \\",
    "`a` ``b`` ```",
    "`",
    "` |",
    "|",
    "\\`a`",
    "`@me` and ``` @you ``` |`@them`|",
    "a\nb\r\n\n# c\n| d |\u2028e",
    "::error::x ##[group]",
    "&lt;b&gt;&#64;me",
]


def cells(text: str) -> list[list[Token]]:
    """The inline tokens of the headline and of each cell below the header; the text must be just that table."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    kinds = [token.type for token in tokens if token.level == 0]
    assert kinds == ["heading_open", "heading_close", "table_open", "table_close"]
    inside = [token.children or [] for token in tokens if token.type == "inline"]
    return inside[:1] + inside[3:]


def shown(text: str) -> str:
    return " ".join(text.split())


def is_code_of(tokens: list[Token], text: str) -> bool:
    if not shown(text):
        return tokens == []
    return [(token.type, token.content) for token in tokens] == [("code_inline", shown(text))]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_code(text: str) -> None:
    title, *row = cells(markdown_table(text, ("a", "b"), [(text, text)], str))
    assert all(is_code_of(tokens, text) for tokens in (title, *row))
    assert len(row) == 2


TEXT = st.text(
    st.one_of(st.sampled_from("`|\\ \n$@<>*_[]()#:~&"), st.characters(codec="utf-8", exclude_characters="\0"))
)


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4))
def test_any_text_is_code(rows: list[tuple[str, str]]) -> None:
    found = cells(markdown_table("T", ("a", "b"), rows, str))[1:]
    assert len(found) == 2 * len(rows)
    for tokens, text in zip(found, [text for row in rows for text in row], strict=True):
        assert is_code_of(tokens, text), (tokens, text)


def test_our_own_words_and_addresses() -> None:
    url = "https://github.com/o/r/releases/download/a-1.0.0%2Bx/a-1.0.0.x.tgz"
    text = markdown_table(RawMarkdown("Exported charts"), ("", "b"), [(RawMarkdown("published"), Link(url))], str)
    assert text == f"### Exported charts\n\n|  | b |\n| --- | --- |\n| published | <{url}> |\n\n"
    assert [token.type for token in cells(text)[2]] == ["link_open", "text", "link_close"]


@pytest.mark.parametrize(
    "url",
    [
        "a-1.0.0.tgz",
        "javascript:alert(1)",
        "https://x.example/@me",
        "https://user@x.example/",
        "https://x.example/a|b",
        "https://x.example/`a`",
        "https://x.example/a b",
        "https://x.example/><b>",
        "https://x.example/ä",
        "https://x.example/?a=$b$",
        "ftp://x.example/a",
        "",
    ],
)
def test_other_addresses_are_code(url: str) -> None:
    assert is_code_of(cells(markdown_table("T", ("a", "b"), [(Link(url), "x")], str))[1], url)


def test_what_is_cleaned_is_cleaned_before_it_is_quoted() -> None:
    text = markdown_table(
        "T",
        ("a", "b"),
        [("a|secret`", Link("https://x.example/a|secret`"))],
        lambda text: text.replace("a|secret`", "***"),
    )
    assert "secret" not in text
    assert "| `***` | `https://x.example/***` |" in text


def test_a_code_span_has_a_longer_fence_than_anything_in_it() -> None:
    assert [code_span(text) for text in ("", " \n", "a", "`", "a``b`c", "`a")] == [
        "",
        "",
        "`a`",
        "`` ` ``",
        "```a``b`c```",
        "`` `a ``",
    ]
