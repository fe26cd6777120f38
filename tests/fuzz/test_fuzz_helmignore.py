"""`.helmignore`: what is kept of any tree under any rules is what the true Helm keeps."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import strategies as st

from chart_releaser.budget import Budget
from chart_releaser.charts.chart import Chart
from chart_releaser.charts.loader import read_chart
from chart_releaser.charts.package import chart_files
from chart_releaser.errors import ChartError
from tests.fuzz.oracle import packaged
from tests.fuzz.running import batch_of, prop
from tests.helm import Helm
from tests.memorytree import MemoryTree, below, write

BATCH = 12

NAMES = (
    st.one_of(
        st.sampled_from(
            ["a", "b", "ab", "a.b", ".a", "a.yaml", "README.md", "é", "\u2028x", "a b", "[a]", "!a", "-", "#"]
        ),
        st.text("ab.-_[]!*^é#+ \u00a0\ufffdX", min_size=1, max_size=3),
    )
    .filter(lambda name: name.strip(".") and name == name.strip(" "))
    .filter(lambda name: len(name.encode()) < 200)
)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
TREES = st.sets(PATHS, min_size=1, max_size=6)
PIECES = st.sampled_from(
    [
        *"ab*?.-!é/\\^]",
        "/",
        "*",
        "?",
        "[ab]",
        "[^a]",
        "[a-c]",
        "[!a]",
        "[]a]",
        "[\\]]",
        "[-a]",
        "[a",
        "[a-",
        "[^",
        "\\*",
    ]
)
RULES = st.one_of(
    st.lists(PIECES, max_size=6).map("".join),
    PATHS,
    PATHS.map(lambda path: f"/{path}"),
    PATHS.map(lambda path: f"{path}/"),
    PATHS.map(lambda path: f"!{path}"),
    st.sampled_from(
        ["d", "d/", "/d", "!d", "d/*", "*/a", "*.yaml", "templates", "templates/", "templates/*", "/templates/t.yaml"]
    ),
    st.sampled_from(["charts", "charts/", "charts/s", "charts/*", "!*", "!*/", ".?*", "*.?", "# x", "#", "\\#", "**"]),
    st.sampled_from(["a**", "*/", "/", "//", "!", "!/", "!!a", "/*", "?*/", "Chart.yaml", "values.yaml", "\ufeffa"]),
)
SPACE = st.sampled_from(
    ["", "", "", " ", "\t", "\r", "\v", "\f", "\u00a0", "\u2003", "\u0085", "\x1c", "\x1f", "\u200b"]
)
LINES = st.tuples(SPACE, RULES, SPACE).map("".join).map(str.encode) | st.binary(max_size=4).map(
    lambda data: data.replace(b"\n", b"")
)
FILES = st.tuples(
    st.sampled_from([b"", b"", b"\xef\xbb\xbf"]),
    st.lists(LINES, max_size=4),
    st.sampled_from([b"\n", b"\n", b"\r\n", b"\r"]),
).map(lambda parts: parts[0] + parts[2].join(parts[1]))
CASES = batch_of(st.tuples(FILES, TREES), BATCH)


def tree(number: int, rules: bytes, paths: set[str]) -> dict[str, str | bytes]:
    files = {path for path in paths if not any(other.startswith(f"{path}/") for other in paths)}
    return {
        "Chart.yaml": f"apiVersion: v2\nname: c{number}\nversion: 0.1.0\n",
        ".helmignore": rules,
        "values.yaml": "",
        "templates/t.yaml": "",
        "templates/.t": "",
        "charts/s/Chart.yaml": "apiVersion: v2\nname: s\nversion: 0.1.0\n",
        "charts/s/a": "",
        **{f"d/{path}": "" for path in files},
        **{path: "" for path in files if path.split("/")[0] not in {"Chart.yaml", "templates", "charts", "d"}},
    }


def ours(files: dict[str, str | bytes]) -> Chart | None:
    try:
        return read_chart(MemoryTree(below("c", files)), "c", Budget())
    except ChartError:
        return None


@prop(examples=4, batch=BATCH, cases=CASES)
def test_what_is_kept_is_what_helm_keeps(helm: Helm, cases: list[tuple[bytes, set[str]]]) -> None:
    trees = [tree(number, rules, paths) for number, (rules, paths) in enumerate(cases)]
    with TemporaryDirectory() as name:
        folders = [write(files, Path(name) / f"c{number}") for number, files in enumerate(trees)]
        helms = packaged(helm, folders, Path(name) / "out")
    for files, kept in zip(trees, helms, strict=True):
        chart = ours(files)
        mine = None if chart is None else sorted(path for path, _ in chart_files(chart))
        assert mine == (None if kept is None else sorted(kept)), files
