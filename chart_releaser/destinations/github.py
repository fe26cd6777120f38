"""A Helm repository on GitHub: packages as release assets, the index on a branch that GitHub Pages serves."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from chart_releaser.attempts import CircuitBreaker, RetryPolicy
from chart_releaser.destinations import PAGE, Listing, Page, PublishablePackage, Published
from chart_releaser.destinations.github_access import (
    check_branch_protection,
    convert_errors,
    fetch_branch,
    fetch_repository_facts,
)
from chart_releaser.destinations.github_releases import GitHubReleases
from chart_releaser.errors import (
    BrokenIndexError,
    ConflictError,
    DestinationError,
    LostAnswerError,
)
from chart_releaser.git.branch import Branch, Head
from chart_releaser.git.run import Login
from chart_releaser.index.index import INDEX, Index, build_entry
from chart_releaser.index.scan import scan

if TYPE_CHECKING:
    from chart_releaser.github.api import GitHubApi
    from chart_releaser.location import GitHubRepository

_PUSH = RetryPolicy(attempts=10, first_pause=1.0, longest_pause=16.0)
_LOST_IN_A_ROW = 3
"""After this many releases without an answer from GitHub the others are not tried."""


def _now() -> datetime:
    return datetime.now(UTC)


class GitHubPages:
    """See `Destination`. Releases are made in `repository` with `api`, and the index is kept on `branch`.

    Without `writes` it only reads, for which a public repository needs no token. `page` renders index.html. `open` uses
    the client `opening_api`, which may reuse facts that an earlier run kept if GitHub confirms them. Before anything is
    published, they are fetched with `api` again, which keeps nothing.
    """

    def __init__(
        self,
        repository: GitHubRepository,
        api: GitHubApi,
        *,
        branch: str,
        token: str | None,
        cache: Path,
        page: Page | None = None,
        writes: bool = True,
        opening_api: GitHubApi | None = None,
        on_wait: Callable[[str], None] = lambda _message: None,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._repository = repository
        self._api = api
        self._opening_api = opening_api if opening_api is not None else api
        self._is_from_cache = False
        self._releases = GitHubReleases(api, repository.slug)
        login = Login(repository.server.url, token) if token else None
        self._branch = Branch(
            repository.clone_url, branch, cache=cache, login=login, on_wait=on_wait, attempts=api.attempts
        )
        self._page = page
        self._writes = writes
        self._now = now
        self._index: Index | None = Index.parse(None)
        """None as long as a scan of the index is enough; see `_full_index`."""
        self._head = Head(None, {})
        self._default_branch = ""
        self._private = False
        self._breaker = CircuitBreaker(failures=_LOST_IN_A_ROW, seconds=0)
        self._has_pushed = False
        """Whether this run has pushed since the branch was last read."""

    @property
    def title(self) -> str:
        """See `Destination.title`."""
        return self._repository.slug

    def open(self) -> Listing:
        """See `Destination.open`. An index in the usual layout is scanned and not parsed.

        Raises DestinationUnusableError for a problem that the user has to solve.
        """
        unchanged = self._opening_api.unchanged
        self._check_repository(self._opening_api)
        self._is_from_cache = self._opening_api.unchanged > unchanged
        return self._read()

    def _check_repository(self, api: GitHubApi) -> None:
        facts = fetch_repository_facts(api, self._repository, writes=self._writes)
        self._releases.slug = facts.slug
        self._default_branch = facts.default_branch
        self._private = facts.private

    def prepare(self, tags: Sequence[str]) -> None:
        """See `Destination.prepare`. A missing branch is created, and leftovers of earlier runs are looked up."""
        if self._is_from_cache:
            self._check_repository(self._api)
            self._is_from_cache = False
        slug = self._releases.slug
        self._full_index()
        self._branch.check_access(self._head)
        check_branch_protection(self._api, slug, self._branch.name)
        only_pages = self._default_branch == self._branch.name
        if not only_pages and fetch_branch(self._api, slug, self._default_branch) is None:
            only_pages = True
            self._releases.target = self._branch.name  # the default branch does not exist, so tags go on this one
        if only_pages and self._head.commit is None:
            self._create_branch()
        wanted = frozenset(tags)
        existing = self._branch.tags(sorted(wanted))
        with convert_errors(self.title):
            self._releases.find_leftovers(wanted, existing)

    def publish(self, package: PublishablePackage, notes: str, *, latest: bool = False) -> Published:
        """See `Destination.publish`."""
        listed = build_entry(package.metadata, digest=package.digest, url=package.filename, created=self._now())
        host = urlsplit(self._repository.server.url).netloc
        if why_not := self._breaker.open_reason(host):
            raise DestinationError(f"{self.title}: {why_not}")
        with convert_errors(self.title):
            try:
                url, adopted = self._releases.publish(package, notes, latest=latest)
            except LostAnswerError:
                self._breaker.failed(host)
                raise
            self._breaker.answered(host)
        return Published({**listed, "urls": [url]}, adopted=adopted)

    def finish(self, published: Sequence[Published]) -> None:
        """See `Destination.finish`. It makes one commit and one push; a rejected push is merged and tried again."""
        if not published:
            return
        entries = [item.entry for item in published]
        names = ", ".join(f"{item.name} {item.version}" for item in published[:5])
        more = f" and {len(published) - 5} more" if len(published) > 5 else ""
        self._commit(lambda index: index.merge(entries, generated=self._now()), f"Publish {names}{more}")
        index = self._full_index()
        conflicts = [
            f"{item.name} {item.version}"
            for item in published
            if (index.entry(item.name, item.version) or {}).get("digest") != item.digest
        ]
        if conflicts:
            raise ConflictError(
                f"the index of {self.title}: somebody has listed {', '.join(conflicts)} with another digest "
                "in the meantime",
                remedy="their entries stay; run verify to see which packages are there",
            )

    def _commit(self, change: Callable[[Index], str], message: str) -> None:
        # After our own push the branch is read again: the next commit needs the new head.
        if self._has_pushed:
            self._has_pushed = False
            self._read()
        for failures in itertools.count(1):
            text = change(self._full_index())
            merged = Index.parse(text, where=INDEX)
            files = {INDEX: text.encode(), **self._page_files(merged)}
            if all(self._head.files.get(path) == data for path, data in files.items()):
                self._index = merged
                return
            if self._head.commit is None:
                # Keeps Pages from running Jekyll: https://docs.github.com/pages/getting-started-with-github-pages/about-github-pages-and-jekyll
                files[".nojekyll"] = b""
            if self._branch.push(self._head, files, message):
                self._index = merged
                self._has_pushed = True
                return
            pause = _PUSH.pause_after(failures)
            if pause is None:
                raise DestinationError(
                    f"the branch {self._branch.name} of {self.title} moved {failures} times while this run tried to "
                    "push its index",
                    remedy="the packages are published, the next run lists them",
                )
            self._api.attempts.log.note(f"pushing the branch {self._branch.name}: it had moved in the meantime")
            self._api.pacing.pause(random.uniform(0, pause))  # noqa: S311 - jitter, so that runs do not collide again
            self._read()

    def _read(self) -> Listing:
        """Read the branch. Scan the index if its layout allows, else parse it."""
        self._head = self._branch.read((INDEX, PAGE))
        self._index = None
        data = self._head.files.get(INDEX)
        excerpt = None if data is None else scan(data)
        return self._full_index() if excerpt is None else excerpt

    def _full_index(self) -> Index:
        """Return the parsed index; it is parsed on the first call after a read."""
        if self._index is None:
            self._index = self._parse(self._head)
        return self._index

    def _page_files(self, index: Index) -> dict[str, bytes]:
        if self._page is None:
            return {}
        present = self._head.files.get(PAGE)
        text = self._page(index, None if present is None else present.decode("utf-8", "replace"))
        return {} if text is None else {PAGE: text.encode()}

    def _parse(self, head: Head) -> Index:
        data = head.files.get(INDEX)
        where = f"{self.title}, branch {self._branch.name}, {INDEX}"
        try:
            return Index.parse(None if data is None else data.decode(), where=where)
        except UnicodeDecodeError as error:
            raise BrokenIndexError(f"{where} is not UTF-8: {error.reason} at byte {error.start}") from error

    def _create_branch(self) -> None:
        """Create the branch with an empty index, because GitHub makes no releases in a repository without commits."""
        message = f"Set up the Helm repository on {self._branch.name}"
        self._commit(lambda index: index.merge((), generated=self._now()), message)
        self._read()
