"""REST API for release assets, uploads and downloads: https://docs.github.com/rest/releases/assets."""

from __future__ import annotations

import hashlib
import re
from typing import Any
from urllib.parse import quote, unquote

from tests.hub.context import Context
from tests.hub.hub import Hub
from tests.hub.messages import DOCS, Refused, Request, Response, invalid, json_response, not_found
from tests.hub.rest_repositories import account
from tests.hub.state import HubAsset, HubRelease, HubRepository

ASSETS = f"{DOCS}/releases/assets"
DOWNLOAD = re.compile(r"/([^/]+/[^/]+)/releases/download/(.+)/([^/]+)")
OBJECTS = "/_objects/"


def release_segment(release: HubRelease) -> str:
    """Return a release's name in web addresses, which do not contain the tag of a draft."""
    if release.draft:
        return f"untagged-{hashlib.sha1(str(release.id).encode()).hexdigest()[:20]}"
    return quote(release.tag, safe="/")


def asset_name(name: str, kept: str = "") -> str:
    """Return GitHub's name for an uploaded file: other characters become dots, but not at its ends."""
    changed = re.sub(rf"[^A-Za-z0-9._{re.escape(kept)}-]+", ".", f"default{name}" if name.startswith(".") else name)
    if changed != name:
        changed = re.sub(r"\.{2,}", ".", changed).strip(".")
    return changed or "default"


def asset_json(context: Context, release: HubRelease, asset: HubAsset) -> dict[str, Any]:
    """Return an asset as in GitHub's answers."""
    hub, slug = context.hub, context.repository.slug
    place = f"{release_segment(release)}/{quote(asset.name, safe='+@')}"
    return {
        "url": f"{hub.api_url}/repos/{slug}/releases/assets/{asset.id}",
        "id": asset.id,
        "node_id": f"RA_{asset.id}",
        "name": asset.name,
        "label": asset.label,
        "uploader": account(context, "github-actions[bot]", "Bot"),
        "content_type": asset.content_type,
        "state": asset.state,
        "size": len(asset.data),
        "digest": asset.digest if hub.digests else None,
        "download_count": asset.download_count,
        "created_at": f"{asset.created_at:%Y-%m-%dT%H:%M:%SZ}",
        "updated_at": f"{asset.created_at:%Y-%m-%dT%H:%M:%SZ}",
        "browser_download_url": f"{hub.url}/{slug}/releases/download/{place}",
    }


def _release(context: Context, number: str) -> HubRelease:
    release = context.repository.releases.get(int(number))
    if release is None or (release.draft and not context.may_push):
        raise not_found(f"{ASSETS}#list-release-assets")
    return release


def _asset(context: Context, number: str) -> tuple[HubRelease, HubAsset]:
    for release in context.repository.releases.values():
        for asset in release.assets:
            if asset.id == int(number) and (context.may_push or not release.draft):
                return release, asset
    raise not_found(f"{ASSETS}#get-a-release-asset")


def listing(context: Context, number: str) -> Response:
    """GET releases/{id}/assets, including those with a broken upload."""
    release = _release(context, number)
    page, headers = context.page(release.assets)
    return json_response(200, [asset_json(context, release, asset) for asset in page], headers)


def upload(context: Context, number: str) -> Response:
    """POST to the upload address of a release."""
    release = _release(context, number)
    asset = receive(context, release)
    return json_response(201, asset_json(context, release, asset))


def receive(context: Context, release: HubRelease) -> HubAsset:
    """Check and store an upload. Raises Refused: 400 without a length, 422 if the name is taken."""
    request = context.request
    docs = f"{ASSETS}#upload-a-release-asset"
    if not request.headers.get("content-length", "").isdigit() or not request.size:
        raise Refused(400, "Bad Content-Length", docs=docs)
    if release.immutable:
        raise Refused(422, "Cannot upload assets to an immutable release.", docs=docs)
    given = request.query.get("name", "")
    if not given:
        raise invalid("ReleaseAsset", "missing_field", "name")
    name = asset_name(given, context.hub.kept_in_names)
    if release.asset(name) is not None:
        raise invalid("ReleaseAsset", "already_exists", "name")
    if len(release.assets) >= 1000:
        raise invalid("ReleaseAsset", "custom", "file_count", "file_count limited to 1000 assets per release")
    asset = HubAsset(
        context.hub.number(),
        name,
        request.bytes(),
        context.hub.now(),
        request.headers.get("content-type", "application/octet-stream"),
        request.query.get("label", ""),
    )
    release.assets.append(asset)
    return asset


