"""The configuration's keys: what each holds, by default and in an editor's help, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    ValidationInfo,
)
from pydantic_core import PydanticKnownError

from chart_releaser.budget import INDEX_BYTES, MEMORY_BYTES, RELEASE_SECONDS, SOURCE_SECONDS
from chart_releaser.config.problems import resembles
from chart_releaser.location import Location, check_repository_name, parse_location
from chart_releaser.versions import Range, Window

REGISTRATION = "controller-registration"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CHART_NAME = re.compile(r"[a-zA-Z0-9._-]+", re.ASCII)
_BAD_IN_REF = re.compile(r"\.\.|@\{|//|[\x00-\x20\x7f~^:?*\[\\]|/\.|\.lock(/|$)|^[-./]|[./]$|^@$")


def check_chart_name(name: str) -> str:
    """`name`, if Helm takes it for a chart and git for the beginning of a tag; else ValueError."""
    if not _CHART_NAME.fullmatch(name) or len(name) > 250:
        raise ValueError(
            f"{name!r} is not a name that Helm accepts: up to 250 letters, digits, dots, hyphens, underscores"
        )
    if _BAD_IN_REF.search(name):
        raise ValueError(f"{name!r} can't begin a release's tag: no .. in it, no - or . first, no . or .lock last")
    return name


def clean_chart_path(path: str) -> str:
    """`path` in its shortest form, if it leads into the repository; else ValueError."""
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


def _branch(name: str) -> str:
    if not name or _BAD_IN_REF.search(name):
        raise ValueError(f"{name!r} is not a branch name that git accepts")
    return name


def _owner(name: str) -> str:
    _check_one_name(name)
    check_repository_name(name, "x")
    return name


def _repository_name(name: str) -> str:
    _check_one_name(name)
    check_repository_name("x", name)
    return name


def _check_one_name(name: str) -> None:
    owner, slash, repo = name.partition("/")
    if slash and owner and repo and "/" not in repo:
        raise ValueError(f"{name!r} is both names in one; write owner: {owner} and repo: {repo}")


def _location(repo: object, info: ValidationInfo) -> Location:
    if not isinstance(repo, str):
        raise PydanticKnownError("string_type")
    context: dict[str, Any] = info.context or {}
    return parse_location(repo, base=context["base"], server=context["server"])


def _local(path: str, base: Path) -> Path:
    try:
        return (base / Path(path).expanduser()).absolute()
    except RuntimeError:
        raise ValueError(f"{path!r}: there is no such home directory") from None


def _directory(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str):
        return value
    context: dict[str, Any] = info.context or {}
    return _local(_text(value), context["base"])


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty; write a value or take the key out")
    if _CONTROL.search(text):
        raise ValueError("has a control character")
    return text


def _version(text: str) -> str:
    _text(text)
    if text.startswith("-") or re.search(r"\s", text):
        raise ValueError(f"{text!r} is not a version; write one such as v1.2.3")
    return text


def _signing_key(text: str) -> str:
    _text(text)
    if text.startswith("-"):
        raise ValueError(f"{text!r} would be taken for an option; write a key's fingerprint or address")
    return text


def _tag_prefix(text: str) -> str:
    if text.startswith("-") or re.search(r"[\s~^:?*\[\\]|\.\.|[\x00-\x1f\x7f]", text):
        raise ValueError(f"{text!r} can't begin a git tag")
    return text


def _url(text: str) -> str:
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


def _range(value: object) -> Range:
    if isinstance(value, Range):
        return value
    if not isinstance(value, str):
        raise ValueError('must be a range in quotes, such as ">=1.20.0 <2"')  # noqa: TRY004 - pydantic collects these
    return Range.parse(value)


def _chart_entry(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


def _text_field(check: Callable[..., str]) -> Any:
    return AfterValidator(check)


_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
_BYTES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def _quantity(units: Mapping[str, int], example: str) -> Callable[[object], int]:
    """Return what reads a number with one of `units` behind it."""
    known = " or ".join(filter(None, units))

    def read(value: object) -> int:
        found = re.fullmatch(r"([0-9]{1,15}) ?([A-Za-z]?)(?:i?B)?", str(value)) if type(value) in (int, str) else None
        unit = "" if found is None else next((unit for unit in units if unit.lower() == found[2].lower()), None)
        if found is None or unit is None or int(found[1]) == 0:
            raise ValueError(f"must be a number above 0, with {known} behind it if need be, such as {example}")
        return int(found[1]) * units[unit]

    return read


def _quantity_field(units: Mapping[str, int], example: str) -> Any:
    return PlainValidator(_quantity(units, example), json_schema_input_type=int | str)


TimeSpan = Annotated[float, _quantity_field(_SECONDS, "90s, 5m or 1h")]
Size = Annotated[int, _quantity_field(_BYTES, "512M")]
VersionRange = Annotated[Range, PlainValidator(_range, json_schema_input_type=str)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)


class ChartPath(_Model):
    """A chart directory in the upstream repository, or its controller-registration, and the releases that have it."""

    path: Annotated[str, _text_field(clean_chart_path)] = Field(
        description="The chart's directory relative to the repository root, or the word controller-registration.",
        examples=["charts/gardener/operator", REGISTRATION],
    )
    versions: VersionRange | None = Field(
        default=None,
        description="The range of releases that have this path; all of them if absent.",
        examples=[">=1.50.0", "<2"],
    )


class GitHubDestination(_Model):
    """A GitHub repository: releases hold the packages, a branch holds the index."""

    owner: Annotated[str, _text_field(_owner)] = Field(
        description="The user or organisation that owns the repository.", examples=["gardener-community"]
    )
    repo: Annotated[str, _text_field(_repository_name)] = Field(
        description="The repository's name, without the owner.", examples=["gardener-charts"]
    )
    branch: Annotated[str, _text_field(_branch)] = Field(
        default="gh-pages", description="The branch that holds index.yaml.", examples=["gh-pages"]
    )
    page: bool = Field(default=True, description="Write an index.html for people next to index.yaml.", examples=[True])
    make_latest: bool = Field(
        default=False,
        alias="makeLatest",
        description="Mark the newest release of the first source as Latest on GitHub.",
        examples=[False],
    )
    sign: Annotated[str, _text_field(_signing_key)] | None = Field(
        default=None,
        description="The gpg key that signs each new package for helm verify: a fingerprint or an email address.",
        examples=["charts@example.org"],
    )


class DirectoryDestination(_Model):
    """A Helm repository in a local directory; it needs no server and no token."""

    directory: Annotated[Path, BeforeValidator(_directory, json_schema_input_type=str)] = Field(
        description="The directory, relative to the configuration file.", examples=["public"]
    )
    url: Annotated[str, _text_field(_url)] | None = Field(
        default=None,
        description="The URL where the directory is served; the index then has absolute package URLs.",
        examples=["https://charts.example.org"],
    )
    page: bool = Field(default=True, description="Write an index.html for people next to index.yaml.", examples=[True])
    sign: Annotated[str, _text_field(_signing_key)] | None = Field(
        default=None,
        description="The gpg key that signs each new package for helm verify: a fingerprint or an email address.",
        examples=["charts@example.org"],
    )


class Limits(_Model):
    """Limits on the time, memory and index size of one source."""

    release_time: TimeSpan = Field(
        default=RELEASE_SECONDS,
        alias="releaseTime",
        description="How long building one release may take: seconds, or a number with s, m or h.",
        examples=["5m"],
        json_schema_extra={"default": "2m"},
    )
    source_time: TimeSpan = Field(
        default=SOURCE_SECONDS,
        alias="sourceTime",
        description="How long fetching and building all releases of a source may take in one run.",
        examples=["1h"],
        json_schema_extra={"default": "30m"},
    )
    memory: Size = Field(
        default=MEMORY_BYTES,
        description="How much memory building one release may take: bytes, or a number with K, M or G.",
        examples=["2G"],
        json_schema_extra={"default": "512M"},
    )
    index_size: Size = Field(
        default=INDEX_BYTES,
        alias="indexSize",
        description="How much of index.yaml the entries of one chart may take, all versions together.",
        examples=["50M"],
        json_schema_extra={"default": "10M"},
    )


class Defaults(_Model):
    """Settings that apply to every source unless it overrides them."""

    minors: int = Field(default=3, ge=1, description="How many minor releases are tracked.", examples=[3])
    patches: Literal["all", "latest"] = Field(
        default="all", description="Every patch of each tracked minor, or only the newest.", examples=["all", "latest"]
    )
    follow: Literal["releases", "tags"] = Field(
        default="releases",
        description="Whether releases or tags count as releases; tags is for a GitHub repository without releases.",
        examples=["tags"],
    )
    app_version: Literal["chart", "tag"] = Field(
        default="chart",
        alias="appVersion",
        description="chart keeps upstream's appVersion and sets a missing one to the tag; tag always sets it to the "
        "tag without tagPrefix.",
        examples=["tag"],
    )
    image_tags: Literal["release", "keep"] | None = Field(
        default=None,
        alias="imageTags",
        description="Whether tag: latest in values becomes the release's tag, which is the default without tagPrefix, "
        "or stays, which is the default with it.",
        examples=["keep"],
    )
    prereleases: bool = Field(default=False, description="Also track prereleases.", examples=[False])
    limits: Limits = Field(
        default_factory=Limits, description="Time, memory and index size limits.", examples=[{"sourceTime": "1h"}]
    )


class Source(Defaults):
    """An upstream repository, and the chart to publish from it."""

    name: Annotated[str, _text_field(check_chart_name)] = Field(
        description="The name of the published chart.", examples=["provider-azure"]
    )
    location: Annotated[Location, PlainValidator(_location, json_schema_input_type=str)] = Field(
        alias="repo",
        description="owner/name on GitHub, any https or ssh git URL, or the path of a local repository.",
        examples=["gardener/gardener", "https://git.example.org/charts.git", "./charts"],
    )
    version: Annotated[str, _text_field(_version)] | None = Field(
        default=None,
        description="The release that export writes, with or without the tag's v; default: the newest. "
        "update ignores this key.",
        examples=["v1.29.0"],
    )
    charts: Annotated[
        tuple[Annotated[ChartPath, BeforeValidator(_chart_entry, json_schema_input_type=str | ChartPath)], ...],
        Field(strict=False),
    ] = Field(
        min_length=1,
        description="Chart directories in the repository, or controller-registration for Gardener's registration.",
        examples=[[REGISTRATION, "charts/gardener-extension-admission-azure"]],
    )
    versions: VersionRange | None = Field(
        default=None,
        description="Only track releases in this range, in Helm's syntax.",
        examples=[">=1.20.0 <2", "~1.2"],
    )
    tag_prefix: Annotated[str, _text_field(_tag_prefix)] = Field(
        default="",
        alias="tagPrefix",
        description="The prefix before the version in this source's tags, for repositories that tag several things.",
        examples=["etcd-"],
    )

    @property
    def sets_image_tags(self) -> bool:
        """Whether `tag: latest` in values becomes the tag of the release."""
        return (self.image_tags or ("keep" if self.tag_prefix else "release")) == "release"

    @property
    def window(self) -> Window:
        """Which versions of the source are tracked."""
        return Window(self.minors, self.patches, self.versions, self.prereleases)


def destination_kind(value: object) -> str:
    """Which kind of destination a mapping as written means: `directory` tells, or a key that is meant to be it."""
    if not isinstance(value, dict):
        return "github"
    if "directory" in value:
        return "directory"
    meant = not {"owner", "repo"} & value.keys() and any(resembles(str(key), "directory") for key in value)
    return "directory" if meant else "github"


class ConfigFile(_Model):
    """The configuration of chart-releaser: which charts to follow, and where to publish them."""

    destination: (
        Annotated[
            Annotated[GitHubDestination, Tag("github")] | Annotated[DirectoryDestination, Tag("directory")],
            Discriminator(destination_kind),
        ]
        | None
    ) = Field(
        default=None,
        description="Where charts are published: owner and repo on GitHub, or a local directory.",
        examples=[{"owner": "gardener-community", "repo": "gardener-charts"}, {"directory": "public"}],
    )
    sources: Annotated[tuple[Source, ...], Field(strict=False)] = Field(
        min_length=1,
        description="The charts to follow, each from one upstream repository.",
        examples=[[{"name": "etcd", "repo": "gardener-community/etcd", "version": "6.3.0", "charts": ["charts/etcd"]}]],
    )
    defaults: Defaults = Field(
        default=Defaults(),
        description="Settings for all sources; a source can override them.",
        examples=[{"minors": 2, "patches": "latest"}],
    )
    target_dir: Annotated[str, _text_field(_text)] | None = Field(
        default=None,
        alias="targetDir",
        description="Where export writes the charts, unless the command line names a directory.",
        examples=["charts"],
    )
