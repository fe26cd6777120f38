"""The Action: its pins, and its steps as a runner takes them, up to a published chart."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart_releaser.index.index import Index
from tests.cli.runner import TOKEN, config, server_env, source, upstream
from tests.documents import DOCUMENTS, ROOT, blocks
from tests.hub import GitDir, Hub, Server, create, running
from tests.lacking import NO_CHECKOUT, needs

_EXPRESSION = re.compile(r"\$\{\{\s*(.+?)\s*\}\}")
_OWN = ("./", "OWNER/")
INSTALL = "Install chart-releaser"


def pins() -> Iterator[tuple[str, str, str]]:
    """Each action that is used anywhere: its name, what stands behind the @, and the version in the comment."""
    texts = [path.read_text() for path in (ROOT / "action.yml", *sorted((ROOT / ".github/workflows").glob("*.yml")))]
    texts += [block.text for document in DOCUMENTS for block in blocks(document)]
    for text in texts:
        for name, commit, version in re.findall(r"\buses: ([^@\s]+)@?(\S*)(?: +# *(.*))?", text):
            if not name.startswith(_OWN):
                yield name, commit, version


def test_every_action_is_pinned_once() -> None:
    found = defaultdict(set)
    for name, commit, version in pins():
        assert re.fullmatch(r"[0-9a-f]{40}", commit), f"{name} is not pinned by a commit"
        assert re.fullmatch(r"v\d+\.\d+\.\d+", version), f"{name}: the comment names no version"
        found[name].add((commit, version))
    assert {"actions/checkout", "actions/setup-python", "actions/cache"} <= set(found)
    assert {name: pinned for name, pinned in found.items() if len(pinned) > 1} == {}


@dataclass
class Runner:
    """Takes the steps of a composite action as GitHub's runner does: https://docs.github.com/actions/reference/

    Each `run` is a script of its own, called with `bash --noprofile --norc -eo pipefail`, in the workspace, with files
    for outputs and the summary. Of the actions that it uses, setup-python puts a Python on PATH; the others do nothing.
    """

    workspace: Path
    temp: Path
    action: Path
    token: str
    env: Mapping[str, str]
    used: list[str] = field(default_factory=list)
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    summary: str = ""
    log: str = ""

    def run(self, inputs: Mapping[str, str], *, installed: bool = False) -> int:
        """Return the exit code of the step that failed, 0 if none did.

        A true runner is a new machine each time; with `installed` this one still has what an earlier run installed.
        """
        action = yaml.safe_load((self.action / "action.yml").read_text())
        given = {name: str(told.get("default", "")) for name, told in action["inputs"].items()} | dict(inputs)
        given = {name: self._filled(value, {}) for name, value in given.items()}
        for step in action["runs"]["steps"]:
            if "if" in step and self._value(step["if"], given) != "true":
                continue
            if installed and step.get("name") == INSTALL:
                continue
            if "uses" in step:
                self.used.append(step["uses"].partition("@")[0])
                continue
            code = self._script(step, given)
            if code:
                return code
        return 0

    def _script(self, step: Mapping[str, Any], inputs: Mapping[str, str]) -> int:
        assert step["shell"] == "bash"
        files = {name: self.temp / f"{name} {len(self.log)}" for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for path in files.values():
            path.touch()
        script = self.temp / "script.sh"
        script.write_text(self._filled(step["run"], inputs))
        env = {**self.env, "GITHUB_ACTIONS": "true", "CI": "true", "RUNNER_TEMP": str(self.temp)}
        env |= {name: str(path) for name, path in files.items()}
        env |= {name: self._filled(str(value), inputs) for name, value in step.get("env", {}).items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.workspace,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        self.log += done.stdout
        self.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        lines = files["GITHUB_OUTPUT"].read_text().splitlines()
        self.outputs[step.get("id", "")] = dict(line.split("=", 1) for line in lines)
        return done.returncode

    def _filled(self, text: str, inputs: Mapping[str, str]) -> str:
        return _EXPRESSION.sub(lambda found: self._value(found[1], inputs), text)

    def _value(self, expression: str, inputs: Mapping[str, str]) -> str:
        if equal := re.fullmatch(r"(\S+) == '([^']*)'", expression):
            return str(self._value(equal[1], inputs) == equal[2]).lower()
        known = {f"inputs.{name}": value for name, value in inputs.items()} | {
            "github.action_path": str(self.action),
            "github.token": self.token,
            "runner.temp": str(self.temp),
        }
        return known[expression]


def checkout(target: Path) -> Path:
    """A copy of what is tracked here, as checkout brings an action."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and name.split("/")[0] not in {"tests", "docs"}:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes((ROOT / name).read_bytes())
    return target


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    hub = Hub()
    path = create(tmp_path / "charts.git")
    GitDir(path).commit("main", {"README.md": b"# Charts\n"}, time=1_600_000_000)
    hub.add_repository("acme/charts", path)
    hub.add_token(TOKEN, {"acme/charts"})
    hub.add_repository("up/weather", upstream(tmp_path / "weather.git", ["v1.0.0", "v1.1.0"]).path)
    hub.releases_from_tags("up/weather")
    with running(hub) as server:
        yield server


@needs((ROOT / ".git").exists(), NO_CHECKOUT)
def test_the_steps_publish_a_chart(tmp_path: Path, server: Server) -> None:
    workspace, temp = tmp_path / "a workspace", tmp_path / "a temp"
    workspace.mkdir()
    temp.mkdir()
    python = temp / "setup python"
    python.mkdir()
    (python / "python").symlink_to(Path(sys.base_prefix) / "bin/python3")
    env = {**os.environ, **server_env(server), "PATH": f"{python}{os.pathsep}{os.environ['PATH']}"}
    env["PIP_NO_COMPILE"] = "1"  # what is run is compiled then
    del env["CHART_RELEASER_CACHE"]
    config(workspace, source("alpha", "up/weather"), destination="destination: {owner: acme, repo: charts}")
    runner = Runner(workspace, temp, checkout(tmp_path / "an action"), TOKEN, env)

    code = runner.run({"arguments": "--limit 1\n--verbose"})
    assert (code, runner.used) == (0, ["actions/setup-python", "actions/cache"]), runner.log
    outputs = runner.outputs["run"]
    assert (outputs["exit-code"], outputs["published"], outputs["failed"]) == ("3", "1", "0"), "more waits: no failure"
    assert [chart["tag"] for chart in json.loads(outputs["released"])] == ["alpha-1.1.0"]
    assert (temp / "chart-releaser-cache").is_dir(), "what actions/cache keeps"
    assert runner.run({"cache": "false"}, installed=True) == 0, runner.log
    assert runner.used[-1] == "actions/setup-python", "no cache where none is wanted"
    outputs = runner.outputs["run"]
    assert (outputs["exit-code"], outputs["published"], outputs["skipped"]) == ("0", "1", "1")
    assert "alpha" in runner.summary
    assert TOKEN not in runner.log + runner.summary
    index = GitDir(tmp_path / "charts.git").read("gh-pages", "index.yaml") or b""
    assert Index.parse(index.decode()).versions("alpha") == {"1.0.0", "1.1.0"}
