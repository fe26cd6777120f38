"""Two charts with one package name: a clear conflict, wherever the first one is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.charts import packed
from tests.cli.runner import TOKEN, config, run, server_env, snapshot, source, upstream
from tests.hub import Hub, create, running

STEM = "a-1.0.0-b-2.0.0"
REMEDY = "rename one of the two sources, or exclude this version with versions:"


@pytest.fixture
def long(tmp_path: Path) -> str:
    upstream(tmp_path / "long.git", ["v1.0.0-b-2.0.0"])
    return source("a", "./long.git", prereleases="true")


@pytest.fixture
def short(tmp_path: Path) -> str:
    upstream(tmp_path / "short.git", ["v2.0.0"])
    return source("a-1.0.0-b", "./short.git")


def test_of_two_new_ones_the_second_is_refused(tmp_path: Path, long: str, short: str) -> None:
    config(tmp_path, long, short)
    expected = (
        f"a-1.0.0-b v2.0.0: the package of a-1.0.0-b 2.0.0 would be called {STEM}.tgz, and a 1.0.0-b-2.0.0 has it"
    )
    dry = run("update", "--dry-run", cwd=tmp_path)
    assert (dry.code, dry.errors) == (1, [f"{expected}; {REMEDY}"])
    ran = run("update", "--json", cwd=tmp_path)
    assert (ran.code, ran.errors) == (1, [f"{expected}; {REMEDY}"])
    document = json.loads(ran.out)
    assert [row["source"] for row in document["published"]] == ["a"]
    assert [row["source"] for row in document["failed"]] == ["a-1.0.0-b"]
    before = snapshot(tmp_path / "public")
    assert run("update", cwd=tmp_path).errors == ran.errors
    assert snapshot(tmp_path / "public") == before


def test_one_that_is_listed_already_is_the_first(tmp_path: Path, long: str, short: str) -> None:
    config(tmp_path, short)
    run("update", cwd=tmp_path, ok=True)
    config(tmp_path, long, short)
    before = snapshot(tmp_path / "public")
    for options in ([], ["--dry-run"], ["--source", "a"]):
        ran = run("update", *options, cwd=tmp_path)
        assert ran.code == 1
        assert f"{STEM}.tgz, and a-1.0.0-b 2.0.0 has it; {REMEDY}" in ran.errors[0]
    assert snapshot(tmp_path / "public") == before


def test_one_that_is_there_and_not_listed(tmp_path: Path, short: str) -> None:
    (tmp_path / "public").mkdir()
    there = tmp_path / "public" / f"{STEM}.tgz"
    there.write_bytes(packed("a", "1.0.0-b-2.0.0"))
    config(tmp_path, short)
    ran = run("update", cwd=tmp_path)
    assert ran.code == 1
    assert f"{there} holds the package of a 1.0.0-b-2.0.0; {REMEDY}" in ran.errors[0]
    assert "away" not in ran.err
    assert sorted(snapshot(tmp_path / "public")) == [there.name]


def test_one_that_is_in_a_release_and_not_listed(tmp_path: Path, short: str) -> None:
    hub = Hub()
    hub.add_token(TOKEN, {"o/charts"})
    repository = hub.add_repository("o/charts", create(tmp_path / "charts.git"))
    assert repository.git is not None
    repository.git.commit("main", {"README.md": b"x"})
    data = packed("a", "1.0.0-b-2.0.0")
    release = hub.add_release("o/charts", STEM, assets={f"{STEM}.tgz": data})
    repository.git.set_ref(f"refs/tags/{STEM}", repository.git.resolve("refs/heads/main") or "")
    config(tmp_path, short, destination="destination: {owner: o, repo: charts}")
    with running(hub) as server:
        ran = run("update", cwd=tmp_path, env=server_env(server, TOKEN))
    assert ran.code == 1
    assert f"the release {STEM} of o/charts holds the package of a 1.0.0-b-2.0.0; {REMEDY}" in ran.errors[0]
    assert [asset.data for asset in release.assets] == [data]


def test_exported_packages(tmp_path: Path, long: str, short: str) -> None:
    config(tmp_path, f"{long}, version: 1.0.0-b-2.0.0", short)
    ran = run("export", "--packaged", cwd=tmp_path)
    assert (ran.code, len(ran.errors)) == (1, 1)
    assert ran.errors[0].startswith("a-1.0.0-b v2.0.0: ")
    assert REMEDY in ran.errors[0]
    assert sorted(path.name for path in (tmp_path / "charts").glob("*.tgz")) == [f"{STEM}.tgz"]
    run("export", cwd=tmp_path, ok=True)
    charts = [yaml.safe_load(path.read_text())["name"] for path in sorted(tmp_path.glob("charts/*/Chart.yaml"))]
    assert charts == ["a", "a-1.0.0-b"]
