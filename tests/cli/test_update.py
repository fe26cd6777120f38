"""`update` into a directory: what it prints, writes and leaves alone."""

from __future__ import annotations

import hashlib
import json
import os
import re
from html import escape
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt

from tests.cli.runner import chart, config, run, snapshot, source, upstream
from tests.gitrepo import GitRepo
from tests.helm import Helm

BROKEN = {"charts/weather/Chart.yaml": None}


def _versions(folder: Path, name: str = "weather") -> list[str]:
    index = yaml.safe_load((folder / "index.yaml").read_text())
    return [entry["version"] for entry in index["entries"].get(name, [])]


def test_what_is_missing_gets_published_and_a_second_run_writes_nothing(tmp_path: Path, helm: Helm) -> None:
    upstream(tmp_path / "weather.git", ["v0.9.0", "v1.0.0", "v1.1.0", "v1.1.1", "v1.2.0", "latest", "v2.0.0-rc.1"])
    config(tmp_path, source("weather", "./weather.git"))
    first = run("update", cwd=tmp_path, ok=True)
    public = tmp_path / "public"
    assert _versions(public) == ["1.2.0", "1.1.1", "1.1.0", "1.0.0"]
    assert first.out.splitlines() == [
        f"published  weather  {version}  weather-{version}.tgz" for version in ("1.2.0", "1.1.1", "1.1.0", "1.0.0")
    ]
    assert first.messages[-1] == f"directory {public}: 4 published, 0 up to date, 0 failed"
    entry = yaml.safe_load((public / "index.yaml").read_text())["entries"]["weather"][0]
    assert entry["digest"] == hashlib.sha256((public / "weather-1.2.0.tgz").read_bytes()).hexdigest()
    assert "Notes of v1.2.0" in helm("show", "readme", public / "weather-1.2.0.tgz").stdout + _notes(public, "1.2.0")
    before, times = snapshot(public), {path: path.stat().st_mtime_ns for path in public.iterdir()}
    folder_time = public.stat().st_mtime_ns
    second = run("update", cwd=tmp_path, ok=True)
    assert second.out == ""
    assert snapshot(public) == before
    assert {path: path.stat().st_mtime_ns for path in public.iterdir()} == times
    assert public.stat().st_mtime_ns == folder_time


def _notes(public: Path, version: str) -> str:
    import tarfile

    with tarfile.open(public / f"weather-{version}.tgz") as archive:
        member = archive.extractfile("weather/RELEASE.md")
        assert member is not None
        return member.read().decode()


def test_a_dry_run_prints_the_plan_and_writes_nothing_anywhere(tmp_path: Path) -> None:
    repo = upstream(tmp_path / "weather.git", ["v1.0.0", "v1.1.0"])
    work = tmp_path / "work"
    work.mkdir()
    config(work, source("weather", "../weather.git"), source("other", repo.url, version="v1.0.0"))
    (work / "summary").touch()
    (work / "output").touch()
    environ = {
        "GITHUB_STEP_SUMMARY": str(work / "summary"),
        "GITHUB_OUTPUT": str(work / "output"),
        "CHART_RELEASER_CACHE": str(work / "cache"),
        "TMPDIR": str(work),
    }
    before = snapshot(work)
    ran = run("update", "--dry-run", cwd=work, env=environ, ok=True)
    assert ran.out.splitlines() == [
        "publish  weather  v1.1.0",
        "publish  weather  v1.0.0",
        "publish  other    v1.1.0",
        "publish  other    v1.0.0",
    ]
    assert ran.messages == [f"directory {work / 'public'}: 4 to publish, 0 up to date, 0 failed"]
    run("fetch-latest-versions", "--dry-run", cwd=work, env=environ, ok=True)
    assert snapshot(work) == before


def test_a_plan_says_what_is_there_and_why_something_is_not_tracked(tmp_path: Path) -> None:
    repo = upstream(tmp_path / "weather.git", ["v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0", "v1.4.0-rc.1", "latest"])
    config(tmp_path, source("weather", "./weather.git"))
    run("update", cwd=tmp_path, ok=True)
    repo.release("v1.3.1", {"VERSION": "1.3.1"})
    ran = run("update", "--dry-run", cwd=tmp_path, ok=True)
    assert sorted(ran.out.splitlines()) == [
        "not tracked  weather  1 no semantic version: latest",
        "not tracked  weather  1 older than the last 3 minors: v1.0.0",
        "not tracked  weather  1 prerelease: v1.4.0-rc.1",
        "publish      weather  v1.3.1",
        "up to date   weather  3: v1.3.0, v1.2.0, v1.1.0",
    ]
    document = json.loads(run("update", "--dry-run", "--json", cwd=tmp_path, ok=True).out)
    assert sorted((row["source"], row["tag"], row["reason"]) for row in document["passedOver"]) == [
        ("weather", "latest", "no semantic version"),
        ("weather", "v1.0.0", "older than the last 3 minors"),
        ("weather", "v1.4.0-rc.1", "prerelease"),
    ]
    assert document["notes"] == []


