"""Which releases are tracked, missing, passed over; and how configured versions relate to tags."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chart_releaser.config.parse import Source, parse_config
from chart_releaser.location import Server
from chart_releaser.upstream.passed_over import Cause, Reason
from chart_releaser.upstream.plan import (
    Item,
    Planner,
    SourcePlan,
    format_like,
    has_all_tracked,
    has_newest,
    make_candidate,
    make_item,
    newest_candidate,
    possible_tags,
)
from chart_releaser.upstream.releases import Release


def source_of(**fields: object) -> Source:
    text = "".join(f", {key}: {value}" for key, value in fields.items())
    charts = "" if "charts" in fields else ", charts: [x]"
    parsed = parse_config(
        f"sources: [{{name: a, repo: o/a{charts}{text}}}]", file="config.yaml", base=Path("/"), server=Server()
    )
    return parsed.sources[0]


def releases(*tags: str) -> list[Release]:
    return [Release(tag) for tag in tags]


def missing(source: Source, *tags: str, present: tuple[str, ...] = ()) -> list[str]:
    return [item.release.tag for item in Planner().plan(source, releases(*tags), present).missing]


def words(plan: SourcePlan) -> list[tuple[str, str]]:
    return [(tag, str(reason)) for tag, reason in plan.passed_over]


def item(source: Source, release: Release) -> Item:
    candidate = make_candidate(source, release)
    assert candidate is not None
    return make_item(source, candidate)


def test_a_candidate_is_a_release_whose_tag_is_a_version_after_the_sources_prefix() -> None:
    release = Release("etcd-v1.2.3+b")
    candidate = make_candidate(source_of(tagPrefix="etcd-"), release)
    assert candidate is not None
    assert (candidate.release, str(candidate.version)) == (release, "1.2.3+b")
    assert make_candidate(source_of(), release) is None


def test_the_last_three_minors_with_every_patch_across_majors_newest_first() -> None:
    tags = ("v1.0.0", "v1.1.0", "v1.1.1", "v1.2.0", "v2.0.0", "v1.2.7", "v1.1.9")
    assert missing(source_of(), *tags) == ["v2.0.0", "v1.2.7", "v1.2.0", "v1.1.9", "v1.1.1", "v1.1.0"]


def test_the_newest_patch_of_each_minor() -> None:
    tags = ("v1.1.0", "v1.1.1", "v1.2.0", "v1.2.3", "v2.0.0")
    assert missing(source_of(patches="latest", minors=2), *tags) == ["v2.0.0", "v1.2.3"]


def test_a_range_counts_before_the_minors() -> None:
    assert missing(source_of(versions='"<2"', minors=1), "v1.1.0", "v1.2.0", "v2.0.0") == ["v1.2.0"]


def test_prereleases_by_flag_and_by_version_only_on_request() -> None:
    listed = [Release("v1.2.0", prerelease=True), *releases("v1.3.0-rc.1", "v1.1.0")]
    plan = Planner().plan(source_of(), listed, ())
    assert [item.version for item in plan.missing] == ["1.1.0"]
    assert words(plan) == [("v1.2.0", "prerelease"), ("v1.3.0-rc.1", "prerelease")]
    plan = Planner().plan(source_of(prereleases="true"), listed, ())
    assert [item.version for item in plan.missing] == ["1.3.0-rc.1", "1.2.0", "1.1.0"]


def test_tags_that_are_no_version_are_passed_over() -> None:
    plan = Planner().plan(source_of(), releases("v1.0.0", "latest", "v1.0", "pkg/apis/v1.0.0", "v01.0.0", ""), ())
    assert [item.release.tag for item in plan.missing] == ["v1.0.0"]
    assert {reason for _, reason in plan.passed_over} == {Reason(Cause.NO_VERSION)}


def test_a_prefix_selects_its_tags_and_is_silent_about_others() -> None:
    plan = Planner().plan(source_of(tagPrefix="etcd-"), releases("etcd-v1.0.0", "v2.0.0", "etcd-x"), ())
    assert [item.version for item in plan.missing] == ["1.0.0"]
    assert words(plan) == [("etcd-x", "no semantic version")]


@pytest.mark.parametrize("tags", [("v1.2.3", "1.2.3"), ("1.2.3", "v1.2.3")])
def test_of_two_tags_of_one_version_the_one_with_the_v_is_taken(tags: tuple[str, str]) -> None:
    plan = Planner().plan(source_of(), releases(*tags), ())
    assert [item.release.tag for item in plan.missing] == ["v1.2.3"]
    assert plan.passed_over == (("1.2.3", Reason(Cause.SAME_VERSION, "v1.2.3")),)
    assert missing(source_of(), *tags, present=("1.2.3",)) == []


def test_a_release_that_was_listed_twice_counts_once() -> None:
    plan = Planner().plan(source_of(), releases("v1.0.0", "v1.0.0"), ())
    assert len(plan.missing) == 1
    assert plan.passed_over == ()


def test_exact_strings_decide_what_is_there() -> None:
    tags = ("v1.0.0+a", "v1.0.0+b", "v1.0.0")
    plan = Planner().plan(source_of(), releases(*tags), ("1.0.0+a", "v1.0.0"))
    assert sorted(item.version for item in plan.missing) == ["1.0.0", "1.0.0+b"]
    assert [item.version for item in plan.present] == ["1.0.0+a"]


def test_the_reasons_name_what_excludes_a_release() -> None:
    plan = Planner().plan(source_of(minors=1, versions='"<2"'), releases("v1.0.0", "v1.1.0", "v2.0.0"), ())
    assert words(plan) == [("v2.0.0", "outside the range <2"), ("v1.0.0", "older than the last minor")]


def test_paths_that_exist_in_some_releases_only() -> None:
    source = source_of(charts='[always, {path: later, versions: ">=1.2"}, {path: earlier, versions: "<1.2"}]')
    assert item(source, Release("v1.1.9")).paths == ("always", "earlier")
    assert item(source, Release("v1.2.0")).paths == ("always", "later")
    only = source_of(charts='[{path: later, versions: ">=1.2"}]')
    plan = Planner().plan(only, releases("v1.1.0", "v1.2.0"), ())
    assert [item.version for item in plan.missing] == ["1.2.0"]
    assert words(plan) == [("v1.1.0", "no chart path is for this version")]
    assert plan.missing[0].title == "a v1.2.0"


def test_enough_is_what_every_source_needs() -> None:
    one, three = source_of(minors=1), source_of(minors=3)
    seen = releases("v1.3.1", "v1.3.0", "v1.2.0")
    assert has_all_tracked([one], seen)
    assert not has_all_tracked([one, three], seen)
    assert has_all_tracked([one, three], [*seen, *releases("v1.1.0")])
    assert not has_all_tracked([one], [])


def test_a_flagged_prerelease_does_not_count_as_a_minor() -> None:
    seen = [Release("v1.3.0", prerelease=True), *releases("v1.2.0", "v1.1.0")]
    assert not has_all_tracked([source_of(minors=3)], seen)


def test_enough_for_the_newest() -> None:
    assert has_newest([source_of()], releases("v1.9.1", "v1.10.0"))
    assert not has_newest([source_of(versions='"<1"')], releases("v1.10.0", "v1.9.0"))


def test_the_newest_is_the_highest_stable_one_in_the_range() -> None:
    listed = [Release("v3.0.0", prerelease=True), *releases("v1.9.9", "v2.0.0-rc.1", "v1.10.0", "x")]
    found = newest_candidate(source_of(), listed)
    assert found is not None
    assert found.release.tag == "v1.10.0"
    found = newest_candidate(source_of(versions="~1.9", prereleases="true"), listed)
    assert found is not None
    assert found.release.tag == "v1.9.9"
    assert newest_candidate(source_of(versions='">=4"'), listed) is None
    assert newest_candidate(source_of(), []) is None


@pytest.mark.parametrize(
    ("version", "prefix", "tags"),
    [
        ("v1.2.3", "", ["v1.2.3", "1.2.3"]),
        ("1.2.3", "", ["1.2.3", "v1.2.3"]),
        ("etcd-v1.2.3", "etcd-", ["etcd-v1.2.3", "etcd-1.2.3"]),
        ("1.2.3", "etcd-", ["etcd-1.2.3", "etcd-v1.2.3"]),
        ("v1.2.3", "v", ["vv1.2.3", "v1.2.3"]),
    ],
)
def test_tags_that_a_version_can_mean(version: str, prefix: str, tags: list[str]) -> None:
    assert sorted(possible_tags(version, prefix)) == sorted(tags)


@pytest.mark.parametrize(
    ("tag", "current", "prefix", "written"),
    [
        ("v2.0.0", "v1.0.0", "", "v2.0.0"),
        ("v2.0.0", "1.0.0", "", "2.0.0"),
        ("2.0.0", "v1.0.0", "", "2.0.0"),
        ("etcd-v2.0.0", "etcd-v1.0.0", "etcd-", "etcd-v2.0.0"),
        ("etcd-v2.0.0", "v1.0.0", "etcd-", "v2.0.0"),
        ("etcd-v2.0.0", "1.0.0", "etcd-", "2.0.0"),
        ("v2.0.0", "", "", "2.0.0"),
    ],
)
def test_new_versions_are_written_as_the_old_ones(tag: str, current: str, prefix: str, written: str) -> None:
    assert format_like(tag, current, prefix) == written


def test_items_keep_the_release_they_are_made_of() -> None:
    release = Release("v1.0.0", "notes")
    assert item(source_of(), release).release is release
    assert replace(release, notes=None).notes is None
