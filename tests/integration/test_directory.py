"""The directory as a destination: what is on the disk after each run, undisturbed, disturbed, killed, or in company."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart_releaser.destinations import PublishablePackage, directory
from chart_releaser.destinations.directory import Directory
from chart_releaser.errors import ConflictError, DestinationError
from chart_releaser.index.index import Index
from tests.helm import Helm
from tests.lacking import NOT_ROOT, needs
from tests.serving import served

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2025, 11, 22, 1, 2, 3, tzinfo=UTC)


@dataclass(frozen=True)
class Packed:
    name: str
    version: str
    data: bytes = b"package"
    metadata: Mapping[str, Any] = field(default_factory=dict)
    provenance: bytes | None = None

    def __post_init__(self) -> None:
        metadata = {"apiVersion": "v2", "name": self.name, "version": self.version, **self.metadata}
        object.__setattr__(self, "metadata", metadata)

    @property
    def filename(self) -> str:
        return f"{self.name}-{self.version}.tgz"

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


PACKAGES = (Packed("a", "1.0.0", b"one"), Packed("a", "1.1.0", b"two"), Packed("b", "1.0.0+x", b"three"))


def destination(path: Path, **options: Any) -> Directory:
    return Directory(path, now=lambda: NOW, **options)


def update(target: Directory, *packages: PublishablePackage) -> Index:
    """What `update` does with a destination."""
    index = target.open()
    missing = [package for package in packages if package.version not in index.versions(package.name)]
    target.prepare([f"{package.name}-{package.version}" for package in missing])
    target.finish([target.publish(package, "notes") for package in missing])
    return target.open()


def state(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()} if path.is_dir() else {}


def stamps(path: Path) -> dict[str, int]:
    return {str(file): file.stat().st_mtime_ns for file in (path, *path.iterdir())}


def check_works(path: Path) -> None:
    """Whatever the index lists can be downloaded with the listed digest."""
    if not (path / "index.yaml").exists():
        return
    for entries in Index.parse((path / "index.yaml").read_text()).entries.values():
        for entry in entries:
            assert hashlib.sha256((path / entry["urls"][0]).read_bytes()).hexdigest() == entry["digest"]


def test_a_new_directory(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "public"
    target = destination(path)
    assert target.title == f"directory {path}"
    assert target.open().entries == {}
    assert not (tmp_path / "deep").exists()
    index = update(target, *PACKAGES)
    assert index.versions("a") == {"1.0.0", "1.1.0"}
    assert set(state(path)) == {"index.yaml", *(package.filename for package in PACKAGES)}
    assert index.entry("b", "1.0.0+x") == {
        "apiVersion": "v2",
        "created": "2025-11-22T01:02:03Z",
        "digest": PACKAGES[2].digest,
        "name": "b",
        "urls": ["b-1.0.0+x.tgz"],
        "version": "1.0.0+x",
    }
    check_works(path)


def test_files_can_be_read_by_a_web_server(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        update(destination(tmp_path / "x"), *PACKAGES)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "x").iterdir()} == {0o640}


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://charts.example.org", "https://charts.example.org/b-1.0.0%2Bx.tgz"),
        ("https://charts.example.org/sub/", "https://charts.example.org/sub/b-1.0.0%2Bx.tgz"),
        ("https://charts.example.org/sub?key=1", "https://charts.example.org/sub/b-1.0.0%2Bx.tgz?key=1"),
    ],
)
def test_absolute_addresses(tmp_path: Path, url: str, address: str) -> None:
    target = destination(tmp_path, url=url)
    target.open()
    published = target.publish(PACKAGES[2], "")
    assert published.url == address
    assert (published.name, published.version, published.digest, published.adopted) == (
        "b",
        "1.0.0+x",
        PACKAGES[2].digest,
        False,
    )


def test_nothing_new_writes_nothing(tmp_path: Path) -> None:
    update(destination(tmp_path), *PACKAGES)
    before = stamps(tmp_path)
    time.sleep(0.02)
    update(destination(tmp_path), *PACKAGES)
    target = destination(tmp_path)
    target.open()
    again = target.publish(PACKAGES[0], "")
    assert again.adopted
    target.finish([again])
    assert stamps(tmp_path) == before
    nowhere = tmp_path / "nowhere"
    update(destination(nowhere))
    assert not nowhere.exists()


def test_earlier_bytes_stay(tmp_path: Path) -> None:
    index = tmp_path / "index.yaml"
    text = (
        "# ours\r\napiVersion: v1\r\nentries:\r\n  a:\r\n  -  {name: a, version: 0.9.0, urls: [x]}\r\ngenerated: x\r\n"
    )
    index.write_bytes(text.encode())
    update(destination(tmp_path), *PACKAGES)
    written = iter(index.read_bytes().decode().split("\r\n"))
    assert all(line in written for line in text.split("\r\n") if not line.startswith("generated"))


def test_a_package_that_an_earlier_run_left_is_adopted(tmp_path: Path) -> None:
    (tmp_path / PACKAGES[0].filename).write_bytes(PACKAGES[0].data)
    before = (tmp_path / PACKAGES[0].filename).stat().st_mtime_ns
    target = destination(tmp_path)
    target.open()
    published = target.publish(PACKAGES[0], "")
    target.finish([published])
    assert published.adopted
    assert (tmp_path / PACKAGES[0].filename).stat().st_mtime_ns == before
    assert target.open().versions("a") == {"1.0.0"}


def test_another_file_of_that_name_is_a_conflict(tmp_path: Path) -> None:
    file = tmp_path / PACKAGES[0].filename
    file.write_bytes(b"another")
    target = destination(tmp_path)
    target.open()
    with pytest.raises(ConflictError) as caught:
        target.publish(PACKAGES[0], "")
    assert str(file) in str(caught.value)
    assert hashlib.sha256(b"another").hexdigest() in str(caught.value)
    assert PACKAGES[0].digest in str(caught.value)
    assert "move the file away" in str(caught.value)
    assert state(tmp_path) == {file.name: b"another"}


def test_what_the_index_lists_is_never_touched(tmp_path: Path) -> None:
    target = destination(tmp_path)
    update(target, *PACKAGES)
    (tmp_path / PACKAGES[0].filename).write_bytes(b"damaged")
    before = state(tmp_path)
    with pytest.raises(ConflictError, match=r"lists a 1\.0\.0 with digest .* a published version never changes"):
        target.publish(Packed("a", "1.0.0", b"changed"), "")
    assert target.publish(PACKAGES[0], "").adopted
    assert state(tmp_path) == before


def test_two_charts_with_one_file_name(tmp_path: Path) -> None:
    update(destination(tmp_path), Packed("a", "1.0.0-2.0.0", b"x"))
    with pytest.raises(ConflictError):
        update(destination(tmp_path), Packed("a-1.0.0", "2.0.0", b"y"))
    assert (tmp_path / "a-1.0.0-2.0.0.tgz").read_bytes() == b"x"


def test_a_conflict_that_arises_meanwhile_is_reported_and_the_rest_is_indexed(tmp_path: Path) -> None:
    target = destination(tmp_path)
    target.open()
    published = [target.publish(package, "") for package in PACKAGES]
    theirs = "apiVersion: v1\nentries:\n  a:\n  - {name: a, version: 1.0.0, digest: x, urls: [x]}\ngenerated: x\n"
    (tmp_path / "index.yaml").write_text(theirs)
    with pytest.raises(ConflictError, match=r"another run has listed a 1\.0\.0 with another digest"):
        target.finish(published)
    index = target.open()
    assert index.versions("a") == {"1.0.0", "1.1.0"}
    assert index.versions("b") == {"1.0.0+x"}
    listed = index.entry("a", "1.0.0")
    assert listed is not None
    assert listed["digest"] == "x"


@pytest.mark.parametrize("name", ["../a", "a/b", ".a", "-a", "", "a\nb"])
def test_odd_file_names(tmp_path: Path, name: str) -> None:
    target = destination(tmp_path / "x")
    target.open()
    with pytest.raises(DestinationError, match="is not a valid name for a package file") as caught:
        target.publish(Packed(name, "1.0.0"), "")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "x").exists()


def test_a_file_in_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(DestinationError, match="file is not a directory; name another one"):
            destination(path).open()


def test_a_dangling_link_in_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(DestinationError, match="link is not a directory"):
        destination(tmp_path / "link").open()


@needs(os.geteuid() != 0, NOT_ROOT)
def test_a_directory_that_is_read_only(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        for path in (tmp_path, tmp_path / "below"):
            assert destination(path).open().entries == {}
            with pytest.raises(DestinationError, match="can't be written to; change its permissions"):
                destination(path).prepare([])
    finally:
        tmp_path.chmod(0o755)


def test_permissions_are_asked_for_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(DestinationError, match=f"{tmp_path} can't be written to; change its permissions"):
        destination(tmp_path / "x" / "y").prepare([])
    assert state(tmp_path) == {}


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"\xff", "not UTF-8 at byte 0"), (b"[", "malformed YAML"), (b"a: b", "no apiVersion")],
)
def test_an_index_that_is_none_stops_everything(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "index.yaml").write_bytes(data)
    target = destination(tmp_path)
    for action in (target.open, lambda: target.publish(PACKAGES[0], "")):
        with pytest.raises(DestinationError, match=message) as caught:
            action()
        assert str(caught.value).startswith(str(tmp_path / "index.yaml"))
    assert state(tmp_path) == {"index.yaml": data}


def test_links_and_pipes_are_not_written_through(tmp_path: Path) -> None:
    public = tmp_path / "public"
    public.mkdir()
    (tmp_path / "outside").write_bytes(PACKAGES[0].data)
    (public / PACKAGES[0].filename).symlink_to("../outside")
    os.mkfifo(public / PACKAGES[1].filename)
    target = destination(public)
    target.open()
    with pytest.raises(DestinationError, match="is a symbolic link, which is not written through"):
        target.publish(PACKAGES[0], "")
    with pytest.raises(DestinationError, match="is not a regular file"):
        target.publish(PACKAGES[1], "")
    (public / "index.yaml").symlink_to("../outside")
    with pytest.raises(DestinationError, match=r"index\.yaml is a symbolic link"):
        target.open()
    assert (tmp_path / "outside").read_bytes() == PACKAGES[0].data


def test_a_linked_directory_is_the_directory(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    update(destination(tmp_path / "link"), *PACKAGES)
    assert len(state(tmp_path / "real")) == 4


def test_the_page_is_written_before_the_index_and_left_alone_on_request(tmp_path: Path) -> None:
    asked: list[str | None] = []

    def page(index: Index, present: str | None) -> str | None:
        asked.append(present)
        assert not index.versions("a") & Index.parse((tmp_path / "index.yaml").read_text()).versions("a")
        return None if present == "theirs" else f"{len(index.entries)} charts"

    (tmp_path / "index.yaml").write_text("")
    update(destination(tmp_path, page=page), PACKAGES[0], PACKAGES[2])
    assert (tmp_path / "index.html").read_text() == "2 charts"
    (tmp_path / "index.html").write_text("theirs")
    (tmp_path / "index.yaml").write_text("")
    update(destination(tmp_path, page=page), *PACKAGES)
    assert (tmp_path / "index.html").read_text() == "theirs"
    assert asked == [None, "theirs"]


def test_leftovers_of_killed_runs_go_and_nothing_else(tmp_path: Path) -> None:
    kept = ["other.tmp", ".chart-releaser-notes.tmp", ".chart-releaser-0123456789abcdef.tmp.gz", "README"]
    leftover = ".chart-releaser-0123456789abcdef.tmp"
    for name in (*kept, leftover):
        (tmp_path / name).write_text("")
    destination(tmp_path).open()
    assert (tmp_path / leftover).exists(), "opening writes nothing: it is what a dry run does, too"
    update(destination(tmp_path), PACKAGES[0])
    assert set(state(tmp_path)) == {*kept, "index.yaml", PACKAGES[0].filename}


# --- what can go wrong while writing ---

MUTATIONS = ("open", "fsync", "replace", "mkdir", "unlink")


class Faults:
    """Counts the calls that change something, and makes one of them fail, before or after its effect."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int, error: BaseException, *, after: bool) -> None:
        self.calls: list[str] = []
        for name in MUTATIONS:
            monkeypatch.setattr(os, name, self._wrap(name, getattr(os, name), at, error, after))

    def _wrap(
        self, name: str, real: Callable[..., Any], at: int, error: BaseException, after: bool
    ) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if name == "open" and not arguments[1] & os.O_CREAT:
                return real(*arguments, **options)
            self.calls.append(name)
            hit = len(self.calls) - 1 == at
            if hit and not after:
                raise error
            outcome = real(*arguments, **options)
            if hit:
                if name == "open":
                    os.close(outcome)
                raise error
            return outcome

        return call


