"""`export` of a whole configuration, with every repository as large as the largest real one."""

from __future__ import annotations

from pathlib import Path

from bench import synthetic
from bench.process import CommandError, Used, chart_releaser, measure
from bench.results import Goal, Part, mb
from bench.serving import Site, Traffic, site


def run(folder: Path, *, small: bool) -> Part:
    """Measure with a cold cache, with a warm cache into an empty directory, and again with nothing to write."""
    sources = synthetic.sources(small=small)
    slugs = sorted({source.repo for source in sources})
    part = Part("export", f"export of {len(sources)} sources over {len(slugs)} repositories")
    tags = [f"v{version}" for version in max((source.versions for source in sources), key=len)]
    shape = synthetic.SMALL if small else synthetic.LARGE
    repository = synthetic.repository(folder / "upstream.git", shape, tags)
    (folder / "config.yaml").write_text(synthetic.config(sources))
    with site() as served:
        for slug in slugs:
            served.hub.add_repository(slug, repository)
        synthetic.add_releases(served.hub, sources)
        for case, target in (("cold cache", "one"), ("warm cache", "two"), ("warm cache, unchanged", "two")):
            used, traffic = _export(served, folder, target, len(sources))
            each = round(traffic.requests / len(slugs), 2)
            part.add(case, _figures(used, traffic, each))
            warm = case != "cold cache"
            part.goals += [
                Goal(f"requests a repository, {case}", each, 3 if warm else 5),
                Goal(f"MB, {case}", mb(traffic.bytes), 10),
                Goal(f"s, {case}", used.seconds, 2 if warm else 6, "machine"),
            ]
            if not warm:
                part.goals.append(Goal(f"git requests a repository, {case}", traffic.git / len(slugs), 5))
    return part


def _export(served: Site, folder: Path, target: str, count: int) -> tuple[Used, Traffic]:
    command = [*chart_releaser(), "export", "-t", str(folder / target), "--cache-dir", str(folder / "cache")]
    with served.counting() as traffic:
        used = measure(command, home=folder, environ=served.environ)
    written = len(list((folder / target).glob("*/Chart.yaml")))
    if written != count:
        raise CommandError(f"{written} of {count} charts were written: {used.stderr[-1000:]}")
    return used, traffic


def _figures(used: Used, traffic: Traffic, each: float) -> dict[str, int | float | str | None]:
    return {
        "API": traffic.api,
        "304": traffic.unchanged,
        "git": traffic.git,
        "a repository": each,
        "connections": traffic.connections,
        "MB": mb(traffic.bytes),
        "s": round(used.seconds, 2),
        "CPU s": round(used.cpu, 2),
        "server CPU s": round(traffic.all_cpu - used.cpu, 2),
        "MB memory": mb(used.memory),
    }
