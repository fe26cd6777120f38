"""`export`: charts unpacked or packaged, at the configured version, whole or not at all."""

from __future__ import annotations

import base64
import json
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.cli.runner import Ran, begin, chart, config, run, snapshot, source, upstream
from tests.gitrepo import GitRepo, Link
from tests.helm import Helm

REGISTRATION = """\
apiVersion: core.gardener.cloud/v1
kind: ControllerDeployment
metadata:
  name: acme
helm:
  rawChart: {chart}
  values:
    image:
      tag: v1
---
apiVersion: core.gardener.cloud/v1beta1
kind: ControllerRegistration
metadata:
  name: acme
spec: {{}}
"""


@pytest.fixture
def weather(tmp_path: Path) -> GitRepo:
    """A repository with four versions, one without the v."""
    return upstream(tmp_path / "weather.git", ["v1.0.0", "v1.1.0", "1.2.0", "v1.3.0-rc.1", "nightly"])


def values(path: Path) -> str:
    return (path / "values.yaml").read_text()


def test_a_chart_is_written_at_its_version(tmp_path: Path, weather: GitRepo, helm: Helm) -> None:
    config(tmp_path, source("sun", weather.url, version="v1.0.0"))
    ran = run("export", cwd=tmp_path, ok=True)
    assert ran.out == "charts/sun\n"
    assert ran.messages == ["written charts/sun", "1 written, 0 unchanged, 0 failed"]
    helm("lint", tmp_path / "charts/sun")
    assert values(tmp_path / "charts/sun") == "tag: v1.0.0\n"
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "charts").rglob("*")}
    again = run("export", cwd=tmp_path, ok=True)
    assert again.out == ""
    assert again.messages == ["unchanged charts/sun", "0 written, 1 unchanged, 0 failed"]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "charts").rglob("*")} == before


@pytest.mark.parametrize(
    ("version", "tag"),
    [
        ("v1.1.0", "v1.1.0"),
        ("1.1.0", "v1.1.0"),
        ("1.2.0", "1.2.0"),
        ("v1.2.0", "1.2.0"),
        ("1.3.0-rc.1", "v1.3.0-rc.1"),
        (None, "1.2.0"),
    ],
)
def test_versions_with_or_without_the_v_or_the_newest(
    tmp_path: Path, weather: GitRepo, version: str | None, tag: str
) -> None:
    config(tmp_path, source("weather", weather.url, **({"version": version} if version else {})))
    run("export", cwd=tmp_path, ok=True)
    assert values(tmp_path / "charts/weather") == f"tag: {tag}\n"


@pytest.mark.parametrize(
    ("version", "error"),
    [
        ("v1.10.0", "has no tag v1.10.0; did you mean 1.2.0, v1.1.0 or v1.0.0?"),
        ("v7", "has no tag v7; check the version, the newest is 1.2.0"),
    ],
)
def test_a_version_that_is_not_there(tmp_path: Path, weather: GitRepo, version: str, error: str) -> None:
    config(tmp_path, source("weather", "./weather.git", version=version), source("other", "./weather.git"))
    ran = run("export", cwd=tmp_path)
    assert ran.code == 1
    assert ran.errors == [f"weather {version}: {weather.path} {error}"]
    assert (tmp_path / "charts/other/Chart.yaml").exists()


def test_a_tag_that_is_no_version(tmp_path: Path, weather: GitRepo) -> None:
    config(tmp_path, source("weather", "./weather.git", version="nightly"))
    ran = run("export", cwd=tmp_path)
    assert ran.errors == [
        "weather nightly: the tag nightly is not a semantic version; set version: to a tag that is one",
    ]
    assert not (tmp_path / "charts").exists()


