"""Load and dump YAML safely: bounds on size and nesting, nodes with positions, output that every reader reads alike."""

from __future__ import annotations

import contextlib
import functools
import gc
import re
from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from chart_releaser.errors import YamlError

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class ImplicitTag(str):
    """The tag that PyYAML resolved for a plain scalar without an explicit one. Other readers may resolve another."""

    __slots__ = ()


class _NodeLoader(_Loader):  # type: ignore[misc]
    """The safe loader, with nodes that distinguish `1.10` from `!!str 1.10`."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        if kind is yaml.ScalarNode and implicit[0]:
            return _plain_tag(value) if len(value) <= _LONGEST_CACHED else _plain_tag.__wrapped__(value)
        return super().resolve(kind, value, implicit)


_LONGEST_CACHED = 64  # characters; short values such as true, 1 and "" repeat most
_TAGS: dict[str, ImplicitTag] = {}


@functools.lru_cache(maxsize=16384)
def _plain_tag(value: str) -> ImplicitTag:
    """Return the tag of a plain scalar, as PyYAML's resolver gives it."""
    resolvers = _Loader.yaml_implicit_resolvers
    for tag, pattern in (*resolvers.get(value[:1], ()), *resolvers.get(None, ())):
        if pattern.match(value):
            return _TAGS.setdefault(tag, ImplicitTag(tag))
    default = "tag:yaml.org,2002:str"
    return _TAGS.setdefault(default, ImplicitTag(default))


# Exceptions that PyYAML does not convert to YAMLError: for a tag that does not fit its value (`!!int x`,
# `!!timestamp x`), for the date 0000-00-00, for a key that contains itself, and for lone surrogates.
CONSTRUCTION_ERRORS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)

MAX_CHARACTERS = 20 * 1024 * 1024
MAX_NODES = 1_000_000
MAX_DEPTH = 200


def load(text: str, *, where: str, max_characters: int = MAX_CHARACTERS) -> Any:
    """Return the Python value of a YAML text with one document, or None if it is empty.

    `where` names the text in messages. Raises YamlError for malformed YAML, several documents, application-specific
    tags, and texts beyond the bounds on characters, nesting, and nodes after alias expansion.
    """
    _check_text(text, where, max_characters)
    if _ALIAS.search(text):  # `compose` checks the size after alias expansion
        compose(text, where=where, max_characters=max_characters)
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - the safe loader, from libyaml where available
    except yaml.YAMLError as error:
        raise _yaml_error(error, where) from error
    except CONSTRUCTION_ERRORS as error:
        raise YamlError(f"{where}: unusable YAML: {' '.join(str(error).split())}") from error


def compose(text: str, *, where: str, max_characters: int = MAX_CHARACTERS) -> yaml.Node | None:
    """Return the root node of a YAML text with one document, or None if it is empty. Bounds and errors as in `load`.

    `start_mark` and `end_mark` of a node have `.index` (in characters), `.line` and `.column`, all from 0.
    """
    documents = compose_all(text, where=where, max_characters=max_characters)
    if len(documents) > 1:
        raise YamlError(f"{where}:{line_of(documents[1])}: a second YAML document begins here, one was expected")
    return documents[0] if documents else None


def compose_all(text: str, *, where: str, max_characters: int = MAX_CHARACTERS) -> list[yaml.Node]:
    """Return the root nodes of all documents that are not empty. Bounds and errors as in `load`."""
    _check_text(text, where, max_characters)
    try:
        with gc_paused():
            documents = [node for node in yaml.compose_all(text, Loader=_NodeLoader) if not _is_empty(node)]
    except yaml.YAMLError as error:
        raise _yaml_error(error, where) from error
    except UnicodeEncodeError as error:
        raise YamlError(f"{where}: unusable YAML: {error}") from error
    # A text without aliases was checked before it was parsed. Visiting every node would double the time.
    if _ALIAS.search(text):
        for node in documents:
            _check_graph(node, where)
    return documents


def count_nodes(text: str, *, where: str, enough: int) -> int:
    """Return the number of nodes in a text after alias expansion, or any upper bound below `enough`.

    The bound spares parsing most texts: counting costs a third of the time that composing takes. Errors as in `load`.
    """
    if not _ALIAS.search(text):
        # Every node follows one of these characters, or is the null of a key without a value.
        most = 2 + sum(map(text.count, "\n:-")) + 2 * sum(map(text.count, ",[{?"))
        return most if most < enough else _check_events(text, where)
    return sum(_check_graph(node, where) for node in compose_all(text, where=where))


