"""Synthetic test data, the same on every run: repositories, releases, an index, a configuration.

The numbers follow a configuration in use: 53 sources in 35 repositories, with as many releases as those have.
"""

from __future__ import annotations

import base64
import random
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.serving import DESTINATION
from chart_releaser.versions import helm_sort_key
from tests.hub import GitDir, Hub, create
from tests.hub.gitdir import environment

_RELEASES = (
    *(833, 168, 151, 149, 127, 121, 121, 120, 118, 94, 95, 81, 81, 60, 50, 49, 47, 46, 41, 39, 38, 36, 36, 34, 33),
    *(31, 31, 26, 19, 14, 12, 10, 9, 5, 1),
)
_SOURCES = (4, 3, 3, 3, 3, *(2,) * 7, *(1,) * 23)
_UMBRELLAS = 31
CHARTS = ("charts/app", "charts/admission", "example/controller-registration.yaml")
"""The paths that are read from a repository."""
_STEMS = [f"{a}{b}" for a in ("re", "con", "de", "un", "per") for b in ("la", "so", "ti", "mu")]
_WORDS = [stem + end for stem in _STEMS for end in ("ted", "n", "r")]


@dataclass(frozen=True)
class Shape:
    """The size of a repository."""

    files: int
    file_size: int
    commits: int
    changed: int
    """The number of files that each commit changes, not counting charts."""


LARGE = Shape(files=4500, file_size=9000, commits=36, changed=40)
"""Similar to gardener/gardener, with a pack of about 25 MB for one commit."""
SMALL = Shape(files=400, file_size=2000, commits=8, changed=8)


@dataclass(frozen=True)
class Source:
    """One source of the configuration, with the versions that its repository has released, oldest first."""

    name: str
    repo: str
    umbrella: bool
    versions: Sequence[str]


