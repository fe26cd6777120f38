"""`fetch-latest-versions`: the version scalars change, nothing else does."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.cli.runner import config, run, server_env, source, upstream
from tests.hub import Hub, running

TEXT = (
    "# my charts\r\n"
    "sources:\r\n"
    "- name: a   # first\r\n"
    "  repo: ./weather.git\r\n"
    "  version: 'v1.0.0'   # keep me\r\n"
    "  charts: [charts/weather]\r\n"
    '- {name: b, repo: ./weather.git, version: "1.0.0", charts: [charts/weather]}\r\n'
    "- name: none\r\n"
    "  repo: ./weather.git\r\n"
    "  charts: [charts/weather]\r\n"
    "- name: old\r\n"
    "  repo: ./weather.git\r\n"
    "  versions: <1.2\r\n"
    "  version:   v1.0.0\r\n"
    "  charts: [charts/weather]\r\n"
)
NEW = TEXT.replace("'v1.0.0'", "'v1.10.0'").replace('"1.0.0"', '"1.10.0"').replace("  v1.0.0\r", "  v1.1.0\r")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A configuration with four sources of one repository."""
    upstream(tmp_path / "weather.git", ["v1.0.0", "v1.1.0", "v1.9.0", "v1.10.0", "v2.0.0-rc.1", "zzz"])
    (tmp_path / "config.yaml").write_bytes(TEXT.encode())
    return tmp_path


def test_only_the_versions_change(work: Path) -> None:
    (work / "config.yaml").chmod(0o640)
    ran = run("fetch-latest-versions", cwd=work, ok=True)
    assert ran.out.splitlines() == [
        "a    v1.0.0  ->  v1.10.0",
        "b    1.0.0   ->  1.10.0",
        "old  v1.0.0  ->  v1.1.0",
    ]
    assert (work / "config.yaml").read_bytes() == NEW.encode()
    assert stat.S_IMODE((work / "config.yaml").stat().st_mode) == 0o640
    assert sorted(path.name for path in work.iterdir()) == ["config.yaml", "weather.git"]
    before = (work / "config.yaml").stat()
    again = run("fetch-latest-versions", cwd=work, ok=True)
    assert (again.out, again.messages) == ("", ["every version is the newest"])
    after = (work / "config.yaml").stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


@pytest.mark.parametrize(("option", "code"), [("--dry-run", 0), ("--check", 1)])
def test_looking_only(work: Path, option: str, code: int) -> None:
    ran = run("fetch-latest-versions", option, cwd=work)
    assert ran.code == code
    assert len(ran.out.splitlines()) == 3
    assert (work / "config.yaml").read_bytes() == TEXT.encode()
    (work / "config.yaml").write_bytes(NEW.encode())
    assert run("fetch-latest-versions", option, cwd=work).code == 0


def test_some_sources_only(work: Path) -> None:
    run("fetch-latest-versions", "-s", "old", cwd=work, ok=True)
    assert (work / "config.yaml").read_bytes() == TEXT.replace("  v1.0.0\r", "  v1.1.0\r").encode()


def test_a_link_stays_a_link(work: Path) -> None:
    (work / "elsewhere").mkdir()
    (work / "config.yaml").rename(work / "elsewhere/real.yaml")
    (work / "weather.git").rename(work / "elsewhere/weather.git")
    (work / "config.yaml").symlink_to("elsewhere/real.yaml")
    run("fetch-latest-versions", cwd=work, ok=True)
    assert (work / "config.yaml").is_symlink()
    assert (work / "elsewhere/real.yaml").read_bytes() == NEW.encode()


def test_a_byte_order_mark_stays(work: Path) -> None:
    (work / "config.yaml").write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    run("fetch-latest-versions", cwd=work, ok=True)
    assert (work / "config.yaml").read_bytes() == b"\xef\xbb\xbf" + NEW.encode()


def test_one_source_that_fails_stops_no_other(work: Path) -> None:
    config(
        work,
        source("gone", "./gone.git", version="v1.0.0"),
        source("empty", "./weather.git", version="v9.0.0", versions='">=9"'),
        source("good", "./weather.git", version="v1.0.0"),
    )
    ran = run("fetch-latest-versions", cwd=work)
    assert ran.code == 1
    assert ran.out == "good  v1.0.0  ->  v1.10.0\n"
    assert ran.errors[0].startswith("gone v1.0.0: ")
    assert ran.errors[1:] == [
        "empty v9.0.0: no release is a stable version in its range, of 6 tags such as v1.0.0 and v1.1.0: 4 outside the "
        "range >=9, 1 no semantic version, 1 prerelease; check versions:"
    ]
    assert "version: v9.0.0" in (work / "config.yaml").read_text()
    assert "version: v1.10.0" in (work / "config.yaml").read_text()