def test_nothing_in_the_range_and_no_path_for_the_version(tmp_path: Path, weather: GitRepo) -> None:
    config(
        tmp_path,
        source("a", "./weather.git", versions='"<1"'),
        source("b", "./weather.git", charts='[{path: charts/weather, versions: ">=2"}]', version="v1.0.0"),
    )
    ran = run("export", cwd=tmp_path)
    assert ran.code == 1
    assert ran.errors == [
        "a: no release is a stable version in its range, of 5 tags such as 1.2.0 and nightly: 3 outside the range <1, "
        "1 no semantic version, 1 prerelease; check versions:",
        "b v1.0.0: none of its chart paths applies to this version; check their versions: ranges",
    ]


def test_where_the_charts_go(tmp_path: Path, weather: GitRepo) -> None:
    folder = tmp_path / "conf"
    folder.mkdir()
    config(folder, source("weather", weather.url, version="v1.0.0"), destination="targetdir: mine")
    assert run("export", "-c", "conf/config.yaml", cwd=tmp_path, ok=True).out == f"{folder}/mine/weather\n"
    ran = run("export", "-c", "conf/config.yaml", "-t", "deep/er", cwd=tmp_path, ok=True)
    assert ran.out == "deep/er/weather\n"
    assert (tmp_path / "deep/er/weather/Chart.yaml").exists()


def test_packages(tmp_path: Path, weather: GitRepo, helm: Helm) -> None:
    config(tmp_path, source("weather", weather.url, version="v1.0.0"))
    assert run("export", "--packaged", cwd=tmp_path, ok=True).out == "charts/weather-1.0.0.tgz\n"
    helm("show", "all", tmp_path / "charts/weather-1.0.0.tgz")
    assert run("export", "--packaged", cwd=tmp_path, ok=True).out == ""
    run("update", cwd=tmp_path, ok=True)
    same = (tmp_path / "public/weather-1.0.0.tgz").read_bytes()
    assert (tmp_path / "charts/weather-1.0.0.tgz").read_bytes() == same


def test_edits_are_kept_and_reported_and_force_replaces(tmp_path: Path, weather: GitRepo) -> None:
    config(tmp_path, *(source(name, weather.url, version="v1.0.0") for name in "abc"))
    run("export", cwd=tmp_path, ok=True)
    (tmp_path / "charts/a/values.yaml").write_text("mine: true\n")
    (tmp_path / "charts/b/mine.txt").write_text("mine\n")
    config(tmp_path, *(source(name, weather.url, version="v1.1.0") for name in "abc"))
    ran = run("export", cwd=tmp_path)
    assert ran.code == 1
    assert ran.errors == [
        f"{name} v1.1.0: charts/{name} was changed since it was exported; it was left alone, --force replaces it"
        for name in "ab"
    ]
    assert values(tmp_path / "charts/a") == "mine: true\n"
    assert values(tmp_path / "charts/b") == "tag: v1.0.0\n"
    assert values(tmp_path / "charts/c") == "tag: v1.1.0\n"
    run("export", "--force", cwd=tmp_path, ok=True)
    assert values(tmp_path / "charts/a") == "tag: v1.1.0\n"
    assert not (tmp_path / "charts/b/mine.txt").exists()


def test_what_stands_in_the_way(tmp_path: Path, weather: GitRepo) -> None:
    config(tmp_path, source("weather", weather.url))
    (tmp_path / "charts").write_text("mine")
    ran = run("export", cwd=tmp_path)
    assert (ran.code, ran.errors) == (2, ["charts is not a directory; name another one with --target-dir"])
    assert (tmp_path / "charts").read_text() == "mine"
    ran = run("export", "-t", "charts/below", cwd=tmp_path)
    assert ran.code == 1
    assert ran.errors == [
        "weather 1.2.0: charts/below/weather can't be written: Not a directory; what was there is unchanged, "
        "run again when that is fixed"
    ]


