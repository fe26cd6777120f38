"""What one upstream may use up: time, memory, room in the index; what is beyond fails, and no other source waits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chart_releaser import yamledit, yamlio
from chart_releaser.index.index import Index
from tests.cli.runner import Files, begin, chart, config, run, server_env, source, upstream
from tests.gitrepo import GitRepo, Link
from tests.helm import Helm
from tests.hub import Fault, Hub, Server, on, running
from tests.memorytree import published


def listed(folder: Path) -> dict[str, list[str]]:
    index = Index.parse((folder / "public/index.yaml").read_text())
    return {name: sorted(index.versions(name)) for name in index.entries}


def subcharts(count: int, path: str = "charts/big") -> Files:
    """A chart with many small sub-charts that it does not declare."""
    files = chart("big", path)
    for number in range(count):
        files |= {
            f"{path}/charts/s{number}/Chart.yaml": f"apiVersion: v2\nname: s{number}\nversion: 0.1.0\n",
            f"{path}/charts/s{number}/templates/x.yaml": "a: b\n",
        }
    return files


# --- work


def test_the_work_does_not_grow_with_the_square_of_the_sub_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many switches go into a values.yaml, it is read equally often."""
    read: list[str] = []
    honest = yamlio.compose_all

    def counted(text: str, *, where: str, **options: Any) -> Any:
        read.append(where)
        return honest(text, where=where, **options)

    monkeypatch.setattr(yamlio, "compose_all", counted)

    def times(count: int) -> tuple[int, int]:
        read.clear()
        published({str(path): str(text) for path, text in subcharts(count, "c").items()})
        return read.count("c/values.yaml"), read.count("c/Chart.yaml")

    assert times(30) == times(3)


def test_switches_of_many_sub_charts(tmp_path: Path, helm: Helm) -> None:
    upstream(tmp_path / "big.git", ["v1.0.0"], subcharts(1000))
    config(tmp_path, source("big", "./big.git", charts="[charts/big]"))
    run("update", cwd=tmp_path, ok=True)
    package = tmp_path / "public/big-1.0.0.tgz"
    assert "s999:\n  enabled: false\n" in helm("show", "values", str(package)).stdout
    assert helm("template", "r", str(package), "--set", "s7.enabled=true").stdout.count("a: b") == 1


def test_several_edits_at_once_are_those_of_one_after_another() -> None:
    for text in (
        "a: 1\nb:\n  # c\n  x: 1\nd: {}\ne:\n",
        "{}",
        "",
        "# top\n",
        "a: &a {x: 1}\nb: *a\n",
        '{"b": {"y": 2}}',
    ):
        added = {name: {"on": False} for name in ("b", "d", "e", "f", "g")}
        one_by_one = text
        for name, values in added.items():
            one_by_one = yamledit.insert_below(one_by_one, {name: values}, where="w")
        at_once = yamledit.insert_below(text, added, where="w")
        assert yamlio.load(at_once, where="w") == yamlio.load(one_by_one, where="w")
        assert len(at_once) == len(one_by_one)


# --- memory and time of a release


def fat_upstream(path: Path, **keys: int) -> None:
    """A chart for each name, with values of so many keys, and a small one."""
    repo = GitRepo(path)
    files = chart("thin")
    for name, count in keys.items():
        values = "".join(f"k{number}: 1\n" for number in range(count))
        files |= chart(name, more={"values.yaml": values})
    repo.commit(files)
    repo.tag("v1.0.0")


def test_values_that_would_take_too_much_memory(tmp_path: Path) -> None:
    fat_upstream(tmp_path / "fat.git", fat=400_000, stout=40_000)
    fat = source("fat", "./fat.git", charts="[charts/fat]")
    stout = source("stout", "./fat.git", charts="[charts/stout]", limits="{memory: 32M}")
    config(tmp_path, fat, stout, source("thin", "./fat.git", charts="[charts/thin]"))
    ran = run("update", cwd=tmp_path)
    assert ran.code == 1
    assert sorted(ran.errors) == [
        f"{name} v1.0.0: charts/{name}/values.yaml: building this release takes more than {most} MiB of memory; leave "
        "it out with versions:, or allow more under limits: memory"
        for name, most in (("fat", 512), ("stout", 32))
    ]
    assert listed(tmp_path) == {"thin": ["1.0.0"]}
    config(tmp_path, source("stout", "./fat.git", charts="[charts/stout]"))
    run("update", cwd=tmp_path, ok=True)
    assert listed(tmp_path) == {"stout": ["1.0.0"], "thin": ["1.0.0"]}


def test_a_release_that_takes_too_long(tmp_path: Path) -> None:
    fat_upstream(tmp_path / "fat.git", fat=200_000)
    config(tmp_path, source("fat", "./fat.git", charts="[charts/fat]", limits="{memory: 2G, releaseTime: 1s}"))
    ran = run("update", cwd=tmp_path)
    assert ran.code == 1
    assert len(ran.errors) == 1
    assert "building this release takes longer than 1s; leave it out with versions:" in ran.errors[0]
    assert not (tmp_path / "public/index.yaml").exists()


