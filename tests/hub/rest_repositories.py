"""REST: the limits, repositories and branches."""

from __future__ import annotations

from typing import Any

from tests.hub.context import Context
from tests.hub.gitdir import GitDir
from tests.hub.limits import Window
from tests.hub.messages import DOCS, Refused, Response, json_response, not_found


def account(context: Context, login: str, kind: str = "User") -> dict[str, Any]:
    """A user or organisation as other objects embed it."""
    api = f"{context.hub.api_url}/users/{login}"
    html = f"{context.hub.url}/{login}"
    return {"login": login, "id": 1, "node_id": "U_1", "type": kind, "url": api, "html_url": html, "site_admin": False}


def rate_limit(context: Context, window: Window) -> Response:
    """GET /rate_limit: costs nothing."""
    return json_response(200, {"resources": {"core": window.values()}, "rate": window.values()})


def repository(context: Context) -> Response:
    """GET /repos/{owner}/{repo}."""
    found = context.repository
    hub = context.hub
    html = f"{hub.url}/{found.slug}"
    api = f"{hub.api_url}/repos/{found.slug}"
    body: dict[str, Any] = {
        "id": found.id,
        "node_id": f"R_{found.id}",
        "name": found.name,
        "full_name": found.slug,
        "private": found.private,
        "visibility": "private" if found.private else "public",
        "owner": account(context, found.owner, "Organization"),
        "html_url": html,
        "description": found.description,
        "fork": False,
        "url": api,
        "releases_url": f"{api}/releases{{/id}}",
        "branches_url": f"{api}/branches{{/branch}}",
        "git_refs_url": f"{api}/git/refs{{/sha}}",
        "clone_url": f"{html}.git",
        "default_branch": found.default_branch,
        "archived": found.archived,
        "disabled": False,
        "has_pages": found.git is not None and found.git.ref("refs/heads/gh-pages") is not None,
        "created_at": f"{found.created_at:%Y-%m-%dT%H:%M:%SZ}",
        "updated_at": f"{found.created_at:%Y-%m-%dT%H:%M:%SZ}",
        "pushed_at": f"{found.created_at:%Y-%m-%dT%H:%M:%SZ}",
    }
    if context.token is not None:
        # The role of the person whose token it is; that of an app or a workflow has none, whatever it may do:
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
    found = _git(context).ref(f"refs/heads/{name}")
    if found is None:
        raise Refused(404, "Branch not found", docs=docs)
    api = f"{context.hub.api_url}/repos/{context.repository.slug}"
    protected = name in context.repository.protected_branches
    body = {
        "name": name,
        "commit": {"sha": found[1], "url": f"{api}/commits/{found[1]}"},
        "_links": {"self": f"{api}/branches/{name}"},
        "protected": protected,
        "protection": {"enabled": protected},
        "protection_url": f"{api}/branches/{name}/protection",
    }
    return json_response(200, body)
