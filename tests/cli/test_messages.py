"""Every error as its reader gets it: one line that says where, what, and what to do next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.runner import Files, called, chart, config, source, upstream
from tests.gitrepo import GitRepo, Link

Prepare = Callable[[Path], object]


@dataclass(frozen=True)
class Provoked:
    """How an error comes about, and what its line has to hold, in this order."""

    title: str
    prepare: Prepare
    words: str
    where: str
    what: str
    remedy: str
    code: int = 1


def _released(files: Files, *, charts: str = "[charts/weather]") -> Prepare:
    """A source whose only release is a good chart with `files` in it."""

    def prepare(folder: Path) -> None:
        repo = GitRepo(folder / "weather.git")
        repo.release("v1.0.0", {**chart(), **files})
        config(folder, source("weather", "./weather.git", charts=charts))

    return prepare


def _configured(*sources: str, destination: str = "destination: {directory: public}") -> Prepare:
    """A configuration beside a repository that has v1.0.0."""

    def prepare(folder: Path) -> None:
        upstream(folder / "weather.git", ["v1.0.0"])
        config(folder, *sources, destination=destination)

    return prepare


def _written(text: str) -> Prepare:
    return lambda folder: (folder / "config.yaml").write_text(text)


def _index(text: str) -> Prepare:
    def prepare(folder: Path) -> None:
        _configured(WEATHER)(folder)
        (folder / "public").mkdir()
        (folder / "public/index.yaml").write_text(text)

    return prepare


def _edited(folder: Path) -> None:
    _configured(WEATHER)(folder)
    (folder / "charts/weather").mkdir(parents=True)
    (folder / "charts/weather/mine").touch()


WEATHER = source("weather", "./weather.git")
CHART = "charts/weather"
RELEASE = "weather v1.0.0: "
SOURCES = "sources: [{name: a, repo: o/a, charts: [x]}]\n"

PROVOKED = (
    # the command line
    Provoked("both", _configured(WEATHER), "update -v -q", "--verbose and --quiet", "exclude", "give one", 2),
    Provoked("source", _configured(WEATHER), "update -s wether", "--source wether", "no such", "mean weather?", 2),
    Provoked("time", _configured(WEATHER), "update --max-wait x", "--max-wait x", "is not a duration", "h: 5m", 2),
    Provoked("option", _configured(WEATHER), "update --dryrun", "", "No such option", "update --help", 2),
    # the configuration
    Provoked("no file", lambda _: None, "update", "config.yaml", "does not exist", "with --config", 2),
    Provoked("empty", _written(""), "update", "config.yaml:1: ", "is empty", "sources", 2),
    Provoked("a list", _written("[]"), "update", "config.yaml:1: ", "a mapping of keys", "sources", 2),
    Provoked("no YAML", _written("a: ["), "update", "config.yaml:2:1: ", "malformed YAML", "correct", 2),
    Provoked(
        "destination",
        _written("destination:\n  directry: public\n" + SOURCES),
        *("update", "config.yaml:2: destination.directry: ", "unknown key", "mean directory?", 2),
    ),
    Provoked(
        "owner",
        _written("destination:\n  ownr: me\n  repo: charts\n" + SOURCES),
        *("update", "config.yaml:2: destination.ownr: ", "unknown key", "mean owner?", 2),
    ),
    Provoked("top", _written("defalts: {}\n" + SOURCES), "update", "config.yaml:1: defalts: ", "unknown", "mean", 2),
    Provoked("key", _configured(f"{WEATHER}, minor: 1"), "update", "config.yaml:3: ", "unknown key", "mean minors?", 2),
    Provoked(
        "range",
        _configured(source("weather", "./weather.git", versions="'>>1'")),
        *("update", "config.yaml:3: sources[0].versions: ", ">>1", "", 2),
    ),
    Provoked("nowhere", _configured(WEATHER, destination=""), "update", "config.yaml: destination: ", "missing", "", 2),
    # upstream's repository
    Provoked("gone", _configured(source("a", "./gone")), "update", "a: ", "gone is not a directory", "under repo:"),
    Provoked("no git", _configured(source("a", "./charts.d")), "update", "a: ", "is not a directory", "under repo:"),
    Provoked(
        "version",
        _configured(source("weather", "./weather.git", version="v1.0.1")),
        *("export", "weather v1.0.1: ", "has no tag v1.0.1", "mean v1.0.0?"),
    ),
    Provoked(
        "prefix",
        _configured(source("weather", "./weather.git", version="v1.0.0", tagPrefix="x-")),
        *("export", RELEASE, "has no tag x-v1.0.0", "mean v1.0.0?"),
    ),
    Provoked(
        "no release",
        _configured(source("weather", "./weather.git", versions="'>2'")),
        *("export", "weather: ", "no release is a stable version", "check versions:"),
    ),
    Provoked(
        "no newer",
        _configured(source("weather", "./weather.git", version="v1.0.0", versions="'>2'")),
        *("fetch-latest-versions", RELEASE, "no release is a stable version", "check versions:"),
    ),
    # upstream's chart
    Provoked("moved", _released({}, charts="[charts]"), "update", RELEASE, "no Chart.yaml", "found in charts/weather"),
    Provoked("typo", _released({}, charts="[charts/wether]"), "update", RELEASE, "not exist", "it: charts/weather"),
    Provoked("nothing", _released({}, charts="[zzz]"), "update", RELEASE, "zzz does not exist", "leave the"),
    Provoked(
        "registration",
        _released({}, charts="[controller-registration]"),
        *("update", RELEASE, "no controller-registration", "leave the"),
    ),
    Provoked(
        "misplaced",
        _released({"x/controller-registration.yaml": "a: b\n"}, charts="[controller-registration]"),
        *("update", RELEASE, "one is in x/controller-registration.yaml", "name a chart's path"),
    ),
    Provoked("no map", _released({f"{CHART}/Chart.yaml": "[]"}), "update", RELEASE, "Chart.yaml", "leave the"),
    Provoked("broken", _released({f"{CHART}/Chart.yaml": "a: b: c"}), "update", RELEASE, "Chart.yaml:1", "leave the"),
    Provoked("bytes", _released({f"{CHART}/Chart.yaml": b"\xff"}), "update", RELEASE, "is not UTF-8", "leave the"),
    Provoked("values", _released({f"{CHART}/values.yaml": "- a"}), "update", RELEASE, "values.yaml", "leave the"),
    Provoked("link", _released({f"{CHART}/x": Link("../../..")}), "update", RELEASE, f"{CHART}/x", "leave the"),
    Provoked("ignore", _released({f"{CHART}/.helmignore": "**"}), "update", RELEASE, ".helmignore:1", "leave the"),
    Provoked("sub-chart", _released({f"{CHART}/charts/a/x": ""}), "update", RELEASE, "charts/a has no", "leave the"),
    # where charts go
    Provoked("index", _index("entries: [\n"), "update", "", "public/index.yaml:2", "correct it by hand", code=2),
    Provoked("other index", _index("a: b\n"), "update", "", "public/index.yaml: no Helm repository", "by hand", code=2),
    Provoked("edited", _edited, "export", RELEASE, "was not exported by chart-releaser", "--force replaces it"),
    Provoked(
        "target",
        _configured(WEATHER),
        "export -t config.yaml",
        "",
        "not a dir",
        "--target-dir",
        2,
    ),
)


@pytest.mark.parametrize("case", PROVOKED, ids=lambda case: case.title)
def test_an_error_is_one_line_with_where_what_and_what_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], case: Provoked
) -> None:
    case.prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    ran = called(*case.words.split(), capsys=capsys)
    assert ran.code == case.code, ran.err
    [error] = ran.errors
    assert error.startswith(case.where), error
    at = error.find(case.what)
    assert at >= 0, error
    assert error.find(case.remedy, at) >= 0, error
    assert "; " in error or "?" in error, f"no advice: {error}"


@pytest.mark.parametrize(
    ("tags", "fields", "note"),
    [
        ([], {}, "there are no releases yet; check repo: if there should be some"),
        (
            ["etcd-v1.0.0", "etcd-v1.1.0"],
            {},
            "of 2 tags such as etcd-v1.0.0 and etcd-v1.1.0: 2 no semantic version; "
            "set tagPrefix: etcd- if they are meant",
        ),
        (
            ["etcd-v1.0.0"],
            {"tagPrefix": "ectd-"},
            "no tag begins with ectd-, there are tags such as etcd-v1.0.0; did you mean tagPrefix: etcd-?",
        ),
        (
            ["v1.0.0"],
            {"tagPrefix": "etcd-"},
            "no tag begins with etcd-, there are tags such as v1.0.0; take tagPrefix: out, or correct it",
        ),
        (["v1.0.0-rc.1"], {}, "of 1 tag such as v1.0.0-rc.1: 1 prerelease; set prereleases: true to track them"),
        (["v1.0.0"], {"versions": "'>=2'"}, "of 1 tag such as v1.0.0: 1 outside the range >=2; check versions:"),
        (
            ["v1.0.0"],
            {"charts": "[{path: x, versions: '>2'}]"},
            "of 1 tag such as v1.0.0: 1 no chart path is for this version; check the versions: of its charts",
        ),
    ],
)
def test_a_source_that_tracks_nothing_is_told_as_a_note(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tags: list[str],
    fields: dict[str, str],
    note: str,
) -> None:
    upstream(tmp_path / "weather.git", tags)
    config(tmp_path, source("weather", "./weather.git", **fields))
    monkeypatch.chdir(tmp_path)
    ran = called("update", capsys=capsys)
    assert (ran.code, ran.out) == (0, "")
    assert ran.messages[0] == f"note: weather: nothing is tracked: {note}".replace("tracked: of", "tracked of")
    assert len(ran.messages) == 2
    assert called("update", "-q", capsys=capsys).err == ""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert "::warning::weather: nothing is tracked" in called("update", capsys=capsys).err
