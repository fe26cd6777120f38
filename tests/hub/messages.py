"""Requests, answers, and refusals in GitHub's words."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from urllib.parse import parse_qsl

DOCS = "https://docs.github.com/rest"


@dataclass
class Request:
    """A request whose whole body has been received, on disk or in memory."""

    method: str
    path: str
    query_text: str
    headers: Mapping[str, str]
    """The headers, with names in lower case."""
    body: BinaryIO
    size: int

    @property
    def query(self) -> dict[str, str]:
        """Return the query's parameters; of a repeated parameter the last value."""
        return dict(parse_qsl(self.query_text, keep_blank_values=True))

    def bytes(self) -> bytes:
        """Return the body."""
        self.body.seek(0)
        return self.body.read()

    def object(self) -> dict[str, Any]:
        """Return the JSON body. Raises Refused (400), in GitHub's words, if it is not a JSON object."""
        try:
            value = json.loads(self.bytes() or b"{}")
        except ValueError:
            raise Refused(400, "Problems parsing JSON") from None
        if not isinstance(value, dict):
            raise Refused(400, "Body should be a JSON object")
        return value

    @property
    def token(self) -> str | None:
        """Return the token in the Authorization header, with any scheme; empty if the header is malformed."""
        header = self.headers.get("authorization")
        if header is None:
            return None
        scheme, _, rest = header.partition(" ")
        if scheme.lower() in {"bearer", "token"}:
            return rest.strip()
        if scheme.lower() == "basic":
            try:
                user, _, password = base64.b64decode(rest, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return ""
            return password if password not in {"", "x-oauth-basic"} else user
        return ""


@dataclass
class Response:
    """An answer. A body that is an iterator is sent in chunks."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | Iterator[bytes] = b""

    def whole(self) -> bytes:
        """Return the whole body; an iterator is consumed."""
        if not isinstance(self.body, bytes):
            self.body = b"".join(self.body)
        return self.body


class Refused(Exception):  # noqa: N818 - an answer, not a failure of this program
    """An error answer of the REST interface: message, documentation_url, status and, for 422, errors."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        errors: list[dict[str, str]] | None = None,
        docs: str = DOCS,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors
        self.docs = docs
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """Return the answer for this refusal."""
        body: dict[str, Any] = {"message": self.message}
        if self.errors is not None:
            body["errors"] = self.errors
        body |= {"documentation_url": self.docs, "status": str(self.status)}
        return json_response(self.status, body, self.headers)


def json_response(status: int, value: object, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer with a JSON body."""
    return Response(
        status,
        {"Content-Type": "application/json; charset=utf-8", **(headers or {})},
        json.dumps(value, separators=(",", ":")).encode(),
    )


def invalid(resource: str, code: str, field_name: str | None = None, message: str | None = None) -> Refused:
    """Return a 422 "Validation Failed" with one error."""
    error = {"resource": resource, "code": code}
    if field_name is not None:
        error["field"] = field_name
    if message is not None:
        error["message"] = message
    return Refused(422, "Validation Failed", errors=[error])


def not_found(docs: str = DOCS) -> Refused:
    """Return the 404 for what is absent or hidden from the caller."""
    return Refused(404, "Not Found", docs=docs)
