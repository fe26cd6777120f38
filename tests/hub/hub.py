"""A GitHub in memory, with methods to set it up in a test."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from tests.hub.faults import Fault, Faults
from tests.hub.gitdir import GitDir
from tests.hub.journal import Journal
from tests.hub.limits import Limits
from tests.hub.state import HubAsset, HubRelease, HubRepository, Token

VERSION_TAG = r"v?\d+\.\d+\.\d+([-+].*)?"


class Hub:
    """A GitHub in memory. Thread-safe, also while the server runs."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.journal = Journal()
        self.faults = Faults()
        self.limits = Limits(clock)
        self.latency = 0.0
        """Seconds before each answer."""
        self.connect_latency = 0.0
        """Seconds before the first answer on each new connection."""
        self.enterprise_version: str | None = "3.19.0"
        """The version in the Enterprise Server's header; None for no header, as on github.com."""
        self.digests = True
        """Whether assets have a digest; they have none on older Enterprise Servers."""
        self.redirect_downloads = True
        """Whether downloads are redirected to another host name, where a token is refused."""
        self.redirect_api_downloads = False
        """The same for assets that are read through the REST API."""
        self.kept_in_names = ""
        """Characters that asset names keep besides letters, digits and ._- (GitHub has kept "+@" as well)."""
        self.url = "http://127.0.0.1"
        """Set when the server starts."""
        self._tokens: dict[str, Token] = {}
        self._repositories: dict[str, HubRepository] = {}
        self._moved: dict[str, str] = {}
        self._numbers = itertools.count(1001)

    @property
    def api_url(self) -> str:
        """The address of the REST API."""
        return f"{self.url}/api/v3"

    def now(self) -> datetime:
        """Return the hub's time in whole seconds, as GitHub reports it."""
        return datetime.fromtimestamp(int(self.clock()), UTC)

    def number(self) -> int:
        """Return an unused id."""
        return next(self._numbers)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the lock on the state during the body."""
        with self.lock:
            yield

    def add_token(
        self,
        value: str,
        write_to: Iterable[str] | None = None,
        *,
        login: str = "github-actions[bot]",
        kind: Literal["installation", "fine-grained", "classic"] = "installation",
        read: Iterable[str] = (),
        limit: int | None = 1000,
    ) -> Token:
        """Add a token that may write to these repositories (None: to all) and read these private ones."""
        writes = None if write_to is None else frozenset(slug.lower() for slug in write_to)
        token = Token(value, login, kind, writes, frozenset(slug.lower() for slug in read), limit)
        self._tokens[value] = token
        return token

    def token(self, value: str) -> Token | None:
        """Return the token with that value, or None."""
        return self._tokens.get(value)

    def token_values(self) -> list[str]:
        """The values of all tokens."""
        return list(self._tokens)

    def add_repository(
        self,
        slug: str,
        git_dir: Path | None = None,
        *,
        private: bool = False,
        archived: bool = False,
        default_branch: str | None = None,
        immutable_releases: bool = False,
        protected_branches: Iterable[str] = (),
    ) -> HubRepository:
        """Add a repository `owner/name`: a bare repository, or only its releases if there is no directory."""
        git = GitDir(git_dir) if git_dir is not None else None
        if default_branch is None:
            head = git.git("symbolic-ref", "--short", "HEAD", check=False).decode().strip() if git else ""
            default_branch = head or "main"
        repository = HubRepository(
            self.number(),
            slug,
            git,
            private=private,
            archived=archived,
            default_branch=default_branch,
            immutable_releases=immutable_releases,
            protected_branches=set(protected_branches),
            begins_empty=git is not None and git.empty(),
        )
        with self.lock:
            self._repositories[slug.lower()] = repository
        return repository

    def rename(self, old: str, new: str) -> None:
        """Move a repository; its old address redirects."""
        with self.lock:
            repository = self._repositories.pop(old.lower())
            repository.slug = new
            self._repositories[new.lower()] = repository
            self._moved[old.lower()] = new

    def remove_repository(self, slug: str) -> None:
        """Delete a repository."""
        with self.lock:
            del self._repositories[slug.lower()]

    def repository(self, slug: str) -> HubRepository | None:
        """Return the repository that has the name now, without following redirects, or None."""
        return self._repositories.get(slug.lower())

    def moved(self, slug: str) -> str | None:
        """Return the new name of a moved repository, or None."""
        return None if slug.lower() in self._repositories else self._moved.get(slug.lower())

    def repository_by_id(self, number: int) -> HubRepository | None:
        """Return the repository with that id, or None."""
        return next((one for one in self._repositories.values() if one.id == number), None)

    def repositories(self) -> list[HubRepository]:
        """All repositories."""
        return list(self._repositories.values())

    def at(self, slug: str) -> HubRepository:
        """Return the repository with that name. Raises KeyError."""
        return self._repositories[slug.lower()]

    def add_fault(self, fault: Fault) -> Fault:
        """Add a fault and return it."""
        return self.faults.add(fault)

    def new_release(
        self,
        tag: str,
        *,
        notes: str | None = None,
        created_at: datetime | None = None,
        prerelease: bool = False,
        draft: bool = False,
        assets: Mapping[str, bytes] | None = None,
        name: str | None = None,
        target: str = "main",
    ) -> HubRelease:
        """Return a release that is not in any repository yet."""
        created = created_at if created_at is not None else self.now()
        release = HubRelease(
            self.number(), tag, tag if name is None else name, notes, created, draft, prerelease, target
        )
        release.published_at = None if draft else created
        for asset_name, data in (assets or {}).items():
            release.assets.append(HubAsset(self.number(), asset_name, data, created))
        return release

    def add_release(
        self,
        slug: str,
        tag: str,
        notes: str | None = None,
        created_at: datetime | None = None,
        *,
        prerelease: bool = False,
        draft: bool = False,
        assets: Mapping[str, bytes] | None = None,
        name: str | None = None,
    ) -> HubRelease:
        """Add a release as if it had been made long ago, without a git tag, and return it."""
        repository = self.at(slug)
        release = self.new_release(
            tag,
            notes=notes,
            created_at=created_at,
            prerelease=prerelease,
            draft=draft,
            assets=assets,
            name=name,
            target=repository.default_branch,
        )
        with self.lock:
            release.immutable = repository.immutable_releases and not draft
            repository.releases[release.id] = release
        return release

    def releases_from_tags(
        self,
        slug: str,
        pattern: str = VERSION_TAG,
        notes: Callable[[str], str | None] = lambda tag: f"Release notes of {tag}",
        assets: Callable[[str], Mapping[str, bytes]] = lambda _: {},
    ) -> None:
        """Make, on first use, a release for each git tag that fully matches the pattern, dated like its commit.

        A version with a hyphen becomes a prerelease.
        """
        repository = self.at(slug)
        git = repository.git
        if git is None:
            raise ValueError(f"{slug} has no git directory")

        def make() -> list[HubRelease]:
            return [
                self.new_release(
                    tag.name,
                    notes=notes(tag.name),
                    created_at=tag.time,
                    prerelease="-" in tag.name.partition("+")[0].rpartition("/")[2],
                    assets=assets(tag.name),
                    target=repository.default_branch,
                )
                for tag in sorted(git.tags(), key=lambda tag: tag.time)
                if re.fullmatch(pattern, tag.name)
            ]

        repository.add_later(make)
