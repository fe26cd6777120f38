"""The configuration: whatever it says, it is one or a ConfigError with a line for each problem; the schema agrees."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from hypothesis import strategies as st

from chart_releaser.config.parse import Config, json_schema, parse_config
from chart_releaser.errors import ConfigError
from tests.fuzz.running import prop

VALIDATOR = jsonschema.Draft202012Validator(json_schema())
TEXTS = st.sampled_from(
    ["a", "gardener/gardener", "charts/x", "v1.2.3", ">=1 <2", "controller-registration", "https://example.org/x"]
)
ODD = st.one_of(
    st.sampled_from(
        [
            None,
            True,
            0,
            1,
            -1,
            3,
            1.5,
            "",
            " ",
            "..",
            "/a",
            "a\x7f",
            "~",
            "~nobody/x",
            "-x",
            "\\",
            "a:b",
            "\ud800",
            "1e3",
        ]
    ),
    st.lists(TEXTS, max_size=2),
    st.dictionaries(TEXTS, TEXTS, max_size=2),
    st.text(max_size=4),
)
VALUE = st.one_of(TEXTS, TEXTS, ODD)
MINORS, FLAGS = st.integers(-1, 4) | ODD, st.booleans() | ODD
PATCHES = st.sampled_from(["all", "latest", "newest"]) | ODD
DEFAULTS = {"minors": MINORS, "patches": PATCHES, "prereleases": FLAGS}
CHART = TEXTS | st.fixed_dictionaries({"path": VALUE}, optional={"versions": VALUE, "pth": TEXTS}) | ODD
SOURCE = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["a", "b", "c"]) | VALUE,
        "repo": VALUE,
        "version": VALUE,
        "charts": st.lists(CHART, max_size=3) | ODD,
        "versions": VALUE,
        "tagPrefix": VALUE,
        "unknown": VALUE,
        **DEFAULTS,
    },
)
SOUND = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["a", "b", "c", "d"]),
        "repo": st.just("o/r"),
        "charts": st.lists(CHART, min_size=1, max_size=2),
    },
    optional={"version": TEXTS, "versions": st.sampled_from([">=1", "~1.2", "x"]), **DEFAULTS},
)
DESTINATION = st.one_of(
    st.fixed_dictionaries(
        {"owner": VALUE, "repo": VALUE}, optional={"branch": VALUE, "page": FLAGS, "makeLatest": FLAGS, "url": VALUE}
    ),
    st.fixed_dictionaries({"directory": VALUE}, optional={"url": VALUE, "page": FLAGS, "owner": VALUE}),
    ODD,
)
CONFIGS = st.fixed_dictionaries(
    {"sources": st.lists(SOUND | SOURCE, max_size=3) | ODD},
    optional={
        "destination": DESTINATION,
        "defaults": st.fixed_dictionaries({}, optional=DEFAULTS) | ODD,
        "targetDir": VALUE,
        "unknown": VALUE,
    },
)
SEMANTIC = (
    # What a schema for editors does not say: what a text must be.
    *(
        "is not a name that Helm accepts",
        "can't begin",
        "is empty",
        "has a control character",
        "has a backslash",
        "is absolute",
    ),
    *(
        "has a .. in it",
        "is not a branch name",
        "is not a version",
        "is not an http",
        "holds credentials",
        "the range is too long",
        "home directory",
    ),
    *(
        "is not a version range",
        "is also the name of the source in line",
        "is also listed in line",
        "repository",
        "address",
        "owner",
    ),
)


def read(text: str) -> Config | ConfigError:
    """The configuration, or all that is wrong with it: a line each, with file, line and key."""
    try:
        return parse_config(text, file="f.yaml", base=Path("/nowhere"))
    except ConfigError as error:
        assert error.problems  # noqa: PT017
        for problem in error.problems:
            assert re.match(r"f\.yaml(:\d+(:\d+)?)?: \S", problem), problem
            assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", problem), problem
        return error


@prop(examples=80, value=CONFIGS)
def test_the_schema_agrees_but_for_what_texts_must_be(value: Any) -> None:
    text = json.dumps(value)
    found = read(text)
    accepted = VALIDATOR.is_valid(value)
    if isinstance(found, Config):
        assert accepted, text
    elif accepted:
        for problem in found.problems:
            assert any(what in problem for what in SEMANTIC), (problem, text)


FRAGMENTS = st.sampled_from(
    [
        *("sources:", "- name: a", "  repo: o/r", "  charts: [x]", "  charts:", "  - path: y", "    versions: '>1'"),
        *(
            "destination: {directory: p}",
            "&a",
            "*a",
            "<<: *a",
            "{",
            "}",
            "[",
            "]",
            "? ",
            ": ",
            "!!int x",
            "!x",
            "|",
            "- ",
        ),
        *(
            "  ",
            "\t",
            "# c",
            "---",
            "...",
            "%",
            "'",
            '"',
            "~",
            "\x00",
            "\x85",
            '"\\e\\x7f"',
            "!!binary x",
            "!!timestamp 1",
        ),
    ]
)


@prop(
    examples=150,
    text=st.one_of(
        st.lists(FRAGMENTS, max_size=12).map("\n".join),
        st.lists(FRAGMENTS, max_size=12).map("".join),
        st.text(max_size=30),
    ),
)
def test_any_text_is_a_configuration_or_has_problems(text: str) -> None:
    read(text)


@prop(examples=60, value=CONFIGS, data=st.data())
def test_a_configuration_with_a_slip_is_one_or_has_problems(value: Any, data: st.DataObject) -> None:
    try:
        text = yaml.safe_dump(
            value,
            allow_unicode=data.draw(st.booleans()),
            default_flow_style=data.draw(st.sampled_from([None, True, False])),
        )
    except UnicodeEncodeError:
        return
    at = data.draw(st.integers(0, len(text)))
    piece = data.draw(FRAGMENTS)
    read(text[:at] + piece + text[at + data.draw(st.integers(0, 3)) :])
