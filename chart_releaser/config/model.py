"""The models of the configuration: its keys with their types, defaults, descriptions and examples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, PlainValidator, Tag

from chart_releaser.budget import INDEX_BYTES, MEMORY_BYTES, RELEASE_SECONDS, SOURCE_SECONDS
from chart_releaser.config.problems import resembles
from chart_releaser.config.values import (
    Size,
    TimeSpan,
    VersionRange,
    check_branch_name,
    check_chart_name,
    check_owner,
    check_repo_name,
    check_signing_key,
    check_tag_prefix,
    check_text,
    check_url,
    check_version,
    clean_chart_path,
    convert_chart,
    convert_directory,
    convert_location,
    text_field,
)
from chart_releaser.location import Location
from chart_releaser.versions import Window

REGISTRATION = "controller-registration"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)


class ChartPath(_Model):
    """A chart directory in the upstream repository, or its controller-registration, and the releases that have it."""

    path: Annotated[str, text_field(clean_chart_path)] = Field(
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

    owner: Annotated[str, text_field(check_owner)] = Field(
        description="The user or organisation that owns the repository.", examples=["gardener-community"]
    )
    repo: Annotated[str, text_field(check_repo_name)] = Field(
        description="The repository's name, without the owner.", examples=["gardener-charts"]
    )
    branch: Annotated[str, text_field(check_branch_name)] = Field(
        default="gh-pages", description="The branch that holds index.yaml.", examples=["gh-pages"]
    )
    page: bool = Field(default=True, description="Write an index.html for people next to index.yaml.", examples=[True])
    make_latest: bool = Field(
        default=False,
        alias="makeLatest",
        description="Mark the newest release of the first source as Latest on GitHub.",
        examples=[False],
    )
    sign: Annotated[str, text_field(check_signing_key)] | None = Field(
        default=None,
        description="The gpg key that signs each new package for helm verify: a fingerprint or an email address.",
        examples=["charts@example.org"],
    )


class DirectoryDestination(_Model):
    """A Helm repository in a local directory; it needs no server and no token."""

    directory: Annotated[Path, BeforeValidator(convert_directory, json_schema_input_type=str)] = Field(
        description="The directory, relative to the configuration file.", examples=["public"]
    )
    url: Annotated[str, text_field(check_url)] | None = Field(
        default=None,
        description="The URL where the directory is served; the index then has absolute package URLs.",
        examples=["https://charts.example.org"],
    )
    page: bool = Field(default=True, description="Write an index.html for people next to index.yaml.", examples=[True])
    sign: Annotated[str, text_field(check_signing_key)] | None = Field(
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

    name: Annotated[str, text_field(check_chart_name)] = Field(
        description="The name of the published chart.", examples=["provider-azure"]
    )
    location: Annotated[Location, PlainValidator(convert_location, json_schema_input_type=str)] = Field(
        alias="repo",
        description="owner/name on GitHub, any https or ssh git URL, or the path of a local repository.",
        examples=["gardener/gardener", "https://git.example.org/charts.git", "./charts"],
    )
    version: Annotated[str, text_field(check_version)] | None = Field(
        default=None,
        description="The release that export writes, with or without the tag's v; default: the newest. "
        "update ignores this key.",
        examples=["v1.29.0"],
    )
    charts: Annotated[
        tuple[Annotated[ChartPath, BeforeValidator(convert_chart, json_schema_input_type=str | ChartPath)], ...],
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
    tag_prefix: Annotated[str, text_field(check_tag_prefix)] = Field(
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
        """The window of tracked versions."""
        return Window(self.minors, self.patches, self.versions, self.prereleases)


def destination_kind(value: object) -> str:
    """Return the kind of destination of a mapping: "directory" if it has that key, or one like it, else "github"."""
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
    target_dir: Annotated[str, text_field(check_text)] | None = Field(
        default=None,
        alias="targetDir",
        description="Where export writes the charts, unless the command line names a directory.",
        examples=["charts"],
    )
