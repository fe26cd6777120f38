"""index.yaml: Helm loads what is written, what is there stays byte for byte, any text is an index or a known error."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from hypothesis import strategies as st

from chart_releaser.errors import BrokenIndexError
from chart_releaser.index.entry import find_unknown_fields
from chart_releaser.index.index import Index, build_entry
from tests.fuzz.running import prop
from tests.fuzz.texts import SCALAR
from tests.helm import Helm

NOW = datetime(2025, 11, 22, 1, 2, 3, tzinfo=UTC)
NAMES = st.sampled_from(["a", "b", "c", "on", "1.10"])
VERSIONS = st.sampled_from(["1.0.0", "1.10.0", "1.9.0", "2.0.0-rc.1", "2.0.0", "1.0.0+a", "0.1.0", "1e3.0.0"])
FIELDS = st.dictionaries(
    st.sampled_from(
        ["appVersion", "description", "home", "icon", "type", "deprecated", "keywords", "urls", "created", "extra"]
    ),
    SCALAR,
    max_size=3,
)


@st.composite
def entries(draw: st.DrawFn, name: str) -> str:
    fields = {"apiVersion": "v2", "name": f"'{name}'", "version": draw(VERSIONS), "digest": "'" + "0" * 64 + "'"}
    if draw(st.integers(0, 3)) == 0:
        fields |= draw(FIELDS)
    lines = [f"{key}: {value}" for key, value in fields.items()]
    lines.insert(draw(st.integers(0, len(lines))), "urls:\n  - u.tgz") if "urls" not in fields else None
    return "\n  ".join(lines)


@st.composite
def indexes(draw: st.DrawFn) -> str:
    lines = ["apiVersion: v1", "entries:"]
    pad = draw(st.sampled_from(["  ", "    "]))
    for name in draw(st.lists(NAMES, min_size=1, max_size=3, unique=True)):
        lines.append(f"{pad}'{name}':")
        for text in draw(st.lists(entries(name), min_size=1, max_size=3)):
            lines += [f"{pad}{line}" for line in f"- {text}".split("\n")]
            if draw(st.integers(0, 4)) == 0:
                lines.append(draw(st.sampled_from(["# by hand", "", f"{pad}# in between", "   "])))
    lines.append(
        draw(st.sampled_from(["generated: '2025-01-01T00:00:00Z'", "# end", "generated: 2025-01-01T00:00:00Z", ""]))
    )
    newline = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    return newline.join(lines) + newline


def made(name: str, version: str) -> dict[str, Any]:
    metadata = {"apiVersion": "v2", "name": name, "version": version, "appVersion": "1e3", "description": "ü: #"}
    return build_entry(metadata, digest="1" * 64, url=f"{name}-{version}.tgz", created=NOW)


NEW = st.lists(
    st.builds(made, NAMES | st.just("z"), st.sampled_from(["1.0.0", "1.5.0", "3.0.0", "2.0.0-rc.2"])), max_size=4
)


def is_loaded(helm: Helm, text: str) -> dict[str, Any] | None:
    """The entries that Helm finds in an index; None if it refuses the whole."""
    with TemporaryDirectory() as name:
        (Path(name) / "old.yaml").write_bytes(text.encode())
        (Path(name) / "new").mkdir()
        done = helm("repo", "index", Path(name) / "new", "--merge", Path(name) / "old.yaml", check=False)
        if done.returncode != 0:
            return None
        index = yaml.load((Path(name) / "new/index.yaml").read_bytes(), Loader=yaml.BaseLoader)
        return index["entries"] or {}


def is_sound(index: Index) -> bool:
    """Whether nothing is wrong with an index, so that Helm has to take it."""
    listed = [item for versions in index.entries.values() for item in versions]
    return not index.faults and not index.problems and not any(map(find_unknown_fields, listed))


@prop(examples=12, text=indexes(), new=NEW)
def test_a_merge_keeps_every_line_and_helm_loads_the_outcome(helm: Helm, text: str, new: list[dict[str, Any]]) -> None:
    try:
        before = Index.parse(text)
    except BrokenIndexError:
        return
    merged = before.merge(new, generated=NOW)
    after = Index.parse(merged)
    kept = iter(merged.split("\n"))
    assert all(line in kept for line in text.split("\n") if line.strip() and not line.startswith("generated:"))
    for name, listed in before.entries.items():
        assert [item for item in after.entries[name] if item in listed] == listed
    wanted = {(item["name"], item["version"]) for item in new}
    there = {(name, item.get("version")) for name, listed in before.entries.items() for item in listed}
    assert {(name, item.get("version")) for name, listed in after.entries.items() for item in listed} == wanted | there
    assert after.merge(new, generated=NOW) == merged
    if is_sound(before):
        loaded = is_loaded(helm, merged)
        assert loaded is not None, merged
        assert set(loaded) >= {name for name, _ in wanted | there}


@prop(examples=12, text=indexes())
def test_what_helm_refuses_has_something_wrong(helm: Helm, text: str) -> None:
    if is_loaded(helm, text) is None:
        try:
            assert not is_sound(Index.parse(text)), text
        except BrokenIndexError:
            return


PIECES = st.sampled_from(
    [
        *(
            "apiVersion: v1\n",
            "entries:\n",
            "  a:\n",
            "  - version: 1.0.0\n",
            "    urls: [u]\n",
            "generated: x\n",
            "&a ",
            "*a",
        ),
        *(
            "!!int ",
            "{",
            "}",
            "[",
            "]",
            "- ",
            ": ",
            "? ",
            "\t",
            "|\n",
            "'",
            '"',
            "---\n",
            "...\n",
            "<<: ",
            "\ufeff",
            "\x00",
        ),
        *("\x85", "\u2028", "#", "%YAML 1.1\n"),
    ]
)


@prop(examples=150, text=st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=20), new=NEW)
def test_any_text_is_an_index_or_broken(text: str, new: list[dict[str, Any]]) -> None:
    try:
        index = Index.parse(text)
    except BrokenIndexError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return
    assert isinstance(index.problems, tuple)
    after = Index.parse(index.merge(new, generated=NOW))
    assert all(after.entry(item["name"], item["version"]) for item in new)
    if after.text != text:
        Index.parse(after.without(lambda _name, _entry: True, generated=NOW).text)
