"""Parse a configuration: YAML text to validated values, or all problems with their lines. Make its JSON Schema."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from chart_releaser import yamlio
from chart_releaser.config.model import (
    REGISTRATION,
    ChartPath,
    ConfigFile,
    Defaults,
    DirectoryDestination,
    GitHubDestination,
    Limits,
    Source,
    destination_kind,
)
from chart_releaser.config.problems import ConfigTree, KeyPath, Problems, describe_error, resembles
from chart_releaser.config.values import clean_chart_path
from chart_releaser.errors import ConfigError, YamlError
from chart_releaser.location import GitHubRepository, Server

__all__ = [
    "REGISTRATION",
    "ChartPath",
    "Config",
    "DirectoryDestination",
    "GitHubDestination",
    "Source",
    "json_schema",
    "parse_config",
]

_OWN_KEYS = "x-"
"""How top-level keys begin that are the user's own."""
_MAX_CHARACTERS = 1024 * 1024
_EXAMPLE = "write at least sources: with a name, a repo and charts"


@dataclass(frozen=True)
class Config:
    """A valid configuration. Relative paths in it start from the directory `base`."""

    destination: GitHubDestination | DirectoryDestination | None
    sources: tuple[Source, ...]
    target_dir: str | None
    base: Path


def parse_config(text: str, *, file: str, base: Path, server: Server | None = None) -> Config:
    """Parse the text of a configuration file. Relative paths in it start from `base`.

    `file` names it in messages. `server` is the GitHub server of the run, by default github.com. Raises ConfigError
    with all problems, each as `file:line: key: what`.
    """
    try:
        root = yamlio.compose(text.removeprefix("\ufeff"), where=file, max_characters=_MAX_CHARACTERS)
    except YamlError as error:
        raise ConfigError([f"{error.what}; {error.remedy or 'correct it there'}"]) from error
    problems = Problems(file)
    if root is None:
        problems.add(1, (), f"the file is empty; {_EXAMPLE}")
        raise ConfigError(problems.lines())
    tree = ConfigTree(root, _known_keys(), problems)
    if not isinstance(tree.value, dict):
        problems.add(tree.line(()), (), f"a configuration is a mapping of keys; {_EXAMPLE}")
        raise ConfigError(problems.lines())
    _find_duplicates(tree, problems)
    parsed: ConfigFile | None = None
    try:
        known = {key: value for key, value in tree.value.items() if not str(key).startswith(_OWN_KEYS)}
        parsed = ConfigFile.model_validate(known, context={"base": base, "server": server or Server()})
    except ValidationError as error:
        _add_validation_errors(error, tree, problems)
    _find_nulls(tree, problems)
    if problems or parsed is None:
        raise ConfigError(problems.lines())
    sources = tuple(_following(_with_defaults(source, parsed.defaults)) for source in parsed.sources)
    return Config(parsed.destination, sources, parsed.target_dir, base)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the configuration file, for editors and validators."""
    schema = ConfigFile.model_json_schema(by_alias=True)
    for model in (schema, *schema["$defs"].values()):
        del model["title"]
        for key, value in model.get("properties", {}).items():
            value.pop("title", None)
            if key not in model.get("required", ()):
                _remove_null(value)
    schema["properties"]["targetdir"] = {
        "type": "string",
        "deprecated": True,
        "description": "The spelling of targetDir in earlier files.",
        "examples": ["charts"],
    }
    schema["patternProperties"] = {f"^{_OWN_KEYS}": {"description": "The user's own keys, such as for anchors."}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:chart-releaser:config",
        **schema,
        "title": "chart-releaser configuration",
    }


def _remove_null(value: dict[str, Any]) -> None:
    """Remove null from the allowed types: a key without a value is an error, so the schema must not offer it."""
    choices = [choice for choice in value.get("anyOf", []) if choice.get("type") != "null"]
    if len(choices) == 1:
        del value["anyOf"]
        value.update({**choices[0], **value})
    if "default" in value and value["default"] is None:
        del value["default"]


def _following(source: Source) -> Source:
    """Return `source` with a location that says whether its tags are its releases."""
    if source.follow == "releases" or not isinstance(source.location, GitHubRepository):
        return source
    return source.model_copy(update={"location": replace(source.location, follows_tags=True)})


def _with_defaults(source: Source, defaults: Defaults) -> Source:
    unset = defaults.model_fields_set - source.model_fields_set
    update = {name: getattr(defaults, name) for name in sorted(unset)}
    if "limits" in defaults.model_fields_set & source.model_fields_set:  # limits are merged key by key
        own = {name: getattr(source.limits, name) for name in source.limits.model_fields_set}
        update["limits"] = defaults.limits.model_copy(update=own)
    return source.model_copy(update=update)


def _keys(*models: type[BaseModel]) -> list[str]:
    return list(dict.fromkeys(field.alias or name for model in models for name, field in model.model_fields.items()))


def _known_keys() -> dict[KeyPath, list[str]]:
    return {
        (): _keys(ConfigFile),
        ("destination",): _keys(GitHubDestination, DirectoryDestination),
        ("defaults",): _keys(Defaults),
        ("defaults", "limits"): _keys(Limits),
        ("sources", 0): _keys(Source),
        ("sources", 0, "limits"): _keys(Limits),
        ("sources", 0, "charts", 0): _keys(ChartPath),
    }


def _add_validation_errors(error: ValidationError, tree: ConfigTree, problems: Problems) -> None:
    kind = destination_kind(tree.at(("destination",)))
    mine, other, beside_it, instead = (
        (DirectoryDestination, GitHubDestination, "owner and repo", "directory")
        if kind == "directory"
        else (GitHubDestination, DirectoryDestination, "directory", "owner and repo")
    )
    exclusive = f"is for a destination with {beside_it}, not for one with {instead}; keep one kind of destination"
    for detail in error.errors(include_url=False):
        loc = detail["loc"]
        # After `destination`, pydantic inserts the tag of the union, which is not in the file.
        path = (*loc[:1], *loc[2:]) if loc[0] == "destination" else loc
        if detail["type"] == "too_short" and tree.at(path):
            continue  # pydantic counts only valid entries, and the invalid ones are reported one by one
        beside = tuple(0 if isinstance(step, int) else step for step in path[:-1])
        known = _known_keys().get(beside, [])
        elsewhere: dict[str, str] = {}
        if beside == ("destination",):
            known = _keys(mine)
            elsewhere = dict.fromkeys(set(_keys(other)) - set(known), exclusive)
        if detail["type"] == "missing" and _is_misspelled(path, tree):
            continue  # the misspelled key itself is reported, with its line
        what = describe_error(detail, path, tree, known, elsewhere)
        if detail["type"] == "missing" and beside == ("destination",):
            what = "is missing; a destination has owner and repo, or a directory in their place"
        problems.add(tree.line(path), path, what)


def _is_misspelled(path: KeyPath, tree: ConfigTree) -> bool:
    """Whether the mapping that lacks the key at `path` has an unknown key that resembles it."""
    beside = tree.at(path[:-1])
    known = _known_keys().get(tuple(0 if isinstance(step, int) else step for step in path[:-1]), [])
    keys = [str(key) for key in beside if key not in known] if isinstance(beside, dict) else []
    return any(resembles(key, str(path[-1])) for key in keys)


def _find_nulls(tree: ConfigTree, problems: Problems) -> None:
    """Report keys without a value, even optional ones: most are mistakes."""
    for path, place in tree.places.items():
        parent = tuple(0 if isinstance(step, int) else step for step in path[:-1])
        known = _known_keys().get(parent, [])
        if path and path[-1] in known and place.node.tag == "tag:yaml.org,2002:null":
            problems.add(place.line, path, "has no value; write one or take the key out")


def _find_duplicates(tree: ConfigTree, problems: Problems) -> None:
    names: dict[str, int] = {}
    sources = tree.at(("sources",))
    for number, source in enumerate(sources if isinstance(sources, list) else []):
        if not isinstance(source, dict):
            continue
        name = source.get("name")
        if isinstance(name, str):
            path = ("sources", number, "name")
            line = tree.line(path)
            if name in names:
                problems.add(line, path, f"{name!r} is also the name of the source in line {names[name]}; rename one")
            names.setdefault(name, line)
        charts = source.get("charts")
        if isinstance(charts, list):
            _find_duplicate_paths(charts, ("sources", number, "charts"), tree, problems)


def _find_duplicate_paths(charts: list[Any], at: KeyPath, tree: ConfigTree, problems: Problems) -> None:
    """Report paths that are listed twice, unless each has a different range in `versions`."""
    first: dict[str, dict[str | None, int]] = {}
    for number, entry in enumerate(charts):
        chart = entry if isinstance(entry, dict) else {"path": entry}
        path, versions = chart.get("path"), chart.get("versions")
        if not isinstance(path, str) or not isinstance(versions, str | None):
            continue
        try:
            ranges = first.setdefault(clean_chart_path(path), {})
        except ValueError:
            continue
        line = tree.line((*at, number))
        clash = versions if versions in ranges else None
        if ranges and (versions is None or clash in ranges):
            earlier = ranges.get(clash, min(ranges.values()))
            what = f"{path!r} is also listed in line {earlier}; remove one, or give each its own versions:"
            problems.add(line, (*at, number), what)
        ranges.setdefault(versions, line)