def break_upload(hub: Hub, request: Request) -> None:
    """Add what a broken upload leaves: an empty asset in state "starter"."""
    match = re.fullmatch(r"/api/uploads/repos/([^/]+/[^/]+)/releases/(\d+)/assets", request.path)
    with hub.lock:
        repository = hub.repository(unquote(match[1])) if match else None
        release = repository.releases.get(int(match[2])) if match and repository else None
        if release is not None:
            name = asset_name(request.query.get("name", ""), hub.kept_in_names)
            kind = request.headers.get("content-type", "application/octet-stream")
            if release.asset(name) is None:
                release.assets.append(HubAsset(hub.number(), name, b"", hub.now(), kind, state="starter"))


def by_id(context: Context, number: str) -> Response:
    """GET releases/assets/{id}: its JSON, or its content for application/octet-stream."""
    release, asset = _asset(context, number)
    if "application/octet-stream" not in context.request.headers.get("accept", ""):
        return json_response(200, asset_json(context, release, asset))
    if asset.state != "uploaded":
        raise not_found(f"{ASSETS}#get-a-release-asset")
    asset.download_count += 1
    if context.hub.redirect_api_downloads:
        return _elsewhere(context.hub, asset)
    return Response(200, {"Content-Type": asset.content_type}, asset.data)


def delete(context: Context, number: str) -> Response:
    """DELETE releases/assets/{id}."""
    release, asset = _asset(context, number)
    if release.immutable:
        raise Refused(422, "Cannot delete assets from an immutable release.", docs=f"{ASSETS}#delete-a-release-asset")
    release.assets.remove(asset)
    return Response(204)


def _elsewhere(hub: Hub, asset: HubAsset) -> Response:
    address = hub.url.replace("//127.0.0.1", "//localhost")
    return Response(302, {"Location": f"{address}{OBJECTS}{asset.id}?sig=0"})


def download(hub: Hub, request: Request) -> Response | None:
    """Answer downloads from the web site and from the store that it redirects to; None for any other address.

    The store is another service: its addresses are signed, and it refuses tokens.
    """
    if request.method not in {"GET", "HEAD"}:
        return None
    with hub.lock:
        if request.path.startswith(OBJECTS):
            return _stored(hub, request)
        match = DOWNLOAD.fullmatch(request.path)
        if match is None:
            return None
        repository, name = _public(hub, unquote(match[1])), unquote(match[3])
        release = repository.published(unquote(match[2])) if repository else None
        asset = release.asset(name) if release else None
        if asset is None or asset.state != "uploaded":
            return Response(404, {"Content-Type": "text/plain; charset=utf-8"}, b"Not Found")
        asset.download_count += 1
        return _elsewhere(hub, asset) if hub.redirect_downloads else _content(asset)


def _public(hub: Hub, slug: str) -> HubRepository | None:
    """Return a public repository; None for a private one, whose downloads need a browser session."""
    repository = hub.repository(hub.moved(slug) or slug)
    return None if repository is None or repository.private else repository


def _content(asset: HubAsset) -> Response:
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f"attachment; filename={asset.name}",
        "ETag": f'"{asset.id}"',
    }
    return Response(200, headers, asset.data)


def _stored(hub: Hub, request: Request) -> Response:
    if "authorization" in request.headers:
        text = b"<Error><Code>InvalidAuthenticationInfo</Code></Error>"
        return Response(400, {"Content-Type": "application/xml"}, text)
    number = request.path.removeprefix(OBJECTS)
    for repository in hub.repositories():
        for release in repository.releases.values():
            for asset in release.assets:
                if str(asset.id) == number:
                    return _content(asset)
    return Response(404)
