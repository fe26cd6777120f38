"""The examples in docs/charts.md: each is built by the installed program, and what comes out is what the page shows."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cli.runner import run, server_env
from tests.documents import ROOT, blocks
from tests.gitrepo import Content, GitRepo, Link
from tests.helm import Helm
from tests.hub import Hub, running

PAGE = ROOT / "docs/charts.md"
NOTES = "What changed in {tag}.\n"
_TEMPLATE = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Chart.Name }}\n"
_HELPERS = '{{- define "utils.image" -}}\nregistry.example.org/terminal:{{ .tag }}\n{{- end -}}\n'


@dataclass
class Example:
    """A section of the page: what upstream has, what is configured, and what is said to come out."""

    upstream: list[str] = field(default_factory=list)
    """Lines of upstream's listing, `path` or `path -> target`."""
    given: dict[str, str] = field(default_factory=dict)
    source: str = ""
    listing: str = ""
    published: dict[str, str] = field(default_factory=dict)


def examples() -> dict[str, Example]:
    """The sections of the page that show what is published."""
    found: dict[str, Example] = {}
    for block in blocks(PAGE):
        example = found.setdefault(block.section, Example())
        named = re.fullmatch(r"(Upstream|Published) `([^`]+)`:", block.caption)
        if block.caption == "Upstream:":
            example.upstream = block.text.splitlines()
        elif block.caption == "Configured:":
            example.source = block.text
        elif block.caption == "Published:":
            example.listing = block.text
        elif named and named[1] == "Upstream":
            example.given[named[2]] = block.text
        elif named:
            example.published[named[2]] = block.text
        else:
            raise AssertionError(f"{PAGE.name}: a block that no test looks at: {block.caption}")
    return found


EXAMPLES = examples()


def _content(path: str, given: Mapping[str, str]) -> str:
    """What is in a file of upstream: as the page shows it, or something usual."""
    if path in given:
        return given[path]
    folder, _, name = path.rpartition("/")
    if name == "Chart.yaml":
        chart = folder.rpartition("/")[2]
        return f"apiVersion: v1\nname: {chart}\ndescription: A chart\nversion: 0.1.0\n"
    if name.startswith("_"):
        return _HELPERS
    return {"values.yaml": "replicas: 1\n", "README.md": "# Read me\n"}.get(name, _TEMPLATE)


def built(example: Example, folder: Path) -> dict[str, str]:
    """Build an example and return the files that come out, by their path below the export's directory."""
    slug = re.search(r"repo: (\S+)", example.source)
    tag = re.search(r"version: (\S+)", example.source)
    assert slug, example.source
    assert tag, example.source
    files: dict[str | bytes, Content | None] = {}
    for line in example.upstream:
        path, arrow, target = line.partition(" -> ")
        files[path] = Link(target) if arrow else _content(path, example.given)
    assert set(example.given) <= {str(path) for path in files}, "a file that the listing lacks"
    repo = GitRepo(folder / "upstream")
    repo.release(tag[1], files, NOTES.format(tag=tag[1]))
    hub = Hub()
    hub.add_repository(slug[1], repo.path)
    hub.releases_from_tags(slug[1])
    (folder / "config.yaml").write_text(f"sources:\n{example.source}")
    with running(hub) as server:
        run("export", cwd=folder, env=server_env(server), ok=True)
        url = server.url
    charts = folder / "charts"
    return {
        str(path.relative_to(charts)): path.read_text().replace(url, "https://github.com")
        for path in sorted(charts.rglob("*"))
        if path.is_file() and not path.name.startswith(".chart-releaser")
    }


def listed(files: Mapping[str, str]) -> str:
    """The paths as the page lists them: sorted, a chart's own files before those of its sub-charts."""
    below = sorted(files, key=lambda path: (path.count("charts/"), path))
    return "".join(f"{path}\n" for path in below)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_page_shows_what_is_built(name: str, tmp_path: Path) -> None:
    example = EXAMPLES[name]
    files = built(example, tmp_path)
    assert example.published, "an example without an outcome"
    if example.listing:
        assert listed(files) == example.listing
    assert {path: files.get(path) for path in example.published} == example.published


@pytest.mark.parametrize("name", EXAMPLES)
def test_helm_takes_what_the_page_shows(name: str, tmp_path: Path, helm: Helm) -> None:
    files = built(EXAMPLES[name], tmp_path)
    (chart,) = {path.partition("/")[0] for path in files}
    helm("lint", tmp_path / "charts" / chart)
    helm("template", "x", tmp_path / "charts" / chart)


def test_each_example_is_of_another_source() -> None:
    sources = [re.findall(r"name: (\S+)", example.source) for example in EXAMPLES.values()]
    assert len(set(itertools.chain(*sources))) == len(EXAMPLES)