def test_json_is_one_document_with_every_release(tmp_path: Path) -> None:
    repo = upstream(tmp_path / "weather.git", ["v1.0.0"])
    config(tmp_path, source("weather", "./weather.git"))
    run("update", cwd=tmp_path, ok=True)
    repo.release("v1.1.0", {"VERSION": "1.1.0"})
    repo.release("v1.2.0", {"charts/weather/Chart.yaml": None})
    planned = run("update", "--json", "--dry-run", cwd=tmp_path)
    plan = json.loads(planned.out)
    assert [row["version"] for row in plan["planned"]] == ["1.2.0", "1.1.0"]
    assert planned.code == 1
    ran = run("update", "--json", cwd=tmp_path)
    assert ran.code == 1
    assert len(ran.out.splitlines()) == 1
    report = json.loads(ran.out)
    assert list(report) == ["planned", "published", "skipped", "failed", "passedOver", "notes", "retried"]
    assert (plan["published"], plan["failed"]) == ([], report["failed"])
    [published], [skipped], [failed] = report["published"], report["skipped"], report["failed"]
    digest = hashlib.sha256((tmp_path / "public/weather-1.1.0.tgz").read_bytes()).hexdigest()
    assert published == {
        "source": "weather",
        "version": "1.1.0",
        "chart": "weather",
        "tag": "v1.1.0",
        "url": "weather-1.1.0.tgz",
        "digest": digest,
    }
    assert skipped["version"] == "1.0.0"
    assert skipped["url"] == "weather-1.0.0.tgz"
    assert len(skipped["digest"]) == 64
    assert failed == {
        "source": "weather",
        "version": "1.2.0",
        "chart": "weather",
        "tag": "v1.2.0",
        "error": "charts/weather has no Chart.yaml, and no chart looks like it; leave the release out with versions:",
    }
    again = json.loads(run("update", "--json", "-q", cwd=tmp_path).out)
    assert [row["version"] for row in again["skipped"]] == ["1.1.0", "1.0.0"]


def test_a_dry_run_builds_what_it_plans(tmp_path: Path) -> None:
    repo = upstream(tmp_path / "weather.git", ["v1.0.0", "v1.1.0"])
    repo.release("v1.2.0", {"charts/weather/values.schema.json": '{"type": "object"'})
    config(tmp_path, source("weather", "./weather.git"))
    ran = run("update", "--dry-run", cwd=tmp_path)
    assert ran.code == 1
    assert ran.out.splitlines()[0].startswith(
        "would fail  weather  v1.2.0: charts/weather/values.schema.json is not valid JSON"
    )
    assert ran.out.splitlines()[1:] == ["publish     weather  v1.1.0", "publish     weather  v1.0.0"]
    assert ran.messages[-1] == f"directory {tmp_path / 'public'}: 2 to publish, 0 up to date, 1 failed"
    assert not (tmp_path / "public").exists()


def test_a_dry_run_builds_as_many_as_the_limit_says(tmp_path: Path) -> None:
    upstream(tmp_path / "weather.git", ["v1.0.0", "v1.1.0", "v1.2.0"])
    config(tmp_path, source("weather", "./weather.git"))
    ran = run("update", "--dry-run", "-v", "--limit", "1", cwd=tmp_path)
    assert ran.code == 3
    assert [line.partition(",")[0] for line in ran.messages if line.startswith("built")] == ["built weather 1.2.0"]
    assert ran.messages[-1] == "warning: --limit 1 is reached; 2 more wait for the next run"


def test_a_limit_takes_the_newest_first_and_the_next_run_goes_on(tmp_path: Path) -> None:
    upstream(tmp_path / "weather.git", ["v1.0.0", "v1.1.0", "v1.2.0"])
    config(tmp_path, source("weather", "./weather.git"))
    public = tmp_path / "public"
    first = run("update", "--limit", "2", cwd=tmp_path)
    assert first.code == 3
    assert first.messages[-1] == "warning: --limit 2 is reached; 1 more wait for the next run"
    assert _versions(public) == ["1.2.0", "1.1.0"]
    assert sorted(path.name for path in public.glob("*.tgz")) == ["weather-1.1.0.tgz", "weather-1.2.0.tgz"]
    second = run("update", "--limit", "2", cwd=tmp_path)
    assert second.code == 0
    assert _versions(public) == ["1.2.0", "1.1.0", "1.0.0"]


