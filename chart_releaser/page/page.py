"""Renders index.html beside index.yaml: a single file that loads nothing and escapes every upstream text."""

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

from chart_releaser.page.data import page_contents, safe_link, visible_text

if TYPE_CHECKING:
    import jinja2

    from chart_releaser.destinations import Page
    from chart_releaser.index.index import Index

GENERATOR = '<meta name="generator" content="chart-releaser">'
"""Marks a generated page, so that a page that somebody wrote is never overwritten."""

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
    """Return the page for `index`, or None if `present`, the text of the existing index.html, was not generated.

    The same index always gives the same text. `title` names the repository, such as
    `gardener-community/gardener-charts`. `base_url` is the address that it is served at; if None, the page uses the
    address that it was loaded from. `repositories` maps each configured chart to the address of its upstream.
    """
    if present is not None and not is_generated(present):
        return None
    contents = page_contents(index, repositories)
    style, script = _resource("page.css"), _script()
    name = visible_text(title) or "Helm charts"
    return _template().render(
        generator=GENERATOR,
        policy=_policy(style, script),
        title=name,
        alias=suggest_alias(name),
        base_url=safe_link(base_url).rstrip("/"),
        rows=contents.rows,
        versions=contents.versions,
        updated=contents.updated,
        style=style,
        script=script,
        data=_json(contents.data),
    )


def github_page(owner: str, repo: str, repositories: Mapping[str, str]) -> Page:
    """Return the renderer for a GitHub repository, whose Pages site may have any address; see `render`."""
    return functools.partial(render, title=f"{owner}/{repo}", repositories=repositories)


def directory_page(url: str | None, repositories: Mapping[str, str]) -> Page:
    """Return the renderer for a directory that is served at `url`, None if that is unknown; see `render`."""
    parts = urlsplit(url or "")
    title = f"{parts.hostname or ''}{parts.path}".strip("/")
    return functools.partial(render, title=title or "Helm charts", base_url=url, repositories=repositories)


def is_generated(text: str) -> bool:
    """Tell whether `text` is a generated index.html. Whoever removes the marker from one keeps it for good."""
    return GENERATOR in text[:_HEAD_CHARACTERS]


def suggest_alias(title: str) -> str:
    """Return a name for `helm repo add` and for Flux: the last part of `title`, made a valid Kubernetes name."""
    last = title.rstrip("/").rpartition("/")[2].lower()
    return re.sub(r"[^a-z0-9]+", "-", last).strip("-")[:63].strip("-") or "charts"


def _policy(style: str, script: str) -> str:
    """Return a content security policy that allows this style and this script, and nothing from elsewhere."""
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
    """Return `value` as JSON that can't end the script element that it stands in."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    # In JSON these three occur only inside strings, where an escape means the same.
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@functools.cache
def _resource(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


@functools.cache
def _script() -> str:
    """Return the whole script, wrapped in a function to keep its names out of the global scope."""
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
