"""The page as `update` keeps it, at both kinds of destination."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.runner import TOKEN, chart, config, run, server_env, snapshot, source, upstream
from tests.hub import GitDir, Hub, create, running

PAGES = "refs/heads/gh-pages"


def test_a_directory_gets_its_page(tmp_path: Path) -> None:
    repo = upstream(tmp_path / "up", ["v1.0.0"])
    destination = "destination: {directory: public, url: 'https://charts.example.org/stable'}"
    config(tmp_path, source("weather", "./up"), destination=destination)
    run("update", cwd=tmp_path, ok=True)
    page = tmp_path / "public" / "index.html"
    assert "helm repo add stable https://charts.example.org/stable<" in page.read_text()
    before = snapshot(tmp_path / "public")
    modified = page.stat().st_mtime_ns
    run("update", cwd=tmp_path, ok=True)
    assert snapshot(tmp_path / "public") == before
    assert page.stat().st_mtime_ns == modified
    repo.release("v1.1.0", {"x": ""}, "")
    run("update", cwd=tmp_path, ok=True)
    assert '<td role="cell" class="version">1.1.0</td>' in page.read_text()
    page.write_text("<h1>Mine</h1>")
    repo.release("v1.2.0", {"x": "2"}, "")
    run("update", cwd=tmp_path, ok=True)
    assert page.read_text() == "<h1>Mine</h1>"


def test_no_page_where_none_is_wanted(tmp_path: Path) -> None:
    upstream(tmp_path / "up", ["v1.0.0"])
    config(tmp_path, source("weather", "./up"), destination="destination: {directory: public, page: false}")
    run("update", cwd=tmp_path, ok=True)
    assert sorted(snapshot(tmp_path / "public")) == ["index.yaml", "weather-1.0.0.tgz"]


@pytest.mark.parametrize("theirs", [None, b"<h1>Mine</h1>"])
def test_github_gets_it_in_the_commit_of_the_index(tmp_path: Path, theirs: bytes | None) -> None:
    hub = Hub()
    path = create(tmp_path / "charts.git")
    git = GitDir(path)
    git.commit("main", {"README.md": b"# Charts\n"}, time=1_600_000_000)
    git.commit("gh-pages", {"README.md": b"x", **({"index.html": theirs} if theirs else {})}, time=1_600_000_000)
    hub.add_repository("acme/charts", path)
    hub.add_token(TOKEN, {"acme/charts"})
    hub.add_repository("up/weather", upstream(tmp_path / "weather.git", ["v1.0.0"]).path)
    hub.releases_from_tags("up/weather")
    work = tmp_path / "work"
    work.mkdir()
    config(work, source("weather", "up/weather"), destination="destination: {owner: acme, repo: charts}")
    with running(hub) as server:
        run("update", cwd=work, env=server_env(server, TOKEN), ok=True)
        assert len(git.history(PAGES)) == 2
        page = git.read(PAGES, "index.html")
        assert page is not None
        if theirs:
            assert page == theirs
        else:
            assert b'data-alias="charts" data-title="acme/charts"' in page
            assert b'data-name="weather"' in page
        assert git.read(PAGES, "index.yaml")
        run("update", cwd=work, env=server_env(server, TOKEN), ok=True)
    assert len(git.history(PAGES)) == 2


def test_the_upstream_is_the_configured_repository_whatever_upstream_says(tmp_path: Path) -> None:
    evil = "https://github.com/evil/fork"
    files = chart()
    files["charts/weather/Chart.yaml"] = f"apiVersion: v2\nname: weather\nversion: 1.0.0\nsources: [{evil}]\n"
    hub = Hub()
    hub.add_repository("up/weather", upstream(tmp_path / "weather.git", ["v1.0.0"], files).path)
    hub.releases_from_tags("up/weather")
    hub.add_repository("up/empty", upstream(tmp_path / "empty.git", []).path)
    config(tmp_path, source("weather", "up/weather"))
    with running(hub) as server:
        run("update", cwd=tmp_path, env=server_env(server), ok=True)
        page = (tmp_path / "public" / "index.html").read_text()
        assert f'href="{server.url}/up/weather"' in page
        assert evil not in page
        before = snapshot(tmp_path / "public")
        for sources in (["up/empty"], ["up/weather", "up/empty"]):
            config(tmp_path, *(source(name.removeprefix("up/"), name) for name in sources))
            run("update", cwd=tmp_path, env=server_env(server), ok=True)
            assert snapshot(tmp_path / "public") == before
