"""Whole runs of the program with something wrong at each of their requests in turn, reading ones included.

A run overcomes what passes, and tells of it, or says what is wrong; one more run always ends in the undisturbed state.
`NETWORK_FAULTS=1` tries every fault at every request (it takes minutes); else each fault has some of them.
"""

from __future__ import annotations

import functools
import json
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from chart_releaser.index.index import Index
from tests.cli.runner import TOKEN, Ran, config, server_env, source, upstream
from tests.hub import Fault, GitDir, Hub, Server, create, everything, mutating, on, running
from tests.hub.journal import Record
from tests.hurry import hurried, in_this_process
from tests.publishing import SLUG, Watch, state

EXHAUSTIVE = os.environ.get("NETWORK_FAULTS") == "1"
TURNS = 1 if EXHAUSTIVE else 20
"""How many requests there are from one that a fault takes to the next one; each fault begins at another one."""
REGISTRATION = """\
apiVersion: core.gardener.cloud/v1
kind: ControllerDeployment
metadata:
  name: winds
helm:
  rawChart: H4sI
"""
FAULTS: dict[str, dict[str, Any]] = {
    "connection reset": {"kind": "drop-before"},
    "answer lost": {"kind": "drop-after"},
    "truncated": {"kind": "truncate"},
    "500": {"kind": "refuse", "status": 500},
    "503": {"kind": "refuse", "status": 503, "headers": {"Retry-After": "1"}},
    "429": {"kind": "refuse", "status": 429, "headers": {"Retry-After": "2"}},
    "a proxy's page": {"kind": "refuse", "status": 200, "body": b"<html>Sign in</html>"},
    "no answer in time": {"kind": "slow", "seconds": 1.5},
    "another content": {"kind": "corrupt"},
}


CALM = ("", "callback")
"""What the journal calls requests that nothing is wrong with."""


@dataclass
class Scene:
    """A GitHub with upstreams of each kind, the destination, and the run's folder."""

    hub: Hub
    server: Server
    folder: Path
    watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self.watch = Watch(self.hub)

    def heal(self) -> None:
        """No more faults; the index is looked at after every request that can change something."""
        self.hub.faults.clear()
        self.hub.add_fault(Fault(mutating, "callback", times=None, after=self.watch))

    def wrong(self) -> str:
        """The requests that something was wrong with."""
        return ", ".join(str(record) for record in self.hub.journal if record.fault not in CALM)

    def is_told(self, rule: dict[str, Any]) -> bool:
        """Whether the program itself had to ask again: git waits longer, and curl repeats what it gets no word on.

        A page in the place of a repository's references is one without any to git, and leads to another way: that the
        destination has no branch yet is true, and a server that gives no single objects is asked for all. And whether
        a push would be taken is asked beforehand: there only a refusal counts.
        """
        wrong = [record for record in self.hub.journal if record.fault not in CALM]
        if rule.get("status") == 200 and any(record.path.endswith("/info/refs") for record in wrong):
            return False
        asked_before = any("service=git-receive-pack" in record.query for record in wrong)
        by_git = any(record.git for record in wrong)
        return not asked_before and not (by_git and rule["kind"] in ("slow", "drop-before", "drop-after"))

    def update(self) -> Ran:
        """Run `update --json` in this process."""
        return self.run("update", "--json")

    def run(self, *words: str) -> Ran:
        """Run the program in this process."""
        begin = time.monotonic()
        environ = {**server_env(self.server, TOKEN), "CHART_RELEASER_CACHE": str(self.folder / "cache")}
        ran = in_this_process(*words, "--config", str(self.folder / "config.yaml"), env=environ)
        assert time.monotonic() - begin < 30
        assert TOKEN not in ran.out + ran.err
        assert "internal error" not in ran.err
        return ran


@functools.cache
def _port() -> int:
    """One port for all scenes: the address of upstream is in each package."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def scene() -> Iterator[Scene]:
    """Two charts from one repository, one whose registration is an asset, and one from a plain git address."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        hub = Hub()
        path = create(folder / "charts.git")
        GitDir(path).commit("main", {"README.md": b"# Charts\n"}, time=1_600_000_000)
        hub.add_repository(SLUG, path)
        hub.add_token(TOKEN, {SLUG})
        for name in ("weather", "winds", "plain"):
            hub.add_repository(f"up/{name}", upstream(folder / f"{name}.git", ["v1.0.0"]).path)
            assets = {"controller-registration.yaml": REGISTRATION.encode()} if name == "winds" else {}
            hub.releases_from_tags(f"up/{name}", assets=lambda _tag, assets=assets: assets)  # type: ignore[misc]
        server = stack.enter_context(running(hub, _port()))
        stack.enter_context(hurried())
        config(
            folder,
            source("alpha", "up/weather"),
            source("beta", "up/weather"),
            source("winds", "up/winds", charts="[controller-registration, charts/weather]"),
            source("plain", f"{server.url.replace('127.0.0.1', 'localhost')}/up/plain.git"),
            destination="destination: {owner: acme, repo: charts}",
        )
        found = Scene(hub, server, folder)
        found.heal()
        yield found
        assert found.watch.calls
        assert not found.watch.problems


