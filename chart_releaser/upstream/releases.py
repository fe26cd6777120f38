"""The releases of an upstream repository, with notes and assets, from GitHub or from the tags of plain git."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from semver import Version

from chart_releaser.errors import GitHubError, UpstreamError, close_matches, did_you_mean
from chart_releaser.location import path_segment
from chart_releaser.versions import parse_tag

if TYPE_CHECKING:
    from chart_releaser.github.api import GitHubApi
    from chart_releaser.location import GitHubRepository

_MAX_ASSET_BYTES = 5 * 1024 * 1024
_MAX_NOTES = 100_000_000
"""Characters in one listing, because notes are kept in memory: a thousand releases with the longest notes of GitHub."""
_SUGGESTED = 3  # tags in a hint, at most
_VERSION_LIKE = re.compile(
    r"(?P<before>.*?)v?(?P<major>[0-9]{1,9})(?:\.(?P<minor>[0-9]{1,9}))?(?:\.(?P<patch>[0-9]{1,9}))?(?:[-+].*)?",
    re.DOTALL,
)


@dataclass(frozen=True)
class Asset:
    """A file of a release: its name, API address, size in bytes, and digest (`sha256:…`) if GitHub reports one."""

    name: str
    url: str
    size: int
    digest: str | None


@dataclass(frozen=True)
class Release:
    """A published release. `notes` is None for plain git, where the tag's message serves; see `Snapshot.message`."""

    tag: str
    notes: str | None = None
    prerelease: bool = False
    assets: tuple[Asset, ...] = ()


IsEnough = Callable[[Sequence[Release]], bool]


class Upstream(Protocol):
    """An upstream repository that can be asked for its releases."""

    from_cache: bool
    """Whether any part of what `releases` last returned was kept by an earlier run."""

    def releases(self, enough: IsEnough, *, fresh: bool = False) -> list[Release]:
        """Return the published releases, most recently created first, reading on until `enough` returns true.

        With `fresh`, nothing that an earlier run kept is used. Raises UpstreamError.
        """

    def release(self, tags: Sequence[str]) -> Release:
        """Return the release of the first of `tags` that has one. Raises UpstreamError if none has."""

    def read_asset(self, asset: Asset, seconds: float) -> bytes:
        """Return an asset's bytes after a check of its digest; each try may take `seconds`. Raises UpstreamError."""


class GitHubUpstream:
    """A repository on GitHub or an Enterprise Server."""

    def __init__(self, repository: GitHubRepository, api: GitHubApi) -> None:
        self._repository = repository
        self._api = api
        self.from_cache = False

    def releases(self, enough: IsEnough, *, fresh: bool = False) -> list[Release]:
        """See `Upstream`. Drafts are left out. https://docs.github.com/rest/releases/releases#list-releases"""
        releases: list[Release] = []
        unchanged = self._api.unchanged
        try:
            for page in self._api.pages(f"/repos/{self._repository.slug}/releases", fresh=fresh):
                releases += [release for item in page if (release := _parse_release(item)) is not None]
                if sum(len(release.notes or "") for release in releases) > _MAX_NOTES:
                    raise UpstreamError(
                        f"the notes of the releases of {self._repository.slug} have more than {_MAX_NOTES:,} "
                        "characters, too many to keep",
                        remedy="take the source out, or ask upstream to shorten them",
                    )
                if enough(releases):
                    break
        except GitHubError as error:
            raise self._listing_error(error) from error
        self.from_cache = self._api.unchanged > unchanged
        return releases

    def release(self, tags: Sequence[str]) -> Release:
        """See `Upstream`. The error suggests similar tags."""
        for tag in tags:
            try:
                _, item = self._api.get(f"/repos/{self._repository.slug}/releases/tags/{path_segment(tag)}")
            except GitHubError as error:
                if error.status != 404:
                    raise self._listing_error(error) from error
                continue
            if (release := _parse_release(item)) is not None:
                return release
        known = [release.tag for release in self.releases(lambda _: True)]  # a page of them is enough for a hint
        raise UpstreamError(f"{self._repository.slug} has no release {tags[0]}", remedy=_suggest_tags(tags[0], known))

    def read_asset(self, asset: Asset, seconds: float) -> bytes:
        """See `Upstream`. Assets above 5 MiB are refused."""
        name = f"the asset {asset.name}"
        if asset.size > _MAX_ASSET_BYTES:
            raise UpstreamError(f"{name} has {asset.size:,} bytes", remedy=f"at most {_MAX_ASSET_BYTES:,} are read")
        try:
            data = self._api.download(asset.url, limit=_MAX_ASSET_BYTES, seconds=seconds)
        except GitHubError as error:
            raise UpstreamError.of(error, f"{name} can't be read") from error
        if asset.digest is not None and asset.digest != f"sha256:{hashlib.sha256(data).hexdigest()}":
            raise UpstreamError(f"{name} was downloaded with another digest than {asset.digest}", remedy="run again")
        return data

    def _listing_error(self, error: GitHubError) -> UpstreamError:
        api = self._repository.server.unusual_api
        if error.status != 404:
            also = f", and check {api}" if api and error.status == 0 else ""
            return UpstreamError(
                f"the releases of {self._repository.slug} can't be read: {error.what}", remedy=f"{error.advice}{also}"
            )
        advice = "and whether the token may read it" if self._api.has_token else "or set GITHUB_TOKEN if it is private"
        also = f"; also check {api}" if api else ""
        return UpstreamError(
            f"{self._repository.web_url} was not found", remedy=f"check owner and name, {advice}{also}"
        )


