"""`update` against the GitHub for the tests, without upstreams: two sources with two versions each, packages made here.

Runs in this process or in one of its own, which can be killed.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import multiprocessing
import tarfile
import urllib.parse
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import mock

import yaml

from chart_releaser.commands import update as update_module
from chart_releaser.commands.build import BuildSuccess
from chart_releaser.commands.publishing import PackedRelease
from chart_releaser.commands.report import UpdateReport
from chart_releaser.commands.run import Run
from chart_releaser.config.parse import Source, parse_config
from chart_releaser.destinations.github import GitHubPages
from chart_releaser.git import remote as gitremote
from chart_releaser.github.api import GitHubApi
from chart_releaser.github.pacing import Pacing
from chart_releaser.location import GitHubRepository, Server
from chart_releaser.upstream.plan import Item
from chart_releaser.upstream.releases import Release
from chart_releaser.upstream.repositories import Repositories
from tests.hub import GitDir, Hub, create

SLUG = "acme/charts"
TOKEN = "s3cret-t0ken"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
VERSIONS = ("1.1.0", "1.0.0")
SOURCES = ("alpha", "beta")
TAGS = [f"{name}-{version}" for name in SOURCES for version in VERSIONS]
FIRST_INDEX = b"""apiVersion: v1
entries:
  old:   # a comment, and spaces of somebody's own
  - {apiVersion: v2, created: "2020-01-01T00:00:00Z", digest: \
e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855, name: old, urls: [old-1.0.0.tgz], version: 1.0.0}
generated: "2020-01-01T00:00:00Z"
"""


@dataclass(frozen=True)
class TestPackage:
    """A package with next to nothing in it."""

    __test__ = False
    name: str
    version: str
    text: str = "as built"
    """Tells builds apart."""
    provenance: bytes | None = None

    @property
    def filename(self) -> str:
        return f"{self.name}-{self.version}.tgz"

    @property
    def metadata(self) -> Mapping[str, Any]:
        return {"apiVersion": "v2", "name": self.name, "version": self.version, "description": self.text}

    @cached_property
    def data(self) -> bytes:
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            text = yaml.safe_dump(dict(self.metadata)).encode()
            member = tarfile.TarInfo(f"{self.name}/Chart.yaml")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
        return gzip.compress(stream.getvalue(), mtime=0)

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


@dataclass
class Silence:
    """A reporter that remembers."""

    said: list[str] = field(default_factory=list)

    def step(self, text: str) -> None:
        self.said.append(text)

    detail = failure = step

    def progress(self, *_arguments: object) -> None:
        """Nobody looks."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_arguments, **_options: None


def new_hub(tmp_path: Path, *, branch: str | None = "gh-pages", commit: bool = True) -> Hub:
    """A GitHub with one repository that has a Helm repository's index already, and a token that may write there."""
    hub = Hub()
    git = GitDir(create(tmp_path / "charts.git"))
    if commit:
        git.commit("main", {"README.md": b"# Charts\n"}, time=1_600_000_000)
    if branch is not None:
        git.commit(branch, {"index.yaml": FIRST_INDEX, "CNAME": b"charts.example.org\n"}, time=1_600_000_000)
    hub.add_repository(SLUG, git.path)
    hub.add_token(TOKEN, {SLUG})
    return hub


def impatient(**more: Any) -> Pacing:
    """Pacing whose waits take no time."""
    return Pacing(sleep=more.pop("sleep", lambda _seconds: False), **more)


def new_pages(
    url: str, cache: Path, *, pacing: Pacing | None = None, token: str | None = TOKEN, **more: Any
) -> GitHubPages:
    """The destination, seen from a run of its own."""
    server = Server(url, f"{url}/api/v3")
    options: dict[str, Any] = {"branch": "gh-pages", "now": lambda: NOW} | more
    api = GitHubApi(server, token, pacing or impatient())
    owner, name = SLUG.split("/")
    return GitHubPages(GitHubRepository(server, owner, name), api, token=token, cache=cache, **options)


@contextmanager
def quick() -> Iterator[None]:
    """Git's own repetitions take no time either."""
    with mock.patch.object(gitremote, "_RETRY", replace(gitremote._RETRY, first_pause=0.0)):
        yield


