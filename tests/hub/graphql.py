"""GraphQL: answers a query field by field, or with GitHub's errors.

It implements only the necessary parts of the language, https://spec.graphql.org/October2021/, and of the schema,
https://docs.github.com/graphql/reference/objects#repository, #ref and #refupdaterule.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.hub.context import Context
from tests.hub.messages import DOCS, Refused, Response, json_response
from tests.hub.state import HubRepository

PATH = "/api/graphql"
_TOKEN = re.compile(r'[\s,]*(?:(?P<word>[A-Za-z_]\w*|\$[A-Za-z_]\w*)|(?P<text>"[^"\\\n]*")|(?P<mark>[!:(){}\[\]=])|$)')


@dataclass(frozen=True)
class Kind:
    """A field in the schema: the type of its value, and its arguments with their types."""

    type: str
    arguments: Mapping[str, str] = field(default_factory=dict)


SCHEMA: Mapping[str, Mapping[str, Kind]] = {
    "Query": {"repository": Kind("Repository", {"owner": "String!", "name": "String!"})},
    "Repository": {
        "name": Kind("String!"),
        "nameWithOwner": Kind("String!"),
        "isArchived": Kind("Boolean!"),
        "ref": Kind("Ref", {"qualifiedName": "String!"}),
    },
    "Ref": {"name": Kind("String!"), "prefix": Kind("String!"), "refUpdateRule": Kind("RefUpdateRule")},
    "RefUpdateRule": {"pattern": Kind("String!"), "viewerCanPush": Kind("Boolean!")},
}


@dataclass(frozen=True)
class Selection:
    """A field that a query selects."""

    name: str
    arguments: Mapping[str, str]
    """A variable with its `$`, or a JSON value."""
    inner: tuple[Selection, ...]


class Faulty(Exception):  # noqa: N818 - an answer, not a failure of this program
    """A query that is refused as a whole; `code` is GitHub's code for the error."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


def answer(context: Context) -> Response:
    """POST /graphql: 200 for every known caller, with `errors` beside or in place of `data`."""
    if context.token is None:
        raise Refused(401, "This endpoint requires you to be authenticated.", docs=f"{DOCS}/graphql")
    body = context.request.object()
    try:
        declared, selections = _parse(str(body.get("query") or ""))
        variables = dict(body.get("variables") or {})
        _check(declared, selections, variables)
    except Faulty as fault:
        error = {"message": str(fault)} | ({"extensions": {"code": fault.code}} if fault.code else {})
        return json_response(200, {"errors": [error]})
    errors: list[dict[str, Any]] = []
    data = {one.name: _repository(context, one, variables, errors) for one in selections}
    return json_response(200, {"data": data} | ({"errors": errors} if errors else {}))


def _parse(text: str) -> tuple[dict[str, str], tuple[Selection, ...]]:
    """Return the variables that a query declares, with their types, and the fields it selects. Raises Faulty."""
    words = list(_words(text))

    def take(*wanted: str) -> str:
        word = words.pop(0) if words else "end of file"
        if wanted and word not in wanted:
            raise Faulty(f'Parse error on "{word}", expected one of {", ".join(wanted)}')
        return word

    def pairs() -> Iterator[tuple[str, str]]:
        take("(")
        while words and words[0] != ")":
            name = take()
            take(":")
            value = take()
            yield name, value + (take("!") if words and words[0] == "!" else "")
        take(")")

    def selected() -> tuple[Selection, ...]:
        take("{")
        selections = []
        while words and words[0] != "}":
            name = take()
            if not name.isidentifier():
                raise Faulty(f'Parse error on "{name}"')
            arguments = dict(pairs()) if words and words[0] == "(" else {}
            selections.append(Selection(name, arguments, selected() if words and words[0] == "{" else ()))
        take("}")
        if not selections:
            raise Faulty('Parse error on "}" (RCURLY)')
        return tuple(selections)

    declared: dict[str, str] = {}
    if words and words[0] == "query":
        take()
        if words and words[0].isidentifier():
            take()
        declared = dict(pairs()) if words and words[0] == "(" else {}
    selections = selected()
    if words:
        raise Faulty(f'Parse error on "{words[0]}"')
    return declared, selections


