"""`update` when everything is already published: the cost of a nightly run without new releases."""

from __future__ import annotations

import json
from pathlib import Path

from bench import synthetic
from bench.process import CommandError, Used, chart_releaser, measure
from bench.results import Goal, Part, mb
from bench.serving import Site, Traffic, site


def run(folder: Path, *, small: bool) -> Part:
    """Measure a run with an empty cache and a second run, for a usual index and one ten times as long."""
    part = Part("nothing-new", "update, everything published already")
    sources = synthetic.sources(small=small)
    repositories = len({source.repo for source in sources})
    part.title += f": {len(sources)} sources over {repositories} repositories"
    for entries in (300,) if small else (3000, 30000):
        home = folder / str(entries)
        home.mkdir()
        (home / "config.yaml").write_text(synthetic.config(sources))
        with site() as served:
            synthetic.add_releases_to_new(served.hub, sources)
            synthetic.add_destination(served.hub, home, synthetic.index(sources, entries))
            for which in ("first", "second"):
                used, traffic = _update(served, home)
                _add(part, f"{which} run, {entries} entries", used, traffic)
                case = f"{which} run, {entries} entries"
                part.goals += [
                    Goal(f"requests, {case}: one a repository and four", traffic.requests, repositories + 4),
                    Goal(f"writing requests, {case}", traffic.writes, 0),
                    Goal(f"s, {case}", used.seconds, 1.5, "machine"),
                    Goal(f"MB of memory, {case}", mb(used.memory), 150, "machine"),
                ]
                if which == "second":
                    part.goals.append(Goal(f"API answers with content, {case}", traffic.api - traffic.unchanged, 0))
    return part


def _update(served: Site, home: Path) -> tuple[Used, Traffic]:
    command = [*chart_releaser(), "update", "--json", "--cache-dir", str(home / "cache")]
    with served.counting() as traffic:
        used = measure(command, home=home, environ=served.environ)
    report = json.loads(used.stdout)
    if report["planned"] or report["failed"] or not report["skipped"]:
        raise CommandError(f"there was something to do: {used.stderr[-1000:]}")
    return used, traffic


def _add(part: Part, case: str, used: Used, traffic: Traffic) -> None:
    part.add(
        case,
        {
            "API": traffic.api,
            "304": traffic.unchanged,
            "git": traffic.git,
            "writes": traffic.writes,
            "connections": traffic.connections,
            "MB": mb(traffic.bytes),
            "s": round(used.seconds, 2),
            "CPU s": round(used.cpu, 2),
            "server CPU s": round(traffic.all_cpu - used.cpu, 2),
            "MB memory": mb(used.memory),
        },
    )
