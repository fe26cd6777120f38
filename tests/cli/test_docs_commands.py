"""README.md and docs/: each command is run as it stands there, in a sandbox with a GitHub of its own."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.runner import SCRIPT, TOKEN, environment, server_env
from tests.documents import DOCUMENTS, ROOT, Block, blocks
from tests.gitrepo import Content, GitRepo
from tests.helm import Helm
from tests.hub import Hub, create, running
from tests.serving import served

README = ROOT / "README.md"
SERVER_LINE = "python3 -m http.server --directory public 8080"
REGISTRATION = """\
apiVersion: core.gardener.cloud/v1
kind: ControllerDeployment
metadata:
  name: it
helm:
  rawChart: H4sI
  values:
    replicas: 1
"""


def stand_in(hub: Hub, folder: Path, source: Mapping[str, Any]) -> None:
    """Serve a repository with what a source of a document names, at a few tags."""
    slug = str(source["repo"])
    if hub.repository(slug) is not None:
        return
    files: dict[str | bytes, Content | None] = {"example/controller-registration.yaml": REGISTRATION}
    for chart in source["charts"]:
        path = chart["path"] if isinstance(chart, dict) else chart
        if path != "controller-registration":
            name = path.rpartition("/")[2]
            files[f"{path}/Chart.yaml"] = f"apiVersion: v2\nname: {name}\nversion: 0.1.0\n"
            files[f"{path}/values.yaml"] = "replicas: 1\n"
            files[f"{path}/templates/map.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: it\n"
    repo = GitRepo(folder / slug.replace("/", "+"))
    repo.commit(files)
    prefix = "v" if str(source["version"]).startswith("v") else ""
    for tag in (str(source["version"]), f"{prefix}1.49.3", f"{prefix}1.50.0"):
        repo.release(tag, {"VERSION": tag}, f"What changed in {tag}.\n")
    hub.add_repository(slug, repo.path)
    hub.releases_from_tags(slug)


def github(found: list[Block], folder: Path) -> Hub:
    """A GitHub with all repositories that the configurations in a document name."""
    hub = Hub()
    hub.limits.anonymous = hub.limits.content_per_minute = None
    hub.add_token(TOKEN, None)
    configurations = [yaml.safe_load(block.text) for block in found if block.language == "yaml" and block.filename]
    for config in [*configurations, EXAMPLE]:
        to = config.get("destination", {})
        if "owner" in to and hub.repository(f"{to['owner']}/{to['repo']}") is None:
            hub.add_repository(f"{to['owner']}/{to['repo']}", create(folder / f"{to['repo']}.git"))
        for source in config.get("sources", ()):
            stand_in(hub, folder, source)
    return hub


EXAMPLE = {
    "destination": {"owner": "my-name", "repo": "my-charts"},
    "sources": [{"name": "etcd", "repo": "gardener-community/etcd", "version": "6.3.0", "charts": ["charts/etcd"]}],
}
"""The configuration that a document without one is about."""


def special(line: str) -> bool:
    """Check a line that is not run here: what it needs is there."""
    words = shlex.split(line, comments=True)
    if words[:1] == ["make"]:
        assert re.search(rf"(?m)^{words[1]}:", (ROOT / "Makefile").read_text()), line
    elif words[:4] == ["python3", "-m", "pip", "install"]:
        assert words[4:] == ["-c", "constraints.txt", "."], line
        assert (ROOT / "constraints.txt").is_file()
    else:
        return words[:1] == ["export"] and words[1].startswith("GITHUB_TOKEN=")
    return True


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_every_command_works(document: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    found = list(blocks(document))
    assert {block.language for block in found} <= {"sh", "yaml", "text", "json"}
    if not any(block.language == "sh" for block in found):
        return
    work = tmp_path / "work"
    work.mkdir()
    (work / "config.yaml").write_text(yaml.safe_dump(EXAMPLE))
    with ExitStack() as stack:
        server = stack.enter_context(running(github(found, tmp_path)))
        env = environment(server_env(server, TOKEN))
        env["PATH"] = f"{SCRIPT.parent}{os.pathsep}{env['PATH']}"
        url = ""
        for block in found:
            if block.language == "yaml" and block.filename:
                path = work / block.filename
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text)
            for line in block.text.splitlines() if block.language == "sh" else ():
                if line == SERVER_LINE:
                    url = stack.enter_context(served(work / "public"))
                elif line.startswith("helm "):
                    helm: Helm = request.getfixturevalue("helm")
                    helm(*shlex.split(line.replace("http://127.0.0.1:8080", url))[1:], cwd=work)
                elif not special(line):
                    # As a command that is not its last one, bash does not become it but stays its parent.
                    command = ["bash", "-euc", f"{line}\n:"]
                    done = subprocess.run(command, cwd=work, env=env, capture_output=True, text=True, check=False)
                    assert done.returncode == 0, f"{document.name}: {line}\n{done.stdout}{done.stderr}"


def test_every_workflow_is_one() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    known = (ROOT / ".github/workflows/nightly.yml").read_text()
    workflows = [block.text for block in blocks(README) if (block.filename or "").startswith(".github/")]
    assert workflows
    for text in workflows:
        for job in yaml.safe_load(text)["jobs"].values():
            for step in job["steps"]:
                if "chart-releaser" in step["uses"]:
                    assert set(step["with"]) <= set(action["inputs"])
                else:
                    assert step["uses"] in known, "the documents and the project use the same commit"