def versions(count: int) -> list[str]:
    """Return `count` versions, oldest first: minors of five patches, with three minors maintained at a time."""
    times = {(minor, patch): 10 * minor + 6 * patch for minor in range(count // 5 + 5) for patch in range(5)}
    ordered = sorted(times, key=lambda version: (times[version], version))
    return [f"1.{minor}.{patch}" for minor, patch in ordered[:count]]


def sources(*, small: bool) -> list[Source]:
    """Return the sources of the configuration."""
    repositories = list(zip(_RELEASES, _SOURCES, strict=True))
    if small:
        repositories = [(30, 3), (12, 2), (5, 1), (1, 1)]
    result: list[Source] = []
    for number, (count, shares) in enumerate(repositories):
        listed = versions(count)
        for share in range(shares):
            result.append(Source(f"chart-{number:02}-{share}", f"bench/repo-{number:02}", len(result) % 5 < 3, listed))
    return result


def config(listed: Sequence[Source], *, more: str = "") -> str:
    """Return the configuration of these sources; `more` are further lines for each of them."""
    owner, _, repo = DESTINATION.partition("/")
    lines = ["destination:", f"  owner: {owner}", f"  repo: {repo}", "sources:"]
    for source in listed:
        lines += [f"  - name: {source.name}", f"    repo: {source.repo}", f"    version: v{newest(source.versions)}"]
        lines += [more] if more else []
        paths = ["controller-registration", "charts/admission"] if source.umbrella else ["charts/app"]
        lines += ["    charts:", *(f"      - {path}" for path in paths)]
    return "\n".join(lines) + "\n"


def newest(listed: Sequence[str]) -> str:
    """Return the highest version."""
    return min(listed, key=helm_sort_key)


def add_releases_to_new(hub: Hub, listed: Sequence[Source]) -> None:
    """Add the repositories to the hub, with releases but without content."""
    for repo in {source.repo: None for source in listed}:
        hub.add_repository(repo)
    add_releases(hub, listed)


def add_releases(hub: Hub, listed: Sequence[Source]) -> None:
    """Add the releases of these sources to the hub, each with notes of a usual length and two assets."""
    chance = random.Random(1)
    asset = {"controller-registration.yaml": b"a" * 20_000, "checksums.txt": b"b" * 300}
    begin = datetime(2020, 1, 1, tzinfo=UTC)
    for repo, released in {source.repo: source.versions for source in listed}.items():
        length = 12_000 if len(released) > 500 else 4_000
        for number, version in enumerate(released):
            notes = prose(chance, chance.randrange(length // 2, length * 3 // 2))
            hub.add_release(repo, f"v{version}", notes, begin + timedelta(hours=number), assets=asset)


def prose(chance: random.Random, length: int) -> str:
    """Return a text of that many characters that resembles release notes."""
    lines: list[str] = []
    size = 0
    while size < length:
        line = "- " + " ".join(chance.choices(_WORDS, k=12)) + f" (#{chance.randrange(9999)}, @somebody)"
        lines.append(line)
        size += len(line) + 1
    return "\n".join(lines)


def index(listed: Sequence[Source], entries: int) -> str:
    """Return an index in Helm's layout with that many entries, including all releases of the last minors."""
    share, rest = divmod(entries, len(listed))
    lines = ["apiVersion: v1", "entries:"]
    for number, source in enumerate(sorted(listed, key=lambda item: item.name)):
        wanted = share + (number < rest)
        known = sorted(source.versions, key=helm_sort_key)[:wanted]
        older = wanted - len(known)
        known += [f"0.{number // 10}.{number % 10}" for number in reversed(range(older))]
        lines.append(f"  {source.name}:")
        for version in known:
            lines += _entry(source, version)
    return "\n".join([*lines, 'generated: "2025-11-22T02:01:43.012312831Z"']) + "\n"


def _entry(source: Source, version: str) -> Iterator[str]:
    yield "  - apiVersion: v2"
    yield '    created: "2025-10-10T07:30:52.001089437Z"'
    if source.umbrella:
        yield "    dependencies:"
        for part in ("admission", "controller"):
            yield from (f"    - condition: {part}.enabled", f"      name: {part}", '      repository: ""')
    yield f"    description: A helmchart for {source.name}"
    yield f"    digest: {random.Random(source.name + version).randbytes(32).hex()}"
    yield f"    name: {source.name}"
    yield "    urls:"
    file = f"{source.name}-{version}"
    yield f"    - https://github.com/{DESTINATION}/releases/download/{file}/{file}.tgz"
    yield f"    version: {version}"


def add_destination(hub: Hub, folder: Path, text: str | None) -> GitDir:
    """Add the destination to the hub, with `index` on its branch gh-pages."""
    git = GitDir(create(folder / "destination.git"))
    git.commit("main", {"README.md": b"# Charts\n"})
    if text is not None:
        git.commit("gh-pages", {"index.yaml": text.encode(), ".nojekyll": b""})
    hub.add_repository(DESTINATION, git.path)
    return git


def repository(path: Path, shape: Shape, tags: Sequence[str]) -> Path:
    """Create a bare repository at `path`, packed as on a server, with tags spread evenly over its commits."""
    create(path)
    command = ["git", "-c", "core.compression=1", "--git-dir", str(path), "fast-import", "--quiet", "--depth=0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment()) as process:
        assert process.stdin is not None
        for part in _stream(shape, tags):
            process.stdin.write(part)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    GitDir(path).git("repack", "-a", "-d", "-q")
    GitDir(path).git("pack-refs", "--all")
    return path


def _stream(shape: Shape, tags: Sequence[str]) -> Iterator[bytes]:
    chance = random.Random(2)
    names = [f"pkg/{number % 40:02}/{number // 40 % 12:02}/file{number:05}.go" for number in range(shape.files)]
    for number in range(shape.commits):
        yield b"commit refs/heads/main\n" + f"committer B <b@example.org> {1_600_000_000 + number} +0000\n".encode()
        yield b"data 1\nc\n"
        for name in names if number == 0 else chance.sample(names, shape.changed):
            yield _file(name, chance.randbytes(shape.file_size // 2).hex().encode())
        for name, data in _charts(chance, whole=number == 0):
            yield _file(name, data)
        first, last = (len(tags) * step // shape.commits for step in (number, number + 1))
        for tag in tags[first:last]:
            yield f"reset refs/tags/{tag}\nfrom refs/heads/main\n\n".encode()


def _file(name: str, data: bytes) -> bytes:
    return f"M 100644 inline {name}\ndata {len(data)}\n".encode() + data + b"\n"


def _charts(chance: random.Random, *, whole: bool) -> Iterator[tuple[str, bytes]]:
    """Return the files of two charts and a registration; after the first commit, those that a release changes."""
    for name in ("app", "admission"):
        image = f"# {prose(chance, 200).splitlines()[0]}\nimage:\n  repository: example.org/{name}\n  tag: latest\n"
        yield f"charts/{name}/values.yaml", image.encode()
        if whole:
            yield f"charts/{name}/Chart.yaml", f"apiVersion: v1\nname: {name}\nversion: 0.1.0\n".encode()
        for number in range(40 if whole else 2):
            text = f"# {prose(chance, 3000)}".replace("\n", "\n# ")
            body = f"{text}\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c{number}\n"
            yield f"charts/{name}/templates/file{number}.yaml", body.encode()
    chart = base64.b64encode(chance.randbytes(12_000)).decode()
    registration = (
        f"apiVersion: core.gardener.cloud/v1\nkind: ControllerDeployment\nmetadata:\n  name: it\nhelm:\n"
        f"  rawChart: {chart}\n  values:\n    image:\n      tag: latest\n---\n"
        "apiVersion: core.gardener.cloud/v1beta1\nkind: ControllerRegistration\nmetadata:\n  name: it\nspec:\n"
        "  deployment:\n    deploymentRefs:\n    - name: it\n"
    )
    yield "example/controller-registration.yaml", registration.encode()
