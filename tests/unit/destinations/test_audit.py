"""What is wrong in a repository, decided from values alone."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from chart_releaser.destinations.audit import Audit, Content, Digest, index_findings
from chart_releaser.destinations.findings import Finding, StoredPackage, repair_index
from chart_releaser.destinations.listed import find_unknown_digests, is_package_label, is_strict_version, match_packages
from chart_releaser.errors import DestinationError
from chart_releaser.index.index import Index
from tests.charts import NOW, digest, index_text, listed

DATA = b"data"


def stored(label: str, state: Any = "published", told: str | None = digest(DATA)) -> StoredPackage:
    return StoredPackage(f"{label}.tgz", label, f"{label}.tgz", f"{label}.tgz", told, state)


def entry(name: str, version: str, **more: Any) -> dict[str, Any]:
    return listed(name, version, f"{name}-{version}.tgz", DATA, **more)


def audit(
    index: Index,
    *packages: StoredPackage,
    digests: Mapping[str, Digest] | None = None,
    contents: Mapping[str, Content] | None = None,
    names: tuple[str, ...] = (),
    adopt: tuple[str, ...] = (),
) -> list[Finding]:
    found = Audit(match_packages(index, packages, str), packages, digests or {}).findings(contents or {}, names, adopt)
    return [*index_findings(index), *found]


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("a-1.0.0", True),
        ("a-b-1.0.0-rc.1", True),
        ("a-1.0.0-rc.1-x", True),
        ("etcd-3-1.0.0+b-c", True),
        ("a-v1.0.0", False),
        ("1.0.0", False),
        ("-1.0.0", False),
        ("v1.0.0-rc-1.0.0", True),
        ("a-1.0", False),
        ("release-2024-01-01", False),
        ("", False),
    ],
)
def test_labels(text: str, is_one: bool) -> None:
    assert is_package_label(text) is is_one


@pytest.mark.parametrize(
    ("version", "strict"), [("1.0.0", True), ("1.0.0-a+b", True), ("v1.0.0", False), ("1.0", False), ("", False)]
)
def test_strict_versions(version: str, strict: bool) -> None:
    assert is_strict_version(version) is strict


def test_only_what_nobody_told_is_measured_and_only_what_is_not_listed_read() -> None:
    index = Index.parse(index_text(entry("a", "1.0.0"), entry("b", "1.0.0"), entry("c", "1.0.0")))
    packages = [stored("a-1.0.0"), stored("b-1.0.0", told=None), stored("d-1.0.0"), stored("", told=None)]
    found = match_packages(index, packages, str)
    assert list(find_unknown_digests(found)) == ["b-1.0.0.tgz", "c-1.0.0.tgz"]
    digests: dict[str, Digest] = {"b-1.0.0.tgz": digest(DATA), "c-1.0.0.tgz": digest(DATA)}
    assert [item.label for item in Audit(found, packages, digests).unread()] == ["d-1.0.0"]


def test_an_error_while_measuring_proposes_no_repair() -> None:
    index = Index.parse(index_text(entry("a", "1.0.0")))
    (finding,) = audit(index, digests={"a-1.0.0.tgz": DestinationError("no route")})
    assert (finding.kind, finding.repair) == ("unchecked", None)
    assert "no route" in finding.text


@pytest.mark.parametrize(("version", "means"), [("v1.0.0", "reads as 1.0.0"), ("1.0", "reads as 1.0"), ("x", "skips")])
def test_versions_that_are_not_strict(version: str, means: str) -> None:
    (finding,) = audit(Index.parse(index_text(entry("a", version))), stored(f"a-{version}"))
    assert (finding.kind, finding.version, finding.repair) == ("version", version, None)
    assert means in finding.what


def test_the_longest_name_does_not_matter_for_a_draft() -> None:
    drafts = [stored("a-b-1.0.0", "draft"), stored("a-1.0.0-b-2.0.0", "draft"), stored("z-1.0.0", "draft")]
    index = Index.parse(index_text(entry("a", "1.0.0"), entry("a-b", "3.0.0")))
    packages = [stored("a-1.0.0"), stored("a-b-3.0.0"), *drafts]
    found = audit(index, *packages)
    assert [(one.chart, one.version, one.repair is not None) for one in found] == [
        ("a-b", "1.0.0", True),
        ("a", "1.0.0-b-2.0.0", True),
        ("", "", False),
    ]


def test_a_finding_is_one_line_and_json() -> None:
    finding = Finding("missing", "a", "1.0.0", "a\nb", "c  d")
    assert finding.text == "a 1.0.0: a b; c d"
    assert finding.as_json() == {
        "kind": "missing",
        "chart": "a",
        "version": "1.0.0",
        "what": "a\nb",
        "remedy": "c  d",
        "repairable": False,
        "repaired": False,
    }


def test_a_repair_leaves_the_rest_byte_for_byte() -> None:
    entries = [entry(name, f"1.{minor}.0") for name in "abc" for minor in range(5)]
    text = index_text(*entries).replace("description", "description")
    text = text.replace("  - apiVersion: v2\n", "  # a remark\n  - apiVersion: 'v2'\n")
    index = Index.parse(text)
    packages = [stored(f"{item['name']}-{item['version']}") for item in entries]
    gone = {"a-1.2.0", "b-1.4.0", "b-1.0.0", *(f"c-1.{minor}.0" for minor in range(5))}
    found = audit(
        index, *(one for one in packages if one.label not in gone), digests={f"{label}.tgz": None for label in gone}
    )
    assert {f"{one.chart}-{one.version}" for one in found} == gone
    repairs = [one.repair for one in found if one.repair is not None]
    new = repair_index(index, repairs, NOW)
    expected = [item for item in entries if f"{item['name']}-{item['version']}" not in gone]
    assert [item for items in new.entries.values() for item in items] == sorted(
        expected, key=lambda item: (item["name"], [-int(part) for part in item["version"].split(".")])
    )
    old, lines = text.splitlines(), new.text.splitlines()
    assert set(lines) <= set(old)
    assert sum(line == "  - apiVersion: 'v2'" for line in lines) == len(expected)
    assert "  c:" not in lines
    assert repair_index(new, [], NOW) is not new
    assert repair_index(new, [], NOW).text == new.text


def test_all_entries_dropped_leave_an_index_that_helm_reads() -> None:
    index = Index.parse(index_text(entry("a", "1.0.0")))
    (finding,) = audit(index, digests={"a-1.0.0.tgz": None})
    assert finding.repair is not None
    assert "entries: {}" in repair_index(index, [finding.repair], NOW).text


@pytest.mark.parametrize("convert", [lambda text: text.replace("\n", "\r\n"), lambda text: Index.parse(text).text])
def test_line_ends_stay(convert: Any) -> None:
    text = convert(index_text(entry("a", "1.0.0"), entry("a", "1.1.0")))
    index = Index.parse(text)
    (finding,) = audit(index, stored("a-1.0.0"), digests={"a-1.1.0.tgz": None})
    assert finding.repair is not None
    assert ("\r\n" in repair_index(index, [finding.repair], NOW).text) == ("\r\n" in text)


def test_flow_style_is_written_anew() -> None:
    import json

    index = Index.parse(json.dumps({"apiVersion": "v1", "entries": {"a": [entry("a", "1.0.0"), entry("a", "1.1.0")]}}))
    (finding,) = audit(index, stored("a-1.0.0"), digests={"a-1.1.0.tgz": None})
    assert finding.repair is not None
    assert repair_index(index, [finding.repair], NOW).entries == {"a": [entry("a", "1.0.0")]}


def test_a_huge_index_takes_seconds_at_most() -> None:
    names = [f"chart-{number}" for number in range(60)]
    entries = [entry(name, f"{n // 20}.{n % 20}.0") for name in names for n in range(100)]
    index = Index.parse(index_text(*entries))
    packages = [stored(f"{item['name']}-{item['version']}") for item in entries]
    start = time.monotonic()
    assert audit(index, *packages) == []
    found = audit(index, *packages[::2], digests={f"{one.label}.tgz": None for one in packages[1::2]})
    repairs = [one.repair for one in found if one.repair is not None]
    assert len(repairs) == len(entries) // 2
    assert sum(map(len, repair_index(index, repairs, NOW).entries.values())) == len(entries) // 2
    assert time.monotonic() - start < 20