def test_one_failure_stops_no_other_and_nothing_partial_is_written(tmp_path: Path, weather: GitRepo) -> None:
    weather.release("v3.0.0", {"charts/weather/values.yaml": Link("../../../../etc/passwd")})
    config(
        tmp_path,
        source("gone", "./gone.git"),
        source("link", weather.url, version="v3.0.0"),
        source("half", weather.url, version="v1.0.0", charts="[charts/weather, charts/none]"),
        source("good", weather.url, version="v1.0.0"),
    )
    ran = run("export", cwd=tmp_path)
    assert ran.code == 1
    assert [error.split(":")[0] for error in ran.errors] == ["gone", "link v3.0.0", "half v1.0.0"]
    assert sorted(path.name for path in (tmp_path / "charts").iterdir()) == [".chart-releaser.json", "good"]


def test_an_umbrella_of_a_registration_and_a_chart(tmp_path: Path, helm: Helm) -> None:
    packed = tmp_path / "packed"
    upstream(tmp_path / "inner.git", ["v0.1.0"])
    config(tmp_path, source("inner", "./inner.git"))
    run("export", "--packaged", "-t", packed, cwd=tmp_path, ok=True)
    raw = base64.b64encode((packed / "inner-0.1.0.tgz").read_bytes()).decode()
    repo = GitRepo(tmp_path / "acme.git")
    repo.release("v1.0.0", {**chart(), "example/controller-registration.yaml": REGISTRATION.format(chart=raw)})
    config(tmp_path, source("acme", repo.url, charts="[controller-registration, charts/weather]"))
    run("export", cwd=tmp_path, ok=True)
    folder = tmp_path / "charts/acme"
    assert sorted(path.name for path in (folder / "charts").iterdir()) == ["controller", "weather"]
    shown = helm("template", "x", folder, "--set", "controller.enabled=true,controller.values.image.tag=v9").stdout
    assert "tag: v9" in shown
    assert "tag: v1" not in shown


def test_a_killed_export_leaves_whole_charts_and_the_next_one_succeeds(tmp_path: Path, weather: GitRepo) -> None:
    names = [f"c{number}" for number in range(12)]
    whole = {}
    for version in ("v1.0.0", "v1.1.0"):
        config(tmp_path, *(source(name, "./weather.git", version=version) for name in names))
        run("export", cwd=tmp_path, ok=True)
        whole[version] = {name: snapshot(tmp_path / "charts" / name) for name in names}
    for delay, version in ((0.3, "v1.0.0"), (0.4, "v1.1.0"), (0.5, "v1.0.0"), (0.6, "v1.1.0")):
        config(tmp_path, *(source(name, "./weather.git", version=version) for name in names))
        process = begin("export", cwd=tmp_path)
        time.sleep(delay)
        process.kill()
        process.communicate()
        for name in names:
            assert snapshot(tmp_path / "charts" / name) in [charts[name] for charts in whole.values()]
    run("export", cwd=tmp_path, ok=True)
    assert {name: snapshot(tmp_path / "charts" / name) for name in names} == whole["v1.1.0"]
    assert not [path for path in (tmp_path / "charts").iterdir() if path.name.endswith(".tmp")]


def test_two_exports_at_once(tmp_path: Path, weather: GitRepo) -> None:
    config(tmp_path, *(source(f"c{number}", "./weather.git") for number in range(8)))
    ran: list[Ran] = []
    threads = [threading.Thread(target=lambda: ran.append(run("export", cwd=tmp_path))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.code for one in ran] == [0, 0]
    again = run("export", cwd=tmp_path, ok=True)
    assert again.messages[-1] == "0 written, 8 unchanged, 0 failed"
    assert len(json.loads((tmp_path / "charts/.chart-releaser.json").read_text())["charts"]) == 8


def test_a_stop_ends_with_130(tmp_path: Path, weather: GitRepo) -> None:
    config(tmp_path, *(source(f"c{number}", "./weather.git") for number in range(40)))
    process = begin("export", "-v", cwd=tmp_path)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("written"):
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode in (130, 0)  # 0: it was done already
    if process.returncode == 130:
        assert 0 < len(list((tmp_path / "charts").glob("c*"))) <= 40
    run("export", cwd=tmp_path, ok=True)
    assert len(list((tmp_path / "charts").glob("c*"))) == 40