def test_a_limit_that_is_just_enough_is_no_early_end(tmp_path: Path) -> None:
    upstream(tmp_path / "weather.git", ["v1.0.0", "v1.1.0"])
    config(tmp_path, source("weather", "./weather.git"))
    run("update", "--limit", "2", cwd=tmp_path, ok=True)


def test_failures_do_not_use_up_the_limit_nor_stretch_it(tmp_path: Path) -> None:
    repo = upstream(tmp_path / "weather.git", ["v1.0.0", "v1.1.0"])
    repo.release("v1.2.0", {"charts/weather/Chart.yaml": None})
    config(tmp_path, source("gone", "./gone.git"), source("weather", "./weather.git"), source("more", "./weather.git"))
    ran = run("update", "--limit", "1", "--json", cwd=tmp_path)
    assert ran.code == 1  # a failure counts more than the limit, which the action takes for success
    report = json.loads(ran.out)
    assert [row["version"] for row in report["published"]] == ["1.1.0"]
    assert [(row["source"], row["version"]) for row in report["failed"]] == [("gone", ""), ("weather", "1.2.0")]
    assert ran.messages[-1] == "warning: --limit 1 is reached; 4 more wait for the next run"


def test_one_sources_failure_stops_no_other(tmp_path: Path) -> None:
    upstream(tmp_path / "weather.git", ["v1.0.0"])
    (tmp_path / "no-git").mkdir()
    config(
        tmp_path,
        source("gone", "./gone.git"),
        source("folder", "./no-git"),
        source("wrong", "./weather.git", charts="[charts/wether]"),
        source("weather", "./weather.git"),
    )
    ran = run("update", cwd=tmp_path)
    assert ran.code == 1
    assert _versions(tmp_path / "public") == ["1.0.0"]
    assert [error.split(":")[0] for error in ran.errors] == ["gone", "folder", "wrong v1.0.0"]


def test_what_a_killed_run_left_is_completed(tmp_path: Path) -> None:
    upstream(tmp_path / "weather.git", ["v1.0.0", "v1.1.0", "v1.2.0"])
    config(tmp_path, source("weather", "./weather.git"))
    run("update", cwd=tmp_path, ok=True)
    public = tmp_path / "public"
    whole = {name: data for name, data in snapshot(public).items() if name.endswith(".tgz")}
    (public / "index.yaml").unlink()
    (public / "weather-1.1.0.tgz").unlink()
    (public / f".chart-releaser-{'0' * 16}.tmp").write_bytes(b"half")
    ran = run("update", cwd=tmp_path, ok=True)
    assert len(ran.out.splitlines()) == 3
    assert _versions(public) == ["1.2.0", "1.1.0", "1.0.0"]
    after = snapshot(public)
    assert {name: data for name, data in after.items() if name.endswith(".tgz")} == whole
    assert not [name for name in after if name.endswith(".tmp")]


def test_a_published_version_never_changes(tmp_path: Path) -> None:
    repo = upstream(tmp_path / "weather.git", ["v1.0.0"])
    config(tmp_path, source("weather", "./weather.git"))
    run("update", cwd=tmp_path, ok=True)
    public = tmp_path / "public"
    before = (public / "weather-1.0.0.tgz").read_bytes()
    (public / "index.yaml").unlink()
    repo.release("v1.0.0", {"charts/weather/values.yaml": "moved: true\n"})
    ran = run("update", cwd=tmp_path)
    assert ran.code == 1
    assert ran.errors[0].startswith(f"weather v1.0.0: {public / 'weather-1.0.0.tgz'} is there with digest ")
    assert (public / "weather-1.0.0.tgz").read_bytes() == before
    assert not (public / "index.yaml").exists()


def test_packages_are_the_same_on_another_day_in_another_folder(tmp_path: Path) -> None:
    upstream(tmp_path / "weather.git", ["v1.0.0"])
    packages = []
    for folder, zone in (("a", "UTC"), ("b/deep", "Pacific/Auckland")):
        work = tmp_path / folder
        work.mkdir(parents=True)
        config(work, source("weather", tmp_path / "weather.git"))
        mask = os.umask(0o077 if zone == "UTC" else 0o022)
        try:
            run("update", cwd=work, env={"TZ": zone, "CHART_RELEASER_CACHE": str(work / "cache")}, ok=True)
        finally:
            os.umask(mask)
        packages.append((work / "public/weather-1.0.0.tgz").read_bytes())
    assert packages[0] == packages[1]


