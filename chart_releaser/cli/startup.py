"""Builds what a command needs from its options, the configuration and the environment."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from chart_releaser.errors import (
    ChartReleaserError,
    ConfigError,
    UpstreamError,
    UsageError,
    close_matches,
    did_you_mean,
)
from chart_releaser.git.cachedir import check_cache
from chart_releaser.temporary import temporary_directory

if TYPE_CHECKING:
    from chart_releaser.cli.console import Console
    from chart_releaser.commands.run import Run
    from chart_releaser.config.parse import Config
    from chart_releaser.destinations import Auditable
    from chart_releaser.environment import Secrets
    from chart_releaser.location import Server
    from chart_releaser.upstream.repositories import Repositories


def load_config(path: Path) -> Config:
    """Return the configuration in the file.

    Raises ConfigError, which lists every problem, or UsageError for a wrong server address in the environment.
    """
    from chart_releaser.config.file import read_config
    from chart_releaser.config.parse import parse_config

    return parse_config(read_config(path), file=str(path), base=path.resolve().parent, server=_server())


def source_names(path: Path) -> list[str]:
    """Return the names of the sources in a configuration file, for shell completion; none if it can't be read.

    The file is not validated, because that is too slow for completion. Only names that Helm accepts are returned,
    because shells interpret special characters in completions.
    """
    from chart_releaser import yamlio
    from chart_releaser.config.file import read_config

    try:
        config = yamlio.load(read_config(path), where=str(path))
    except ChartReleaserError:
        return []
    sources = config.get("sources") if isinstance(config, dict) else None
    names = [source.get("name") for source in sources if isinstance(source, dict)] if isinstance(sources, list) else []
    return [name for name in names if isinstance(name, str) and _SOURCE_NAME.fullmatch(name)]


def _server() -> Server:
    from chart_releaser.location import Server

    return Server.from_environ(os.environ)


def make_destination(
    config: Config, path: Path, repositories: Repositories, *, writes: bool, audits: bool = False
) -> Auditable:
    """Return the configured destination, without reading it yet. Raises ConfigError if there is none."""
    from chart_releaser.config.parse import DirectoryDestination

    chosen = config.destination
    if chosen is None:
        command = "verify" if audits else "update"
        raise ConfigError([f"{path}: destination: is missing; {command} needs a directory, or an owner and a repo"])
    from chart_releaser.page.page import directory_page, github_page
    from chart_releaser.upstream.repositories import web_url

    addresses = {source.name: web_url(source.location) for source in config.sources if chosen.page}
    known = {name: address for name, address in addresses.items() if address is not None}
    if isinstance(chosen, DirectoryDestination):
        from chart_releaser.destinations.directory_audit import AuditableDirectory

        page = directory_page(chosen.url, known) if chosen.page else None
        return AuditableDirectory(
            chosen.directory,
            url=chosen.url,
            page=page,
            audits=audits,
            writes=writes or not audits,
            attempts=repositories.attempts,
        )
    from chart_releaser.destinations.github_audit import AuditableGitHubPages
    from chart_releaser.git.run import require_git
    from chart_releaser.location import GitHubRepository

    # Importing GitPython now, before there are threads, is four times as fast as later.
    with contextlib.suppress(UpstreamError):  # it is raised again where git is used
        require_git()
    return AuditableGitHubPages(
        GitHubRepository(repositories.server, chosen.owner, chosen.repo),
        repositories.api(repositories.server, keeps=False),  # a kept answer must not decide what is published
        opening_api=None if audits else repositories.api(repositories.server),
        branch=chosen.branch,
        token=repositories.token,
        cache=repositories.cache,
        page=github_page(chosen.owner, chosen.repo, known) if chosen.page else None,
        writes=writes,
        on_wait=repositories.on_wait,
    )


_SOURCE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
_SUGGESTED = 3  # sources in a hint, at most
_LISTED = 10
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


def parse_duration(text: str) -> float:
    """Return the seconds in a duration such as 90, 90s, 5m or 1h. Raises UsageError."""
    match = re.fullmatch(r"([0-9]{1,6})([smh]?)", text.strip())
    if match is None:
        raise UsageError(f"--max-wait {text} is not a duration", remedy="write seconds, or a number with s, m or h: 5m")
    return float(match[1]) * _UNITS[match[2]]


def _suggest_sources(name: str, known: Sequence[str]) -> str:
    """Return a hint with the sources that `name` may stand for: similar names, or else names that contain it."""
    lower = name.lower()
    near = close_matches(name, known)
    near = near or [one for one in known if len(lower) > 2 and lower in one.lower()][:_SUGGESTED]
    if near:
        return did_you_mean(near)
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    return f"the configuration has {', '.join(known[:_LISTED])}{more}"


def make_run(
    config: Config,
    names: list[str] | None,
    jobs: int,
    cache: Path,
    console: Console,
    secrets: Secrets,
    *,
    max_wait: float = 300.0,
) -> Run:
    """Return a run over the sources called `names`, or over all if None. Raises UsageError for an unknown name."""

    from chart_releaser.commands.run import Run
    from chart_releaser.config.parse import GitHubDestination
    from chart_releaser.github.pacing import Pacing
    from chart_releaser.upstream.repositories import Repositories

    sources = config.sources
    known = [source.name for source in sources]
    for name in names or ():
        if name not in known:
            raise UsageError(f"--source {name}: there is no such source", remedy=_suggest_sources(name, known))
    if names:
        sources = tuple(source for source in sources if source.name in names)
    stop = threading.Event()
    repositories = Repositories(
        server=_server(),
        token=secrets.token,
        cache=cache,
        on_wait=console.step,
        pacing=Pacing(
            max_wait=max_wait,
            sleep=stop.wait,
            on_wait=console.detail if console.is_live else console.step,
            on_countdown=console.countdown if console.is_live else None,
        ),
    )
    signer = None
    if config.destination is not None and config.destination.sign is not None:
        from chart_releaser.charts.provenance import Signer

        signer = Signer(config.destination.sign, secrets.passphrase)
    wants_latest = isinstance(config.destination, GitHubDestination) and config.destination.make_latest
    return Run(
        sources=sources,
        repositories=repositories,
        reporter=console,
        threads=jobs,
        stop=stop,
        signer=signer,
        marks_latest=config.sources[0] if wants_latest else None,
    )


@contextlib.contextmanager
def open_cache(chosen: Path | None, *, keep: bool) -> Iterator[Path]:
    """Give the cache directory: `chosen`, or the default in the user's cache directory.

    Without `keep` it is a temporary directory, because a dry run must leave nothing behind. Raises UsageError if there
    is no home directory, and MachineError if other users own the cache or may write to it.
    """
    if keep:
        cache = chosen if chosen is not None else _default_cache()
        check_cache(cache)
        yield cache
        return
    with temporary_directory() as directory:
        yield directory


def _default_cache() -> Path:
    import platformdirs

    path = None
    with contextlib.suppress(RuntimeError):
        path = platformdirs.user_cache_path("chart-releaser")
    if path is None or not path.is_absolute():  # older versions of platformdirs return ~ unexpanded
        raise UsageError(
            "there is no home directory to keep the cache in", remedy="set HOME, or name a place with --cache-dir"
        )
    return path