def undisturbed(path: Path) -> dict[str, bytes]:
    update(destination(path), *PACKAGES)
    return state(path)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_fault_at_every_write(tmp_path: Path, error: BaseException, after: bool) -> None:
    expected = undisturbed(tmp_path / "undisturbed")
    seen: list[str] = []
    for at in range(100):
        path = tmp_path / f"run{at}"
        with pytest.MonkeyPatch.context() as patch:
            faults = Faults(patch, at, error, after=after)
            caught: BaseException | None = None
            try:
                update(destination(path), *PACKAGES)
            except (DestinationError, KeyboardInterrupt) as failure:
                caught = failure
            seen = faults.calls
        if at < len(seen):
            # A directory that is there although making it failed is as good as any.
            assert caught is not None or (after and seen[at] == "mkdir")
            if isinstance(caught, DestinationError):
                assert str(caught).startswith(str(path))
                assert "No space left on device; run again with more free space" in str(caught)
            assert not [name for name in state(path) if name.endswith(".tmp") and not after]
        check_works(path)
        update(destination(path), *PACKAGES)
        assert state(path) == expected
        if at >= len(seen):
            break
    assert seen == ["mkdir", *["open", "fsync", "replace"] * 3, "fsync", "open", "fsync", "replace", "fsync"]


