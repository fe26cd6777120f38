"""The state of a hub: tokens, repositories, releases and assets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from tests.hub.gitdir import GitDir


@dataclass(frozen=True)
class Token:
    """A token. The repositories in `write_to` can also be read; None means every repository."""

    value: str
    login: str = "github-actions[bot]"
    kind: Literal["installation", "fine-grained", "classic"] = "installation"
    write_to: frozenset[str] | None = None
    read: frozenset[str] = frozenset()
    limit: int | None = 1000
    """Requests per hour: 1,000 for an Actions token, 5,000 for a person's, None for no limit."""

    def may_write(self, slug: str) -> bool:
        """Tell whether it may push to the repository, and so see its drafts."""
        return self.write_to is None or slug.lower() in self.write_to

    def may_read(self, slug: str) -> bool:
        """Tell whether it may see the repository if that is private."""
        return self.may_write(slug) or slug.lower() in self.read


@dataclass(eq=False)
class HubAsset:
    """A file of a release. In state "starter" its upload is incomplete."""

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
        """`sha256:…` of an uploaded file."""
        return f"sha256:{hashlib.sha256(self.data).hexdigest()}" if self.state == "uploaded" else None


@dataclass(eq=False)
class HubRelease:
    """A release or a draft."""

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
        """Return the asset with that name, or None."""
        return next((asset for asset in self.assets if asset.name == name), None)


@dataclass(eq=False)
class HubRepository:
    """A repository. Its releases may be made on first use."""

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
    """Tokens that may push to protected branches."""
    begins_empty: bool = False
    """Whether it has no branch yet."""
    created_at: datetime = datetime(2020, 1, 1, tzinfo=UTC)
    latest: int | None = None
    """The id of the release that was published with make_latest."""
    used_tags: set[str] = field(default_factory=set)
    """Tags of immutable releases, which can never be used again."""
    _releases: dict[int, HubRelease] = field(default_factory=dict)
    _later: list[Callable[[], Iterable[HubRelease]]] = field(default_factory=list)

    @property
    def owner(self) -> str:
        """The owner, before the slash."""
        return self.slug.partition("/")[0]

    @property
    def name(self) -> str:
        """The name, after the slash."""
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
        """All releases and drafts by id."""
        while self._later:
            for release in self._later.pop()():
                self._releases[release.id] = release
        return self._releases

    def add_later(self, make: Callable[[], Iterable[HubRelease]]) -> None:
        """Add a function that makes releases on first use."""
        self._later.append(make)

    def listed(self) -> list[HubRelease]:
        """The releases and drafts in GitHub's order: by creation date, newest first."""
        return sorted(self.releases.values(), key=lambda release: (release.created_at, release.id), reverse=True)

    def published(self, tag: str) -> HubRelease | None:
        """Return the published release of a tag, or None."""
        return next((found for found in self.releases.values() if found.tag == tag and not found.draft), None)

    def drafts(self) -> list[HubRelease]:
        """The drafts, newest first."""
        return [release for release in self.listed() if release.draft]
