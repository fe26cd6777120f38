"""`verify` as a user runs it: table, JSON, exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pytest

from tests.charts import index_text, listed, packed
from tests.cli.runner import TOKEN, config, run, server_env, snapshot, source
from tests.hub import Fault, Hub, create, on, running

A, B = packed("a", "1.0.0"), packed("b", "1.0.0")


@pytest.fixture
def public(tmp_path: Path) -> Path:
    config(tmp_path, source("a", "o/a"), source("b", "o/b"))
    path = tmp_path / "public"
    path.mkdir()
    (path / "a-1.0.0.tgz").write_bytes(A)
    (path / "b-1.0.0.tgz").write_bytes(B)
    (path / "index.yaml").write_text(index_text(listed("a", "1.0.0", "a-1.0.0.tgz", A)))
    return path


def test_findings_are_a_table_and_the_count_goes_to_stderr(tmp_path: Path, public: Path) -> None:
    before = snapshot(public)
    ran = run("verify", cwd=tmp_path)
    assert ran.code == 1
    assert ran.out.splitlines() == ["unlisted  b 1.0.0: the package b-1.0.0.tgz is not in the index; --repair lists it"]
    assert ran.messages[-1] == f"directory {public}: 1 entries, 2 packages, 0 repaired, 1 left"
    assert snapshot(public) == before


def test_repair_and_then_nothing_is_left(tmp_path: Path, public: Path) -> None:
    ran = run("verify", "--repair", cwd=tmp_path, ok=True)
    assert ran.out.startswith("repaired  b 1.0.0: ")
    before = snapshot(public)
    again = run("verify", "--repair", cwd=tmp_path, ok=True)
    assert again.out == ""
    assert snapshot(public) == before


@pytest.mark.parametrize("broken", [False, True])
def test_json_is_one_document(tmp_path: Path, public: Path, broken: bool) -> None:
    if broken:
        (public / "index.yaml").write_text("{")
    ran = run("verify", "--json", cwd=tmp_path)
    assert ran.code == 1
    document = json.loads(ran.out)
    assert [one["kind"] for one in document["findings"]] == (["unreadable", "unlisted"] if broken else []) + [
        "unlisted"
    ]
    assert not any(one["repaired"] for one in document["findings"])
    ran = run("verify", "--json", "--repair", cwd=tmp_path, ok=True)
    assert all(one["repaired"] for one in json.loads(ran.out)["findings"])
    assert json.loads(run("verify", "--json", cwd=tmp_path, ok=True).out)["findings"] == []


def test_a_directory_that_does_not_exist(tmp_path: Path) -> None:
    config(tmp_path, source("a", "o/a"))
    ran = run("verify", cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert "does not exist; correct destination: directory" in ran.errors[0]


def test_github_without_and_with_a_token(tmp_path: Path) -> None:
    hub = Hub()
    hub.add_token(TOKEN, {"o/charts"})
    repository = hub.add_repository("o/charts", create(tmp_path / "charts.git"))
    config(tmp_path, source("a", "o/a"), destination="destination: {owner: o, repo: charts}")
    hub.add_release("o/charts", "a-1.0.0", assets={"a-1.0.0.tgz": A})
    hub.add_release("o/charts", "a-1.1.0", draft=True)
    assert repository.git is not None
    repository.git.commit("gh-pages", {"index.yaml": index_text().encode()})
    with running(hub) as server:
        ran = run("verify", cwd=tmp_path, env=server_env(server))
        assert (ran.code, len(ran.out.splitlines())) == (1, 1)
        assert hub.journal.mutations() == []
        ran = run("verify", "--repair", cwd=tmp_path, env=server_env(server))
        assert ran.code == 2
        assert "needs a token" in ran.errors[0]
        ran = run("verify", "--repair", cwd=tmp_path, env=server_env(server, TOKEN), ok=True)
        assert [line.split()[0] for line in ran.out.splitlines()] == ["repaired", "repaired"]
        hub.journal.clear()
        run("verify", "--repair", cwd=tmp_path, env=server_env(server, TOKEN), ok=True)
        assert hub.journal.mutations() == []


def test_adopting_a_chart_that_is_not_configured(tmp_path: Path, public: Path) -> None:
    (public / "evil-1.0.0.tgz").write_bytes(packed("evil", "1.0.0"))
    ran = run("verify", "--repair", cwd=tmp_path)
    assert ran.code == 1
    assert ran.out.splitlines() == [
        "repaired  b 1.0.0: the package b-1.0.0.tgz is not in the index; --repair lists it",
        "unlisted  evil 1.0.0: the package evil-1.0.0.tgz is not in the index, and evil is neither configured nor "
        "listed; delete it if it is not yours; --repair --adopt evil lists it, and so does --repair once a source has "
        "that name",
    ]
    before = snapshot(public)
    (finding,) = json.loads(run("verify", "--json", "--adopt", "evil", cwd=tmp_path).out)["findings"]
    assert (finding["repairable"], finding["repaired"]) == (True, False)
    assert snapshot(public) == before
    assert run("verify", "--repair", "--source", "a", cwd=tmp_path, ok=True).out == ""
    ran = run("verify", "--repair", "--adopt", "x", "--adopt", "evil", "--source", "a", cwd=tmp_path, ok=True)
    assert ran.out.startswith("repaired  evil 1.0.0")
    assert run("verify", cwd=tmp_path, ok=True).out == ""


def test_adopting_all_where_the_index_is_lost(tmp_path: Path, public: Path) -> None:
    (public / "old-1.0.0.tgz").write_bytes(packed("old", "1.0.0"))
    (public / "index.yaml").unlink()
    ran = run("verify", "--repair", cwd=tmp_path)
    assert ran.code == 1
    assert "lists charts that are not configured only with --adopt old" in ran.out
    run("verify", "--repair", "--adopt", "*", cwd=tmp_path, ok=True)
    index = (public / "index.yaml").read_text()
    assert all(f"- {name}-1.0.0.tgz" in index for name in ("a", "b", "old"))


@pytest.mark.parametrize("kind", ["refuse", "drop-before"])
@pytest.mark.parametrize("where", ["directory", "github"])
def test_downloads_that_were_tried_again_are_told(
    tmp_path: Path, public: Path, where: str, kind: Literal["refuse", "drop-before"]
) -> None:
    hub = Hub()
    hub.add_token(TOKEN, {"acme/charts"})
    repository = hub.add_repository("acme/charts", create(tmp_path / "charts.git"))
    assert repository.git is not None
    release = hub.add_release("acme/charts", "a-1.0.0", assets={"a-1.0.0.tgz": A})
    with running(hub) as server:
        url = f"{server.url}/acme/charts/releases/download/{release.tag}/a-1.0.0.tgz"
        index = index_text(listed("a", "1.0.0", url, A))
        if where == "github":
            hub.digests = False
            repository.git.commit("gh-pages", {"index.yaml": index.encode()})
            config(tmp_path, source("a", "o/a"), destination="destination: {owner: acme, repo: charts}")
        else:
            (public / "index.yaml").write_text(index)
            (public / "b-1.0.0.tgz").unlink()
            (public / "a-1.0.0.tgz").unlink()
        hub.add_fault(Fault(on("GET", "/releases/download/"), kind, status=503))
        ran = run("verify", "--json", cwd=tmp_path, env=server_env(server), ok=True)
    document = json.loads(ran.out)
    assert document["findings"] == []
    host = server.url.partition("//")[2]
    why = "the answer was 503 Service Unavailable"
    if kind == "drop-before":
        why = "it could not be downloaded (ConnectionError)"
    assert document["retried"] == [{"what": f"a package from {host}: {why}", "count": 1}]
