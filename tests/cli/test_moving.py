"""Moving over: the documented workflow, run as a job does it, on a repository that the earlier tool published to."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

from chart_releaser.index.index import Index
from tests.cli.runner import OLD_SCRIPT, TOKEN, environment, server_env
from tests.cli.test_docs_commands import stand_in
from tests.documents import ROOT, blocks
from tests.hub import Hub, create, running
from tests.hub.gitdir import GitDir

PAGE = ROOT / "docs/moving.md"
ENTRY = """\
  - apiVersion: v2
    created: "2024-05-06T07:08:09.123456789Z"
    description: A helmchart for provider-azure
    digest: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
    name: provider-azure
    urls:
    - https://github.com/gardener-community/gardener-charts/releases/download/provider-azure-1.48.0/provider-azure-1.48.0.tgz
    version: 1.48.0
"""
PUBLISHED = f"""\
apiVersion: v1
entries:
  provider-azure:
{ENTRY}generated: "2024-05-06T07:08:09.123456789Z"
"""


def job() -> tuple[str, list[dict[str, Any]]]:
    """The documented configuration's text, and the steps of the documented workflow."""
    found = {block.filename: block.text for block in blocks(PAGE) if block.filename}
    workflow = yaml.safe_load(found[".github/workflows/charts.yml"])
    assert workflow["permissions"] == {"contents": "write"}
    [only] = workflow["jobs"].values()
    return found["chart-releaser-config.yaml"], only["steps"]


def test_an_unchanged_workflow_goes_on_where_the_earlier_tool_stopped(tmp_path: Path) -> None:
    text, steps = job()
    slug = "gardener-community/gardener-charts"
    hub = Hub()
    hub.add_token(TOKEN)
    git = GitDir(create(tmp_path / "charts.git"))
    hub.add_repository(slug, git.path)
    git.commit("main", {"chart-releaser-config.yaml": text.encode()})
    git.commit("gh-pages", {"index.yaml": PUBLISHED.encode(), "CNAME": b"charts.example.org"})
    [source] = yaml.safe_load(text)["sources"]
    stand_in(hub, tmp_path, source)
    [install, update] = [step for step in steps if "run" in step]
    assert [step["uses"].partition("@")[0] for step in steps if "uses" in step] == ["actions/checkout"]
    assert install["run"].startswith("python3 -m pip install ")
    assert update["env"] == {"GITHUB_TOKEN": "${{ secrets.GITHUB_TOKEN }}"}
    checkout = tmp_path / "checkout"
    with running(hub) as server:
        subprocess.run(["git", "clone", "-q", "-b", "main", f"{server.url}/{slug}.git", checkout], check=True)
        env = environment(server_env(server, TOKEN))
        env |= {"PATH": f"{OLD_SCRIPT.parent}{os.pathsep}{env['PATH']}", "GITHUB_ACTIONS": "true"}
        for expected in ("2 published, 0 up to date", "0 published, 2 up to date"):
            command = ["bash", "-euo", "pipefail", "-c", update["run"]]
            done = subprocess.run(command, cwd=checkout, env=env, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            assert f"{expected}, 0 failed" in done.stderr
    index = (git.read("refs/heads/gh-pages", "index.yaml") or b"").decode()
    assert ENTRY in index
    assert Index.parse(index).versions("provider-azure") == {"1.50.0", "1.49.3", "1.48.0"}
    assert git.read("refs/heads/gh-pages", "CNAME") == b"charts.example.org"
    assert subprocess.run(["git", "status", "--porcelain"], cwd=checkout, capture_output=True, check=True).stdout == b""
