"""The entry to the REST API: authentication, rate limits, dispatch to a handler, and conditional requests.

Documented at https://docs.github.com/rest/using-the-rest-api.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from tests.hub import graphql, rest_assets, rest_releases, rest_repositories
from tests.hub.context import Context
from tests.hub.hub import Hub
from tests.hub.messages import DOCS, Refused, Request, Response, not_found

API = "/api/v3"
UPLOADS = "/api/uploads"
VERSIONS = {"2022-11-28", "2026-03-10"}
Handler = Callable[..., Response]


@dataclass(frozen=True)
class Route:
    """A handler for requests below a repository. `creates` marks those that the secondary limit counts."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler
    creates: bool = False


def _route(method: str, path: str, handler: Handler, *, creates: bool = False) -> Route:
    return Route(method, re.compile(path), handler, creates)


ROUTES = [
    _route("GET", "", rest_repositories.repository),
    _route("GET", "/branches/(.+)", rest_repositories.branch),
    _route("GET", "/releases", rest_releases.listing),
    _route("POST", "/releases", rest_releases.create, creates=True),
    _route("GET", "/releases/latest", rest_releases.latest),
    _route("GET", "/releases/tags/(.+)", rest_releases.by_tag),
    _route("GET", r"/releases/(\d+)", rest_releases.by_id),
    _route("PATCH", r"/releases/(\d+)", rest_releases.update, creates=True),
    _route("DELETE", r"/releases/(\d+)", rest_releases.delete),
    _route("GET", r"/releases/(\d+)/assets", rest_assets.listing),
    _route("GET", r"/releases/assets/(\d+)", rest_assets.by_id),
    _route("DELETE", r"/releases/assets/(\d+)", rest_assets.delete),
]
UPLOAD_ROUTES = [_route("POST", r"/releases/(\d+)/assets", rest_assets.upload, creates=True)]


def answer(hub: Hub, request: Request) -> Response:
    """Return the answer to a REST request, with rate-limit headers, ETag and compression."""
    limit_headers: dict[str, str] = {}
    try:
        context = _caller(hub, request)
        response, limit_headers = _limited(context)
    except Refused as refused:
        response = refused.response()
    response.headers = _common(hub, request) | limit_headers | response.headers
    _compress(request, response)
    return response


def _caller(hub: Hub, request: Request) -> Context:
    if not request.headers.get("user-agent"):
        message = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header"
        raise Refused(403, message)
    version = request.headers.get("x-github-api-version")
    if version is not None and version not in VERSIONS:
        message = f"Version '{version}' is not supported. Supported versions are: {', '.join(sorted(VERSIONS))}."
        raise Refused(400, message, docs=f"{DOCS}/about-the-rest-api/api-versions")
    value = request.token
    token = hub.token(value) if value is not None else None
    if value is not None and token is None:
        raise Refused(401, "Bad credentials")
    return Context(hub, request, token)


def _limited(context: Context) -> tuple[Response, dict[str, str]]:
    """Count the request and answer it; a 304 is not counted."""
    hub, request, token = context.hub, context.request, context.token
    caller = token.value if token else None
    limit = token.limit if token else hub.limits.anonymous
    with hub.lock:
        if request.path == f"{API}/rate_limit":
            window = hub.limits.window(caller, limit)
            return rest_repositories.rate_limit(context, window), window.headers()
        window = hub.limits.window(caller, limit)
        try:
            hub.limits.check(caller, limit)
            response = _dispatch(context)
        except Refused as refused:
            return refused.response(), window.headers()
        if request.method == "GET" and response.status == 200:
            response = _conditional(context, response)
            # By GitHub's documentation a 304 is free only for authorized callers.
            if response.status == 304 and token is not None:
                window.used -= 1
        return response, window.headers()


def _dispatch(context: Context) -> Response:
    request = context.request
    if request.path == graphql.PATH and request.method == "POST":
        return graphql.answer(context)
    path = request.path.removeprefix(API)
    routes = ROUTES
    if request.path.startswith(f"{UPLOADS}/"):
        path, routes = request.path.removeprefix(UPLOADS), UPLOAD_ROUTES
    parts = re.fullmatch(r"/repos/([^/]+)/([^/]+)(/.*)?", path)
    if parts is None:
        raise not_found()
    context.enter(f"{unquote(parts[1])}/{unquote(parts[2])}", parts[3] or "")
    for route in routes:
        match = route.pattern.fullmatch(parts[3] or "")
        if match is not None and route.method == request.method:
            if request.method != "GET":
                context.need_push()
            if route.creates and context.token is not None:
                context.hub.limits.check_content(context.token.value)
            return route.handler(context, *map(unquote, match.groups()))
    raise not_found()


def _conditional(context: Context, response: Response) -> Response:
    """Add the ETag, which depends on caller and media type; return a 304 if the caller has this very answer."""
    request = context.request
    seed = f"{request.headers.get('authorization', '')}\0{request.headers.get('accept', '')}\0".encode()
    tag = hashlib.sha256(seed + response.whole()).hexdigest()
    response.headers["ETag"] = f'W/"{tag}"'
    known = request.headers.get("if-none-match", "")
    if known.strip() == "*" or tag in {part.strip().removeprefix("W/").strip('"') for part in known.split(",")}:
        kept = {name: value for name, value in response.headers.items() if name != "Content-Type"}
        return Response(304, kept)
    return response


def _common(hub: Hub, request: Request) -> dict[str, str]:
    private = "authorization" in request.headers
    headers = {
        "Cache-Control": f"{'private' if private else 'public'}, max-age=60, s-maxage=60",
        "Vary": "Accept, Authorization, Cookie, X-GitHub-OTP, Accept-Encoding, X-Requested-With",
        "X-GitHub-Media-Type": "github.v3; format=json",
        "X-GitHub-Api-Version-Selected": request.headers.get("x-github-api-version", "2022-11-28"),
        "X-GitHub-Request-Id": f"0000:0000:{hub.number():07X}",
    }
    if hub.enterprise_version is not None:
        headers["X-GitHub-Enterprise-Version"] = hub.enterprise_version
    return headers


def _compress(request: Request, response: Response) -> None:
    small = not isinstance(response.body, bytes) or len(response.body) < 500
    if small or "gzip" not in request.headers.get("accept-encoding", ""):
        return
    if response.headers.get("Content-Type", "").startswith("application/json"):
        response.body = gzip.compress(response.whole(), 1, mtime=0)
        response.headers["Content-Encoding"] = "gzip"
