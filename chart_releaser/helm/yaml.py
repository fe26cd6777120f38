"""Interpret YAML as Helm does: go-yaml v2's types of plain scalars, and its conversion of values to strings.

Helm unmarshals through sigs.k8s.io/yaml, which parses with go-yaml v2, converts the result to JSON and, if the target
is a string, prints numbers and booleans back: an unquoted `appVersion: 1.10` becomes "1.1", and `010` becomes "8".
"""

from __future__ import annotations

import base64
import math
import re
import struct
from decimal import Decimal

import yaml

from chart_releaser import yamlio
from chart_releaser.errors import YamlError

_TRUE = frozenset({"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})
_FALSE = frozenset({"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_FLOAT_WORDS = {
    ".nan": math.nan,
    ".NaN": math.nan,
    ".NAN": math.nan,
    **{f"{sign}{word}": math.inf for sign in ("", "+") for word in (".inf", ".Inf", ".INF")},
    **{f"-{word}": -math.inf for word in (".inf", ".Inf", ".INF")},
}
# As in go-yaml v2's resolve.go: integers as for Go's strconv.ParseInt with base 0, except binary ones, then floats.
_INTEGER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|0[0-7]*|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")

Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"]
_LONGEST_INTEGER = 100  # in characters; 64 bits need fewer, unless there are leading zeros
_TYPE_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float"))
_BINARY_TAG = "tag:yaml.org,2002:binary"
_MERGE_TAG = "tag:yaml.org,2002:merge"


def _scalar(node: yaml.ScalarNode) -> Value:
    text: str = node.value
    if isinstance(node.tag, yamlio.ImplicitTag) or node.tag in _TYPE_TAGS:
        return _resolve(text)
    if node.tag == _BINARY_TAG:
        return base64.b64decode("".join(text.split()), validate=True).decode(errors="replace")
    return text


def _resolve(text: str) -> Value:
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text in _FLOAT_WORDS:
        return _FLOAT_WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    plain = text.replace("_", "")
    if _INTEGER.fullmatch(plain) and len(plain) <= _LONGEST_INTEGER:
        number = _integer(plain)
        if -(2**63) <= number < (2**63 if plain[0] == "+" else 2**64):
            return number
    # go-yaml reads integers beyond 64 bits as floats if they are decimal, else as strings.
    if _FLOAT.fullmatch(plain):
        value = float(plain)
        return text if math.isinf(value) else value
    return text


def _integer(plain: str) -> int:
    sign = -1 if plain[0] == "-" else 1
    digits = plain.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits[1] in "01234567":
        return sign * int(digits, 8)
    return sign * int(digits, 0)


def construct(node: yaml.Node | None, *, where: str) -> Value:
    """Return the value that Helm reads from a node of yamlio: merge keys applied, keys as strings, last duplicate wins.

    Raises YamlError, with `where` and the line, for keys and merges that Helm does not load.
    """
    if isinstance(node, yaml.ScalarNode):
        try:
            return _scalar(node)
        except ValueError as error:
            raise YamlError(f"{where}:{yamlio.line_of(node)}: !!binary with something other than base64") from error
    if isinstance(node, yaml.SequenceNode):
        return [construct(item, where=where) for item in node.value]
    if not isinstance(node, yaml.MappingNode):
        return None
    result: dict[str, Value] = {}
    for key, value in node.value:
        if key.tag == _MERGE_TAG:
            # In go-yaml v2 a merge overrides the keys above it. In a list of mappings, the first one wins.
            for part in reversed(value.value) if isinstance(value, yaml.SequenceNode) else [value]:
                merged = construct(part, where=where)
                if not isinstance(merged, dict):
                    raise YamlError(f"{where}:{yamlio.line_of(value)}: << can merge only mappings")
                result.update(merged)
        else:
            name = construct(key, where=where)
            if name is None or isinstance(name, list | dict):
                raise YamlError(f"{where}:{yamlio.line_of(key)}: a key that is not text, a number or a boolean")
            result[as_string(name)] = construct(value, where=where)
    return result


def as_string(value: Value) -> str:
    """Return the text that Helm puts into a string field for `value`. Lists and mappings give the empty string."""
    if value is None or isinstance(value, list | dict):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _format_float(value)
    return str(value)


def _format_float(value: float) -> str:
    """Format like Go's strconv.FormatFloat(value, 'g', -1, 32), which sigs.k8s.io/yaml calls."""
    try:
        single: float = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        single = math.copysign(math.inf, value)
    if math.isnan(single):
        return "NaN"
    if math.isinf(single):
        return "+Inf" if single > 0 else "-Inf"
    if single == 0:
        return "-0" if math.copysign(1, single) < 0 else "0"
    shortest = next(
        text
        for precision in range(9)
        if struct.pack("f", float(text := f"{single:.{precision}e}")) == struct.pack("f", single)
    )
    mantissa, exponent = shortest.split("e")
    point = int(exponent)
    if -4 <= point < 6:
        return format(Decimal(shortest).normalize(), "f")
    return f"{mantissa}e{'-' if point < 0 else '+'}{abs(point):02d}"
