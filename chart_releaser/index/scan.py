"""Read the excerpt of an index with regular expressions, if it has the layout that Helm and this program write.

A YAML parser makes an event of every scalar, but a run with nothing to publish needs only one in ten. So the text is
matched against that layout, entry by entry. A text that matches from the first byte to the last is unambiguous to any
reader. Every other text has to be parsed.
"""

from __future__ import annotations

import re

from chart_releaser.index.entry import ENTRY_FIELDS, ITEM_FIELDS
from chart_releaser.index.excerpt import Excerpt
from chart_releaser.index.text import MAX_CHARACTERS


def _all(pattern: bytes, least: bytes = b"*") -> bytes:
    """Return a possessive repetition of `pattern`: without backtracking, so that matching takes linear time."""
    # Not `(?:...)*+`, which Python 3.11.4 and before match wrongly where the pattern backtracks: python/cpython#106052
    return rb"(?>(?:" + pattern + rb")" + least + rb")"


_KEY = rb"[A-Za-z][\w./-]*+:"
# A line of a plain scalar does not begin with an indicator, and does not contain `: ` or ` #`.
# https://yaml.org/spec/1.1/#id906890
_PLAIN = rb"[\w/.(<^~$+\x80-\xff][^\n:#]*+" + _all(rb"(?::(?=[^ \n])|(?<! )#)[^\n:#]*+")


def _scalar(indent: int) -> bytes:
    """Return the pattern of a scalar up to its line's end. Older Helms fold it to lines indented by `indent`."""
    more = rb"\n\n*+" + b" " * indent
    double = rb"\"" + _all(rb"[^\"\\\n]|\\[\"\\/nt]|\\?" + more) + rb"\""
    single = rb"'" + _all(rb"[^'\n]|''|" + more) + rb"'"
    plain = _PLAIN + _all(more + _PLAIN)
    return rb"(?:(?:" + double + rb"|" + single + rb"|\[\]|\{\}|" + plain + rb")\n)"


def _value(indent: int) -> bytes:
    """Return the pattern of what follows a key: a scalar, or a block scalar indented by `indent`."""
    margin = b" " * indent
    lines = margin + rb"[^ \n][^\n]*+\n" + _all(margin + rb"[^\n]*+\n|\n")
    return rb" (?:" + _scalar(indent) + rb"|[|>][-+]?\n" + lines + rb")"


_MEMBER = _KEY + rb"(?:" + _value(8) + rb"|\n" + _all(rb"      - " + _scalar(8), b"+") + rb")"
_ITEMS = _all(rb"    - (?:" + _MEMBER + _all(rb"      " + _MEMBER) + rb"|" + _scalar(6) + rb")", b"+")
_PAIRS = _all(rb"      " + _KEY + _value(8), b"+")
_OTHER = rb"(?!version:|digest:|urls:)" + _KEY + rb"(?:" + _value(6) + rb"|\n(?:" + _ITEMS + rb"|" + _PAIRS + rb"))"
# Only values that no reader could take for anything but text; others are left to the parser.
_URL = rb"[A-Za-z0-9][\w.%+~/:-]*\.tgz"
_SEMVER = rb"v?[0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]*)?"


def _field(number: int) -> bytes:
    """Return the pattern of a field of an entry; the needed fields are groups whose names end in `number`."""
    pattern = (
        rb"(?:version: (?P<q#>[\"']?)(?P<version#>" + _SEMVER + rb")(?P=q#)\n"
        rb"|digest: (?P<r#>[\"']?)(?P<digest#>[0-9a-f]{64})(?P=r#)\n"
        rb"|urls:\n    - (?P<url#>" + _URL + rb")\n(?:    - " + _URL + rb"\n)*"
    )
    return pattern.replace(b"#", b"%d" % number) + rb"|" + _OTHER + rb")"


_HEAD = re.compile(rb"apiVersion: v1\nentries:\n")
_CHART = re.compile(rb"  ([A-Za-z][\w.-]*):\n(?=  - )", re.ASCII)
_ENTRY = re.compile(rb"  - " + _field(1) + rb"(?:    " + _field(2) + rb")*", re.ASCII)
_WANTED = ("version2", "version1", "digest2", "digest1", "url2", "url1")
_TAIL = re.compile(rb"(?:generated: \"[0-9TZ:.+-]*\"\n)?")

# Within the layout above, these lines are fields of an entry, and nothing else is.
_FIELD_NAMES = re.compile(rb"^(?:    |  - )([A-Za-z][\w./-]*):", re.MULTILINE)
# Those of maintainers and dependencies. The keys of annotations have a dot or a slash, or are left to the parser.
_NAMES_BELOW = re.compile(rb"^(?:    - |      )([A-Za-z][\w-]*): ", re.MULTILINE)
_NOT_BOOLEAN = re.compile(rb"^(?:    |  - )(?:deprecated|removed): (?!(?:true|false)$)", re.MULTILINE)
_NOT_TEXT = re.compile(
    rb"^(?:    - |(?:    |  - )(?!deprecated:|removed:)[A-Za-z][\w./-]*: )"
    rb"(?:[-+]?(?:0x[0-9a-f_]+|[0-9_]*\.?[0-9_]*(?:e[-+]?[0-9]+)?|\.inf|\.nan)|[yn~]|true|false|yes|no|on|off|null)$",
    re.MULTILINE | re.IGNORECASE,
)
_USUAL = bytes(range(0x20, 0x7F)) + b"\n"
# Unusual line breaks, and characters that YAML does not allow.
_ODD = re.compile(rb"[\x00-\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]|\xef\xbb\xbf|\xef\xbf[\xbe\xbf]")


def scan(data: bytes) -> Excerpt | None:
    """Return the excerpt of an index, or None if its text has to be parsed."""
    head = _HEAD.match(data)
    if head is None or len(data) > MAX_CHARACTERS or not _is_utf8(data) or _is_odd(data):
        return None
    charts: dict[str, dict[str, tuple[str, str]]] = {}
    sizes: dict[str, int] = {}  # in bytes, which are at least as many as the characters
    at = head.end()
    while (chart := _CHART.match(data, at)) is not None:
        name = chart[1].decode()
        if name in charts:
            return None
        versions = charts[name] = {}
        at = chart.end()
        while (entry := _ENTRY.match(data, at)) is not None:
            # The last of repeated keys counts, as for YAML readers.
            version, version1, digest, digest1, url, url1 = entry.group(*_WANTED)
            if version := version or version1:
                pair = (digest or digest1 or b"").decode(), (url or url1 or b"").decode()
                versions.setdefault(version.decode(), pair)
            at = entry.end()
        sizes[name] = at - chart.start()
    is_whole = bool(charts) and _TAIL.fullmatch(data, at) is not None
    return Excerpt(charts, len(data), sizes) if is_whole and not _may_be_refused(data) else None


def _may_be_refused(data: bytes) -> bool:
    """Tell whether Helm may refuse the index: for a field that it does not know, or a value that is not text to it."""
    unknown = {key.decode() for key in _FIELD_NAMES.findall(data)} - ENTRY_FIELDS
    unknown_below = {key.decode() for key in _NAMES_BELOW.findall(data)} - ITEM_FIELDS - ENTRY_FIELDS
    return bool(unknown or unknown_below) or _NOT_TEXT.search(data) is not None or _NOT_BOOLEAN.search(data) is not None


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_odd(data: bytes) -> bool:
    # In UTF-8 no character begins inside another one, so the usual ASCII can be removed before the slower search.
    return _ODD.search(data.translate(None, _USUAL)) is not None
