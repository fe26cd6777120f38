"""A repository's tree in memory, and small charts for it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from chart_releaser.budget import Budget
from chart_releaser.charts.assemble import Assembled, Origin, Registration, assemble
from chart_releaser.charts.chart import Chart
from chart_releaser.charts.package import chart_files

ORIGIN = Origin(
    tag="v1.2.3",
    version="1.2.3",
    commit="c" * 40,
    notes="What is new\n",
    repository="https://github.com/o/up",
    label="v1.2.3",
)


class MemoryTree:
    """Implements charts.chart.Tree on a mapping of paths to contents."""

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        self.files = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}

    def kind(self, path: str) -> str | None:
        if path in self.files:
            return "file"
        return "dir" if any(name.startswith(f"{path}/") for name in self.files) else None

    def read(self, path: str) -> bytes:
        return self.files[path]

    def walk(self, path: str, skip: Callable[[str, bool], bool]) -> Iterator[tuple[str, bytes]]:
        for name, data in sorted(self.files.items()):
            if not name.startswith(f"{path}/"):
                continue
            relative = name.removeprefix(f"{path}/")
            parts = relative.split("/")
            above = ("/".join(parts[:count]) for count in range(1, len(parts)))
            if not any(skip(folder, True) for folder in above) and not skip(relative, False):
                yield relative, data

    def find(self, path: str, name: str) -> list[str]:
        return sorted(
            found
            for found in self.files
            if f"/{found}".endswith(f"/{name}") and (not path or found.startswith(f"{path}/"))
        )


def chart(name: str, *, more: str = "", values: str | None = None, template: str = "", **files: str) -> dict[str, str]:
    """Return the files of a chart `name` with one template, which renders `template` or its own name and values."""
    made = {
        "Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: 0.1.0\ndescription: d\nicon: https://example.org/i.png\n{more}",
        "templates/all.yaml": template or OBJECT,
        **files,
    }
    return made if values is None else made | {"values.yaml": values}


OBJECT = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Chart.Name }}
data:
  values: {{ toYaml .Values | quote }}
"""


def tgz(name: str, files: Mapping[str, str | bytes]) -> bytes:
    """Return a chart archive with `files` in the top directory `name`."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(f"{name}/{path}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def below(folder: str, files: Mapping[str, str | bytes]) -> dict[str, str | bytes]:
    """Return `files` below `folder`."""
    return {f"{folder}/{path}": content for path, content in files.items()}


def published(
    files: Mapping[str, str | bytes],
    *paths: str,
    name: str = "product",
    registration: str = "",
    origin: Origin = ORIGIN,
) -> Chart:
    """Return the finished chart `name` from `paths` (default: c) of a tree with `files`."""
    return assembled(files, *paths, name=name, registration=registration, origin=origin).chart


def assembled(
    files: Mapping[str, str | bytes],
    *paths: str,
    name: str = "product",
    registration: str = "",
    origin: Origin = ORIGIN,
) -> Assembled:
    """Return what `assemble` makes of `paths` (default: c) of a tree with `files`."""
    found = Registration(registration, "example/controller-registration.yaml")
    return assemble(name, paths or ("c",), MemoryTree(files), origin, lambda: found, Budget())


def write(files: Mapping[str, str | bytes], folder: Path) -> Path:
    """Write `files` below `folder` and return it."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def export(chart: Chart, folder: Path) -> Path:
    """Write the chart as a directory named after it below `folder` and return that."""
    return write(dict(chart_files(chart)), folder / chart.name)
