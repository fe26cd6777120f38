"""`.helmignore` as Helm reads it: rules in order, Go's filepath.Match, no `**`; it is not gitignore.

The rules are those of Helm's package `ignore` and of its directory loader, with their odd negation: a path that a
negated rule does not match is ignored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from chart_releaser.errors import ChartError

# Helm's loader appends this rule to those of every chart.
_DEFAULT_RULE = "templates/.?*"
_MAX_BYTES = 128 * 1024
_MAX_RULES = 500
_NOTHING = "(?!)"
# Go's unicode.IsSpace. Python's str.isspace also includes the separators U+001C to U+001F.
_SPACE = "".join(char for char in map(chr, range(0x3001)) if char.isspace() and not "\x1c" <= char <= "\x1f")
_LONGEST_LINE = 64 * 1024 - 1  # in bytes: the limit of Go's bufio.Scanner


@dataclass(frozen=True)
class _Rule:
    pattern: re.Pattern[str]
    negated: bool
    directories_only: bool
    base_name_only: bool

    def matches(self, path: str) -> bool:
        name = path.rsplit("/", 1)[-1] if self.base_name_only else path
        return self.pattern.fullmatch(name) is not None


@dataclass(frozen=True)
class HelmIgnore:
    """The rules of a `.helmignore`, followed by Helm's default rule."""

    rules: tuple[_Rule, ...]

    @classmethod
    def parse(cls, data: bytes, *, where: str) -> HelmIgnore:
        """Parse a `.helmignore`; pass b"" for a chart without one.

        Raises ChartError, with `where` and the line, for everything that Helm refuses: `**`, malformed patterns, and
        lines of 64 KiB or more.
        """
        if len(data) > _MAX_BYTES:
            raise ChartError(f"{where} has {len(data):,} bytes", remedy=f"{_MAX_BYTES:,} are enough for any chart")
        # Invalid UTF-8 becomes lone surrogates here, which match no file name.
        text = data.decode(errors="surrogateescape")
        rules: list[_Rule] = []
        # Go's bufio.Scanner ends lines at "\n" alone and drops one "\r" before it; trimming takes the rest.
        for number, line in enumerate([*text.removeprefix("\ufeff").split("\n"), _DEFAULT_RULE], start=1):
            if len(line) > _LONGEST_LINE // 4 and len(line.encode(errors="surrogateescape")) > _LONGEST_LINE:
                raise ChartError(f"{where}:{number}: the line is too long, so Helm would not load this chart")
            rule = line.strip(_SPACE)
            if not rule or rule.startswith("#"):
                continue
            if len(rules) > _MAX_RULES:
                raise ChartError(f"{where}:{number}: more than {_MAX_RULES} rules, each of which is tried on each file")
            try:
                rules.append(_parse_rule(rule))
            except ValueError as error:
                what = str(error).encode(errors="replace").decode()
                raise ChartError(f"{where}:{number}: {what}, so Helm would not load this chart") from error
        return cls(tuple(rules))

    def ignores(self, path: str, is_directory: bool) -> bool:
        """Whether Helm leaves out `path`, relative to the chart and with slashes."""
        for rule in self.rules:
            if rule.negated:
                if (rule.directories_only and not is_directory) or not rule.matches(path):
                    return True
            elif (is_directory or not rule.directories_only) and rule.matches(path):
                return True
        return False


def _parse_rule(rule: str) -> _Rule:
    if "**" in rule:
        raise ValueError(f"double-star (**) syntax is not supported: {rule}")
    try:
        _translate(rule)
    except _MalformedError as error:
        if error.is_noticed:
            raise
    negated = rule.startswith("!")
    body = rule[1:] if negated else rule
    directories_only = body.endswith("/")
    body = body.removesuffix("/")
    anchored = body.startswith("/")
    body = body.removeprefix("/")
    try:
        pattern = _translate(body)
    except _MalformedError:  # passed Helm's check of the whole line; such a rule matches nothing
        pattern = _NOTHING
    return _Rule(
        pattern=re.compile(pattern, re.DOTALL),
        negated=negated,
        directories_only=directories_only,
        base_name_only=not anchored and "/" not in body,
    )


class _MalformedError(ValueError):
    """A pattern for which Go returns ErrBadPattern once matching reaches the malformed part."""

    is_noticed = True
    """Whether Helm reaches that part when it checks a rule, by matching the pattern against "abc"."""


def _translate(pattern: str) -> str:
    """Return Go's filepath.Match pattern as a regular expression. Raises _MalformedError."""
    chunks = [""]  # the parts between the stars
    at = 0
    try:
        while at < len(pattern):
            if pattern[at] == "*":
                chunks.append("")
                at += 1
            else:
                text, at = _translate_one(pattern, at)
                chunks[-1] += text
    except _MalformedError as error:
        error.is_noticed = re.match(_before_last(chunks), "abc") is not None
        raise
    return _before_last(chunks) + (f"[^/]*?{chunks[-1]}" if len(chunks) > 1 else chunks[0])


def _before_last(chunks: list[str]) -> str:
    if len(chunks) == 1:
        return ""
    # As in Go, a chunk between two stars does not backtrack from its first match, so matching takes linear time.
    return chunks[0] + "".join(f"(?>[^/]*?{chunk})" for chunk in chunks[1:-1])


def _translate_one(pattern: str, at: int) -> tuple[str, int]:
    character = pattern[at]
    if character == "?":
        return "[^/]", at + 1
    if character == "[":
        return _translate_class(pattern, at + 1)
    if character == "\\":
        at += 1
        if at == len(pattern):
            raise _MalformedError(f"syntax error in pattern: {pattern}")
    return re.escape(pattern[at]), at + 1


def _translate_class(pattern: str, at: int) -> tuple[str, int]:
    negated = pattern[at : at + 1] == "^"
    at += negated
    ranges: list[str] = []
    while not (ranges and pattern[at : at + 1] == "]"):
        low, at = _class_character(pattern, at)
        high = low
        if pattern[at : at + 1] == "-":
            high, at = _class_character(pattern, at + 1)
        # In Go a reversed range matches nothing.
        ranges.append(f"{re.escape(low)}-{re.escape(high)}" if low <= high else "")
    inner = "".join(ranges)
    if not inner:
        return ("." if negated else _NOTHING), at + 1
    # In Go a class may match "/" if it is listed. A negated class matches every other character, including "/".
    return f"[{'^' if negated else ''}{inner}]", at + 1


def _class_character(pattern: str, at: int) -> tuple[str, int]:
    if at >= len(pattern) or pattern[at] in "-]":
        raise _MalformedError(f"syntax error in pattern: {pattern}")
    if pattern[at] == "\\":
        at += 1
    if at + 1 >= len(pattern) or "\udc80" <= pattern[at] <= "\udcff":
        raise _MalformedError(f"syntax error in pattern: {pattern}")
    return pattern[at], at + 1
