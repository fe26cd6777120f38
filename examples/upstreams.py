"""The small upstream repositories of the demo, with the same commits wherever and whenever they are created."""

from __future__ import annotations

import base64
import gzip
import io
import os
import shutil
import subprocess
import tarfile
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

CONFIG = """\
# yaml-language-server: $schema=../chart_releaser/config.schema.json
destination:
  directory: ../public

sources:
  # An extension: its registration and its admission chart become one umbrella chart. In v1.2.0 upstream split the
  # admission chart in two, within the three tracked minors.
  - name: provider-acme
    repo: ./upstream/gardener-extension-provider-acme
    version: v1.2.1
    charts:
      - controller-registration
      - path: charts/gardener-extension-admission-acme
        versions: "<1.2.0"
      - path: charts/gardener-extension-admission-acme/charts/application
        versions: ">=1.2.0"
      - path: charts/gardener-extension-admission-acme/charts/runtime
        versions: ">=1.2.0"

  # A chart with symbolic links that point inside and outside the chart.
  - name: terminal
    repo: ./upstream/terminal
    version: v0.34.0
    charts:
      - charts/terminal

  # Five minors, of which the last three are tracked; a prerelease and two tags that are not versions are ignored.
  - name: weather
    repo: ./upstream/weather
    version: 2.1.0
    charts:
      - charts/weather
"""


@dataclass(frozen=True)
class Link:
    """A symbolic link in a repository."""

    target: str


Tree = Mapping[str, "str | Link"]
"""Files of a repository at one commit, by path."""


@dataclass
class Upstream:
    """A git repository with a clock of its own, so that equal calls make equal commits on every machine."""

    path: Path
    clock: int = field(default=1_700_000_000)

    def __post_init__(self) -> None:
        self.path.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> None:
        """Run git without the user's own configuration. Raises CalledProcessError."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        person = {"NAME": "Ada Upstream", "EMAIL": "ada@example.org", "DATE": f"{self.clock} +0000"}
        environment |= {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in person.items()}
        environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run(["git", *arguments], cwd=self.path, env=environment, stdin=subprocess.DEVNULL, check=True)

    def release(self, tag: str, notes: str, tree: Tree) -> None:
        """Replace the work tree, commit it, tag it, and advance the clock by a week."""
        self.clock += 7 * 24 * 3600
        for entry in self.path.iterdir():
            if entry.name != ".git":
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        for name, content in tree.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Link):
                path.symlink_to(content.target)
            else:
                path.write_text(content, encoding="utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", f"Release {tag}")
        self.tag(tag, notes)

    def tag(self, name: str, notes: str) -> None:
        """Tag the last commit. The message serves as the release notes."""
        self.git("tag", "--annotate", "--cleanup=verbatim", "--message", notes, name)


def text(content: str) -> str:
    """Return a text without the indentation of the code around it."""
    return textwrap.dedent(content).lstrip("\n")


def chart_yaml(name: str, description: str, api: str = "v1") -> str:
    """Return a typical Chart.yaml of an upstream, in which the version is meaningless."""
    return f"apiVersion: {api}\nname: {name}\ndescription: {description}\nversion: 0.1.0\n"


def config_map(name: str, data: str) -> str:
    """Return a template with one ConfigMap."""
    return text(f"""
        apiVersion: v1
        kind: ConfigMap
        metadata:
          name: {name}
          namespace: {{{{ .Release.Namespace }}}}
        data:
          {data}
        """)


def raw_chart(files: Mapping[str, str]) -> str:
    """Return a chart as a ControllerDeployment contains it: a tgz in base64, always with the same bytes."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"gardener-extension-provider-acme/{name}")
            member.size = len(content.encode())
            tar.addfile(member, io.BytesIO(content.encode()))
    return base64.b64encode(buffer.getvalue()).decode()


def registration(tag: str) -> str:
    """Return a controller registration as in the example/ directory of an extension's repository."""
    chart = raw_chart(
        {
            "Chart.yaml": chart_yaml("gardener-extension-provider-acme", "The controller"),
            "values.yaml": "image:\n  repository: registry.example.org/provider-acme\n  tag: latest\n",
            "templates/configmap.yaml": config_map(
                "acme", 'image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"'
            ),
        }
    )
    return text(f"""
        ---
        apiVersion: core.gardener.cloud/v1
        kind: ControllerDeployment
        metadata:
          name: provider-acme
        helm:
          rawChart: {chart}
          values:
            image:
              tag: {tag}
            replicaCount: 1
        ---
        apiVersion: core.gardener.cloud/v1beta1
        kind: ControllerRegistration
        metadata:
          name: provider-acme
        spec:
          deployment:
            deploymentRefs:
            - name: provider-acme
          resources:
          - kind: Infrastructure
            type: acme
          - kind: Worker
            type: acme
        """)


