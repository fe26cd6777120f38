"""The true Helm reads what is written into an index, and reads it as it was meant."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart_releaser.index.index import Index, build_entry
from tests.helm import Helm
from tests.serving import served

NOW = datetime(2025, 11, 22, 1, 2, 3, tzinfo=UTC)
HOSTILE = [
    *("1e3", "12e4567", "1.10", "0x1", "1_000", "y", "n", "on", "off", "yes", "=", "<<", "2025-01-01", "~", "null"),
    *("true", "0o7", "0b1", ".inf", "-.INF", ".nan", "12:30", "1:2:3", "007", "08", "+1", "-1", ".5", "5.", "1,000"),
    *("a: b", "a #b", "# a", "- a", "? a", "[a", "{a", "*a", "&a", "!a", "|", ">", "%a", "@a", "`a", "'", '"', "---"),
    *("...", "a:", ":", "-", ",", "{{ .Values }}", "\\n", "a\\", "1 2", "🎈 é 図", "2001-12-14t21:59:43.10-05:00"),
    *("a\nb\n\n  c", "a\n", "\n a", "\ta", "x" * 300 + " " + "y" * 300, " x ", "\x7f", "\x85", "\u2028", "\ufeff"),
]


def new(name: str, version: str, **more: Any) -> dict[str, Any]:
    metadata = {"apiVersion": "v2", "name": name, "version": version, **more}
    return build_entry(metadata, digest="12e4567".rjust(64, "0"), url=f"{name}-{version}.tgz", created=NOW)


def search(helm: Helm, folder: Path, text: str) -> list[dict[str, str]]:
    (folder / "index.yaml").write_bytes(text.encode())
    with served(folder) as url:
        helm("repo", "add", "--force-update", "it", url)
    found: list[dict[str, str]] = json.loads(helm("search", "repo", "it/", "-l", "--devel", "-o", "json").stdout)
    return found


def test_helm_reads_every_awkward_text_as_it_was(helm: Helm, tmp_path: Path) -> None:
    entries = [
        new(
            f"c{number}",
            "1.0.0",
            description=text,
            appVersion=text,
            home=text,
            icon=text,
            kubeVersion=text,
            tags=text,
            condition=text,
            keywords=[text],
            sources=[text],
            annotations={"a": text, text: "b"},
            maintainers=[{"name": text, "email": text, "url": text}],
            dependencies=[{"name": "d", "version": text, "condition": text, "alias": f"d{number}", "tags": [text]}],
        )
        for number, text in enumerate(HOSTILE)
    ]
    found = search(
        helm, tmp_path, Index.parse(Index.parse(None).merge(entries[::2], generated=NOW)).merge(entries, generated=NOW)
    )
    by_name = {item["name"]: item for item in found}
    for number, text in enumerate(HOSTILE):
        # Helm itself takes characters out that don't print, and makes spaces of line breaks.
        printed = "".join(" " if c.isspace() else c for c in text if c.isspace() or c.isprintable())
        assert by_name[f"it/c{number}"]["description"] in (text, printed), repr(text)
        assert by_name[f"it/c{number}"]["app_version"] in (text, printed), repr(text)
    assert len(found) == len(HOSTILE)


def test_helm_finds_names_and_versions_in_its_order(helm: Helm, tmp_path: Path) -> None:
    names = ["y", "on", "null", "0x1", "1e3", "007", "1", "a-b"]
    versions = ["1.0.0", "1.10.0", "1.9.0", "2.0.0-rc.1", "2.0.0", "2.0.0-rc.10", "2.0.0-rc.2", "0.0.1"]
    text = None
    for version in versions:
        text = Index.parse(text).merge(
            [new(name, version, deprecated=version == "0.0.1") for name in names], generated=NOW
        )
    assert text is not None
    index = Index.parse(text)
    before = {name: [item["version"] for item in entries] for name, entries in index.entries.items()}
    found = search(helm, tmp_path, text)
    for name in names:
        assert [item["version"] for item in found if item["name"] == f"it/{name}"] == before[name]


@pytest.mark.parametrize("times", [1, 2])
def test_what_helm_itself_wrote_stays_and_helm_takes_the_rest(helm: Helm, tmp_path: Path, times: int) -> None:
    chart = tmp_path / "one"
    chart.mkdir()
    packages = tmp_path / "packages"
    packages.mkdir()
    for version in ("1.10.0", "1.9.0", "0x1.0.0", "1.0.0+build"):
        metadata = {"apiVersion": "v2", "name": "one", "version": version, "appVersion": "1e3", "description": "a: 'b'"}
        (chart / "Chart.yaml").write_text(yaml.safe_dump(metadata))
        helm("package", chart, "-d", packages, check=version != "0x1.0.0")
    helm("repo", "index", packages)
    written = (packages / "index.yaml").read_text()
    text = written
    for number in range(times):
        text = Index.parse(text).merge([new("one", f"1.9.{number + 1}"), new("two", f"1.0.{number}")], generated=NOW)
    lines = iter(text.splitlines())
    assert all(line in lines for line in written.splitlines() if not line.startswith("generated:"))
    found = search(helm, packages, text)
    assert [item["version"] for item in found if item["name"] == "it/one"] == [
        "1.10.0",
        *(f"1.9.{number}" for number in range(times, 0, -1)),
        "1.9.0",
        "1.0.0+build",
    ]
    # Helm writes the same data when it merges the outcome with nothing new.
    (tmp_path / "empty").mkdir()
    helm("repo", "index", tmp_path / "empty", "--merge", packages / "index.yaml")
    again = yaml.safe_load((tmp_path / "empty" / "index.yaml").read_text())
    mine = yaml.safe_load(text)
    assert again["entries"] == mine["entries"]
