"""Package a finished chart: as the reproducible bytes of a tgz, or as the files of a directory."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from chart_releaser.charts.chart import Chart
from chart_releaser.errors import ChartError
from chart_releaser.helm.archive import MAX_CHART_BYTES, MAX_FILE_BYTES
from chart_releaser.helm.yaml import Value, as_string

# The order in which `helm package` writes: https://github.com/helm/helm/blob/main/pkg/chartutil/save.go
_FIRST = ("Chart.yaml", "Chart.lock", "values.yaml", "values.schema.json")
_GZIP_LEVEL = 6
_DRIVE = re.compile(r"[a-zA-Z]:")


@dataclass(frozen=True)
class Package:
    """A packaged chart: the bytes of its tgz, and Chart.yaml as Helm reads it."""

    metadata: dict[str, Value]
    data: bytes
    provenance: bytes | None = None
    """The signed content of `<filename>.prov`, or None if the package is not signed."""

    @property
    def name(self) -> str:
        """The chart's name."""
        return as_string(self.metadata["name"])

    @property
    def version(self) -> str:
        """The chart's version."""
        return as_string(self.metadata["version"])

    @property
    def filename(self) -> str:
        """The file name that Helm uses: `<name>-<version>.tgz`."""
        return f"{self.name}-{self.version}.tgz"

    @cached_property
    def digest(self) -> str:
        """The bare hexadecimal SHA-256 of the data, as an index lists it."""
        return hashlib.sha256(self.data).hexdigest()


def build_package(chart: Chart, time: int) -> Package:
    """Return `chart` as a tgz in which everything has the timestamp `time`, in seconds since the epoch.

    The same chart and time give the same bytes. Raises ChartError if Helm's loader would refuse the package.
    """
    stamp = min(max(time, 0), 0xFFFFFFFF)  # the range of a gzip header
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, data in chart_files(chart):
            member = tarfile.TarInfo(f"{chart.name}/{path}")
            member.size = len(data)
            member.mode = 0o644
            member.mtime = stamp
            archive.addfile(member, io.BytesIO(data))
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=packed, mode="wb", compresslevel=_GZIP_LEVEL, mtime=stamp) as stream:
        stream.write(plain.getbuffer())  # at once: writing each block of 512 bytes would take twice the time
    return Package(metadata=chart.metadata, data=packed.getvalue())


def chart_files(chart: Chart) -> list[tuple[str, bytes]]:
    """Return the path (relative to the chart) and content of every file of `chart`, in the order of Helm's archives.

    Sub-charts are in directories named after them. Raises ChartError beyond the limits of Helm's loader: 5 MiB a file,
    100 MiB a chart, and no paths that leave the chart.
    """
    files = list(_files(chart, ""))
    total = 0
    for path, data in files:
        if len(data) > MAX_FILE_BYTES:
            size = len(data) / 1024 / 1024
            raise ChartError(f"{chart.path}: {path} has {size:.1f} MiB", remedy="Helm loads at most 5 MiB a file")
        has_control = not path.isprintable() and any(ord(character) < 32 for character in path)
        if "\\" in path or has_control or _DRIVE.match(path):
            raise ChartError(f"{chart.path}: {path!r} is a path that Helm's loader refuses")
        total += len(data)
    if total > MAX_CHART_BYTES:
        size = total / 1024 / 1024
        raise ChartError(f"{chart.path}: the chart has {size:.1f} MiB", remedy="Helm loads at most 100 MiB")
    return files


def _files(chart: Chart, below: str) -> Iterator[tuple[str, bytes]]:
    own = {"Chart.yaml": chart.chart_yaml.encode(), **chart.files}
    if chart.values is not None:
        own["values.yaml"] = chart.values.encode()
    for name in sorted(own, key=_order):
        yield f"{below}{name}", own[name]
    kept = {path: data for subchart in chart.subcharts for path, data in (subchart.kept or {}).items()}
    for subchart in sorted(chart.subcharts, key=lambda subchart: subchart.name):
        if subchart.kept is None:
            yield from _files(subchart, f"{below}charts/{subchart.name}/")
    for path in sorted(kept):
        yield f"{below}charts/{path}", kept[path]


def _order(path: str) -> tuple[int, str]:
    if path in _FIRST:
        return _FIRST.index(path), path
    return (len(_FIRST) if path.startswith("templates/") else len(_FIRST) + 1), path
