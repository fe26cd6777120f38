"""Check and convert single values of the configuration: names, paths, addresses, ranges, quantities."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, PlainValidator, ValidationInfo
from pydantic_core import PydanticKnownError

from chart_releaser.location import Location, check_repository_name, parse_location
from chart_releaser.versions import Range

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CHART_NAME = re.compile(r"[a-zA-Z0-9._-]+", re.ASCII)
_BAD_IN_REF = re.compile(r"\.\.|@\{|//|[\x00-\x20\x7f~^:?*\[\\]|/\.|\.lock(/|$)|^[-./]|[./]$|^@$")


def check_chart_name(name: str) -> str:
    """Return `name` if Helm accepts it as a chart name and git as the beginning of a tag; else raise ValueError."""
    if not _CHART_NAME.fullmatch(name) or len(name) > 250:
        raise ValueError(
            f"{name!r} is not a name that Helm accepts: up to 250 letters, digits, dots, hyphens, underscores"
        )
    if _BAD_IN_REF.search(name):
        raise ValueError(f"{name!r} can't begin a release's tag: no .. in it, no - or . first, no . or .lock last")
    return name


def clean_chart_path(path: str) -> str:
    """Return `path` normalized, if it is relative and stays inside the repository; else raise ValueError."""
    if not path.strip():
        raise ValueError("is empty; name a chart's directory in the repository")
    if _CONTROL.search(path):
        raise ValueError("has a control character")
    if "\\" in path:
        raise ValueError(f"{path!r} has a backslash; paths are written with /")
    if path.startswith(("/", "~")) or re.match(r"[A-Za-z]:", path):
        raise ValueError(f"{path!r} is absolute; write it relative to the repository's top, such as charts/name")
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise ValueError(f"{path!r} has a .. in it; write it from the repository's top, such as charts/name")
    return "/".join(parts) or "."


def check_branch_name(name: str) -> str:
    if name.startswith("refs/"):
        raise ValueError(f"{name!r} is a full reference; write {name.removeprefix('refs/').removeprefix('heads/')!r}")
    if not name or name == "HEAD" or _BAD_IN_REF.search(name):
        raise ValueError(f"{name!r} is not a branch name that git accepts")
    return name


def check_owner(name: str) -> str:
    _check_one_name(name)
    check_repository_name(name, "x")
    return name


def check_repo_name(name: str) -> str:
    _check_one_name(name)
    check_repository_name("x", name)
    return name


def _check_one_name(name: str) -> None:
    owner, slash, repo = name.partition("/")
    if slash and owner and repo and "/" not in repo:
        raise ValueError(f"{name!r} is both names in one; write owner: {owner} and repo: {repo}")


def convert_location(repo: object, info: ValidationInfo) -> Location:
    if not isinstance(repo, str):
        raise PydanticKnownError("string_type")
    context: dict[str, Any] = info.context or {}
    return parse_location(repo, base=context["base"], server=context["server"])


def _absolute_path(path: str, base: Path) -> Path:
    try:
        return (base / Path(path).expanduser()).absolute()
    except RuntimeError:
        raise ValueError(f"{path!r}: there is no such home directory") from None


def convert_directory(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str):
        return value
    context: dict[str, Any] = info.context or {}
    return _absolute_path(check_text(value), context["base"])


def check_text(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty; write a value or take the key out")
    if _CONTROL.search(text):
        raise ValueError("has a control character")
    return text


def check_version(text: str) -> str:
    check_text(text)
    if _BAD_IN_REF.search(text):  # it is part of a tag's name
        raise ValueError(f"{text!r} is not a version; write one such as v1.2.3")
    return text


def check_signing_key(text: str) -> str:
    check_text(text)
    if text.startswith("-"):
        raise ValueError(f"{text!r} would be taken for an option; write a key's fingerprint or address")
    return text


def check_tag_prefix(text: str) -> str:
    if text and _BAD_IN_REF.search(f"{text}0"):  # a version follows
        raise ValueError(f"{text!r} can't begin a git tag")
    return text


def check_url(text: str) -> str:
    try:
        url = urlsplit(text)
        usable = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        usable = False
    if not usable or re.search(r"[\s\x00-\x1f\x7f]", text) or url.query or url.fragment:
        raise ValueError("is not an http or https address; write one such as https://charts.example.org")
    if url.username is not None or url.password is not None:
        raise ValueError("holds credentials, which would be published in the index; take them out")
    return text.rstrip("/")


def convert_range(value: object) -> Range:
    if isinstance(value, Range):
        return value
    if not isinstance(value, str):
        raise ValueError('must be a range in quotes, such as ">=1.20.0 <2"')  # noqa: TRY004 - pydantic collects these
    return Range.parse(value)


def convert_chart(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


def text_field(check: Callable[..., str]) -> Any:
    return AfterValidator(check)


_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
_BYTES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def _quantity_reader(units: Mapping[str, int], example: str) -> Callable[[object], int]:
    """Return a function that converts a number with one of `units` after it to the smallest unit."""
    known = " or ".join(filter(None, units))

    def read(value: object) -> int:
        match = re.fullmatch(r"([0-9]{1,15}) ?([A-Za-z]?)(?:i?B)?", str(value)) if type(value) in (int, str) else None
        unit = "" if match is None else next((unit for unit in units if unit.lower() == match[2].lower()), None)
        if match is None or unit is None or int(match[1]) == 0:
            raise ValueError(f"must be a number above 0, with {known} behind it if need be, such as {example}")
        return int(match[1]) * units[unit]

    return read


def _quantity_field(units: Mapping[str, int], example: str) -> Any:
    return PlainValidator(_quantity_reader(units, example), json_schema_input_type=int | str)


TimeSpan = Annotated[float, _quantity_field(_SECONDS, "90s, 5m or 1h")]
Size = Annotated[int, _quantity_field(_BYTES, "512M")]
VersionRange = Annotated[Range, PlainValidator(convert_range, json_schema_input_type=str)]