def test_charts_whose_path_is_only_in_some_releases(tmp_path: Path) -> None:
    repo = GitRepo(tmp_path / "weather.git")
    repo.release("v1.0.0", chart())
    repo.release("v1.1.0", {**chart(folder="charts/new"), "charts/weather/Chart.yaml": None})
    paths = "[{path: charts/weather, versions: <1.1.0}, {path: charts/new, versions: '>=1.1.0'}]"
    config(tmp_path, source("weather", "./weather.git", charts=paths))
    run("update", cwd=tmp_path, ok=True)
    assert _versions(tmp_path / "public") == ["1.1.0", "1.0.0"]


def test_names_from_upstream_reach_neither_terminal_nor_job_raw(tmp_path: Path) -> None:
    repo = GitRepo(tmp_path / "weather.git")
    evil = "charts/\x1b[31mred\n::stop-commands::x ##[set-output]"
    repo.commit(chart(folder=evil))
    repo.tag("v1.0.0", "\x1b]0;owned\x07 notes")
    repo.tag("\u202ev1.x")
    config(tmp_path, source("weather", "./weather.git", charts="[charts]"))
    for environ in ({}, {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}):
        ran = run("update", "-v", cwd=tmp_path, env=environ)
        assert ran.code == 1
        assert not [c for c in ran.err.replace("\n", "") if not c.isprintable()]
        assert not [line for line in ran.messages if line.lstrip().startswith("::stop")]
    assert "##[" not in ran.err
    summary = (tmp_path / "summary").read_text()
    assert "##[" not in summary
    assert "\x1b" not in summary


def test_text_from_upstream_is_code_in_the_summary_of_a_job(tmp_path: Path) -> None:
    evil = "@org/team #1 $x$ :smile: ~~a~~ `b` www.evil.example | <img src=x> c"
    repo = GitRepo(tmp_path / "weather.git")
    repo.release("v1.0.0", chart(folder=f"charts/{evil}"))
    upstream(tmp_path / "good.git", ["v1.0.0"])
    destination = "destination: {directory: public, url: 'https://charts.example.org'}"
    sources = source("weather", "./weather.git", charts="[charts]"), source("good", "./good.git")
    config(tmp_path, *sources, destination=destination)
    summary = tmp_path / "summary"
    environ = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    assert run("update", cwd=tmp_path, env=environ).code == 1
    assert run("verify", cwd=tmp_path, env=environ, ok=True).out == ""
    assert run("export", cwd=tmp_path, env=environ).code == 1
    html = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(summary.read_text())
    assert escape(evil) in html
    assert '<a href="https://charts.example.org/good-1.0.0.tgz">' in html
    outside = re.sub("<code>.*?</code>|<a .*?</a>", "", html)
    assert set(re.findall("<[a-z0-9]+", outside)) == {"<h3", "<table", "<thead", "<tbody", "<tr", "<th", "<td"}
    words = set(re.sub("<[^>]*>", " ", outside).split())
    assert words == {"source", "version", "published", "failed", "Exported", "charts", "written"}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("    appVersion: 72551e2\n", "old 1.0.0: appVersion is 72551e2"),
        ("  - null\n", "old, entry 2: not a mapping"),
        ("    foo: bar\n", "old 1.0.0: unknown field foo"),
        ("  old: []\n", "line 7: the key old occurs twice"),
        ("", ""),
    ],
)
def test_an_index_that_helm_refuses_is_told_and_stops_nothing(tmp_path: Path, more: str, said: str) -> None:
    upstream(tmp_path / "weather.git", ["v1.0.0"])
    config(tmp_path, source("weather", "./weather.git"))
    entry = "  - name: old\n    version: 1.0.0\n    urls: [https://example.org/old-1.0.0.tgz]\n"
    public = tmp_path / "public"
    public.mkdir()
    (public / "index.yaml").write_text(f"apiVersion: v1\nentries:\n  old:\n{entry}{more}")
    dry = json.loads(run("update", "--dry-run", "--json", cwd=tmp_path, ok=True).out)["notes"]
    for words in (["update", "--json"], ["update", "--json"]):
        ran = run(*words, cwd=tmp_path, ok=True)
        notes = json.loads(ran.out)["notes"]
        assert notes == dry
        assert bool(said) == bool(notes)
        if said:
            assert notes[0]["note"].startswith(f"Helm refuses the index: {said}"), notes
            assert notes[0]["note"].endswith("run verify --repair, which puts right what it can")
    assert (public / "weather-1.0.0.tgz").exists()