CHILD = textwrap.dedent(
    """
    import os, signal, sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    from tests.integration.test_directory import MUTATIONS, PACKAGES, destination, update
    path, at, after = Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "after"
    count = 0

    def wrap(name, real):
        def call(*arguments, **options):
            global count
            if name == "open" and not arguments[1] & os.O_CREAT:
                return real(*arguments, **options)
            count += 1
            if count > at and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            outcome = real(*arguments, **options)
            if count > at:
                os.kill(os.getpid(), signal.SIGKILL)
            return outcome
        return call

    for name in MUTATIONS:
        setattr(os, name, wrap(name, getattr(os, name)))
    update(destination(path), *PACKAGES)
    """
)


def run_child(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, str(ROOT), *map(str, arguments)], stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_every_write(tmp_path: Path, when: str) -> None:
    expected = undisturbed(tmp_path / "undisturbed")
    leftovers = 0
    for at in range(100):
        path = tmp_path / f"run{at}"
        child = run_child(CHILD, path, at, when)
        _, stderr = child.communicate(timeout=60)
        assert child.returncode in (0, -signal.SIGKILL), stderr
        check_works(path)
        leftovers += sum(name.endswith(".tmp") for name in state(path))
        update(destination(path), *PACKAGES)
        # One killed after its last write has left nothing to do, so nothing is written: that state is the end state.
        assert state(path) == expected
        if child.returncode == 0:
            assert at == 15
            break
    assert leftovers > 0


