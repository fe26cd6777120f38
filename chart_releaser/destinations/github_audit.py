"""The side of a GitHub destination that `verify` needs: list and fetch packages, delete drafts, rewrite the index."""

from __future__ import annotations

import posixpath
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from chart_releaser.destinations.downloads import MAX_BYTES, Downloads
from chart_releaser.destinations.findings import StoredPackage
from chart_releaser.destinations.github import GitHubPages
from chart_releaser.destinations.github_access import check_branch_protection, convert_errors
from chart_releaser.destinations.github_assets import normalize_asset_name
from chart_releaser.destinations.github_writes import send_until_effective
from chart_releaser.destinations.listed import is_package_label
from chart_releaser.errors import BrokenIndexError, DestinationError, GitHubError
from chart_releaser.git.branch import Head
from chart_releaser.github.api import object_id
from chart_releaser.index.index import Index
from chart_releaser.location import path_segment, same_origin

_DOWNLOAD = re.compile(r"/([^/]+/[^/]+)/releases/download/(.+)/([^/]+)")
_RELEASE_PREFIX = "release:"  # starts the canonical form of an address of ours: release:<tag>/<asset>


class AuditableGitHubPages(GitHubPages):
    """See `Auditable`. A public repository can be audited without a token."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """See `GitHubPages`."""
        super().__init__(*arguments, **options)
        self._downloads = Downloads(self._repository.server, self._api.attempts)
        self._asking = threading.Lock()
        self._tolerates_broken_index = False

    def open_index(self) -> Index:
        """See `Auditable.open_index`."""
        self.open()
        return self._full_index()

    def stored(self) -> Sequence[StoredPackage]:
        """See `Auditable.stored`."""
        # By id, because a new release can move one to the next page, where it appears again.
        packages: dict[int, list[StoredPackage]] = {}
        with convert_errors(self.title):
            for page in self._api.pages(f"/repos/{self._releases.slug}/releases"):
                for release in page:
                    packages[release["id"]] = list(_packages(release))
        return [item for items in packages.values() for item in items]

    def locate(self, url: str) -> str:
        """See `Auditable.locate`. GitHub ignores the case of owner and name, and accepts a tag quoted or not."""
        try:
            parts, server = urlsplit(url), urlsplit(self._repository.server.url)
        except ValueError:
            return url
        match = _DOWNLOAD.fullmatch(parts.path.removeprefix(server.path))
        slugs = {self._repository.slug.lower(), self._releases.slug.lower()}
        is_ours = same_origin(parts._replace(scheme=server.scheme).geturl(), server.geturl())
        if not is_ours or match is None or match[1].lower() not in slugs:
            return unquote(url)
        return f"{_RELEASE_PREFIX}{unquote(match[2])}/{unquote(match[3])}"

    def fetch(self, url: str, stored: StoredPackage | None) -> bytes | None:
        """See `Auditable.fetch`.

        The public address is used, since it costs no API request, except in private repositories, which have none. An
        asset in the list of releases does not count as absent because its public address answers 404.
        """
        if "://" not in url:
            return self._from_branch(url)
        place = self.locate(url)
        if self._private and (stored is not None or place.startswith(_RELEASE_PREFIX)):
            asset = stored.handle if stored is not None else self._asset(place)
            return None if asset is None else self._by_api(asset)
        data = self._downloads.get(url)
        if data is None and stored is not None:
            raise DestinationError("GitHub lists it, but its address answers 404")
        if data is None and self._private and self._repository.server.owns(url):
            raise DestinationError("the answer was 404, as for all that is private")
        return data

    def discard(self, stored: StoredPackage) -> None:
        """See `Auditable.discard`. A draft that somebody has changed or published in the meantime stays."""
        path = f"/repos/{self._releases.slug}/releases/{object_id(stored.handle)}"

        def delete() -> object:
            _, current = self._api.get(path)
            if not current.get("draft") or _asset_states(current) != _asset_states(stored.handle):
                raise DestinationError(f"{stored.place} has changed in the meantime", remedy="run verify again")
            return self._api.send("DELETE", path, creates=False)

        with convert_errors(self.title):
            try:
                send_until_effective(self._api, delete, lambda: None, missing=False)
            except GitHubError as error:
                if error.status != 404:
                    raise

    def rewrite(self, change: Callable[[Index], Index], message: str) -> None:
        """See `Auditable.rewrite`. An unreadable index stays in the branch's history."""
        if self._head.commit is not None:
            self._branch.check_access(self._head)
            check_branch_protection(self._api, self._releases.slug, self._branch.name)
        self._tolerates_broken_index = True
        try:
            self._commit(lambda index: change(index).text, message)
        finally:
            self._tolerates_broken_index = False

    def _parse(self, head: Head) -> Index:
        try:
            return super()._parse(head)
        except BrokenIndexError:
            if not self._tolerates_broken_index:
                raise
            return Index.parse(None)

    def _from_branch(self, url: str) -> bytes | None:
        """Return a file that Pages serves beside the index, or None if the branch has no such file."""
        path = posixpath.normpath(unquote(url))
        if path.startswith(("/", "../")) or path in {".", ".."}:
            raise DestinationError("its address is outside the branch")
        with self._asking:
            return self._branch.read((path,)).files[path]

    def _by_api(self, asset: Mapping[str, Any]) -> bytes:
        try:
            return self._api.download(str(asset["url"]), limit=MAX_BYTES)
        except GitHubError as error:
            raise DestinationError.of(error) from error

    def _asset(self, place: str) -> Mapping[str, Any] | None:
        """Return an asset that the list of releases lacks, since it may have changed while it was read; or None."""
        tag, _, name = place.removeprefix(_RELEASE_PREFIX).rpartition("/")
        with self._asking, convert_errors(self.title):
            try:
                _, release = self._api.get(f"/repos/{self._releases.slug}/releases/tags/{path_segment(tag)}")
            except GitHubError as error:
                if error.status == 404:
                    return None
                raise
        return next((asset for asset in release.get("assets") or () if asset.get("name") == name), None)