def admission(prefix: str, role: str) -> dict[str, str | Link]:
    """Return the files of one part of an admission chart, below `prefix`."""
    return {
        f"{prefix}/Chart.yaml": chart_yaml(f"admission-acme-{role}", f"Admission for acme, {role} part"),
        f"{prefix}/values.yaml": text("""
            # The admission's image. The tag becomes the release's.
            image:
              repository: registry.example.org/admission-acme
              tag: latest
            """),
        f"{prefix}/templates/configmap.yaml": config_map(
            f"admission-{role}", 'image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"'
        ),
    }


def make_extension(path: Path) -> None:
    """Make an extension whose admission chart is first one chart with two sub-charts, and later two charts."""
    upstream = Upstream(path)
    below = "charts/gardener-extension-admission-acme"
    for tag in ("v1.0.0", "v1.1.0", "v1.1.1", "v1.2.0", "v1.2.1"):
        tree: dict[str, str | Link] = {
            "README.md": "# An extension for the cloud of Acme\n",
            "example/controller-registration.yaml": registration(tag),
        }
        tree |= admission(f"{below}/charts/application", "application")
        tree |= admission(f"{below}/charts/runtime", "runtime")
        if tag < "v1.2.0":
            tree[f"{below}/Chart.yaml"] = chart_yaml("gardener-extension-admission-acme", "Admission for acme")
            tree[f"{below}/values.yaml"] = (
                "# Which of the two parts is deployed is up to who installs it.\nglobal: {}\n"
            )
        notes = f"# provider-acme {tag}\n\n* `[OPERATOR]` What changed in {tag}.\n"
        if tag == "v1.2.0":
            notes += "* `[BREAKING]` The admission chart is two charts now.\n"
        upstream.release(tag, notes, tree)


def make_terminal(path: Path) -> None:
    """Make a chart whose sub-charts share values and helper templates through symbolic links."""
    upstream = Upstream(path)
    chart = "charts/terminal"
    for tag in ("v0.33.0", "v0.34.0"):
        tree: dict[str, str | Link] = {
            f"{chart}/Chart.yaml": chart_yaml("terminal", "A web terminal"),
            f"{chart}/values.yaml": "# Shared by both parts.\nimage:\n  tag: latest\n",
            f"{chart}/.helmignore": "*.orig\n",
            f"{chart}/values.yaml.orig": "left by a merge\n",
            f"{chart}/charts/utils-templates": Link("../../utils-templates"),
            "charts/utils-templates/Chart.yaml": chart_yaml("utils-templates", "Helper templates"),
            "charts/utils-templates/templates/_image.tpl": '{{- define "utils.image" -}}\n'
            "registry.example.org/terminal:{{ .tag }}\n{{- end -}}\n",
        }
        for role in ("application", "runtime"):
            part = f"{chart}/charts/{role}"
            tree[f"{part}/Chart.yaml"] = chart_yaml(f"terminal-{role}", f"The {role} part")
            tree[f"{part}/values.yaml"] = Link("../../values.yaml")
            tree[f"{part}/templates/configmap.yaml"] = config_map(
                f"terminal-{role}", 'image: {{ include "utils.image" .Values.image | quote }}'
            )
        upstream.release(tag, f"What changed in {tag}.\n", tree)


def make_weather(path: Path) -> None:
    """Make a plain chart with many releases, and with tags that are not versions."""
    upstream = Upstream(path)
    for tag in ("1.0.0", "1.1.0", "1.2.0", "1.2.1", "2.0.0", "2.0.1", "1.2.2", "2.1.0", "2.2.0-rc.1"):
        tree: Tree = {
            "charts/weather/Chart.yaml": chart_yaml("weather", "Tells the weather", "v2") + "type: application\n",
            "charts/weather/values.yaml": "# Celsius or Fahrenheit\nunit: celsius\nimage:\n  tag: latest\n",
            "charts/weather/templates/configmap.yaml": config_map("weather", "unit: {{ .Values.unit | quote }}"),
        }
        upstream.release(tag, f"Weather {tag}: sunny.\n", tree)
    upstream.tag("nightly", "The last night's build.\n")
    upstream.tag("hack/tools/v0.1.0", "A module for Go.\n")


def build(folder: Path) -> Path:
    """Create the upstream repositories and the configuration in `folder`, replacing those of an earlier run.

    Returns the path of the configuration file.
    """
    shutil.rmtree(folder / "upstream", ignore_errors=True)
    make_extension(folder / "upstream" / "gardener-extension-provider-acme")
    make_terminal(folder / "upstream" / "terminal")
    make_weather(folder / "upstream" / "weather")
    config = folder / "config.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    return config