def _parse_release(item: Any) -> Release | None:
    """Return the release in an item of GitHub's answer, or None for a draft. Raises UpstreamError."""
    try:
        if item.get("draft"):
            return None
        if not isinstance(item["tag_name"], str):
            raise TypeError
        return Release(
            tag=item["tag_name"],
            notes=str(item.get("body") or ""),
            prerelease=bool(item.get("prerelease")),
            assets=tuple(
                Asset(str(asset["name"]), str(asset["url"]), int(asset.get("size") or 0), asset.get("digest") or None)
                for asset in item.get("assets") or ()
                if asset.get("state", "uploaded") == "uploaded"
            ),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UpstreamError(
            "GitHub's answer has an item that is not a release", remedy="check GITHUB_API_URL"
        ) from error


class GitUpstream:
    """A plain git repository: its tags are its releases, and the tags' messages are the notes."""

    from_cache = False

    def __init__(self, title: str, list_tags: Callable[[], Sequence[str]]) -> None:
        self._title = title
        self._list_tags = list_tags

    def releases(self, enough: IsEnough, *, fresh: bool = False) -> list[Release]:  # noqa: ARG002 - one request lists all
        """See `Upstream`: every tag, in no particular order."""
        return [Release(tag) for tag in self._list_tags()]

    def release(self, tags: Sequence[str]) -> Release:
        """See `Upstream`. The error suggests similar tags."""
        known = self._list_tags()
        for tag in tags:
            if tag in known:
                return Release(tag)
        raise UpstreamError(f"{self._title} has no tag {tags[0]}", remedy=_suggest_tags(tags[0], known))

    def read_asset(self, asset: Asset, seconds: float) -> bytes:  # noqa: ARG002
        """Raise UpstreamError, because a git repository has no assets."""
        raise UpstreamError(f"{self._title} has no asset {asset.name}: it is a git repository")


def _suggest_tags(wanted: str, known: Sequence[str]) -> str:
    """Return a hint with the tags most similar to `wanted`, compared as versions or else letter by letter."""
    close = _nearest_versions(wanted, known) or close_matches(wanted, known, limit=_SUGGESTED)
    if not close:
        newest = max(_prefer_stable([(version, tag) for tag in known if (version := parse_tag(tag))]), default=None)
        return "check the version" + (f", the newest is {newest[1]}" if newest is not None else "")
    return did_you_mean(close)


def _prefer_stable(versions: list[tuple[Version, str]]) -> list[tuple[Version, str]]:
    """Return the stable versions, or all if none is stable."""
    return [one for one in versions if one[0].prerelease is None] or versions


def _nearest_versions(wanted: str, known: Sequence[str]) -> list[str]:
    """Return the tags with the same prefix and the versions nearest to `wanted`, nearest first.

    These are patches of the same minor or, if there are none, the newest patches of the nearest minors.
    """
    parts = _VERSION_LIKE.fullmatch(wanted)
    if parts is None:
        return []
    major, minor, patch = (int(parts[part] or 0) for part in ("major", "minor", "patch"))
    versions = [
        (version, tag)
        for tag in known
        if (version := parse_tag(tag, parts["before"])) is not None and version.major == major
    ]
    same = [one for one in versions if one[0].minor == minor]
    if same:
        same.sort(key=lambda one: (abs(one[0].patch - patch), one[0].prerelease is not None, -one[0].patch))
        return [tag for _, tag in same[:_SUGGESTED]]
    newest: dict[int, tuple[Version, str]] = {}
    for one in _prefer_stable(versions):
        if one[0].minor not in newest or one[0] > newest[one[0].minor][0]:
            newest[one[0].minor] = one
    nearest = sorted(newest.values(), key=lambda one: (abs(one[0].minor - minor), -one[0].minor))
    return [tag for _, tag in nearest[:_SUGGESTED]]