def _packages(release: Mapping[str, Any]) -> Iterator[StoredPackage]:
    """Yield the packages of a release, or the release itself if it is a draft or lacks its package.

    A release called `<name>-<semantic version>` counts as this program's. Other releases may hold packages that an
    index refers to, but nothing is reported missing from them.
    """
    tag = str(release.get("tag_name") or "")
    assets: list[Mapping[str, Any]] = list(release.get("assets") or ())
    ours = is_package_label(tag)
    own = [asset for asset in assets if normalize_asset_name(asset.get("name")) == normalize_asset_name(f"{tag}.tgz")]
    beside = [
        asset for asset in assets if normalize_asset_name(asset.get("name")) == normalize_asset_name(f"{tag}.tgz.prov")
    ]
    whole = [asset for asset in assets if asset.get("state") == "uploaded" and str(asset["name"]).endswith(".tgz")]
    if release.get("draft"):
        # A draft with another title or other files is somebody else's work.
        if ours and release.get("name") == tag and len(own) + len(beside) == len(assets):
            yield StoredPackage(tag, tag, f"{tag}.tgz", "", None, "draft", handle=release)
        return
    fits = [asset for asset in whole if asset in own] or whole
    for asset in sorted(whole, key=lambda asset: str(asset["name"]) != f"{tag}.tgz"):
        digest = str(asset.get("digest") or "")
        yield StoredPackage(
            tag,
            tag if ours and asset in fits else "",
            str(asset["name"]),
            str(asset["browser_download_url"]),
            digest.removeprefix("sha256:") if digest.startswith("sha256:") else None,
            "published",
            created=_time(asset.get("created_at")),
            handle=asset,
        )
    if ours and not whole and len(own) + len(beside) == len(assets):
        what = "is a release with an incomplete package" if assets else "is a release without a package"
        remedy = "it is immutable, so delete it; the next update publishes it again" if release.get("immutable") else ""
        yield StoredPackage(tag, tag, f"{tag}.tgz", "", None, "broken", what, remedy, handle=release)


def _time(text: object) -> datetime | None:
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return time if time.tzinfo is not None else None


def _asset_states(release: Mapping[str, Any]) -> object:
    return [(asset.get("id"), asset.get("state")) for asset in release.get("assets") or ()]
