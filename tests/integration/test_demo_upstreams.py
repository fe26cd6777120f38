"""The demo's upstream repositories: the same commits wherever and whenever they are made."""

from __future__ import annotations

import subprocess
from pathlib import Path

from examples import upstreams


def git(repository: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=repository, check=True, capture_output=True, text=True).stdout


def test_the_same_repositories_each_time(tmp_path: Path) -> None:
    seen = []
    for folder in (tmp_path / "one", tmp_path / "other"):
        upstreams.build(folder)
        upstreams.build(folder)  # in place of the first ones
        upstream = sorted((folder / "upstream").iterdir())
        seen.append([(path.name, git(path, "show-ref", "--tags")) for path in upstream])
    assert seen[0] == seen[1]
    assert len(seen[0]) == 3


def test_links_are_links_and_tags_have_notes(tmp_path: Path) -> None:
    upstreams.build(tmp_path)
    terminal = tmp_path / "upstream" / "terminal"
    links = [line.split("\t")[1] for line in git(terminal, "ls-tree", "-r", "v0.34.0").splitlines() if "120000" in line]
    assert links == [
        "charts/terminal/charts/application/values.yaml",
        "charts/terminal/charts/runtime/values.yaml",
        "charts/terminal/charts/utils-templates",
    ]
    assert git(terminal, "tag", "--list", "--format=%(contents)", "v0.34.0").strip() == "What changed in v0.34.0."