def _words(text: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Faulty(f'Parse error on "{text[at : at + 10].strip()}"')
        at = match.end()
        if word := match["word"] or match["text"] or match["mark"]:
            yield word


def _check(declared: Mapping[str, str], selections: tuple[Selection, ...], variables: Mapping[str, object]) -> None:
    """Raise Faulty if the query does not match the schema, or the variables do not match the query."""
    used = {value for one in _all(selections) for value in one.arguments.values() if value.startswith("$")}
    _check_fields("Query", selections, declared)
    if unused := sorted(set(declared) - used):
        raise Faulty(f"Variable {unused[0]} is declared by anonymous query but not used", "variableNotUsed")
    for name, kind in declared.items():
        value = variables.get(name.removeprefix("$"))
        if not isinstance(value, str) and (kind.endswith("!") or value is not None):
            raise Faulty(f"Variable {name} of type {kind} was provided invalid value", "INVALID_VARIABLES")


def _all(selections: tuple[Selection, ...]) -> Iterator[Selection]:
    for one in selections:
        yield one
        yield from _all(one.inner)


def _check_fields(owner: str, selections: tuple[Selection, ...], declared: Mapping[str, str]) -> None:
    for one in selections:
        kind = SCHEMA[owner].get(one.name)
        if kind is None:
            raise Faulty(f"Field '{one.name}' doesn't exist on type '{owner}'", "undefinedField")
        for name, value in one.arguments.items():
            wanted = kind.arguments.get(name)
            if wanted is None:
                raise Faulty(f"Field '{one.name}' doesn't accept argument '{name}'", "argumentNotAccepted")
            if not value.startswith("$"):
                continue
            if value not in declared:
                raise Faulty(f"Variable {value} is used by anonymous query but not declared", "variableNotDefined")
            if declared[value] != wanted:
                raise Faulty(
                    f"Type mismatch on variable {value} and argument {name} ({declared[value]} / {wanted})",
                    "variableMismatch",
                )
        if missing := sorted(kind.arguments.keys() - one.arguments.keys()):
            raise Faulty(
                f"Field '{one.name}' is missing required arguments: {', '.join(missing)}", "missingRequiredArguments"
            )
        inner = kind.type.removesuffix("!")
        if (inner in SCHEMA) != bool(one.inner):
            has = "returns" if one.inner else "must have selections; it returns"
            raise Faulty(f"Selections can't be made here (field '{one.name}' {has} {inner})", "selectionMismatch")
        if one.inner:
            _check_fields(inner, one.inner, declared)


def _values(one: Selection, variables: Mapping[str, object]) -> dict[str, str]:
    return {
        name: str(variables[value[1:]]) if value.startswith("$") else value.strip('"')
        for name, value in one.arguments.items()
    }


def _repository(
    context: Context, one: Selection, variables: Mapping[str, object], errors: list[dict[str, Any]]
) -> dict[str, Any] | None:
    given = _values(one, variables)
    slug = f"{given['owner']}/{given['name']}"
    repository = context.hub.repository(context.hub.moved(slug) or slug)
    if repository is None or (repository.private and not (context.token and context.token.may_read(repository.slug))):
        message = f"Could not resolve to a Repository with the name '{slug}'."
        errors.append({"type": "NOT_FOUND", "path": [one.name], "message": message})
        return None
    gives: dict[str, Callable[[Selection], object]] = {
        "name": lambda _: repository.name,
        "nameWithOwner": lambda _: repository.slug,
        "isArchived": lambda _: repository.archived,
        "ref": lambda inner: _ref(context, repository, inner, _values(inner, variables)["qualifiedName"]),
    }
    return {inner.name: gives[inner.name](inner) for inner in one.inner}


def _ref(context: Context, repository: HubRepository, one: Selection, name: str) -> dict[str, Any] | None:
    if repository.git is None or repository.git.ref(name) is None:
        return None
    branch = name.removeprefix("refs/heads/")
    rule = None
    if branch in repository.protected_branches:
        may_push = context.token is not None and context.token.value in repository.pushers
        rule = {"pattern": branch, "viewerCanPush": may_push}
    gives: dict[str, Callable[[Selection], object]] = {
        "name": lambda _: branch,
        "prefix": lambda _: "refs/heads/",
        "refUpdateRule": lambda inner: (
            None if rule is None else {field.name: rule[field.name] for field in inner.inner}
        ),
    }
    return {inner.name: gives[inner.name](inner) for inner in one.inner}
