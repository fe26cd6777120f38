"""Reading chart directories at 1, 12 and 36 tags of a large repository: our way beside the obvious ones."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import synthetic
from bench.results import Goal, Part, mb, ratio
from bench.serving import Site, Traffic, site
from chart_releaser.git.snapshot import Snapshot
from chart_releaser.location import GitHubRepository, Server
from chart_releaser.upstream.repositories import open_repository
from tests.hub.gitdir import environment

SLUG = "bench/large"
_EACH = 3
"""Ways that start over for each tag are measured for this many tags and multiplied; their figures are marked ~."""

_SHARE = {False: 15, True: 3}
"""The share of an unfiltered fetch that ours may transfer; charts are a larger share of the small repository."""


def run(folder: Path, *, small: bool) -> Part:
    """Measure all ways. The goals are for ours: its requests, and its bytes in proportion to the necessary ones."""
    part = Part("snapshots", "chart directories of N tags of a large repository")
    shape = synthetic.SMALL if small else synthetic.LARGE
    tags = [f"v1.{number}.0" for number in range(shape.commits)]
    repository = synthetic.repository(folder / "large.git", shape, tags)
    with site() as served:
        served.hub.add_repository(SLUG, repository)
        for count in (1, 3) if small else (1, 12, 36):
            _measure(part, served, folder / f"n{count}", tags[-count:], repository, small=small)
    return part


def _measure(part: Part, served: Site, folder: Path, tags: Sequence[str], repository: Path, *, small: bool) -> None:
    folder.mkdir()
    cache, count = folder / "cache", len(tags)
    seconds, cold = _timed(served, lambda: _read(served, cache, tags))
    _add(part, f"ours, cold, N={count}", seconds, cold, seconds)
    warm_seconds, warm = _timed(served, lambda: _read(served, cache, tags))
    _add(part, f"ours, warm, N={count}", warm_seconds, warm, seconds)
    part.goals += [
        Goal(f"requests of our way, N={count}, cold", cold.requests, 5),
        Goal(f"requests of our way, N={count}, warm", warm.requests, 2),
    ]
    url = f"{served.server.url}/{SLUG}.git"
    other, traffic = _timed(served, lambda: _fetch(folder / "unfiltered.git", url, tags))
    part.goals.append(Goal(f"MB of our way, N={count}, cold", mb(cold.bytes), mb(traffic.bytes / _SHARE[small])))
    _add(part, f"unfiltered shallow fetch, N={count}", other, traffic, seconds)
    some = tags[:_EACH]
    factor, mark = count / len(some), "~" if count > len(some) else ""
    other, traffic = _timed(served, lambda: _clone(folder, url, some))
    traffic = Traffic(git=round(traffic.git * factor), bytes=round(traffic.bytes * factor))
    _add(part, f"{mark}shallow clone of each tag, N={count}", other * factor, traffic, seconds)
    begin = time.perf_counter()
    size = sum(_archive(repository, tag) for tag in some)
    other = time.perf_counter() - begin
    traffic = Traffic(api=count, bytes=round(size * factor))
    _add(part, f"{mark}tarball of each tag, N={count}", other * factor, traffic, seconds)


def _add(part: Part, case: str, seconds: float, traffic: Traffic, ours: float) -> None:
    figures = {"requests": traffic.requests, "MB": mb(traffic.bytes), "s": round(seconds, 2)}
    part.add(case, {**figures, "times ours, cold": ratio(ours, seconds)})


def _timed(served: Site, action: Callable[[], None]) -> tuple[float, Traffic]:
    with served.counting() as traffic:
        begin = time.perf_counter()
        action()
        seconds = time.perf_counter() - begin
    return seconds, traffic


def _read(served: Site, cache: Path, tags: Sequence[str]) -> None:
    """Read all files of the charts at each tag."""
    owner, _, name = SLUG.partition("/")
    server = Server(served.server.url, served.server.api_url)
    repository = open_repository(GitHubRepository(server, owner, name), cache=cache)
    with repository.snapshots(tags, synthetic.CHARTS) as snapshots:
        for snapshot in snapshots.values():
            assert isinstance(snapshot, Snapshot), snapshot
            for path in synthetic.CHARTS:
                if snapshot.kind(path) == "file":
                    snapshot.read(path)
                else:
                    assert len(list(snapshot.walk(path, lambda _path, _is_dir: False))) > 40


def _git(*command: str | Path) -> None:
    subprocess.run(["git", *command], check=True, env=environment(), capture_output=True)


def _fetch(target: Path, url: str, tags: Sequence[str]) -> None:
    _git("init", "--quiet", "--bare", target)
    refs = [f"refs/tags/{tag}:refs/tags/{tag}" for tag in tags]
    _git("--git-dir", target, "fetch", "--quiet", "--depth=1", "--no-tags", url, *refs)


def _clone(folder: Path, url: str, tags: Sequence[str]) -> None:
    for tag in tags:
        _git("-c", "advice.detachedHead=false", "clone", "--quiet", "--depth=1", f"--branch={tag}", url, folder / tag)


def _archive(repository: Path, tag: str) -> int:
    """Measure what a server does to make a tarball. It is not sent over a network, so this is a lower bound."""
    command = ["git", "--git-dir", str(repository), "archive", "--format=tar.gz", tag]
    return len(subprocess.run(command, check=True, env=environment(), capture_output=True).stdout)
