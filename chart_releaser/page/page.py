"""index.html for people, beside index.yaml: one file that loads nothing and shows nothing of upstream unescaped."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from chart_releaser.page.data import clean, contents, link

if TYPE_CHECKING:
    import jinja2

    from chart_releaser.destinations import Page
    from chart_releaser.index.index import Index

GENERATOR = '<meta name="generator" content="chart-releaser">'
"""What tells a page of ours from one of somebody else's."""

_HEAD_CHARACTERS = 4096
_SCRIPTS = ("elements.js", "commands.js", "data.js", "overview.js", "chart.js", "routes.js")


def render(
    index: Index,
    present: str | None,
    *,
    title: str,
    base_url: str | None = None,
    repositories: Mapping[str, str] = MappingProxyType({}),
) -> str | None:
    """The page for an index; None if `present`, the text of the index.html that is there, is not ours.

    The same index gives the same text: there is no time in it but those of the index. `title` names the repository,
    such as `gardener-community/gardener-charts`. `base_url` is the address that it is served at; without one the page
    goes by the address that it is read at. `repositories` has the repository's address for each configured chart.
    """
    if present is not None and not is_ours(present):
        return None
    shown = contents(index, repositories)
    style, script = _resource("page.css"), _script()
    name = clean(title) or "Helm charts"
    return _template().render(
        generator=GENERATOR,
        policy=_policy(style, script),
        title=name,
        alias=repository_alias(name),
        base_url=link(base_url).rstrip("/"),
        rows=shown.rows,
        versions=shown.versions,
        updated=shown.updated,
        style=style,
        script=script,
        data=_json(shown.data),
    )


def github_page(owner: str, repo: str, repositories: Mapping[str, str]) -> Page:
    """The page of a repository on GitHub; its Pages site may have any address. `repositories`: see `render`."""
    return functools.partial(render, title=f"{owner}/{repo}", repositories=repositories)


def directory_page(url: str | None, repositories: Mapping[str, str]) -> Page:
    """The page of a directory, which is served at `url` if that is known. `repositories`: see `render`."""
    parts = urlsplit(url or "")
    title = f"{parts.hostname or ''}{parts.path}".strip("/")
    return functools.partial(render, title=title or "Helm charts", base_url=url, repositories=repositories)


def is_ours(text: str) -> bool:
    """Whether the text of an index.html was made by `render`, and nobody took the mark out to make it his own."""
    return GENERATOR in text[:_HEAD_CHARACTERS]


def repository_alias(title: str) -> str:
    """The name for `helm repo add` and for Flux that goes with a title: the last part of it, as a Kubernetes name."""
    last = title.rstrip("/").rpartition("/")[2].lower()
    return re.sub(r"[^a-z0-9]+", "-", last).strip("-")[:63].strip("-") or "charts"


def _policy(style: str, script: str) -> str:
    """The content security policy: this style, this script, and nothing from anywhere."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_hash(script)}'",
            f"style-src '{_hash(style)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _json(value: object) -> str:
    """JSON that stays inside its script element, whatever is in it."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    # These three occur inside strings only, where an escape means the same.
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@functools.cache
def _resource(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


@functools.cache
def _script() -> str:
    """All of the script, in a function of its own: its names are not the window's."""
    parts = "\n".join(_resource(name) for name in _SCRIPTS)
    return f'"use strict";\n(() => {{\n{parts}}})();\n'


@functools.cache
def _template() -> jinja2.Template:
    import jinja2

    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.from_string(_resource("page.html.j2"))
