"""The context of a REST request: the caller, the repository, and the caller's permissions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode

from tests.hub.hub import Hub
from tests.hub.messages import DOCS, Refused, Request, not_found
from tests.hub.state import HubRepository, Token

T = TypeVar("T")
MOST_RESULTS = 10_000


@dataclass
class Context:
    """The argument of every handler."""

    hub: Hub
    request: Request
    token: Token | None
    _repository: HubRepository | None = field(default=None)

    @property
    def repository(self) -> HubRepository:
        """The repository of the request."""
        assert self._repository is not None
        return self._repository

    @property
    def may_push(self) -> bool:
        """Whether the caller may push to the repository, and so see its drafts."""
        return self.token is not None and self.token.may_write(self.repository.slug)

    def enter(self, slug: str, rest: str) -> None:
        """Return the repository. Raises Refused: 301 or 307 if it has moved, 404 if absent or hidden."""
        moved = self.hub.moved(slug)
        repository = self.hub.repository(moved or slug)
        if repository is None or (repository.private and not (self.token and self.token.may_read(repository.slug))):
            raise not_found(f"{DOCS}/repos/repos#get-a-repository")
        if moved is not None:
            base = self.hub.url + ("/api/uploads" if self.request.path.startswith("/api/uploads") else "/api/v3")
            query = f"?{self.request.query_text}" if self.request.query_text else ""
            location = f"{base}/repositories/{repository.id}{rest}{query}"
            status = 301 if self.request.method == "GET" else 307
            raise Moved(status, location)
        repository.settle()
        self._repository = repository

    def need_push(self) -> None:
        """Raise Refused, worded for the kind of token, if the caller may not write or the repository is archived."""
        if self.token is None:
            raise Refused(401, "Requires authentication")
        if not self.may_push:
            if self.token.kind == "classic":
                raise not_found()
            what = "integration" if self.token.kind == "installation" else "personal access token"
            raise Refused(403, f"Resource not accessible by {what}")
        if self.repository.archived:
            raise Refused(403, "Repository was archived so is read-only.")

    def page(self, items: Sequence[T]) -> tuple[list[T], dict[str, str]]:
        """Return the requested page and its Link header. Raises Refused (422) beyond the first 10,000 items."""
        size = min(max(_number(self.request.query.get("per_page"), 30), 1), 100)
        page = max(_number(self.request.query.get("page"), 1), 1)
        if (page - 1) * size >= MOST_RESULTS:
            raise Refused(422, f"Only the first {MOST_RESULTS} results are available.")
        last = max(1, -(-min(len(items), MOST_RESULTS) // size))
        links: dict[str, int] = {}
        if page > 1:
            links["prev"] = min(page - 1, last)
        if page < last:
            links |= {"next": page + 1, "last": last}
        if page > 1:
            links |= {"first": 1}
        base = self.request.path.replace(
            f"/repos/{self.repository.slug}/", f"/repositories/{self.repository.id}/"
        )  # GitHub's links have the repository's number in place of its name
        others = [(k, v) for k, v in parse_qsl(self.request.query_text, keep_blank_values=True) if k != "page"]
        text = ", ".join(
            f'<{self.hub.url}{base}?{urlencode([*others, ("page", str(number))])}>; rel="{name}"'
            for name, number in links.items()
        )
        return list(items[(page - 1) * size : page * size]), {"Link": text} if text else {}


class Moved(Refused):
    """Return the answer for a renamed repository."""

    def __init__(self, status: int, location: str) -> None:
        message = "Moved Permanently" if status == 301 else "Temporary Redirect"
        docs = f"{DOCS}/guides/best-practices-for-using-the-rest-api#follow-redirects"
        super().__init__(status, message, docs=docs, headers={"Location": location})


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text is not None and text.isdigit() else otherwise
