"""REST: the caller, the limits, repositories, branches and refs."""

from __future__ import annotations

import re
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


def user(context: Context) -> Response:
    """GET /user: refused to an Actions token, as it stands for nobody."""
    if context.token is None:
        raise Refused(401, "Requires authentication", docs=f"{DOCS}/users/users#get-the-authenticated-user")
    if context.token.kind == "installation":
        raise Refused(
            403, "Resource not accessible by integration", docs=f"{DOCS}/users/users#get-the-authenticated-user"
        )
    return json_response(200, account(context, context.token.login))


def root(context: Context) -> Response:
    """GET /: where things are."""
    return json_response(
        200,
        {
            "current_user_url": f"{context.hub.api_url}/user",
            "rate_limit_url": f"{context.hub.api_url}/rate_limit",
            "repository_url": f"{context.hub.api_url}/repos/{{owner}}/{{repo}}",
        },
    )


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


def _ref_json(context: Context, name: str, kind: str, oid: str) -> dict[str, Any]:
    api = f"{context.hub.api_url}/repos/{context.repository.slug}/git"
    target = {"type": kind, "sha": oid, "url": f"{api}/{kind}s/{oid}"}
    return {"ref": name, "node_id": f"REF_{name}", "url": f"{api}/{name}", "object": target}


def ref(context: Context, name: str) -> Response:
    """GET /repos/{owner}/{repo}/git/ref/{heads/… or tags/…}."""
    git = _git(context)
    found = git.ref(f"refs/{name}")
    if found is None:
        if git.empty():
            raise Refused(409, "Git Repository is empty.", docs=f"{DOCS}/git/refs#get-a-reference")
        raise not_found(f"{DOCS}/git/refs#get-a-reference")
    return json_response(200, _ref_json(context, f"refs/{name}", *found))


def matching_refs(context: Context, prefix: str) -> Response:
    """GET /repos/{owner}/{repo}/git/matching-refs/{prefix}."""
    git = _git(context)
    names = [name for name in git.refs() if name.startswith(f"refs/{prefix}")]
    found = [(name, git.ref(name)) for name in names]
    return json_response(200, [_ref_json(context, name, *value) for name, value in found if value is not None])


def create_ref(context: Context) -> Response:
    """POST /repos/{owner}/{repo}/git/refs."""
    docs = f"{DOCS}/git/refs#create-a-reference"
    git = _git(context)
    body = context.request.object()
    name, oid = str(body.get("ref", "")), str(body.get("sha", ""))
    if git.empty():
        raise Refused(409, "Git Repository is empty.", docs=docs)
    if not name.startswith("refs/") or name.count("/") < 2:
        raise Refused(422, "Reference name must start with 'refs/' and contain at least two slashes.", docs=docs)
    if git.ref(name) is not None:
        raise Refused(422, "Reference already exists", docs=docs)
    if not re.fullmatch(r"[0-9a-f]{40}", oid) or not git.git("cat-file", "-t", oid, check=False):
        raise Refused(422, "Object does not exist", docs=docs)
    git.set_ref(name, oid)
    made = git.ref(name)
    assert made is not None
    return json_response(201, _ref_json(context, name, *made))


def delete_ref(context: Context, name: str) -> Response:
    """DELETE /repos/{owner}/{repo}/git/refs/{heads/… or tags/…}."""
    git = _git(context)
    if git.ref(f"refs/{name}") is None:
        raise Refused(422, "Reference does not exist", docs=f"{DOCS}/git/refs#delete-a-reference")
    git.delete_ref(f"refs/{name}")
    return Response(204)
