"""What the hub holds, as values: tokens, repositories, releases and assets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from tests.hub.gitdir import GitDir


@dataclass(frozen=True)
class Token:
    """Somebody's key. A slug in `write_to` can be read, too; None means every repository."""

    value: str
    login: str = "github-actions[bot]"
    kind: Literal["installation", "fine-grained", "classic"] = "installation"
    write_to: frozenset[str] | None = None
    read: frozenset[str] = frozenset()
    limit: int | None = 1000
    """Requests an hour: 1,000 for an Actions token, 5,000 for a person's; None for no limit."""

    def may_write(self, slug: str) -> bool:
        """May it push to this repository, and so see its drafts?"""
        return self.write_to is None or slug.lower() in self.write_to

    def may_read(self, slug: str) -> bool:
        """May it see this repository if it is private?"""
        return self.may_write(slug) or slug.lower() in self.read


@dataclass(eq=False)
class HubAsset:
    """A file of a release. In state "starter" its content never arrived."""

    id: int
    name: str
    data: bytes
    created_at: datetime
    content_type: str = "application/octet-stream"
    label: str = ""
    state: Literal["uploaded", "starter", "open"] = "uploaded"
    download_count: int = 0

    @property
    def digest(self) -> str | None:
        """`sha256:…`, once uploaded."""
        return f"sha256:{hashlib.sha256(self.data).hexdigest()}" if self.state == "uploaded" else None


@dataclass(eq=False)
class HubRelease:
    """A release or a draft of one."""

    id: int
    tag: str
    name: str
    body: str | None
    created_at: datetime
    draft: bool = False
    prerelease: bool = False
    target: str = ""
    published_at: datetime | None = None
    immutable: bool = False
    assets: list[HubAsset] = field(default_factory=list)

    def asset(self, name: str) -> HubAsset | None:
        """The asset of that name."""
        return next((asset for asset in self.assets if asset.name == name), None)


@dataclass(eq=False)
class HubRepository:
    """A repository. Its releases are worked out when they are first asked for."""

    id: int
    slug: str
    git: GitDir | None = None
    private: bool = False
    archived: bool = False
    default_branch: str = "main"
    description: str | None = None
    immutable_releases: bool = False
    protected_branches: set[str] = field(default_factory=set)
    pushers: set[str] = field(default_factory=set)
    """Tokens that may push to protected branches all the same."""
    begins_empty: bool = False
    """Has it no branch yet?"""
    created_at: datetime = datetime(2020, 1, 1, tzinfo=UTC)
    latest: int | None = None
    """The release that was published with make_latest, by its number."""
    used_tags: set[str] = field(default_factory=set)
    """Tags of immutable releases: never free again."""
    _releases: dict[int, HubRelease] = field(default_factory=dict)
    _later: list[Callable[[], Iterable[HubRelease]]] = field(default_factory=list)

    @property
    def owner(self) -> str:
        """The part before the slash."""
        return self.slug.partition("/")[0]

    @property
    def name(self) -> str:
        """The part behind the slash."""
        return self.slug.partition("/")[2]

    def settle(self) -> None:
        """Make the first branch that is pushed to an empty repository its default branch."""
        if self.begins_empty and self.git is not None:
            branches = [name for name in self.git.refs() if name.startswith("refs/heads/")]
            if branches:
                self.begins_empty = False
                if f"refs/heads/{self.default_branch}" not in branches:
                    self.default_branch = branches[0].removeprefix("refs/heads/")

    @property
    def releases(self) -> dict[int, HubRelease]:
        """Every release and draft by its number."""
        while self._later:
            for release in self._later.pop()():
                self._releases[release.id] = release
        return self._releases

    def add_later(self, make: Callable[[], Iterable[HubRelease]]) -> None:
        """Have releases worked out when they are first asked for."""
        self._later.append(make)

    def listed(self) -> list[HubRelease]:
        """Releases and drafts as GitHub lists them: by creation date, newest first."""
        return sorted(self.releases.values(), key=lambda release: (release.created_at, release.id), reverse=True)

    def published(self, tag: str) -> HubRelease | None:
        """The published release of a tag."""
        return next((found for found in self.releases.values() if found.tag == tag and not found.draft), None)

    def drafts(self) -> list[HubRelease]:
        """The drafts, newest first."""
        return [release for release in self.listed() if release.draft]