@contextlib.contextmanager
def gc_paused() -> Iterator[None]:
    """Pause the garbage collector, which would traverse the growing heap of nodes repeatedly and find nothing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def line_of(node: yaml.Node | yaml.Event) -> int:
    """Return the line, from 1, on which a node or an event begins."""
    mark: Any = node.start_mark
    return int(mark.line) + 1


def _is_empty(node: yaml.Node | None) -> bool:
    return node is None or (isinstance(node, yaml.ScalarNode) and node.value == "" and not node.style)


_ALIAS = re.compile(r"\*[0-9A-Za-z_-]")
# Places where a flow collection can begin; elsewhere a bracket is part of a scalar.
_OPENINGS = re.compile(r"(?<![^\s\[{,:?\-'\"\ufeff])[\[{]")
# Directives, such as %TAG. libyaml compares each with all earlier ones: in quadratic time, and holding the GIL.
_DIRECTIVE = re.compile("(?:^|[\n\r\x85\u2028\u2029])%")
MAX_DIRECTIVES = 50
# Each level of block nesting needs at least one more of these at the beginning of a line. The pattern is not anchored
# to line starts, because YAML 1.1 has more line breaks than "\n".
_INDENTATION = re.compile(rf"[ \t?:-]{{{MAX_DEPTH // 4}}}")


def _check_text(text: str, where: str, max_characters: int) -> None:
    if len(text) > max_characters:
        raise YamlError(f"{where}: {len(text):,} characters of YAML", remedy=f"at most {max_characters:,} are read")
    check_directives(text, where)
    # PyYAML's libyaml bindings compose nodes by recursion in C: a deeply nested text would crash the process. Length,
    # brackets and indentation show that most texts are small and shallow. The others are checked event by event,
    # which needs no recursion and no memory.
    if len(text) > MAX_NODES // 4 or _INDENTATION.search(text) or len(_OPENINGS.findall(text)) > MAX_DEPTH // 4:
        _check_events(text, where)


def check_directives(text: str, where: str) -> None:
    """Raise YamlError for more directives than libyaml parses in reasonable time. Call it before parsing."""
    if text.count("%") > MAX_DIRECTIVES and len(_DIRECTIVE.findall(text)) > MAX_DIRECTIVES:
        raise YamlError(f"{where}: more than {MAX_DIRECTIVES} lines that begin with %, as YAML directives do")


def _check_events(text: str, where: str) -> int:
    """Return the number of nodes in a text without alias expansion. Raises YamlError for too many or too deep ones."""
    depth = nodes = 0
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.NodeEvent):
                nodes += 1
                if nodes > MAX_NODES:
                    raise YamlError(f"{where}:{line_of(event)}: more than {MAX_NODES:,} nodes of YAML")
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH - 1:  # the scalar inside counts as a level
                    raise YamlError(f"{where}:{line_of(event)}: nested deeper than {MAX_DEPTH} levels")
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    except yaml.YAMLError as error:
        raise _yaml_error(error, where) from error
    except UnicodeEncodeError as error:
        raise YamlError(f"{where}: unusable YAML: {error}") from error
    return nodes


def _yaml_error(error: yaml.YAMLError, where: str) -> YamlError:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    context = getattr(error, "context", None)
    line = f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""
    detail = f"{problem} ({context})" if context else str(problem)
    return YamlError(f"{where}{line}: malformed YAML: {' '.join(detail.split())}")


def child_nodes(node: yaml.Node) -> Iterable[yaml.Node]:
    """Yield the direct children of a node, each key before its value."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _check_graph(root: yaml.Node, where: str) -> int:
    """Return the number of nodes after alias expansion. Raises YamlError for too many, and for cycles.

    Consumers of a text expand aliases, so a short text can stand for billions of nodes.
    """
    weights: dict[int, tuple[int, int]] = {}  # node -> nodes when expanded, depth
    unfinished: set[int] = set()
    stack: list[tuple[yaml.Node, bool]] = [(root, False)]
    while stack:
        node, leaving = stack.pop()
        key = id(node)
        if leaving:
            unfinished.discard(key)
            below = [weights[id(child)] for child in child_nodes(node)]
            size = 1 + sum(weight for weight, _ in below)
            depth = 1 + max((deep for _, deep in below), default=0)
            line = line_of(node)
            if size > MAX_NODES:
                raise YamlError(f"{where}:{line}: aliases expand to more than {MAX_NODES:,} nodes")
            if depth > MAX_DEPTH:
                raise YamlError(f"{where}:{line}: nested deeper than {MAX_DEPTH} levels")
            weights[key] = (size, depth)
        elif key in unfinished:
            raise YamlError(f"{where}:{line_of(node)}: an alias refers to a node that contains it")
        elif key not in weights:
            if isinstance(node, yaml.ScalarNode):
                weights[key] = (1, 1)
                continue
            unfinished.add(key)
            stack.append((node, True))
            stack.extend((child, False) for child in child_nodes(node))
    return weights[id(root)][0]


# Plain scalars that some reader of YAML 1.1 or 1.2 (PyYAML, ruamel.yaml, go-yaml v2 and v3, JavaScript's yaml) does not
# read as a string. Wider than any one of them, because unneeded quotes do no harm.
_AMBIGUOUS = re.compile(
    r"""
    [-+]?[0-9._][-+0-9._:eExXoObBaAcCdDfFTtZz\s]*   # numbers of every base, dates, times, sexagesimals, versions
    | [-+]?\.(?:inf|nan) | ~ | = | <<
    | y | n | yes | no | on | off | true | false | null
    """,
    re.VERBOSE | re.IGNORECASE,
)
_PLAIN = re.compile(r"[A-Za-z_/.$(^0-9][^\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]*")
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]*)?")


class _StrictDumper(_Dumper):  # type: ignore[misc]
    """The safe dumper, with quotes around every string that some reader would not read as a string."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _represent_str(_dumper: Any, value: str) -> yaml.Node:
    plain = bool(_PLAIN.fullmatch(value)) and (
        not _AMBIGUOUS.fullmatch(value) or (bool(_VERSION.fullmatch(value)) and not re.search(r"[eE]|_", value))
    )
    return yaml.ScalarNode("tag:yaml.org,2002:str", value, style=None if plain else '"')


_StrictDumper.add_representer(str, _represent_str)


def dump(value: Any, *, sort_keys: bool = True) -> str:
    """Return `value` as block-style YAML that all readers read alike. Keys are sorted by default, as Helm does.

    Strings that could be read as a number, boolean, null or date are in double quotes. Long lines are not folded.
    """
    return str(
        yaml.dump(
            value,
            Dumper=_StrictDumper,
            sort_keys=sort_keys,
            default_flow_style=False,
            allow_unicode=True,
            width=2**31 - 1,
        )
    )
