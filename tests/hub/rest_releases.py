"""REST API for releases: https://docs.github.com/rest/releases/releases."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from tests.hub.context import Context
from tests.hub.messages import DOCS, Refused, Response, invalid, json_response, not_found
from tests.hub.rest_assets import asset_json, release_segment
from tests.hub.rest_repositories import account
from tests.hub.state import HubRelease

RELEASES = f"{DOCS}/releases/releases"
BAD_TAG = re.compile(r"[\x00-\x20~^:?*\[\\\x7f]|\.\.|@\{|//|/$|/\.|\.lock$|^[-./]|\.$")
LONGEST_BODY = 125_000


def release_json(context: Context, release: HubRelease) -> dict[str, Any]:
    """Return a release as in GitHub's answers."""
    hub, slug = context.hub, context.repository.slug
    api = f"{hub.api_url}/repos/{slug}/releases/{release.id}"
    body = {
        "url": api,
        "assets_url": f"{api}/assets",
        "upload_url": f"{hub.url}/api/uploads/repos/{slug}/releases/{release.id}/assets{{?name,label}}",
        "html_url": f"{hub.url}/{slug}/releases/tag/{release_segment(release)}",
        "id": release.id,
        "author": account(context, "github-actions[bot]", "Bot"),
        "node_id": f"RE_{release.id}",
        "tag_name": release.tag,
        "target_commitish": release.target,
        "name": release.name,
        "draft": release.draft,
        "immutable": release.immutable,
        "prerelease": release.prerelease,
        "created_at": f"{release.created_at:%Y-%m-%dT%H:%M:%SZ}",
        "updated_at": f"{release.published_at or release.created_at:%Y-%m-%dT%H:%M:%SZ}",
        "published_at": f"{release.published_at:%Y-%m-%dT%H:%M:%SZ}" if release.published_at else None,
        "assets": [asset_json(context, release, asset) for asset in release.assets],
        "tarball_url": None if release.draft else f"{hub.api_url}/repos/{slug}/tarball/{quote(release.tag)}",
        "zipball_url": None if release.draft else f"{hub.api_url}/repos/{slug}/zipball/{quote(release.tag)}",
    }
    return body | {"body": release.body}


def listing(context: Context) -> Response:
    """GET releases. Drafts are shown only to callers with push permission."""
    seen = [release for release in context.repository.listed() if context.may_push or not release.draft]
    page, headers = context.page(seen)
    return json_response(200, [release_json(context, release) for release in page], headers)


def by_tag(context: Context, tag: str) -> Response:
    """GET releases/tags/{tag}, without drafts."""
    release = context.repository.published(tag)
    if release is None:
        raise not_found(f"{RELEASES}#get-a-release-by-tag-name")
    return json_response(200, release_json(context, release))


def latest(context: Context) -> Response:
    """GET releases/latest: the marked release, or else the newest that is neither draft nor prerelease."""
    repository = context.repository
    full = [release for release in repository.listed() if not (release.draft or release.prerelease)]
    chosen = [release for release in full if release.id == repository.latest] or full
    if not chosen:
        raise not_found(f"{RELEASES}#get-the-latest-release")
    return json_response(200, release_json(context, chosen[0]))


def _find(context: Context, number: str) -> HubRelease:
    release = context.repository.releases.get(int(number))
    if release is None or (release.draft and not context.may_push):
        raise not_found(f"{RELEASES}#get-a-release")
    return release


def by_id(context: Context, number: str) -> Response:
    """GET releases/{id}."""
    return json_response(200, release_json(context, _find(context, number)))


def _fields(context: Context, body: dict[str, Any]) -> None:
    """Check the types of the fields. Raises Refused (422) in the words of GitHub's schema check."""
    kinds = {"tag_name": str, "target_commitish": str, "name": str, "body": str, "draft": bool, "prerelease": bool}
    for name, kind in kinds.items():
        if body.get(name) is not None and not isinstance(body[name], kind):
            what = "a boolean" if kind is bool else "a string"
            text = f"Invalid request.\n\nFor 'properties/{name}', {str(body[name])!r} is not {what}."
            raise Refused(422, text, docs=f"{RELEASES}#create-a-release")
    if str(body.get("make_latest", "true")) not in {"true", "false", "legacy"}:
        message = f'Invalid request.\n\n{body["make_latest"]!r} is not a member of ["true", "false", "legacy"].'
        raise Refused(422, message, docs=f"{RELEASES}#create-a-release")
    if len(body.get("body") or "") > LONGEST_BODY:
        raise invalid("Release", "custom", "body", f"body is too long (maximum is {LONGEST_BODY} characters)")