class _Upstream:
    from_cache = False

    def releases(self, _enough: object, *, fresh: bool = False) -> list[Release]:
        return [Release(f"v{version}", notes=f"Notes of {version}\n") for version in VERSIONS]


@dataclass
class _Repositories(Repositories):
    def upstream(self, _location: object) -> Any:
        return _Upstream()


def sources() -> Sequence[Source]:
    """The two sources."""
    listed = "".join(f"  - {{name: {name}, repo: acme/{name}, charts: [charts/{name}]}}\n" for name in SOURCES)
    text = f"destination: {{owner: acme, repo: charts}}\nsources:\n{listed}"
    return parse_config(text, file="config.yaml", base=Path("/"), server=Server()).sources


def update(url: str, cache: Path, text: str = "as built", *, pages: Any = None, stop: Any = None) -> UpdateReport:
    """Run `update` once; `text` tells apart what two runs build of the same release."""

    def build(_run: Run, items: Sequence[Item], *_others: object) -> Generator[BuildSuccess[PackedRelease], None, None]:
        for item in items:
            package = TestPackage(item.source.name, item.version, text)
            yield BuildSuccess(item, PackedRelease(package, item.release.notes or ""))  # type: ignore[arg-type]

    server = Server(url, f"{url}/api/v3")
    repositories = _Repositories(server, TOKEN, cache, lambda _message: None, impatient())
    more = {"stop": stop} if stop is not None else {}
    run = Run(sources(), repositories, Silence(), threads=2, **more)
    with quick(), mock.patch.object(update_module, "build_all", build):
        return update_module.update(run, pages or new_pages(url, cache))


def in_process(url: str, cache: Path) -> multiprocessing.process.BaseProcess:
    """Start `update` in a process of its own."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.publishing"])
    process = context.Process(target=update, args=(url, cache))
    process.start()
    return process


def index_of(hub: Hub, branch: str = "gh-pages") -> str:
    """The text of the index on the branch."""
    git = hub.at(SLUG).git
    assert git is not None
    return (git.read(f"refs/heads/{branch}", "index.yaml") or b"").decode()


def state(hub: Hub, branch: str = "gh-pages") -> dict[str, Any]:
    """What a run leaves, without what differs from run to run: numbers, times, commits."""
    repository = hub.at(SLUG)
    git = repository.git
    assert git is not None
    return {
        "releases": sorted(
            (
                *(release.tag, release.draft, release.name, release.body, release.prerelease),
                *((asset.name, asset.state, asset.digest) for asset in release.assets),
            )
            for release in repository.releases.values()
        ),
        "tags": sorted(name for name in git.refs() if name.startswith("refs/tags/")),
        "files": {
            path: (git.read(f"refs/heads/{branch}", path) or b"").replace(hub.url.encode(), b"URL")
            for path in git.files(f"refs/heads/{branch}")
        },
        "latest": repository.latest,
    }


class Watch:
    """Looks whether the index names what can't be downloaded; call it after every step."""

    def __init__(self, hub: Hub, branch: str = "gh-pages") -> None:
        self._hub = hub
        self._ref = f"refs/heads/{branch}"
        self._commit = ""
        self._named: list[tuple[str, str]] = []
        self.calls = 0
        self.problems: list[str] = []

    def __call__(self) -> None:
        self.calls += 1
        repository = self._hub.at(SLUG)
        git = repository.git
        assert git is not None
        loose = git.path / self._ref
        commit = loose.read_text().strip() if loose.is_file() else git.resolve(self._ref)
        if commit is not None and commit != self._commit:
            self._commit = commit
            index = yaml.load(git.read(commit, "index.yaml") or b"{}", yaml.CSafeLoader)
            charts = {name: listed for name, listed in (index.get("entries") or {}).items() if name != "old"}
            self._named = [(entry["urls"][0], entry["digest"]) for listed in charts.values() for entry in listed]
        there = {
            f"{self._hub.url}/{SLUG}/releases/download/{release.tag}/{asset.name}": asset.digest
            for release in repository.releases.values()
            if not release.draft
            for asset in release.assets
        }
        for url, digest in self._named:
            if there.get(urllib.parse.unquote(url)) != f"sha256:{digest}":
                self.problems.append(url)
