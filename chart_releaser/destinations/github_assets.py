"""The assets of a package's GitHub release: which files it must have, and how GitHub names them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chart_releaser.destinations import PublishablePackage

GitHubRelease = Mapping[str, Any]
"""A release as GitHub's API describes it."""
GitHubAsset = Mapping[str, Any]
"""An asset of a release as GitHub's API describes it."""


@dataclass(frozen=True)
class AssetFile:
    """A file to upload as an asset; `digest` is its SHA-256 in bare hex."""

    name: str
    data: bytes
    digest: str
    content_type: str


def package_assets(package: PublishablePackage) -> list[AssetFile]:
    """Return the files that the release of `package` holds: the package and, if it is signed, its provenance file."""
    files = [AssetFile(package.filename, package.data, package.digest, "application/gzip")]
    if package.provenance is not None:
        digest = hashlib.sha256(package.provenance).hexdigest()
        files.append(AssetFile(f"{package.filename}.prov", package.provenance, digest, "application/pgp-signature"))
    return files


def find_asset(release: GitHubRelease, file: AssetFile) -> GitHubAsset | None:
    """Return the asset of `release` that has the name of `file`, else one with its digest, else None."""
    assets: list[GitHubAsset] = list(release.get("assets") or ())
    wanted = normalize_asset_name(file.name)
    named = (asset for asset in assets if normalize_asset_name(asset.get("name")) == wanted)
    same = (asset for asset in assets if asset.get("digest") == f"sha256:{file.digest}")
    return next(named, None) or next(same, None)


def may_be_ours(release: GitHubRelease) -> bool:
    """Tell whether a run of this program may have made `release`.

    A published release always counts as ours, by its tag. A draft with another title or with other files is somebody
    else's work in progress.
    """
    if not release.get("draft"):
        return True
    tag = str(release.get("tag_name"))
    names = {normalize_asset_name(f"{tag}.tgz"), normalize_asset_name(f"{tag}.tgz.prov")}
    assets = release.get("assets") or ()
    return release.get("name") == tag and all(normalize_asset_name(asset.get("name")) in names for asset in assets)


def normalize_asset_name(name: object) -> str:
    """Return an asset's name in the form in which names are compared, since GitHub renames what it stores.

    It turns characters such as `+` into dots, joins consecutive dots, and removes those at both ends:
    https://docs.github.com/rest/releases/assets#upload-a-release-asset
    """
    return re.sub(r"[^A-Za-z0-9_-]+", ".", str(name)).strip(".")
