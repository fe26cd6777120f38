"""Small packages for tests, as Helm would make them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from datetime import UTC, datetime
from typing import Any

import yaml

from chart_releaser.index.entry import digest_and_url
from chart_releaser.index.excerpt import Excerpt
from chart_releaser.index.index import Index, build_entry

NOW = datetime(2025, 11, 22, 1, 2, 3, tzinfo=UTC)


def packed(name: str, version: str, *, note: str = "", chart_yaml: str | None = None) -> bytes:
    """The bytes of a chart's tgz; another `note` gives other bytes."""
    meta = chart_yaml if chart_yaml is not None else yaml.safe_dump(_metadata(name, version))
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as stream, tarfile.open(fileobj=stream, mode="w") as archive:
        for path, text in (("Chart.yaml", meta), ("values.yaml", f"note: {note or 'none'}\n")):
            member = tarfile.TarInfo(f"{name}/{path}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return out.getvalue()


def digest(data: bytes) -> str:
    """The bare SHA-256."""
    return hashlib.sha256(data).hexdigest()


def listed(name: str, version: str, url: str, data: bytes, **more: Any) -> dict[str, Any]:
    """An index entry, with fields replaced or, where they are None, left out."""
    made = build_entry(_metadata(name, version), digest=digest(data), url=url, created=NOW) | more
    return {key: value for key, value in made.items() if value is not None}


def index_text(*entries: Any, **charts: list[Any]) -> str:
    """An index as this program writes it; `charts` are put under a name as they are."""
    text = Index.parse(None).merge(entries, generated=NOW)
    if not charts:
        return text
    data = yaml.safe_load(text)
    for name, items in charts.items():
        data["entries"].setdefault(name, []).extend(items)
    return yaml.safe_dump(json.loads(json.dumps(data)))  # without anchors


def excerpt_of(index: Index) -> Excerpt:
    """What a scan of the index's text has to find."""
    charts = {
        str(name): {version: digest_and_url(index.entry(name, version) or {}) for version in index.versions(name)}
        for name in index.entries
    }
    return Excerpt(charts, index.size, {str(name): index.size_of(name) for name in index.entries})


def _metadata(name: str, version: str) -> dict[str, Any]:
    return {"apiVersion": "v2", "name": name, "version": version, "appVersion": "1.10"}
