"""Read repositories on servers through a cache: a bare, partial, shallow repository for each, rebuilt if damaged."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from chart_releaser.attempts import Attempts
from chart_releaser.budget import SOURCE_SECONDS, source_time_error
from chart_releaser.errors import SnapshotError, UpstreamError, cache_error
from chart_releaser.files import read_regular, remove
from chart_releaser.git.cachelock import CacheLock
from chart_releaser.git.gitdir import object_config, write_git_dir
from chart_releaser.git.objectformat import MissingObjectError, TreeEntry
from chart_releaser.git.objects import DamagedError, Objects, open_objects
from chart_releaser.git.refs import check_tag_names, list_refs
from chart_releaser.git.remote import REMOTE, Remote
from chart_releaser.git.run import Git, Login, Result
from chart_releaser.git.scan import clean_repository
from chart_releaser.git.snapshot import Snapshot, Snapshots, read_snapshot

_REFS = "refs/snapshots/"
_LOCK_TIMEOUT = 60 * 60
_FETCH_TIMEOUT = 15 * 60
# Sizes in bytes. A cache that is larger, or has more packs, is cheaper to fetch again than to keep.
_CACHE_SIZE = 500 << 20
_PACKS = 200
_CONFIG_SIZE = 10_000
_FETCH_SIZE = 2 << 30
_LINK_ROUNDS = 50


class CachedRepository:
    """A repository on a server, read through a cache below `cache`. Implements snapshot.Repository."""

    def __init__(
        self,
        url: str,
        *,
        cache: Path,
        seconds: float = SOURCE_SECONDS,
        login: Login | None = None,
        on_wait: Callable[[str], None] = lambda _message: None,
        attempts: Attempts | None = None,
    ) -> None:
        self._attempts = attempts if attempts is not None else Attempts()
        self._remote = Remote(url, login, self._attempts)
        self._directory = cache.absolute() / "git" / f"{_slug(self._remote.title)}.git"
        self._lock = CacheLock(self._directory, self._remote.title, on_wait)
        self._git = Git(self._directory, protocols=self._remote.protocols, lock=self._lock)
        self._oid_size = 20
        self._seconds = seconds
        self.seconds_spent = 0.0

    def tags(self) -> list[str]:
        with self._timed():
            return sorted(self._remote.tags())

    @contextlib.contextmanager
    def _timed(self) -> Iterator[None]:
        """Limit the requests in the block to the time that is left. Raises BudgetError when that is used up."""
        start = time.monotonic()
        self._remote.end = start + self._seconds - self.seconds_spent
        try:
            yield
        except UpstreamError as error:
            if time.monotonic() >= self._remote.end:
                raise source_time_error(f"fetching {self._remote.title}", self._seconds) from error
            raise
        finally:
            self.seconds_spent += time.monotonic() - start

    @contextlib.contextmanager
    def snapshots(self, tags: Sequence[str], paths: Sequence[str]) -> Iterator[Snapshots]:
        valid, snapshots = check_tag_names(tags)
        if not valid:
            yield snapshots
            return
        with self._lock.held(_LOCK_TIMEOUT), contextlib.ExitStack() as stack:
            try:
                with self._timed():
                    snapshots |= self._load_or_rebuild(valid, paths, stack)
            except OSError as error:
                raise cache_error(self._directory, error) from error
            yield snapshots

    def _load_or_rebuild(self, tags: Sequence[str], paths: Sequence[str], stack: contextlib.ExitStack) -> Snapshots:
        """Do the same as `_load`, but rebuild a damaged cache once."""
        fresh = self._prepare()
        try:
            return self._load(tags, paths, stack)
        except DamagedError as error:
            if fresh:
                raise
            self._attempts.log.note(error.what)
            stack.close()
            self._discard()
            self._prepare()
            return self._load(tags, paths, stack)

    def _load(self, tags: Sequence[str], paths: Sequence[str], stack: contextlib.ExitStack) -> Snapshots:
        """Fetch the tags and return their snapshots; `stack` closes the reader. Raises UpstreamError, DamagedError."""
        result: Snapshots = {}
        there, refs = self._refresh(list(tags))
        objects = stack.enter_context(open_objects(self._directory / "objects", self._oid_size, self._remote.title))
        shared: dict[str, dict[bytes, TreeEntry]] = {}
        for tag in tags:
            if tag not in there:
                result[tag] = SnapshotError(f"{self._remote.title} has no tag {tag} any more")
            elif _ref(tag) not in refs:
                raise DamagedError(f"{self._remote.title}: tag {tag} was fetched but is not in the cache")
            else:
                try:
                    result[tag] = read_snapshot(tag, refs[_ref(tag)], objects, shared)
                except MissingObjectError as error:
                    raise DamagedError(f"{self._remote.title}: the cache lacks the commit of tag {tag}") from error
                except SnapshotError as error:
                    result[tag] = error
        self._complete([item for item in result.values() if isinstance(item, Snapshot)], paths, objects)
        return result

    def _complete(self, snapshots: Sequence[Snapshot], paths: Sequence[str], objects: Objects) -> None:
        """Fetch the blobs that reading `paths` needs and the cache lacks, and verify those that it has.

        The target of a link is known only after the link was fetched, so this repeats until nothing is missing. Raises
        DamagedError if a blob is missing after it was fetched, because git considered it present.
        """
        checked: set[str] = set()
        asked: set[str] = set()
        for _ in range(_LINK_ROUNDS):
            needed: set[str] = set()
            for snapshot in snapshots:
                if time.monotonic() > self._remote.end:
                    raise UpstreamError(f"{self._remote.title}: following its symbolic links takes too long")
                needed.update(oid for path in paths for oid in snapshot.tree.blobs(path))
            needed -= checked
            missing = set(objects.missing(needed))
            checked |= needed - missing
            if not missing:
                return
            if missing & asked:
                raise DamagedError(f"{self._remote.title}: objects are missing that were fetched", remedy="run again")
            self._fetch_blobs(sorted(missing), [snapshot.tag for snapshot in snapshots])
            asked |= missing

    def _refresh(self, tags: list[str]) -> tuple[list[str], dict[str, str]]:
        """Fetch new and moved tags. Return those that the server has, and the references of the cache."""
        refs = self._references()
        if not all(_ref(tag) in refs for tag in tags):
            there = self._fetch_tags(tags)
            return there, self._references()
        # All tags are cached. Listing names is cheaper than fetching, which always transfers a pack with --depth.
        listed = self._remote.tags()
        gone = {tag for tag in tags if tag not in listed}
        moved = [tag for tag in tags if tag not in gone and listed[tag] != refs[_ref(tag)]]
        gone |= set(moved) - set(self._fetch_tags(moved))
        return [tag for tag in tags if tag not in gone], self._references() if moved else refs

    def _references(self) -> dict[str, str]:
        return list_refs(self._git, _REFS, self._remote.title)

    def _fetch_tags(self, tags: list[str], *, whole: bool = False) -> list[str]:
        """Fetch the tags, `whole` with all their blobs, and return those that the server has. Raises UpstreamError."""
        options = ["--depth=1", *(("--refetch", "--no-filter") if whole else ("--filter=blob:none",))]
        for _ in range(4):
            if not tags:
                return tags
            refspecs = "".join(f"+refs/tags/{tag}:{_REFS}{_ref(tag)}\n" for tag in tags)
            result = self._fetch(*options, stdin=refspecs)
            if result.status == 0:
                return tags
            if absent := re.search(r"couldn't find remote ref refs/tags/([^\n]+)", result.stderr):
                known = set(self._remote.tags())
                if absent[1] in known:  # git reads an HTML page, such as a proxy's, as an empty repository
                    self._remote.note_retry(f"an answer without the tag {absent[1]}")
                tags = [tag for tag in tags if tag in known]
            elif "mismatched algorithms" in result.stderr:
                self._discard()
                self._oid_size = 52 - self._oid_size
                self._prepare()
            else:
                self._remote.fail(result.stderr, place=self._directory)
        raise UpstreamError(
            f"could not fetch {self._remote.title}: its tags change while they are read", remedy="run again"
        )

    def _fetch_blobs(self, oids: Sequence[str], tags: list[str]) -> None:
        """Fetch these blobs, or all blobs of the tags if the server does not serve single objects."""
        result = self._fetch("--filter=blob:none", stdin="".join(f"{oid}\n" for oid in oids), haves=False)
        if result.status == 0:
            return
        if re.search(r"not our ref|unadvertised object|not allow request", result.stderr):
            self._fetch_tags(tags, whole=True)
        else:
            self._remote.fail(result.stderr, place=self._directory)

    def _fetch(self, *options: str, stdin: str, haves: bool = True) -> Result:
        start = _size(self._directory)
        # Negotiation spares the server sending what is cached; for single blobs it only costs time.
        algorithm = () if haves else ("-c", "fetch.negotiationAlgorithm=noop")
        return self._remote.run(
            self._git,
            *algorithm,
            "fetch",
            "--quiet",
            "--stdin",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
            "--no-show-forced-updates",
            *options,
            REMOTE,
            stdin=stdin.encode(),
            timeout=_FETCH_TIMEOUT,
            growth=lambda: _size(self._directory) > start + _FETCH_SIZE,
        )

    def _prepare(self) -> bool:
        """Make the cache usable, whatever state it is in, and return whether it is empty."""
        directory = self._directory
        clean_repository(directory)
        if _size(directory) > _CACHE_SIZE or sum(1 for _ in directory.glob("objects/pack/*.pack")) > _PACKS:
            self._discard()
        fresh = not any(directory.glob("objects/*/*"))
        if fresh:  # references without objects would make git skip fetching
            self._discard()
        for pack in list(directory.glob("objects/pack/*.pack")):
            if not pack.with_suffix(".idx").exists():
                remove(pack)
        with contextlib.suppress(OSError):
            if b"objectFormat = sha256" in read_regular(directory / "config", _CONFIG_SIZE):
                self._oid_size = 32
        partial = f'[extensions]\n\tpartialClone = {REMOTE}\n[remote "{REMOTE}"]\n\tpromisor = true\n'
        config = object_config(self._oid_size, version=1) + partial + "\tpartialCloneFilter = blob:none\n"
        write_git_dir(directory, config)
        return fresh

    def _discard(self) -> None:
        remove(self._directory)


def _slug(title: str) -> str:
    """Return a file name for a remote: a readable part, and a hash that makes it unique."""
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", title.partition("://")[2] or title).strip("-.")[-80:]
    return f"{readable}-{hashlib.sha256(title.encode()).hexdigest()[:16]}"


def _ref(tag: str) -> str:
    """Return the name of a tag's reference in the cache. Hashing lets tags such as `a` and `a/b` coexist."""
    return hashlib.sha256(tag.encode()).hexdigest()


def _size(directory: Path) -> int:
    """Return the size of all files below `directory`, without those that vanish meanwhile."""
    total = 0
    for folder, _, files in os.walk(directory):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_size  # noqa: PTH118 - asked twice a second
    return total
