"""The configuration: YAML text to validated values, every problem with its line; the JSON Schema for editors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from chart_releaser import yamlio
from chart_releaser.config import problems as config_problems
from chart_releaser.config.model import (
    REGISTRATION,
    ChartPath,
    ConfigFile,
    Defaults,
    DirectoryDestination,
    GitHubDestination,
    Limits,
    Source,
    clean_chart_path,
    destination_kind,
)
from chart_releaser.config.problems import Problems, Tree
from chart_releaser.errors import ConfigError, YamlError
from chart_releaser.location import Server

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

_MAX_CHARACTERS = 1024 * 1024
_EXAMPLE = "write at least sources: with a name, a repo and charts"


@dataclass(frozen=True)
class Config:
    """A configuration that was found sound. `base` is the directory that relative paths in it start from."""

    destination: GitHubDestination | DirectoryDestination | None
    sources: tuple[Source, ...]
    target_dir: str | None
    base: Path


def parse_config(text: str, *, file: str, base: Path, server: Server | None = None) -> Config:
    """Read a configuration file's text; relative paths in it start at `base`.

    `file` names it in messages; `server` is the GitHub server of the run, github.com if None. Raises ConfigError with
    all problems, each `file:line: key: what`.
    """
    try:
        root = yamlio.compose(text.removeprefix("\ufeff"), where=file, max_characters=_MAX_CHARACTERS)
    except YamlError as error:
        raise ConfigError([f"{error.what}; {error.remedy or 'correct it there'}"]) from error
    problems = Problems(file)
    if root is None:
        problems.add(1, (), f"the file is empty; {_EXAMPLE}")
        raise ConfigError(problems.lines())
    tree = Tree(root, _known_keys(), problems)
    if not isinstance(tree.value, dict):
        problems.add(tree.line(()), (), f"a configuration is a mapping of keys; {_EXAMPLE}")
        raise ConfigError(problems.lines())
    _find_duplicates(tree, problems)
    written: ConfigFile | None = None
    try:
        written = ConfigFile.model_validate(tree.value, context={"base": base, "server": server or Server()})
    except ValidationError as error:
        _add_all(error, tree, problems)
    _find_nulls(tree, problems)
    if problems or written is None:
        raise ConfigError(problems.lines())
    sources = tuple(_with_defaults(source, written.defaults) for source in written.sources)
    return Config(written.destination, sources, written.target_dir, base)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the configuration file, for editors and checkers."""
    schema = ConfigFile.model_json_schema(by_alias=True)
    for model in (schema, *schema["$defs"].values()):
        del model["title"]
        for key, value in model.get("properties", {}).items():
            value.pop("title", None)
            if key not in model.get("required", ()):
                _without_null(value)
    schema["properties"]["targetdir"] = {
        "type": "string",
        "deprecated": True,
        "description": "The spelling of targetDir in earlier files.",
        "examples": ["charts"],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:chart-releaser:config",
        **schema,
        "title": "chart-releaser configuration",
    }


def _without_null(value: dict[str, Any]) -> None:
    """A key without a value is refused, so the schema must not offer null: absent is how to leave a key out."""
    choices = [choice for choice in value.get("anyOf", []) if choice.get("type") != "null"]
    if len(choices) == 1:
        del value["anyOf"]
        value.update({**choices[0], **value})
    if "default" in value and value["default"] is None:
        del value["default"]


def _with_defaults(source: Source, defaults: Defaults) -> Source:
    unsaid = defaults.model_fields_set - source.model_fields_set
    update = {name: getattr(defaults, name) for name in sorted(unsaid)}
    if "limits" in defaults.model_fields_set & source.model_fields_set:  # a mapping: each of its keys counts by itself
        own = {name: getattr(source.limits, name) for name in source.limits.model_fields_set}
        update["limits"] = defaults.limits.model_copy(update=own)
    return source.model_copy(update=update)


def _keys(*models: type[BaseModel]) -> list[str]:
    return list(dict.fromkeys(field.alias or name for model in models for name, field in model.model_fields.items()))


def _known_keys() -> dict[config_problems.Path, list[str]]:
    return {
        (): _keys(ConfigFile),
        ("destination",): _keys(GitHubDestination, DirectoryDestination),
        ("defaults",): _keys(Defaults),
        ("defaults", "limits"): _keys(Limits),
        ("sources", 0): _keys(Source),
        ("sources", 0, "limits"): _keys(Limits),
        ("sources", 0, "charts", 0): _keys(ChartPath),
    }


def _add_all(error: ValidationError, tree: Tree, problems: Problems) -> None:
    kind = destination_kind(tree.at(("destination",)))
    mine, other, beside_it, instead = (
        (DirectoryDestination, GitHubDestination, "owner and repo", "directory")
        if kind == "directory"
        else (GitHubDestination, DirectoryDestination, "directory", "owner and repo")
    )
    exclusive = f"is for a destination with {beside_it}, not for one with {instead}; keep one kind of destination"
    for found in error.errors(include_url=False):
        loc = found["loc"]
        # After `destination`, pydantic names the kind that it took the mapping for.
        path = (*loc[:1], *loc[2:]) if loc[0] == "destination" else loc
        if found["type"] == "too_short" and tree.at(path):
            continue  # pydantic counts the sound entries only, and the others are told one by one
        beside = tuple(0 if isinstance(step, int) else step for step in path[:-1])
        known = _known_keys().get(beside, [])
        elsewhere: dict[str, str] = {}
        if beside == ("destination",):
            known = _keys(mine)
            elsewhere = dict.fromkeys(set(_keys(other)) - set(known), exclusive)
        if found["type"] == "missing" and _is_misspelt(path, tree):
            continue  # the key that is most likely meant to be it is told, with its line
        what = config_problems.explain(found, path, tree, known, elsewhere)
        if found["type"] == "missing" and beside == ("destination",):
            what = "is missing; a destination has owner and repo, or a directory in their place"
        problems.add(tree.line(path), path, what)


def _is_misspelt(path: config_problems.Path, tree: Tree) -> bool:
    """Whether an unknown key stands where the one at `path` is missing, and looks like it."""
    beside = tree.at(path[:-1])
    known = _known_keys().get(tuple(0 if isinstance(step, int) else step for step in path[:-1]), [])
    keys = [str(key) for key in beside if key not in known] if isinstance(beside, dict) else []
    return any(config_problems.resembles(key, str(path[-1])) for key in keys)


def _find_nulls(tree: Tree, problems: Problems) -> None:
    """A key without a value is most often a slip, also where the key may be absent."""
    for path, place in tree.places.items():
        parent = tuple(0 if isinstance(step, int) else step for step in path[:-1])
        known = _known_keys().get(parent, [])
        if path and path[-1] in known and place.node.tag == "tag:yaml.org,2002:null":
            problems.add(place.line, path, "has no value; write one or take the key out")


def _find_duplicates(tree: Tree, problems: Problems) -> None:
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
                problems.add(line, path, f"{name!r} is the name of the source in line {names[name]}, too; rename one")
            names.setdefault(name, line)
        charts = source.get("charts")
        if isinstance(charts, list):
            _find_duplicate_paths(charts, ("sources", number, "charts"), tree, problems)


def _find_duplicate_paths(charts: list[Any], at: config_problems.Path, tree: Tree, problems: Problems) -> None:
    """The same path may be listed again for other releases only: each time with a range of its own."""
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
            what = f"{path!r} is listed in line {earlier}, too; take one out, or give each versions: of its own"
            problems.add(line, (*at, number), what)
        ranges.setdefault(versions, line)
