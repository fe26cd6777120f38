"""`update` of many releases at once, as for a new source or after a long pause."""

from __future__ import annotations

import json
from pathlib import Path

from bench import synthetic
from bench.process import CommandError, Used, measure, module
from bench.results import Goal, Part, mb
from bench.serving import DESTINATION, Site, Traffic, site
from tests.hub import GitDir


def run(folder: Path, *, small: bool) -> Part:
    """Measure publishing a few releases and five times as many, each time into an empty destination."""
    repositories = 2 if small else 10
    few, many = (1, 4) if small else (5, 25)
    tags = [f"v1.{number}.0" for number in range(many)]
    shape = synthetic.Shape(files=400, file_size=2000, commits=many, changed=8)
    repository = synthetic.repository(folder / "upstream.git", shape, tags)
    part = Part("catch-up", f"update of many releases from {repositories} repositories, limits lifted")
    memory: dict[int, int] = {}
    for minors in (few, many):
        count = repositories * minors
        home = folder / str(count)
        home.mkdir()
        sources = [
            synthetic.Source(f"chart-{number}", f"bench/repo-{number}", number % 5 < 3, [tag[1:] for tag in tags])
            for number in range(repositories)
        ]
        (home / "config.yaml").write_text(synthetic.config(sources, more=f"    minors: {minors}"))
        with site() as served:
            for source in sources:
                served.hub.add_repository(source.repo, repository)
            synthetic.add_releases(served.hub, sources)
            destination = synthetic.add_destination(served.hub, home, synthetic.index(sources, 0))
            used, traffic = _update(served, home, destination, count)
        memory[count] = used.memory
        pushes = sum(record.git and record.mutating for record in served.hub.journal)
        _add(part, count, used, traffic, pushes)
    part.goals += [
        Goal("writing requests a release, the push aside", (traffic.writes - pushes) / count, 3),
        Goal("pushes", pushes, 1),
        Goal(
            "CPU ms of each further release",
            _slope(part, repositories * few, count),
            20,
            "machine",
        ),
        Goal(f"memory for {count} releases, times that for {repositories * few}", _times(memory), 1.1, "machine"),
    ]
    return part


def _slope(part: Part, few: int, many: int) -> float:
    first, last = (float(part.row(f"{count} releases")["CPU s"] or 0) for count in (few, many))
    return round(1000 * (last - first) / (many - few), 1)


def _times(memory: dict[int, int]) -> float:
    return round(memory[max(memory)] / memory[min(memory)], 2)


def _update(served: Site, home: Path, destination: GitDir, count: int) -> tuple[Used, Traffic]:
    command = [*module("bench.unpaced"), "update", "--json", "--cache-dir", str(home / "cache")]
    with served.counting() as traffic:
        used = measure(command, home=home, environ=served.environ)
    report = json.loads(used.stdout)
    listed = (destination.read("gh-pages", "index.yaml") or b"").count(b"\n    digest: ")
    released = len(served.hub.at(DESTINATION).releases)
    if not len(report["published"]) == listed == released == count:
        raise CommandError(f"{listed} of {count} are listed, {released} released: {used.stderr[-1000:]}")
    return used, traffic


def _add(part: Part, count: int, used: Used, traffic: Traffic, pushes: int) -> None:
    part.add(
        f"{count} releases",
        {
            "writes": traffic.writes,
            "a release": round((traffic.writes - pushes) / count, 2),
            "reads": traffic.api - traffic.writes + pushes,
            "git": traffic.git,
            "pushes": pushes,
            "connections": traffic.connections,
            "MB": mb(traffic.bytes),
            "s": round(used.seconds, 2),
            "ms a release": round(1000 * used.seconds / count, 1),
            "CPU s": round(used.cpu, 2),
            "server CPU s": round(traffic.all_cpu - used.cpu, 2),
            "CPU ms a release": round(1000 * used.cpu / count, 1),
            "MB memory": mb(used.memory),
        },
    )
