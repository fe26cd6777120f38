"""Adding ten entries to an index: chart-releaser beside `helm repo index --merge` on the same file."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import statistics
import tarfile
from datetime import UTC, datetime
from pathlib import Path

from bench import synthetic
from bench.process import CommandError, Used, measure, module
from bench.results import Goal, Part, mb
from chart_releaser.index.index import build_entry
from tools import get_helm

_NEW = 10
_URL = "https://example.org/charts"


def run(folder: Path, *, small: bool) -> Part:
    """Measure whole processes (start, read, merge, write) in turns, and report medians."""
    part = Part("index", f"{_NEW} new entries into an index, whole processes")
    try:
        helm = get_helm.find()
    except get_helm.HelmMissingError:
        helm = None
    sources = synthetic.sources(small=False)
    entries = _packages(folder / "packages")
    (folder / "entries.json").write_text(json.dumps(entries))
    for size in (300,) if small else (3000, 30000):
        source = folder / "before.yaml"
        source.write_text(synthetic.index(sources, size))
        ours: list[Used] = []
        theirs: list[Used] = []
        for _ in range(1 if small else 3):
            ours.append(_ours(folder, source, size + _NEW))
            theirs += [_helm(folder, helm, source, size + _NEW)] if helm else []
        _add(part, f"ours, {size} entries", ours, theirs)
        if theirs:
            _add(part, f"helm repo index --merge, {size} entries", theirs, theirs)
            share = round(_median(ours) / _median(theirs), 2)
            part.goals.append(Goal(f"time of ours beside Helm's, {size} entries", share, 1, "machine"))
        before = source.stat().st_size
        added = (folder / "ours.yaml").stat().st_size - before
        part.goals.append(Goal(f"kB that {_NEW} entries add to {mb(before)} MB", round(added / 1000, 2), 6))
    return part


def _ours(folder: Path, source: Path, wanted: int) -> Used:
    target = folder / "ours.yaml"
    shutil.copyfile(source, target)
    used = measure([*module("bench.merge"), str(target), str(folder / "entries.json")], home=folder)
    _check(target, wanted)
    return used


def _helm(folder: Path, helm: Path, source: Path, wanted: int) -> Used:
    packages = folder / "packages"
    command = [str(helm), "repo", "index", str(packages), "--merge", str(source), "--url", _URL]
    used = measure(command, home=folder)
    _check(packages / "index.yaml", wanted)
    return used


def _check(path: Path, wanted: int) -> None:
    count = path.read_text().count("\n    digest: ")
    if count != wanted:
        raise CommandError(f"{path.name} has {count} entries instead of {wanted}")


def _packages(folder: Path) -> list[dict[str, object]]:
    """Make packages for Helm, and return their index entries for chart-releaser."""
    folder.mkdir()
    entries = []
    for number in range(_NEW):
        metadata = {"apiVersion": "v2", "name": f"chart-{number:02}-0", "version": "9.0.0", "description": "New"}
        data = json.dumps(metadata).encode()
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            member = tarfile.TarInfo(f"{metadata['name']}/Chart.yaml")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        file = f"{metadata['name']}-9.0.0.tgz"
        (folder / file).write_bytes(buffer.getvalue())
        digest = hashlib.sha256(buffer.getvalue()).hexdigest()
        entries.append(build_entry(metadata, digest=digest, url=f"{_URL}/{file}", created=datetime.now(UTC)))
    return entries


def _median(runs: list[Used]) -> float:
    return statistics.median(run.seconds for run in runs)


def _add(part: Part, case: str, runs: list[Used], theirs: list[Used]) -> None:
    part.add(
        case,
        {
            "s": round(_median(runs), 2),
            "CPU s": round(statistics.median(run.cpu for run in runs), 2),
            "MB memory": mb(max(run.memory for run in runs)),
            "times Helm's": round(_median(runs) / _median(theirs), 2) if theirs else None,
        },
    )
