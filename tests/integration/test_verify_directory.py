"""`verify` on a directory: what it finds, what it repairs, what it leaves alone."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart_releaser.commands.verify import VerifyReport, verify
from chart_releaser.destinations.directory_audit import AuditableDirectory
from chart_releaser.destinations.findings import Finding
from chart_releaser.errors import DestinationError, DestinationUnusableError
from chart_releaser.index.index import Index
from tests.charts import digest, index_text, listed, packed
from tests.helm import Helm
from tests.lacking import NOT_ROOT, needs
from tests.serving import served

A = packed("a", "1.0.0")
B = packed("b", "2.0.0-rc.1")
CONFIGURED = ("a", "a-b", "b")
DASHED = packed("a-b", "1.0.0-rc.1-x")


@pytest.fixture
def public(tmp_path: Path) -> Path:
    path = tmp_path / "public"
    path.mkdir()
    return path


def put(public: Path, *entries: Any, files: dict[str, bytes] | None = None, **charts: list[Any]) -> None:
    for name, data in (files if files is not None else {"a-1.0.0.tgz": A, "b-2.0.0-rc.1.tgz": B}).items():
        (public / name).write_bytes(data)
    (public / "index.yaml").write_text(index_text(*entries, **charts))


def both(**more: Any) -> list[dict[str, Any]]:
    return [
        listed("a", "1.0.0", "a-1.0.0.tgz", A, **more),
        listed("b", "2.0.0-rc.1", "b-2.0.0-rc.1.tgz", B),
    ]


def audit(public: Path, *, repair: bool = False, url: str | None = None, **charts: Any) -> VerifyReport:
    target = AuditableDirectory(public, url=url, writes=repair)
    charts = {"names": CONFIGURED} | charts
    return verify(target, repair=repair, threads=4, stop=threading.Event(), **charts)


def kinds(report: VerifyReport) -> list[tuple[str, str]]:
    return [(finding.kind, f"{finding.chart} {finding.version}".strip()) for finding in report.findings]


def state(path: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(file.relative_to(path)): (file.read_bytes() if file.is_file() else b"", file.lstat().st_mtime_ns)
        for file in (path, *path.rglob("*"))
    }


def repair(public: Path, url: str | None = None, left: int = 0, **charts: Any) -> list[Finding]:
    """Find, repair, and make sure that finding writes nothing and that one repair is enough."""
    before = state(public)
    found = audit(public, url=url, **charts)
    assert state(public) == before
    done = audit(public, repair=True, url=url, **charts)
    assert kinds(done) == kinds(found)
    assert len(done.findings) - len(done.repaired) == left
    assert done.exit_code == (1 if left else 0)
    after = state(public)
    again = audit(public, repair=True, url=url, **charts)
    assert state(public) == after
    assert len(again.findings) == left
    assert not again.repaired
    assert all("\n" not in finding.text for finding in [*found.findings, *done.findings])
    return done.findings


def test_a_repository_that_is_as_it_should_be(public: Path) -> None:
    put(public, *both())
    before = state(public)
    report = audit(public, repair=True)
    assert (report.entries, report.packages, report.findings, report.exit_code) == (2, 2, [], 0)
    assert state(public) == before


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (None, "a-1.0.0+x.tgz"),
        (None, "./a-1.0.0+x.tgz"),
        (None, "a-1.0.0%2Bx.tgz"),
        ("https://charts.example.org/c", "https://charts.example.org/c/a-1.0.0%2Bx.tgz"),
        ("https://charts.example.org/c/", "https://charts.example.org/c/a-1.0.0+x.tgz"),
        ("https://charts.example.org/c", "/c/a-1.0.0+x.tgz"),
        ("https://charts.example.org/c", "a-1.0.0+x.tgz?token=1"),
        ("https://charts.example.org/c", "../c/a-1.0.0+x.tgz"),
    ],
)
def test_all_ways_to_write_an_address(public: Path, url: str | None, address: str) -> None:
    data = packed("a", "1.0.0+x")
    put(public, listed("a", "1.0.0+x", address, data), files={"a-1.0.0+x.tgz": data})
    assert audit(public, url=url).findings == []


def test_a_package_below_the_directory(public: Path) -> None:
    (public / "old").mkdir()
    (public / "old" / "a-1.0.0.tgz").write_bytes(A)
    put(public, listed("a", "1.0.0", "old/a-1.0.0.tgz", A), files={})
    assert audit(public).findings == []


def test_an_entry_without_a_package_is_dropped_and_the_others_stay_byte_for_byte(public: Path) -> None:
    others = [listed("a", f"1.0.{n}", f"a-1.0.{n}.tgz", packed("a", f"1.0.{n}")) for n in (1, 2, 3)]
    put(public, *others, *both(), files={f"a-1.0.{n}.tgz": packed("a", f"1.0.{n}") for n in (1, 3)})
    (public / "a-1.0.0.tgz").write_bytes(A)
    (public / "b-2.0.0-rc.1.tgz").unlink(missing_ok=True)
    text = (public / "index.yaml").read_text()
    found = repair(public)
    assert [(one.kind, one.version) for one in found] == [("missing", "1.0.2"), ("missing", "2.0.0-rc.1")]
    new = (public / "index.yaml").read_text()
    expected = Index.parse(index_text(others[0], others[2], both()[0])).text
    assert _without_time(new) == _without_time(expected)
    assert len(new) < len(text)


def _without_time(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("generated:")]


def test_a_digest_that_differs_is_only_reported(public: Path) -> None:
    put(public, *both(digest="0" * 64))
    (finding,) = repair(public, left=1)
    assert finding.kind == "digest"
    assert digest(A) in finding.text
    assert "0" * 64 in finding.text


def test_packages_that_no_entry_names_are_listed_by_what_is_in_them(public: Path) -> None:
    put(public, *both()[:1], files={"a-1.0.0.tgz": A, "b-2.0.0-rc.1.tgz": B, "a-b-1.0.0-rc.1-x.tgz": DASHED})
    found = repair(public)
    assert [(one.kind, one.chart, one.version) for one in found] == [
        ("unlisted", "a-b", "1.0.0-rc.1-x"),
        ("unlisted", "b", "2.0.0-rc.1"),
    ]
    entry = Index.parse((public / "index.yaml").read_text()).entry("a-b", "1.0.0-rc.1-x")
    assert entry is not None
    assert entry["digest"] == digest(DASHED)
    assert entry["appVersion"] == "1.10"


EVIL = packed("evil", "1.0.0")


def test_a_package_of_an_unknown_chart_is_listed_on_request_alone(public: Path) -> None:
    put(public, *both())
    (public / "evil-1.0.0.tgz").write_bytes(EVIL)
    (finding,) = repair(public, left=1)
    assert (finding.kind, finding.chart, finding.repair) == ("unlisted", "evil", None)
    assert "evil is neither configured nor listed; delete it if it is not yours; --repair --adopt evil" in finding.text
    assert [one.kind for one in repair(public, left=1, adopt=["other"])] == ["unlisted"]
    assert [one.kind for one in repair(public, adopt=["evil"])] == ["unlisted"]
    assert set(Index.parse((public / "index.yaml").read_text()).entries) == {"a", "b", "evil"}
    (public / "evil-1.1.0.tgz").write_bytes(packed("evil", "1.1.0"))
    assert [one.version for one in repair(public)] == ["1.1.0"]  # a chart that is listed goes on


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"name": "evil", "version": "0.9.0"},
        listed("evil", "0.9.0", "gone.tgz", A),
        listed("evil", "0.9.0", "evil-1.0.0.tgz", A),
        listed("evil", "1.0.0", "gone.tgz", A),
        listed("evil", "1.0.0", "evil-1.0.0.tgz", A, appVersion=1),
        listed("other", "1.0.0", "evil-1.0.0.tgz", A),
    ],
)
def test_no_broken_entry_makes_a_chart_known(public: Path, entry: dict[str, Any]) -> None:
    put(public, *both(), evil=[entry])
    (public / "evil-1.0.0.tgz").write_bytes(EVIL)
    report = audit(public, repair=True)
    assert report.exit_code == 1
    assert all(one.repair is None or one.repair.add is None for one in report.findings)
    listed_now = Index.parse((public / "index.yaml").read_text()).entries.get("evil", [])
    assert digest(EVIL) not in [item.get("digest") for item in listed_now]


def test_an_entry_of_an_unknown_chart_is_mended_where_it_means_that_very_package(public: Path) -> None:
    put(public, *both(), evil=[listed("evil", "1.0.0", "evil-1.0.0.tgz", EVIL, appVersion=1)])
    (public / "evil-1.0.0.tgz").write_bytes(EVIL)
    assert [one.kind for one in repair(public)] == ["malformed"]


def test_an_index_made_anew_has_what_is_configured_or_asked_for(public: Path) -> None:
    put(public, *both())
    (public / "old-1.0.0.tgz").write_bytes(packed("old", "1.0.0"))
    (public / "evil-1.0.0.tgz").write_bytes(EVIL)
    (public / "index.yaml").write_text("{")
    (whole, *_) = audit(public, names=[]).findings
    assert whole.repair is None
    assert "no package here is of a configured chart" in whole.text
    assert "--adopt a --adopt b --adopt evil --adopt old, or --adopt '*' for all 4 charts" in whole.text
    assert audit(public, repair=True, names=[]).repaired == []
    assert (public / "index.yaml").read_text() == "{"
    (whole, *others) = audit(public, repair=True).findings
    assert whole.repaired
    assert "lists charts that are not configured only with --adopt evil --adopt old, or --adopt '*'" in whole.text
    assert [(one.chart, one.repaired) for one in others] == [("a", True), ("b", True), ("evil", False), ("old", False)]
    assert [(one.chart, one.repaired) for one in repair(public, left=1, adopt=["old"])] == [
        ("evil", False),
        ("old", True),
    ]
    repair(public, adopt=["*"])
    assert set(Index.parse((public / "index.yaml").read_text()).entries) == {"a", "b", "evil", "old"}


@pytest.mark.parametrize("name", ["a b", "$(id)", "ä"])
def test_a_name_that_helm_refuses_is_never_listed(public: Path, name: str) -> None:
    put(public, *both())
    (public / f"{name}-1.0.0.tgz").write_bytes(packed(name, "1.0.0"))
    (finding,) = repair(public, left=1, adopt=["*"])
    assert finding.kind == "broken"
    assert "is not a chart name that Helm accepts" in finding.text


def test_two_entries_that_name_one_package(public: Path) -> None:
    data = packed("a", "1.0.0-b-2.0.0")
    name = "a-1.0.0-b-2.0.0.tgz"
    first, second = listed("a", "1.0.0-b-2.0.0", name, data), listed("a-1.0.0-b", "2.0.0", f"./{name}", data)
    put(public, first, second, files={name: data})
    expected = (
        f"its package ./{name} belongs to a 1.0.0-b-2.0.0, which is also listed; two charts can't share a package"
    )
    for other in (second, second | {"digest": digest(B)}):
        put(public, first, other, files={name: data})
        (finding,) = repair(public, left=1)
        assert (finding.kind, finding.chart, finding.version) == ("conflict", "a-1.0.0-b", "2.0.0")
        assert expected in finding.text


def test_what_is_no_package_of_its_name_is_reported_and_never_listed(public: Path) -> None:
    put(
        public,
        *both(),
        files={
            "a-1.0.0.tgz": A,
            "b-2.0.0-rc.1.tgz": B,
            "c-1.0.0.tgz": A,
            "text-1.0.0.tgz": b"no chart",
            "empty-1.0.0.tgz": b"",
            "bad-1.0.0.tgz": packed("bad", "1.0.0", chart_yaml=": : :\n- x"),
            "list-1.0.0.tgz": packed("list", "1.0.0", chart_yaml="name: list\nversion: 1.0.0\nkeywords: {a: b}\n"),
            "latin-1.0.0.tgz": packed("latin", "1.0.0", chart_yaml="name: latin\nversion: ''\n"),
            "loose-v1.0.0.tgz": packed("loose", "v1.0.0"),
        },
    )
    (public / "link-1.0.0.tgz").symlink_to("a-1.0.0.tgz")
    (public / "dir-1.0.0.tgz").mkdir()
    os.mkfifo(public / "pipe-1.0.0.tgz")
    found = repair(public, left=10)
    assert {one.kind for one in found} == {"broken"}
    texts = "\n".join(one.text for one in found)
    assert "its Chart.yaml says a 1.0.0" in texts
    assert "link-1.0.0.tgz is a symbolic link" in texts
    assert "v1.0.0 is not a strict semantic version" in texts
    assert (public / "link-1.0.0.tgz").is_symlink()


def test_an_entry_whose_file_is_a_link_stays(public: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.tgz").write_bytes(A)
    put(public, *both(), files={"b-2.0.0-rc.1.tgz": B})
    (public / "a-1.0.0.tgz").symlink_to(tmp_path / "elsewhere.tgz")
    assert [one.kind for one in repair(public, left=2)] == ["unchecked", "broken"]


@pytest.mark.parametrize("address", ["../a-1.0.0.tgz", "x/../../a.tgz", "%2e%2e/a.tgz", "%00.tgz", "."])
def test_an_address_that_leads_out_is_not_followed(public: Path, tmp_path: Path, address: str) -> None:
    (tmp_path / "a-1.0.0.tgz").write_bytes(A)
    put(public, listed("a", "1.0.0", address, A), files={})
    assert [one.kind for one in repair(public, left=1)] == ["unchecked"]


def test_an_entry_listed_twice_keeps_the_one_that_fits(public: Path) -> None:
    good, rest = both()
    put(public, rest, a=[{**good, "digest": "0" * 64}, good, {**good, "description": "again"}])
    assert [one.kind for one in repair(public)] == ["malformed", "malformed"]
    assert Index.parse((public / "index.yaml").read_text()).entries["a"] == [good]


def test_an_entry_that_is_there_twice_word_for_word(public: Path) -> None:
    good, rest = both()
    put(public, rest, a=[good, good])
    assert [one.what for one in repair(public)] == ["it is listed twice"]
    assert Index.parse((public / "index.yaml").read_text()).entries["a"] == [good]


def test_an_entry_under_another_charts_name_moves(public: Path) -> None:
    good, rest = both()
    put(public, rest, x=[good])
    (finding,) = repair(public)
    assert "named a" in finding.text
    index = Index.parse((public / "index.yaml").read_text())
    assert set(index.entries) == {"a", "b"}
    assert index.entries["a"][0]["created"] == good["created"]


@pytest.mark.parametrize(
    "broken",
    [
        {"digest": None},
        {"digest": "abc"},
        {"digest": f"sha256:{digest(A)}"},
        {"urls": None},
        {"urls": "a-1.0.0.tgz"},
        {"urls": True},
        {"urls": [5]},
        {"urls": []},
        {"appVersion": 1.5},
        {"name": None},
        {"name": ["a"]},
        {"home": {"a": "b"}},
        {"bogus": 1},
        {"maintainers": [{"name": "x", "bogus": 1}], "digest": "abc"},
    ],
)
def test_malformed_entries_are_written_anew_from_their_packages(
    public: Path, broken: dict[str, Any], helm: Helm
) -> None:
    good, rest = both()
    item = {key: value for key, value in (good | broken).items() if value is not None}
    put(public, rest, a=[item])
    (finding,) = repair(public)
    assert finding.kind == "malformed"
    entry = Index.parse((public / "index.yaml").read_text()).entry("a", "1.0.0")
    assert entry is not None
    assert digest(A) == entry["digest"]
    assert {**entry, "created": good["created"]} == good
    with served(public) as url:
        helm("repo", "add", "x", url)
        helm("pull", "x/a", "--version", "1.0.0")


def test_unknown_fields_are_taken_out_and_the_rest_stays(public: Path, tmp_path: Path, helm: Helm) -> None:
    far = tmp_path / "far"
    far.mkdir()
    (far / "a.tgz").write_bytes(A)
    with served(far) as url:
        item = listed("a", "1.0.0", f"{url}/a.tgz", A, description="kept", maintainers=[{"name": "x"}])
        more = {"bogus": 1, "maintainers": [{"name": "x", "age": 5}]}
        put(public, both()[1], {**listed("b", "1.0.0", f"{url}/a.tgz", B), "bogus": 2}, a=[item | more], files={})
        (public / "b-2.0.0-rc.1.tgz").write_bytes(B)
        found = repair(public, left=1)
        assert [(one.kind, one.repaired) for one in found] == [
            ("malformed", True),
            ("malformed", True),
            ("conflict", False),
        ]
        assert Index.parse((public / "index.yaml").read_text()).entries["a"] == [item]
        with served(public) as here:
            helm("repo", "add", "x", here)


@pytest.mark.parametrize("junk", [None, "text", [], {}, {"version": "9.9.9", "name": "a"}, 5])
def test_entries_that_name_nothing_are_dropped(public: Path, junk: Any) -> None:
    good, rest = both()
    put(public, rest, a=[junk, good])
    (finding,) = repair(public)
    assert finding.kind == "malformed"
    assert Index.parse((public / "index.yaml").read_text()).entries["a"] == [good]


def test_doubled_and_unknown_keys_of_the_index(public: Path) -> None:
    put(public, *both())
    text = (public / "index.yaml").read_text()
    start, end = text.index("  b:"), text.index("generated:")
    (public / "index.yaml").write_text(text[:end] + "  b: []\n" + text[end:] + "extra: 1\n" + "annotations: {k: v}\n")
    assert start > 0
    assert [one.kind for one in repair(public)] == ["malformed", "malformed"]
    data = yaml.safe_load((public / "index.yaml").read_text())
    assert set(data) == {"annotations", "apiVersion", "entries", "generated"}
    assert data["entries"] == yaml.safe_load(text)["entries"]


@pytest.mark.parametrize("version", ["v1.0.0", "1.0", "abc", "01.0.0"])
def test_versions_that_are_not_strict(public: Path, version: str) -> None:
    data = packed("a", version)
    put(public, listed("a", version, f"a-{version}.tgz", data), files={f"a-{version}.tgz": data})
    (finding,) = repair(public, left=1)
    assert finding.kind == "version"
    assert ("reads it as" in finding.what or "Helm reads" in finding.what) == (version != "abc")


@pytest.mark.parametrize("broken", ["{", "[]", "apiVersion: v3\n", "entries: 5\napiVersion: v1\n", "\x00", "", " \n"])
def test_an_index_that_cannot_be_read_is_made_anew(public: Path, broken: str, helm: Helm) -> None:
    put(public, *both())
    (public / "index.yaml").write_text(broken)
    found = repair(public)
    assert [one.kind for one in found] == ["unreadable", "unlisted", "unlisted"]
    if broken.strip():
        assert (public / "index.yaml.broken").read_text() == broken
    with served(public) as url:
        helm("repo", "add", "x", url)
        shown = helm("search", "repo", "x/", "--devel", "--output", "json").stdout
        assert "x/a" in shown
        assert "2.0.0-rc.1" in shown
        helm("pull", "x/b", "--version", "2.0.0-rc.1")


def test_latin_1_is_an_index_that_cannot_be_read(public: Path) -> None:
    put(public, *both())
    (public / "index.yaml").write_bytes(b"\xff")
    assert repair(public)[0].kind == "unreadable"


def test_an_index_that_cannot_be_read_stays_without_packages(public: Path) -> None:
    put(public, files={})
    (public / "index.yaml").write_text("{")
    (finding,) = repair(public, left=1)
    assert finding.kind == "unreadable"
    assert (public / "index.yaml").read_text() == "{"


def test_a_directory_without_an_index(public: Path) -> None:
    (finding,) = repair(public, left=1)
    assert finding.kind == "unreadable"
    (public / "a-1.0.0.tgz").write_bytes(A)
    assert [one.kind for one in repair(public)] == ["unreadable", "unlisted"]


@pytest.mark.parametrize("writes", [False, True])
def test_a_directory_that_does_not_exist(tmp_path: Path, writes: bool) -> None:
    with pytest.raises(DestinationUnusableError, match="does not exist"):
        audit(tmp_path / "nowhere", repair=writes)
    assert not (tmp_path / "nowhere").exists()


def test_a_file_in_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DestinationError, match=r"file.*[Nn]ot a directory"):
        audit(tmp_path / "file")


def test_what_others_add_meanwhile_is_kept(public: Path) -> None:
    good, rest = both()
    put(public, good, listed("a", "3.0.0", "a-3.0.0.tgz", A), files={"a-1.0.0.tgz": A, "b-2.0.0-rc.1.tgz": B})
    theirs = listed("c", "1.0.0", "https://elsewhere.example.org/c-1.0.0.tgz", A)
    target = AuditableDirectory(public)
    rewrite: Callable[..., None] = target.rewrite

    def late(change: Callable[[Index], Index], message: str) -> None:
        again = listed("a", "3.0.0", "a-3.0.0.tgz", B)  # published anew
        (public / "index.yaml").write_text(index_text(good, theirs, again))
        rewrite(change, message)

    target.rewrite = late  # type: ignore[method-assign]
    report = verify(target, repair=True, threads=2, stop=threading.Event(), names=CONFIGURED)
    assert kinds(report) == [("missing", "a 3.0.0"), ("unlisted", "b 2.0.0-rc.1")]
    index = Index.parse((public / "index.yaml").read_text())
    assert index.entry("c", "1.0.0") == theirs
    assert index.versions("b") == {"2.0.0-rc.1"}
    assert (index.entry("a", "3.0.0") or {})["digest"] == digest(B)
    assert rest["version"] == "2.0.0-rc.1"


def test_an_index_that_somebody_mends_meanwhile_is_kept(public: Path) -> None:
    put(public, *both())
    good = (public / "index.yaml").read_bytes()
    (public / "index.yaml").write_text("{")
    target = AuditableDirectory(public)
    rewrite: Callable[..., None] = target.rewrite

    def late(change: Callable[[Index], Index], message: str) -> None:
        (public / "index.yaml").write_bytes(good)
        rewrite(change, message)

    target.rewrite = late  # type: ignore[method-assign]
    verify(target, repair=True, threads=2, stop=threading.Event(), names=CONFIGURED)
    assert (public / "index.yaml").read_bytes() == good


def test_packages_elsewhere_are_downloaded(public: Path, tmp_path: Path) -> None:
    far = tmp_path / "far"
    far.mkdir()
    (far / "a.tgz").write_bytes(A)
    (far / "page.tgz").write_text("<html>")
    with served(far) as url:
        put(
            public,
            listed("a", "1.0.0", f"{url}/a.tgz", A),
            listed("a", "1.1.0", f"{url}/a.tgz", B),
            listed("a", "1.2.0", f"{url}/page.tgz", B),
            listed("a", "1.3.0", f"{url}/gone.tgz", B),
            files={},
        )
        found = repair(public, left=2)
    assert [(one.kind, one.version) for one in found] == [
        ("missing", "1.3.0"),
        ("unchecked", "1.2.0"),
        ("conflict", "1.1.0"),
    ]


@pytest.mark.parametrize("address", ["http://charts.example.org/a.tgz", "ftp://x/a", "oci://x/a", "//h/a", "/a"])
def test_what_cannot_be_asked_stays(public: Path, address: str) -> None:
    put(public, listed("a", "1.0.0", address, A), files={})
    (finding,) = repair(public, left=1)
    assert finding.kind == "unchecked"


def test_a_server_that_is_down_concludes_nothing(public: Path) -> None:
    put(public, listed("a", "1.0.0", "http://127.0.0.1:9/a.tgz", A), files={})
    report = audit(public, repair=True)
    assert [(one.kind, one.repaired) for one in report.findings] == [("unchecked", False)]


def test_a_package_that_is_listed_elsewhere_is_no_second_one(public: Path, tmp_path: Path) -> None:
    far = tmp_path / "far"
    far.mkdir()
    (far / "a.tgz").write_bytes(A)
    with served(far) as url:
        put(public, listed("a", "1.0.0", f"{url}/a.tgz", A), files={"a-1.0.0.tgz": A})
        assert audit(public).findings == []
        (public / "a-1.0.0.tgz").write_bytes(packed("a", "1.0.0", note="other"))
        (finding,) = repair(public, left=1)
    assert finding.kind == "conflict"


def test_a_wrong_address_is_replaced_by_that_of_the_package(public: Path) -> None:
    put(public, listed("a", "1.0.0", "gone/a-1.0.0.tgz", A), files={"a-1.0.0.tgz": A})
    (finding,) = repair(public)
    assert finding.kind == "missing"
    assert (Index.parse((public / "index.yaml").read_text()).entry("a", "1.0.0") or {})["urls"] == ["a-1.0.0.tgz"]


@needs(os.geteuid() != 0, NOT_ROOT)
def test_a_package_that_may_not_be_read_stays(public: Path) -> None:
    put(public, *both())
    (public / "a-1.0.0.tgz").chmod(0)
    assert kinds(audit(public)) == [("unchecked", "a 1.0.0")]


def test_stop_ends_the_reading(public: Path) -> None:
    put(public, *both())
    stop = threading.Event()
    stop.set()
    with pytest.raises(KeyboardInterrupt):
        verify(AuditableDirectory(public), repair=True, threads=2, stop=stop)


@pytest.mark.parametrize(
    "planted", ["ver\u017fion: [1]\n", "m: &m {Keywords: 3}\n<<: *m\n", "maintainers: [{NAME: [1]}]\n"]
)
def test_a_package_that_helm_would_not_load_is_not_listed(public: Path, planted: str) -> None:
    data = packed("b", "2.0.0-rc.1", chart_yaml=f"apiVersion: v2\nname: b\nversion: 2.0.0-rc.1\n{planted}")
    put(public, both()[0], files={"a-1.0.0.tgz": A, "b-2.0.0-rc.1.tgz": data})
    (finding,) = repair(public, left=1)
    assert (finding.kind, finding.repair) == ("broken", None)
    assert "can't be: its Chart.yaml:" in finding.text
