"""REST API for rate limits, repositories and branches."""

from __future__ import annotations

from typing import Any

from tests.hub.context import Context
from tests.hub.gitdir import GitDir
from tests.hub.limits import Window
from tests.hub.messages import DOCS, Refused, Response, json_response, not_found


def account(context: Context, login: str, kind: str = "User") -> dict[str, Any]:
    """Return a user or organisation as it is embedded in other objects."""
    api = f"{context.hub.api_url}/users/{login}"
    html = f"{context.hub.url}/{login}"
    return {"login": login, "id": 1, "node_id": "U_1", "type": kind, "url": api, "html_url": html, "site_admin": False}


def rate_limit(context: Context, window: Window) -> Response:
    """GET /rate_limit, which is not counted."""
    return json_response(200, {"resources": {"core": window.values()}, "rate": window.values()})


def repository(context: Context) -> Response:
    """GET /repos/{owner}/{repo}."""
    repository = context.repository
    hub = context.hub
    html = f"{hub.url}/{repository.slug}"
    api = f"{hub.api_url}/repos/{repository.slug}"
    body: dict[str, Any] = {
        "id": repository.id,
        "node_id": f"R_{repository.id}",
        "name": repository.name,
        "full_name": repository.slug,
        "private": repository.private,
        "visibility": "private" if repository.private else "public",
        "owner": account(context, repository.owner, "Organization"),
        "html_url": html,
        "description": repository.description,
        "fork": False,
        "url": api,
        "releases_url": f"{api}/releases{{/id}}",
        "branches_url": f"{api}/branches{{/branch}}",
        "git_refs_url": f"{api}/git/refs{{/sha}}",
        "clone_url": f"{html}.git",
        "default_branch": repository.default_branch,
        "archived": repository.archived,
        "disabled": False,
        "has_pages": repository.git is not None and repository.git.ref("refs/heads/gh-pages") is not None,
        "created_at": f"{repository.created_at:%Y-%m-%dT%H:%M:%SZ}",
        "updated_at": f"{repository.created_at:%Y-%m-%dT%H:%M:%SZ}",
        "pushed_at": f"{repository.created_at:%Y-%m-%dT%H:%M:%SZ}",
    }
    if context.token is not None:
        # The role of the token's owner. The token of an app or a workflow has none, whatever its permissions:
        # https://github.com/semantic-release/github/blob/master/lib/verify.js
        person = context.token.kind != "installation"
        push = person and context.may_push
        body["permissions"] = {"admin": False, "maintain": False, "push": push, "triage": push, "pull": person}
    return json_response(200, body)


def _git(context: Context) -> GitDir:
    git = context.repository.git
    if git is None:
        raise not_found()
    return git


def branch(context: Context, name: str) -> Response:
    """GET /repos/{owner}/{repo}/branches/{branch}."""
    docs = f"{DOCS}/branches/branches#get-a-branch"
    ref = _git(context).ref(f"refs/heads/{name}")
    if ref is None:
        raise Refused(404, "Branch not found", docs=docs)
    api = f"{context.hub.api_url}/repos/{context.repository.slug}"
    protected = name in context.repository.protected_branches
    body = {
        "name": name,
        "commit": {"sha": ref[1], "url": f"{api}/commits/{ref[1]}"},
        "_links": {"self": f"{api}/branches/{name}"},
        "protected": protected,
        "protection": {"enabled": protected},
        "protection_url": f"{api}/branches/{name}/protection",
    }
    return json_response(200, body)