def outcome(hub: Hub) -> dict[str, Any]:
    """What a run leaves, without the times."""
    left = state(hub)
    index = Index.parse(left["files"]["index.yaml"].decode()) if "index.yaml" in left["files"] else Index.parse(None)
    entries = [{**entry, "created": ""} for listed in index.entries.values() for entry in listed]
    return {"releases": left["releases"], "tags": left["tags"], "files": sorted(left["files"]), "entries": entries}


@pytest.fixture(scope="module")
def undisturbed() -> tuple[dict[str, Any], list[Record]]:
    """What a run without a fault leaves, and its requests."""
    with scene() as it:
        ran = it.update()
        assert ran.code == 0, ran.err
        report = json.loads(ran.out)
        assert len(report["published"]) == 4
        assert report["retried"] == []
        assert "tried again" not in ran.err
        return outcome(it.hub), [*it.hub.journal]


def concerns(kind: str, record: Record) -> bool:
    """Whether a request has what the fault is about, so that somebody can notice."""
    if kind == "corrupt":  # what is neither hashed nor signed on its way only TLS can protect
        return (
            record.path.startswith("/api/uploads/")
            or "/releases/assets/" in record.path
            or (record.path.endswith(("/git-upload-pack", "/git-receive-pack")) and not record.lists_refs)
        )
    return True


@pytest.mark.parametrize("name", FAULTS)
def test_something_is_wrong_with_one_request(name: str, undisturbed: tuple[dict[str, Any], list[Record]]) -> None:
    end, requests = undisturbed
    rule = FAULTS[name]
    numbers = [number for number, record in enumerate(requests, 1) if concerns(rule["kind"], record)]
    first = list(FAULTS).index(name) % TURNS
    tried = numbers[first::TURNS] if len(numbers) > 16 else numbers
    assert tried
    overcome = 0
    for number in tried:
        with scene() as it:
            fault = it.hub.add_fault(Fault(everything, nth=number, **rule))
            ran = it.update()
            context = f"request {number}, {it.wrong()}: {ran.code}\n{ran.err}"
            assert fault.fired == 1, context
            if not all(concerns(rule["kind"], record) for record in it.hub.journal if record.fault not in CALM):
                continue  # requests come in another order now and then
            assert ran.code in (0, 1), context
            report = json.loads(ran.out) if ran.out else {"failed": [], "published": []}
            late = any(record.mutating and "slow" in record.fault for record in it.hub.journal)
            if late and ran.code == 0:
                # The server makes a draft when the program has waited, looked for it in vain, and made another one.
                time.sleep(rule["seconds"])
                assert it.run("verify", "--repair").code == 0, context
            if ran.code == 0:
                assert outcome(it.hub) == end, context
                overcome += 1
                if it.is_told(rule):
                    assert report["retried"], context
                    assert "tried again: " in ran.err
            else:
                assert "; " in ran.err, context
                assert len(report["failed"]) in (0, 1, 2, 4), context
            it.heal()
            again = it.update()
            assert again.code == 0, f"{context}\n{again.err}"
            assert outcome(it.hub) == end, context
    print(f"{name}: {len(tried)} of {len(requests)} requests, {overcome} overcome at once, the others by the next run")


def test_a_page_in_the_place_of_a_tag_is_no_lost_tag() -> None:
    with scene() as it:
        it.hub.add_fault(Fault(on("GET", "/up/weather.git/info/refs"), **FAULTS["a proxy's page"]))
        ran = it.update()
        assert (ran.code, len(json.loads(ran.out)["published"])) == (0, 4)
        assert "an answer without the tag v1.0.0" in ran.err


def test_a_page_in_the_place_of_the_branch_is_no_empty_branch() -> None:
    with scene() as it:
        assert it.update().code == 0
        before = state(it.hub)
        it.heal()
        page = FAULTS["a proxy's page"]
        it.hub.add_fault(Fault(on("GET", f"/{SLUG}.git/info/refs"), **page))
        ran = it.update()
        report = json.loads(ran.out)
        assert (ran.code, report["planned"], report["published"]) == (0, [], [])
        assert "an answer without the branch gh-pages" in ran.err
        assert state(it.hub) == before
        it.watch()