WRITER = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    from tests.integration.test_directory import Packed, destination, update
    for number in range(20):
        own = Packed(sys.argv[3], f"1.0.{number}", b"own")
        update(destination(Path(sys.argv[2])), own, Packed("shared", f"1.0.{number}", b"shared"))
    """
)


def test_runs_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "public"
    children = [run_child(WRITER, path, name) for name in ("left", "right")]
    for child in children:
        _, stderr = child.communicate(timeout=120)
        assert child.returncode == 0, stderr
    index = destination(path).open()
    versions = {f"1.0.{number}" for number in range(20)}
    assert {name: index.versions(name) for name in index.entries} == dict.fromkeys(
        ("left", "right", "shared"), versions
    )
    assert index.problems == ()
    check_works(path)
    assert not [name for name in state(path) if name.startswith(".")]


def test_a_run_that_began_before_another_ended_keeps_its_entries(tmp_path: Path) -> None:
    slow, quick = destination(tmp_path), destination(tmp_path)
    slow.open()
    published = [slow.publish(PACKAGES[0], "")]
    update(quick, *PACKAGES)
    slow.finish(published)
    assert slow.open().versions("a") == {"1.0.0", "1.1.0"}
    assert quick.open().entries == slow.open().entries


def test_a_lock_that_is_never_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "LOCK_SECONDS", 0)
    target = destination(tmp_path)
    target.open()
    holder = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(DestinationError, match="locked by another run"):
            target.publish(PACKAGES[0], "")
    finally:
        os.close(holder)
    assert state(tmp_path) == {}


def test_the_index_is_read_once_while_nobody_else_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    update(destination(tmp_path), PACKAGES[0])
    parsed: list[str | None] = []
    real = Index.parse

    def parse(text: str | None, *, where: str) -> Index:
        parsed.append(text)
        return real(text, where=where)

    monkeypatch.setattr(Index, "parse", parse)
    target = destination(tmp_path)
    target.open()
    target.finish([target.publish(package, "") for package in PACKAGES])
    assert len(parsed) == 1


@pytest.mark.parametrize("absolute", [False, True])
def test_helm_uses_the_repository(helm: Helm, helm4: Helm, tmp_path: Path, absolute: bool) -> None:
    chart = tmp_path / "small"
    (chart / "templates").mkdir(parents=True)
    public = tmp_path / "public"
    public.mkdir()
    packages = []
    for version in ("1.0.0", "1.10.0", "1.9.0", "2.0.0+build.1"):
        metadata = {"apiVersion": "v2", "name": "small", "version": version, "appVersion": "1.10"}
        (chart / "Chart.yaml").write_text(yaml.safe_dump(metadata))
        (chart / "templates" / "a.yaml").write_text("kind: ConfigMap\napiVersion: v1\nmetadata: {name: x}\n")
        helm("package", chart, "-d", tmp_path)
        packages.append(Packed("small", version, (tmp_path / f"small-{version}.tgz").read_bytes(), metadata))
    with served(public) as url:
        update(destination(public, url=url if absolute else None), *packages)
        helm("repo", "add", "it", url)
        found = json.loads(helm("search", "repo", "it/", "-l", "-o", "json").stdout)
        assert [item["version"] for item in found] == ["2.0.0+build.1", "1.10.0", "1.9.0", "1.0.0"]
        assert {item["app_version"] for item in found} == {"1.10"}
        helm4("repo", "add", "it", url)
        for package in packages:
            for number, program in enumerate((helm, helm4)):
                pulled = tmp_path / f"pulled-{package.version}-{number}"
                pulled.mkdir()
                program("pull", "it/small", "--version", package.version, "-d", pulled)
                assert [file.read_bytes() for file in pulled.iterdir()] == [package.data]
            shown = helm("show", "chart", "it/small", "--version", package.version).stdout
            assert yaml.safe_load(shown)["version"] == package.version
        assert "kind: ConfigMap" in helm("template", "it/small", "--version", "1.10.0").stdout