def test_sources_without_a_version_are_not_asked_for(work: Path) -> None:
    config(work, source("gone", "./gone.git"), source("good", "./weather.git", version="v1.0.0"))
    run("fetch-latest-versions", cwd=work, ok=True)


def test_no_version_goes_down_without_a_word(work: Path) -> None:
    config(
        work,
        source("ahead", "./weather.git", version="v2.0.0-rc.1"),
        source("gone", "./weather.git", version="v3.0.0"),
        source("limited", "./weather.git", version="v1.10.0", versions='"<1.5"'),
        source("good", "./weather.git", version="v1.0.0"),
    )
    ran = run("fetch-latest-versions", cwd=work, ok=True)
    assert [line.split()[-1] for line in ran.out.splitlines()] == ["v1.10.0", "v1.10.0", "v1.1.0", "v1.10.0"]
    higher = "is higher than the newest stable release, so the version goes down to v1.10.0"
    assert ran.messages == [
        f"note: ahead: v2.0.0-rc.1 {higher}",
        f"note: gone: v3.0.0 {higher}",
        "note: limited: v1.10.0 is outside versions: <1.5, so the version goes down to v1.1.0",
        "4 changed, 0 unchanged, 0 failed",
    ]
    again = run("fetch-latest-versions", "--check", cwd=work, ok=True)
    assert (again.out, again.messages) == ("", ["every version is the newest"])


@pytest.mark.parametrize("option", [(), ("--dry-run",), ("--check",)])
def test_an_alias_of_another_version_is_told_with_its_place(work: Path, option: tuple[str, ...]) -> None:
    text = (
        "sources:\n"
        "- {name: a, repo: ./weather.git, version: &v v1.0.0, charts: [x]}\n"
        "- {name: b, repo: ./weather.git, version: *v, versions: <1.5, charts: [x]}\n"
    )
    (work / "mine.yaml").write_text(text)
    ran = run("fetch-latest-versions", "-c", "mine.yaml", *option, cwd=work)
    assert (ran.code, ran.errors) == (
        1,
        [
            "mine.yaml:3: version of b is an alias of line 2, which other sources use, too; "
            "write v1.1.0 in its place, nothing was changed"
        ],
    )
    assert (work / "mine.yaml").read_text() == text


def test_a_prefix(tmp_path: Path) -> None:
    upstream(tmp_path / "weather.git", ["etcd-v1.0.0", "etcd-v1.1.0", "v9.0.0"])
    config(
        tmp_path,
        source("a", "./weather.git", version="etcd-v1.0.0", tagPrefix="etcd-"),
        source("b", "./weather.git", version="v1.0.0", tagPrefix="etcd-"),
        source("c", "./weather.git", version="1.0.0", tagPrefix="etcd-"),
    )
    ran = run("fetch-latest-versions", cwd=tmp_path, ok=True)
    assert [line.split()[-1] for line in ran.out.splitlines()] == ["etcd-v1.1.0", "v1.1.0", "1.1.0"]


def test_githubs_own_idea_of_the_latest_release_does_not_count(tmp_path: Path) -> None:
    hub = Hub()
    repository = hub.add_repository("o/weather")
    for tag in ("v2.0.0", "v2.0.1", "v1.9.9"):
        release = hub.add_release("o/weather", tag)
    repository.latest = release.id
    hub.add_release("o/weather", "v3.0.0", prerelease=True)
    hub.add_release("o/weather", "v3.0.1", draft=True)
    hub.add_release("o/weather", "v3.0.0-rc.1")
    config(tmp_path, source("weather", "o/weather", version="v1.0.0"))
    with running(hub) as server:
        ran = run("fetch-latest-versions", cwd=tmp_path, env=server_env(server), ok=True)
    assert ran.out == "weather  v1.0.0  ->  v2.0.1\n"


def test_in_actions(work: Path) -> None:
    environ = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(work / "summary"),
        "GITHUB_OUTPUT": str(work / "output"),
    }
    ran = run("fetch-latest-versions", "--check", cwd=work, env=environ)
    assert ran.code == 1
    assert (work / "output").read_text() == "changed=3\n"
    assert "| `a` | `v1.0.0` | `v1.10.0` |" in (work / "summary").read_text()