# --- time of a source


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """Two upstreams; one chart of the first is reached by links that lead on, each to be fetched by itself."""
    hub = Hub()
    files = chart("quick")
    hub.add_repository("up/quick", upstream(tmp_path / "quick.git", ["v1.0.0"], files).path)
    slow = GitRepo(tmp_path / "slow.git")
    links: Files = {f"l{number}": Link(f"l{number + 1}") for number in range(20)}
    slow.commit({**chart("slow"), "charts/slow/templates/x.yaml": Link("../../../l0"), **links, "l20": "a: b\n"})
    slow.tag("v1.0.0")
    hub.add_repository("up/slow", slow.path)
    for slug in ("up/quick", "up/slow"):
        hub.releases_from_tags(slug)
    return hub


@pytest.fixture
def server(hub: Hub) -> Iterator[Server]:
    with running(hub) as server:
        yield server


def test_links_that_lead_on_end_with_the_time_of_their_source(tmp_path: Path, hub: Hub, server: Server) -> None:
    env = server_env(server)
    config(tmp_path, source("slow", "up/slow", charts="[charts/slow]", limits="{sourceTime: 3s}"))
    fault = hub.add_fault(Fault(on("POST", "/up/slow.git/git-upload-pack"), "slow", seconds=0.6, times=None))
    ran = run("update", cwd=tmp_path, env=env)
    assert ran.code == 1
    assert ran.errors == [
        f"slow v1.0.0: fetching {server.url}/up/slow.git: the work on this source takes longer than 3s; what is done "
        "is kept, the next run continues; allow more under limits: sourceTime"
    ]
    assert fault.fired < 12
    hub.faults.clear()
    config(tmp_path, source("slow", "up/slow", charts="[charts/slow]"))
    run("update", cwd=tmp_path, env=env, ok=True)
    assert listed(tmp_path) == {"slow": ["1.0.0"]}


def test_others_are_published_while_a_server_keeps_one_waiting(tmp_path: Path, hub: Hub, server: Server) -> None:
    slow = source("slow", "up/slow", charts="[charts/slow]")
    config(tmp_path, slow, source("quick", "up/quick", charts="[charts/quick]"))
    hub.add_fault(Fault(on("POST", "/up/slow.git/git-upload-pack"), "slow", seconds=5, times=None))
    process = begin("update", cwd=tmp_path, env=server_env(server))
    try:
        end = time.monotonic() + 50
        while not (tmp_path / "public/quick-1.0.0.tgz").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.05)
        assert not (tmp_path / "public/slow-1.0.0.tgz").exists()
    finally:
        process.kill()
        process.communicate()


# --- room in the index


def test_an_upstream_that_would_fill_the_index(tmp_path: Path) -> None:
    repo = GitRepo(tmp_path / "wordy.git")
    for number in range(12):
        text = f"apiVersion: v2\nname: wordy\nversion: 0.1.0\ndescription: {'x' * 200_000}\n"
        repo.release(f"v1.0.{number}", {**chart("terse"), "charts/wordy/Chart.yaml": text})
    config(
        tmp_path,
        source("wordy", "./wordy.git", charts="[charts/wordy]", limits="{indexSize: 1M}"),
        source("terse", "./wordy.git", charts="[charts/terse]"),
    )
    ran = run("update", cwd=tmp_path)
    assert ran.code == 1
    assert len(ran.errors) == 7
    assert ran.errors[0].startswith("wordy v1.0.6: with this version the entries of wordy would take up 1.1 MiB")
    assert {name: len(versions) for name, versions in listed(tmp_path).items()} == {"terse": 12, "wordy": 5}
    before = (tmp_path / "public/index.yaml").read_bytes()
    assert run("update", cwd=tmp_path).code == 1
    assert (tmp_path / "public/index.yaml").read_bytes() == before
    assert len(list((tmp_path / "public").glob("wordy-*.tgz"))) == 5, "nothing of what has no room was published"


def test_an_entry_that_aliases_make_large(tmp_path: Path) -> None:
    words = ", ".join(f"&k{number} {'x' * 1000}" for number in range(10))
    text = f"apiVersion: v2\nname: wordy\nversion: 0.1.0\nkeywords: [{words}{', *k1' * 500}]\n"
    upstream(tmp_path / "wordy.git", ["v1.0.0"], chart("wordy") | {"charts/wordy/Chart.yaml": text})
    config(tmp_path, source("wordy", "./wordy.git", charts="[charts/wordy]"))
    ran = run("update", cwd=tmp_path)
    assert ran.code == 1
    assert ran.errors[0].startswith("wordy v1.0.0: its entry in the index would have 5")
    assert not (tmp_path / "public").exists()
