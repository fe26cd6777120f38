"""Publishes packages as GitHub releases: drafted, checked, then made public, and never changed after that."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chart_releaser.destinations.github_assets import (
    AssetFile,
    GitHubAsset,
    GitHubRelease,
    find_asset,
    may_be_ours,
    package_assets,
)
from chart_releaser.destinations.github_writes import send_until_effective
from chart_releaser.destinations.namesakes import identify_chart, name_conflict
from chart_releaser.errors import (
    ConflictError,
    DestinationError,
    DestinationUnusableError,
    GitHubError,
)
from chart_releaser.github.api import object_id
from chart_releaser.location import path_segment

if TYPE_CHECKING:
    from chart_releaser.destinations import PublishablePackage
    from chart_releaser.github.api import GitHubApi

_UPLOADS = 3
_MAX_BODY = 125_000  # characters that GitHub takes for a release's body
_MAX_DOWNLOAD = 200 * 1024 * 1024


class _SpoiledError(DestinationError):
    """A draft has an asset with other content than it should have."""


@dataclass
class GitHubReleases:
    """The releases of one repository, `slug`, as far as this run needs them.

    Other runs may work on the same tags at the same time. Therefore nothing is ever removed from a draft: what was
    checked in it is still there when it is published. A useless draft is left alone until its tag is published, and
    deleted then, when no other run can publish it any more.
    """

    api: GitHubApi
    slug: str
    known: dict[str, list[GitHubRelease]] = field(default_factory=dict)
    """Releases and drafts that earlier runs left, by tag, for the tags that this run needs."""
    tags: frozenset[str] = frozenset()
    """The tags of this run that exist in the repository already."""
    target: str | None = None
    """The branch on which new tags are created; None for the default branch."""
    _digests: dict[int, str] = field(default_factory=dict)
    """Digests of assets by id, where GitHub reports none and they had to be downloaded."""

    def find_leftovers(self, wanted: frozenset[str], tags: frozenset[str]) -> None:
        """Remember the releases and drafts of earlier runs for the `wanted` tags, of which `tags` exist.

        Drafts have no tag yet, so they are found only in the list of releases. They are among the newest, because every
        run deletes old drafts before it makes new ones: the first page without a draft ends the search.
        """
        self.tags = tags
        self.known = {}
        for page in self.api.pages(f"/repos/{self.slug}/releases"):
            left = [item for item in page if item.get("tag_name") in wanted and may_be_ours(item)]
            for item in left:
                self.known.setdefault(str(item["tag_name"]), []).append(item)
            if not any(item.get("draft") for item in left):
                return

    def publish(self, package: PublishablePackage, notes: str, *, latest: bool) -> tuple[str, bool]:
        """Publish a release with `package` as its asset, unless there is one.

        Returns the asset's address, and whether the release existed already. Raises ConflictError if the published
        asset has another digest, DestinationError, RateLimitError, or GitHubError.
        """
        tag = f"{package.name}-{package.version}"
        drafts = [item for item in self.known.get(tag, []) if item.get("draft")]
        published = self._find_published(tag)
        if published is not None:
            self._delete_drafts(drafts)
            return self._ensure_package(published, package), True
        fields = {"name": tag, "body": _truncate_notes(notes)} | (
            {} if self.target is None else {"target_commitish": self.target}
        )
        try:
            release = self._prepare_draft(tag, fields, package, drafts)
            done = self._publish_draft(release, fields | {"draft": False, "make_latest": "true" if latest else "false"})
        except GitHubError as error:
            # Another run may have published this tag first: then its release counts, and our drafts are deleted.
            winner = self._fetch_by_tag(tag) if error.status in (404, 422) else None
            if winner is None:
                raise
            self._delete_drafts(draft for draft in drafts if draft["id"] != winner["id"])
            return self._ensure_package(winner, package), True
        self._delete_drafts(draft for draft in drafts if draft["id"] != done["id"])
        return self._ensure_package(done, package), False

    def _find_published(self, tag: str) -> GitHubRelease | None:
        for item in self.known.get(tag, []):
            if not item.get("draft"):
                return item
        return self._fetch_by_tag(tag) if tag in self.tags else None

    def _fetch_by_tag(self, tag: str) -> GitHubRelease | None:
        try:
            release: GitHubRelease = self.api.get(f"/repos/{self.slug}/releases/tags/{path_segment(tag)}")[1]
        except GitHubError as error:
            if error.status == 404:
                return None
            raise
        return release

    def _prepare_draft(
        self, tag: str, fields: Mapping[str, Any], package: PublishablePackage, drafts: list[GitHubRelease]
    ) -> GitHubRelease:
        """Return a draft with the complete package: one of `drafts`, or a new one, which is added to `drafts`."""
        waiting = list(drafts)
        for attempt in range(len(waiting) + _UPLOADS):
            release = waiting[attempt] if attempt < len(waiting) else None
            if release is None:
                release = self._create(tag, fields, known=[draft["id"] for draft in drafts])
                drafts.append(release)
            try:
                for file in package_assets(package):
                    self._attach_to_draft(release, file)
            except _SpoiledError:
                if attempt == len(waiting) + _UPLOADS - 1:
                    raise
                self.api.attempts.log.note("uploading a package: it did not arrive completely")
            else:
                return release
        raise AssertionError("unreachable")

    def _create(self, tag: str, fields: Mapping[str, Any], known: list[int]) -> GitHubRelease:
        path = f"/repos/{self.slug}/releases"

        def look_up() -> GitHubRelease | None:
            page = next(self.api.pages(path))
            ours = (item for item in page if item.get("draft") and item.get("tag_name") == tag and may_be_ours(item))
            return next((item for item in ours if item["id"] not in known), None)

        try:
            return send_until_effective(
                self.api,
                lambda: self.api.send("POST", path, {"tag_name": tag, "draft": True, **fields}),
                look_up,
                missing=False,
            )
        except GitHubError as error:
            if error.status not in (401, 403, 404):  # 404 too: GitHub hides from some tokens what they may not do
                raise
            raise DestinationUnusableError(
                f"the token may not make releases in {self.slug} ({error.what})",
                remedy="give it the permission contents: write (in a workflow: permissions: contents: write)",
            ) from error

    def _publish_draft(self, release: GitHubRelease, fields: Mapping[str, Any]) -> GitHubRelease:
        path = f"/repos/{self.slug}/releases/{object_id(release)}"

        def look_up() -> GitHubRelease | None:
            release: GitHubRelease = self.api.get(path)[1]
            return None if release.get("draft") else release

        return send_until_effective(self.api, lambda: self.api.send("PATCH", path, fields), look_up)

    def _delete_drafts(self, drafts: Iterable[GitHubRelease]) -> None:
        """Delete drafts of a published tag. An error leaves the package unlisted, so the next run tries again."""
        for draft in drafts:
            self._delete(f"/repos/{self.slug}/releases/{object_id(draft)}")

    def _delete(self, path: str) -> None:
        """Delete what is at `path`, if it still exists."""
        try:
            send_until_effective(
                self.api, lambda: self.api.send("DELETE", path, creates=False) or {}, lambda: None, missing=False
            )
        except GitHubError as error:
            if error.status != 404:
                raise

    def _ensure_package(self, release: GitHubRelease, package: PublishablePackage) -> str:
        """Return the address of the package in a published release; an incomplete asset is uploaded again."""
        tag = str(release["tag_name"])
        file, *others = package_assets(package)
        asset = find_asset(release, file)
        for _ in range(_UPLOADS):
            if asset is not None and asset.get("state") == "uploaded":
                if (digest := self._digest(asset)) == package.digest:
                    for other in others:
                        self._ensure_provenance(release, other)
                    return str(asset["browser_download_url"])
                self._check_chart(release, asset, package)
                raise ConflictError(
                    f"the release {tag} of {self.slug} holds {asset['name']} with digest {digest}, this build has "
                    f"{package.digest}",
                    remedy="a published version never changes, so it was left as it is: delete the release "
                    "to publish it again, or run verify --repair to list it as it is",
                )
            if release.get("immutable"):
                raise DestinationError(
                    f"the release {tag} of {self.slug} has no package and is immutable, so none can be added",
                    remedy="delete the release, and publish this version under another chart name or leave it out",
                )
            if asset is not None:
                self._delete(f"/repos/{self.slug}/releases/assets/{object_id(asset)}")
            asset = self._upload(release, file)
        raise DestinationError(
            f"{package.filename} did not arrive completely in the release {tag} of {self.slug}",
            remedy="the next run tries again",
        )

    def _check_chart(self, release: GitHubRelease, asset: GitHubAsset, package: PublishablePackage) -> None:
        """Raise ConflictError if the published package belongs to another chart with the same tag."""
        try:
            data = self.api.download(str(asset["url"]), limit=_MAX_DOWNLOAD)
        except GitHubError:
            return  # the caller raises its own error; this one would only be clearer
        own, other = (package.name, package.version), identify_chart(data, package.filename)
        if other is not None and other != own:
            raise name_conflict(own, other, f"the release {release['tag_name']} of {self.slug}")

    def _ensure_provenance(self, release: GitHubRelease, file: AssetFile) -> None:
        """Add a provenance file to a published release, unless it has a complete one, which counts as ours."""
        asset = find_asset(release, file)
        if release.get("immutable") or (asset is not None and asset.get("state") == "uploaded"):
            return
        if asset is not None:
            self._delete(f"/repos/{self.slug}/releases/assets/{object_id(asset)}")
        self._upload(release, file)

    def _attach_to_draft(self, release: GitHubRelease, file: AssetFile) -> None:
        """Make sure that a draft has `file`. Raises _SpoiledError if an asset of that name has other content."""
        asset = find_asset(release, file) or self._upload(release, file)
        digest = self._digest(asset)
        if digest != file.digest:
            raise _SpoiledError(
                f"{file.name} arrived at {self.slug} with digest {digest or 'none'} instead of {file.digest}",
                remedy="the release stays a draft, the next run tries again",
            )

    def _upload(self, release: GitHubRelease, file: AssetFile) -> GitHubAsset:
        """Upload `file` and return its asset, which may still be incomplete."""
        path = f"/repos/{self.slug}/releases/{object_id(release)}/assets"
        url = str(release["upload_url"]).partition("{")[0]

        def look_up() -> GitHubAsset | None:
            return find_asset({"assets": [item for page in self.api.pages(path) for item in page]}, file)

        return send_until_effective(
            self.api, lambda: self.api.upload(url, file.name, file.data, file.content_type), look_up
        )

    def _digest(self, asset: GitHubAsset) -> str:
        """Return the bare SHA-256 of an asset, or the empty string if its upload is incomplete.

        Older Enterprise Servers report no digest; the asset is downloaded then.
        """
        if asset.get("state") != "uploaded":
            return ""
        reported = str(asset.get("digest") or "")
        if reported.startswith("sha256:"):
            return reported.removeprefix("sha256:")
        number = object_id(asset)
        if number not in self._digests:
            data = self.api.download(str(asset["url"]), limit=_MAX_DOWNLOAD)
            self._digests[number] = hashlib.sha256(data).hexdigest()
        return self._digests[number]


def _truncate_notes(notes: str) -> str:
    if len(notes) <= _MAX_BODY:
        return notes
    more = "\n\n…\n\nThe complete notes are in the package, in `RELEASE.md`."
    return notes[: _MAX_BODY - len(more)] + more