def create(context: Context) -> Response:
    """POST releases. Several drafts may have the same tag, but only one published release."""
    body = context.request.object()
    if not body.get("tag_name"):
        raise Refused(422, 'Invalid request.\n\n"tag_name" wasn\'t supplied.', docs=f"{RELEASES}#create-a-release")
    _fields(context, body)
    repository = context.repository
    if repository.git is not None and repository.git.empty():
        raise invalid("Release", "custom", message="Repository is empty.")
    if BAD_TAG.search(body["tag_name"]):
        raise invalid("Release", "custom", "tag_name", "tag_name is not a valid tag")
    release = context.hub.new_release(
        body["tag_name"],
        notes=body.get("body"),
        draft=True,
        prerelease=bool(body.get("prerelease")),
        name=body.get("name") or "",
        target=body.get("target_commitish") or repository.default_branch,
    )
    if not body.get("draft"):
        _publish(context, release, str(body.get("make_latest", "true")))
    repository.releases[release.id] = release
    location = f"{context.hub.api_url}/repos/{repository.slug}/releases/{release.id}"
    return json_response(201, release_json(context, release), {"Location": location})


def update(context: Context, number: str) -> Response:
    """PATCH releases/{id}: publish a draft, or change what may be changed."""
    release = _find(context, number)
    body = context.request.object()
    _fields(context, body)
    if release.immutable and {"tag_name", "target_commitish", "draft"} & {
        name for name, value in body.items() if value != _current(release).get(name)
    }:
        raise Refused(422, "Cannot update an immutable release.", docs=f"{RELEASES}#update-a-release")
    tag = body.get("tag_name") or release.tag
    if BAD_TAG.search(tag):
        raise invalid("Release", "custom", "tag_name", "tag_name is not a valid tag")
    was_draft = release.draft
    other = context.repository.published(tag)
    if not body.get("draft", was_draft) and other not in {None, release}:
        raise invalid("Release", "already_exists", "tag_name")
    release.tag = tag
    release.target = body.get("target_commitish") or release.target
    release.name = body["name"] if body.get("name") is not None else release.name
    release.body = body["body"] if body.get("body") is not None else release.body
    release.prerelease = body["prerelease"] if body.get("prerelease") is not None else release.prerelease
    if was_draft and body.get("draft") is False:
        _publish(context, release, str(body.get("make_latest", "true")))
    elif not was_draft and body.get("draft") is True:
        release.draft = True
    elif not release.draft and "make_latest" in body:
        _mark_latest(context, release, str(body["make_latest"]))
    return json_response(200, release_json(context, release))


def _current(release: HubRelease) -> dict[str, object]:
    return {"tag_name": release.tag, "target_commitish": release.target, "draft": release.draft}


def _publish(context: Context, release: HubRelease, make_latest: str) -> None:
    """Create the tag if it is missing, and date the release like the tagged commit."""
    repository = context.repository
    if repository.published(release.tag) is not None:
        raise invalid("Release", "already_exists", "tag_name")
    if release.tag in repository.used_tags:
        raise invalid("Release", "custom", "tag_name", "tag_name was used by an immutable release")
    if repository.git is not None:
        tag = f"refs/tags/{release.tag}"
        if repository.git.ref(tag) is None:
            target = release.target
            commit = repository.git.resolve(f"refs/heads/{target}")
            if commit is None and re.fullmatch(r"[0-9a-f]{40}", target):
                commit = repository.git.resolve(target)
            if commit is None:
                raise invalid("Release", "invalid", "target_commitish")
            repository.git.set_ref(tag, commit)
        release.created_at = repository.git.commit_time(tag) or release.created_at
    release.draft = False
    release.published_at = context.hub.now()
    if repository.immutable_releases:
        release.immutable = True
        repository.used_tags.add(release.tag)
    _mark_latest(context, release, make_latest)


def _mark_latest(context: Context, release: HubRelease, make_latest: str) -> None:
    repository = context.repository
    if make_latest == "true" and not release.prerelease:
        repository.latest = release.id
    elif make_latest == "legacy":
        repository.latest = None


def delete(context: Context, number: str) -> Response:
    """DELETE releases/{id}. The tag stays."""
    release = _find(context, number)
    del context.repository.releases[release.id]
    return Response(204)
