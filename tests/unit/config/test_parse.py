"""A configuration's values, its problems with their lines, and the schema for editors."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from chart_releaser.config.parse import (
    ChartPath,
    Config,
    DirectoryDestination,
    GitHubDestination,
    json_schema,
    parse_config,
)
from chart_releaser.errors import ConfigError
from chart_releaser.location import GitHubRepository, LocalRepository, Server
from chart_releaser.versions import Range, Window

BASE = Path("/srv/charts")
FULL = """
destination:
  owner: gardener-community
  repo: gardener-charts
defaults:
  minors: 5
  patches: latest
sources:
  - name: provider-azure  # the real one
    repo: gardener/gardener-extension-provider-azure
    version: v1.29.0
    charts:
      - controller-registration
      - path: ./charts//admission/
        versions: ">=1.50.0"
    minors: 2
    versions: "<2"
  - name: etcd
    repo: ./etcd
    charts: [charts/etcd]
    tagPrefix: etcd-
    prereleases: true
    patches: all
"""
SOURCE = "{name: a, repo: o/a, charts: [charts/a]}"


def parse(text: str, server: Server | None = None) -> Config:
    return parse_config(textwrap.dedent(text), file="config.yaml", base=BASE, server=server)


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert caught.value.exit_code == 2
    assert all("\n" not in problem for problem in caught.value.problems)
    return list(caught.value.problems)


def test_all_that_can_be_said() -> None:
    config = parse(FULL)
    assert config.destination == GitHubDestination(owner="gardener-community", repo="gardener-charts")
    assert config.destination.branch == "gh-pages"
    assert config.destination.page is True
    assert config.base == BASE
    assert config.target_dir is None
    azure, etcd = config.sources
    assert azure.name == "provider-azure"
    assert azure.version == "v1.29.0"
    assert azure.charts == (
        ChartPath(path="controller-registration"),
        ChartPath(path="charts/admission", versions=Range.parse(">=1.50.0")),
    )
    assert azure.window == Window(2, "latest", Range.parse("<2"), prereleases=False)
    assert etcd.window == Window(5, "all", None, prereleases=True)
    assert (etcd.tag_prefix, azure.tag_prefix) == ("etcd-", "")
    assert azure.location == GitHubRepository(Server(), "gardener", "gardener-extension-provider-azure")
    assert etcd.location == LocalRepository(BASE / "etcd")
    assert etcd.version is None


def test_a_local_destination() -> None:
    config = parse(f"destination: {{directory: public, url: 'https://x.example/'}}\nsources: [{SOURCE}]")
    assert config.destination == DirectoryDestination(directory=BASE / "public", url="https://x.example")
    absolute = parse(f"destination: {{directory: /srv/public, page: false}}\nsources: [{SOURCE}]").destination
    assert absolute == DirectoryDestination(directory=Path("/srv/public"), page=False)


def test_a_destination_may_be_absent_and_github_has_more_keys() -> None:
    assert parse(f"sources: [{SOURCE}]").destination is None
    destination = parse(
        f"destination: {{owner: o, repo: r, branch: docs/x, page: false, makeLatest: true}}\nsources: [{SOURCE}]"
    ).destination
    assert destination == GitHubDestination(owner="o", repo="r", branch="docs/x", page=False, makeLatest=True)


@pytest.mark.parametrize("key", ["targetDir", "targetdir", "TARGETDIR"])
def test_letter_case_of_keys_does_not_matter(key: str) -> None:
    config = parse(f"{key}: out\nSources:\n- Name: a\n  REPO: o/a\n  charts: [{{Path: x}}]\n  TagPrefix: p-\n")
    assert config.target_dir == "out"
    assert config.sources[0].tag_prefix == "p-"


def test_anchors_and_merges() -> None:
    config = parse(
        """
        sources:
        - &first {name: a, repo: &repo o/a, version: v1.0.0, charts: [x]}
        - {<<: *first, name: b, repo: *repo}
        """
    )
    assert [(source.name, source.version) for source in config.sources] == [("a", "v1.0.0"), ("b", "v1.0.0")]


def test_windows_line_ends_and_a_byte_order_mark() -> None:
    text = "\ufeff" + FULL.replace("\n", "\r\n")
    assert parse_config(text, file="c", base=BASE).sources == parse(FULL).sources


def test_the_server_of_the_run_may_speak_http() -> None:
    text = "sources: [{name: a, repo: 'http://ghe.example/o/a', charts: [x]}]"
    server = Server("http://ghe.example", "http://ghe.example/api/v3")
    assert parse(text, server).sources[0].location == GitHubRepository(server, "o", "a")
    assert "write https://" in problems(text)[0]


def test_every_problem_in_one_go_in_the_order_of_the_file() -> None:
    assert problems(
        """\
        destination: {owner: o, repo: r, branche: x}
        sources:
          - name: a
            repo: o/a
            version: 1.10
            chartz: [x]
            charts: charts/x
          - name: a
            minors: 0
            patches: lates
            charts: [../x]
        tagPrefix: x
        """
    ) == [
        "config.yaml:1: destination.branche: unknown key; did you mean branch?",
        'config.yaml:5: sources[0].version: 1.10 is a number for YAML; put it in quotes: "1.10"',
        "config.yaml:6: sources[0].chartz: unknown key; did you mean charts?",
        "config.yaml:7: sources[0].charts: must be a list, not charts/x; did you mean a list, [charts/x]?",
        "config.yaml:8: sources[1].name: 'a' is also the name of the source in line 3; rename one",
        "config.yaml:8: sources[1].repo: is missing; add the key",
        "config.yaml:9: sources[1].minors: must be at least 1, not 0",
        "config.yaml:10: sources[1].patches: must be all or latest, not lates; did you mean latest?",
        "config.yaml:11: sources[1].charts[0].path: '../x' has a .. in it; write it from the repository's top, such as"
        " charts/name",
        "config.yaml:12: tagPrefix: unknown key; known are destination, sources, defaults, targetDir",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "config.yaml:1: the file is empty; write at least sources:"),
        ("# nothing\n", "config.yaml:1: the file is empty;"),
        ("- a\n", "config.yaml:1: a configuration is a mapping of keys;"),
        ("just text", "config.yaml:1: a configuration is a mapping of keys;"),
        ("destination: {owner: o, repo: r}", "config.yaml:1: sources: is missing; add the key"),
        ("sources: []", "config.yaml:1: sources: must have at least one entry"),
        ("\nsources:", "config.yaml:2: sources: has no value; write one or take the key out"),
        ("sources: {name: a}", "config.yaml:1: sources: must be a list, not a mapping"),
        ("sources: [5]", "config.yaml:1: sources[0]: must be a mapping of keys, not 5"),
        ("a: [\n", "config.yaml:2:1: malformed YAML"),
        ("sources: [x]\n---\nsources: [x]", "config.yaml:3: a second YAML document"),
        ("a: &a [*a]", "config.yaml:1: an alias refers"),
        ("{? [a, b] : c, sources: [x]}", "config.yaml:1: has a key that is not plain text"),
        ("sources: !foo bar", "sources: has the YAML tag !foo"),
        ("<<: 5\nsources: [x]", "config.yaml:1: a merge (<<) can't be read"),
    ],
)
def test_files_that_are_wrong_as_a_whole(text: str, problem: str) -> None:
    assert any(found.startswith(problem) or problem in found for found in problems(text)), problems(text)


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("name", "a b", "not a name that Helm accepts"),
        ("name", '""', "not a name that Helm accepts"),
        ("name", "a" * 251, "not a name that Helm accepts"),
        ("name", "ä", "not a name that Helm accepts"),
        ("name", "-a", "can't begin a release's tag"),
        ("name", ".a", "can't begin a release's tag"),
        ("name", "a..b", "can't begin a release's tag"),
        ("name", "a.lock", "can't begin a release's tag"),
        ("name", "12", '12 is a number for YAML; put it in quotes: "12"'),
        ("name", "yes", 'yes is true or false for YAML; put it in quotes: "yes"'),
        ("name", "[a]", "must be text, not a list"),
        ("repo", "ext::sh", "remote helper"),
        ("repo", "https://u:s3cret@example.com/x", "GITHUB_TOKEN"),
        ("version", "1.10", 'put it in quotes: "1.10"'),
        ("version", "2024-01-02", '2024-01-02 is a date for YAML; put it in quotes: "2024-01-02"'),
        ("version", "~", "has no value"),
        ("version", '""', "is empty"),
        ("version", "-v", "is not a version"),
        ("version", "../../6.3.0", "is not a version"),
        ("version", "6.3.0/../6.2.0", "is not a version"),
        ("version", "6.3.0//x", "is not a version"),
        ("tagPrefix", "../", "can't begin a git tag"),
        ("tagPrefix", "x//", "can't begin a git tag"),
        ("tagPrefix", "/x", "can't begin a git tag"),
        ("charts", "charts/x", "did you mean a list, [charts/x]?"),
        ("charts", "[]", "must have at least one entry"),
        ("charts", "[~]", "has no value"),
        ("charts", "[7]", "must be a path, or a mapping with path and versions, not 7"),
        ("charts", '[""]', "is empty"),
        ("charts", "[/x]", "is absolute"),
        ("charts", "['C:/x']", "is absolute"),
        ("charts", "[~/x]", "is absolute"),
        ("charts", "[x/../y]", "has a .. in it"),
        ("charts", "['x\\y']", "has a backslash"),
        ("charts", '["x\\ty"]', "has a control character"),
        ("charts", "[x, y, ./x]", "'./x' is also listed in line 1"),
        ("charts", "[{path: x, versions: '<1'}, {path: x, versions: '<1'}]", "is also listed in line 1"),
        ("charts", "[{path: x, versions: '<1'}, x]", "is also listed in line 1"),
        ("charts", "[x, {path: x, versions: '<1'}]", "is also listed in line 1"),
        ("charts", "[{path: x, version: '<1'}]", "unknown key; did you mean versions?"),
        ("charts", "[{versions: '<1'}]", "charts[0].path: is missing"),
        ("charts", "[{path: x, versions: latest}]", "'latest' is not a version range"),
        ("charts", "[{path: x, versions: 1.2}]", "must be a range in quotes"),
        ("versions", '">>1"', "'>>1' is not a version range"),
        ("versions", "~", "has no value"),
        ("minors", "0", "must be at least 1, not 0"),
        ("minors", '"3"', 'must be a whole number without quotes, not "3"'),
        ("minors", "2.5", "must be a whole number"),
        ("minors", "true", "must be a whole number"),
        ("patches", "newest", "must be all or latest, not newest"),
        ("prereleases", '"yes"', 'must be true or false without quotes, not "yes"'),
        ("tagPrefix", '"a b"', "can't begin a git tag"),
        ("tag_prefix", "x", "unknown key; did you mean tagPrefix?"),
        ("colour", "x", "unknown key; known are"),
        ("repository", "x", "unknown key; did you mean repo?"),
        ("path", "x", "unknown key; did you mean charts?"),
        ("tag", "x", "unknown key; did you mean version?"),
    ],
)
def test_what_a_source_may_not_say(key: str, value: str, problem: str) -> None:
    keys = {"name": "a", "repo": "o/a", "charts": "[charts/a]"} | {key: value}
    text = "sources: [{" + ", ".join(f"{name}: {text}" for name, text in keys.items()) + "}]"
    found = problems(text)
    assert len(found) == 1, found
    assert problem in found[0]
    assert found[0].startswith(f"config.yaml:1: sources[0].{key}")
    assert "s3cret" not in found[0]


@pytest.mark.parametrize(
    ("destination", "problem"),
    [
        ("{owner: o, repo: r, directory: d}", "is for a destination with owner and repo, not for one with"),
        (
            "{owner: o, repo: r, url: 'https://x.y'}",
            "destination.url: is for a destination with directory, not for one",
        ),
        ("{owner: o}", "destination.repo: is missing; a destination has owner and repo, or a directory"),
        ("{owner: -o, repo: r}", "GitHub owner"),
        ("{owner: o, repo: o/r}", "repo: 'o/r' is both names in one; write owner: o and repo: r"),
        ("{owner: o/r, repo: r}", "owner: 'o/r' is both names in one; write owner: o and repo: r"),
        ("{owner: o, repo: o/r/s}", "GitHub repository"),
        ("{path: public}", "destination.path: unknown key; did you mean directory?"),
        ("{dir: public}", "destination.dir: unknown key; did you mean directory?"),
        ("{owner: o, repo: r, branch: a..b}", "not a branch name"),
        ("{owner: o, repo: r, branch: HEAD}", "not a branch name"),
        ("{owner: o, repo: r, branch: refs/heads/x}", "is a full reference; write 'x'"),
        ("{owner: o, repo: r, branch: -b}", "not a branch name"),
        ("{owner: o, repo: r, Pages: true}", "unknown key; did you mean page?"),
        ("{directory: ''}", "destination.directory: is empty"),
        ("{directory: 5}", "destination.directory: 5 is a number for YAML"),
        ("{directory: d, url: 'ftp://x'}", "is not an http or https address"),
        ("{directory: d, url: 'https://u:p@x'}", "holds credentials"),
        ("x", "destination: must be a mapping of keys, not x; write {owner: …, repo: …}, or {directory: …}"),
        ("~", "destination: has no value"),
    ],
)
def test_what_a_destination_may_not_say(destination: str, problem: str) -> None:
    assert problem in problems(f"destination: {destination}\nsources: [{SOURCE}]")[0]


def test_keys_given_twice() -> None:
    text = "sources:\n- name: a\n  repo: o/a\n  charts: [x]\n  repo: o/b\n  Charts: [y]\nsources: []\n"
    assert problems(text) == [
        "config.yaml:5: sources[0].repo: the key is also in line 3; keep one of them",
        "config.yaml:6: sources[0].Charts: the same key as charts is in line 4; keep one of them",
        "config.yaml:7: sources: the key is also in line 1; keep one of them",
    ]


def test_a_path_may_come_back_for_other_releases() -> None:
    parse("sources: [{name: a, repo: o/a, charts: [{path: x, versions: '<1'}, {path: x, versions: '>=2'}]}]")


KEYS = ["destination", "sources", "name", "repo", "charts", "path", "versions", "defaults", "minors", "directory"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_any_value_is_a_configuration_or_has_problems(value: Any) -> None:
    text = yaml.safe_dump(value)
    try:
        parse(text)
    except ConfigError as error:
        assert error.problems  # noqa: PT017 - either outcome is right


def test_the_schema_accepts_what_the_reader_accepts() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for text in (
        FULL,
        f"targetdir: out\nsources: [{SOURCE}]",
        f"targetDir: out\nsources: [{SOURCE}]",
        f"destination: {{directory: public, url: 'https://x.example/'}}\nsources: [{SOURCE}]",
    ):
        parse(text)
        validator.validate(yaml.safe_load(text))


def test_the_projects_own_configuration() -> None:
    file = Path(__file__).parents[3] / "config.yaml"
    text = file.read_text(encoding="utf-8")
    config = parse_config(text, file="config.yaml", base=file.parent)
    assert len(config.sources) > 50
    jsonschema.validate(yaml.safe_load(text), json_schema())


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "sources: []",
        f"sources: [{SOURCE}]\ncolour: x",
        "sources: [{name: a, repo: o/a, charts: [x], colour: x}]",
        "sources: [{name: a, repo: o/a, charts: x}]",
        "sources: [{name: a, repo: o/a, charts: [x], version: 1.10}]",
        "sources: [{name: a, repo: o/a, charts: [x], version: null}]",
        "sources: [{name: a, repo: o/a, charts: [x], minors: 0}]",
        f"destination: {{owner: o, repo: r, directory: d}}\nsources: [{SOURCE}]",
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(text: str) -> None:
    problems(text)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), json_schema())


def test_the_schema_helps_with_every_key() -> None:
    schema = json_schema()
    for model in (schema, *schema["$defs"].values()):
        assert model["additionalProperties"] is False
        for name, value in model["properties"].items():
            assert value["description"], name
            assert value["examples"], name
            for example in value["examples"]:
                jsonschema.validate(example, {**value, "$defs": schema["$defs"]})
            assert "title" not in value


def test_what_a_terminal_would_act_on_is_shown_escaped() -> None:
    text = '{"sources": "\\e[31m", "\\x7fkey": 1}'
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert any("\\x1b[31m" in problem for problem in caught.value.problems)
    assert any("\\x7fkey" in problem for problem in caught.value.problems)
    assert all(problem.isprintable() for problem in caught.value.problems)


@pytest.mark.parametrize("value", ["!!timestamp 1", "!!int x", "!!bool maybe", "!!binary é", "!!float x"])
def test_a_tag_that_does_not_fit_is_no_bug(value: str) -> None:
    with pytest.raises(ConfigError, match="minors: must be a whole number"):
        parse(f"sources: [{SOURCE}]\ndefaults: {{minors: {value}}}")
    with pytest.raises(ConfigError, match="a configuration is a mapping"):
        parse(value)


def test_limits() -> None:
    text = """
    defaults: {limits: {sourceTime: 1h, memory: 1G}}
    sources:
    - {name: a, repo: o/a, charts: [x], limits: {memory: 100 MiB, releaseTime: 90}}
    - {name: b, repo: o/b, charts: [x]}
    """
    a, b = (source.limits for source in parse(text).sources)
    assert (a.release_time, a.source_time, a.memory, a.index_size) == (90, 3600, 100 << 20, 10 << 20)
    assert (b.release_time, b.source_time, b.memory, b.index_size) == (120, 3600, 1 << 30, 10 << 20)
    wrong = problems(
        "sources:\n- name: a\n  repo: o/a\n  charts: [x]\n  limits:\n"
        "    memory: lots\n    sourceTime: 0\n    releaseTime: 2 weeks\n    indexSize: true\n    time: 1\n"
    )
    assert wrong == [
        "config.yaml:6: sources[0].limits.memory: must be a number above 0, with K or M or G behind it if need be, "
        "such as 512M",
        "config.yaml:7: sources[0].limits.sourceTime: must be a number above 0, with s or m or h behind it if need be, "
        "such as 90s, 5m or 1h",
        "config.yaml:8: sources[0].limits.releaseTime: must be a number above 0, with s or m or h behind it if need "
        "be, such as 90s, 5m or 1h",
        "config.yaml:9: sources[0].limits.indexSize: must be a number above 0, with K or M or G behind it if need be, "
        "such as 512M",
        "config.yaml:10: sources[0].limits.time: unknown key; known are releaseTime, sourceTime, memory, indexSize",
    ]


def test_keys_that_begin_with_x_are_the_users_own() -> None:
    text = "x-common: &c {minors: 2}\nX-Other: [1]\nsources:\n- {<<: *c, name: a, repo: o/a, charts: [x]}\n"
    assert parse(text.replace("X-Other", "x-other")).sources[0].minors == 2
    assert "^x-" in json_schema()["patternProperties"]
