"""A tree's links, names and bounds."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chart_releaser.errors import SnapshotError
from chart_releaser.git.limits import TreeLimits
from chart_releaser.git.objectformat import (
    MissingObjectError,
    ObjectTooLargeError,
    parse_commit,
    parse_tag_object,
    parse_tree,
)
from chart_releaser.git.tree import GitTree
from tests.gitrepo import Content, Executable, GitRepo, Link, Raw, Submodule

Files = Mapping[str | bytes, Content | None]
Plant = Callable[..., GitTree]


def keep(_path: str, _is_directory: bool) -> bool:
    return False


class LooseObjects:
    """Reads what GitRepo wrote; what is in `absent` is not there. Counts what was read."""

    def __init__(self, repo: GitRepo) -> None:
        self.repo = repo
        self.absent: set[str] = set()
        self.read: list[str] = []

    def __call__(self, oid: str, limit: int, /) -> tuple[str, bytes]:
        path = self.repo.path / "objects" / oid[:2] / oid[2:]
        if oid in self.absent or not path.exists():
            raise MissingObjectError(oid)
        self.read.append(oid)
        head, _, data = zlib.decompress(path.read_bytes()).partition(b"\0")
        if len(data) > limit:
            raise ObjectTooLargeError(oid, len(data), limit)
        return head.split()[0].decode(), data


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return GitRepo(tmp_path / "repo")


@pytest.fixture
def objects(repo: GitRepo) -> LooseObjects:
    return LooseObjects(repo)


@pytest.fixture
def plant(repo: GitRepo, objects: LooseObjects) -> Plant:
    def make(files: Files, /, **limits: int) -> GitTree:
        commit = repo.commit(files)
        root, _ = parse_commit(objects(commit, 1 << 20)[1])
        return GitTree(objects, root, TreeLimits(**limits))

    return make


def files_of(tree: GitTree, path: str) -> dict[str, bytes]:
    return dict(tree.walk(path, keep))


def test_walks_a_directory_in_the_order_of_whole_paths(plant: Plant) -> None:
    tree = plant({"c/a/x": "1", "c/a-b": "2", "c/a.txt": "3", "c/Z": Executable("4"), "other": "5"})
    assert list(tree.walk("c", keep)) == [("Z", b"4"), ("a-b", b"2"), ("a.txt", b"3"), ("a/x", b"1")]


@pytest.mark.parametrize("path", ["", ".", "/"])
def test_walks_the_whole_repository(plant: Plant, path: str) -> None:
    assert files_of(plant({"a": "1", "b/c": "2"}), path) == {"a": b"1", "b/c": b"2"}


@pytest.mark.parametrize("path", ["c/a", "./c/a", "c//a", "c/./a", "c/x/../a"])
def test_reads_a_path_however_it_is_written(plant: Plant, path: str) -> None:
    tree = plant({"c/a": "1", "c/x/y": "2"})
    assert tree.read(path) == b"1"
    assert tree.kind(path) == "file"


def test_tells_files_directories_and_nothing_apart(plant: Plant) -> None:
    tree = plant({"c/a": "1", "to-file": Link("c/a"), "to-dir": Link("c/")})
    kinds = {path: tree.kind(path) for path in ("c", "c/", "c/a", "to-file", "to-dir", "to-dir/a", "", "no", "c/a/b")}
    assert kinds == {
        "c": "dir",
        "c/": "dir",
        "c/a": "file",
        "to-file": "file",
        "to-dir": "dir",
        "to-dir/a": "file",
        "": "dir",
        "no": None,
        "c/a/b": None,
    }


@pytest.mark.parametrize(("path", "text"), [("no", "no does not exist"), ("c", "c is a directory, not a file")])
def test_a_read_of_something_else_fails(plant: Plant, path: str, text: str) -> None:
    with pytest.raises(SnapshotError, match=text):
        plant({"c/a": "1"}).read(path)


@pytest.mark.parametrize(("path", "text"), [("no", "no does not exist"), ("c/a", "c/a is a file, not a directory")])
def test_a_walk_of_something_else_fails(plant: Plant, path: str, text: str) -> None:
    with pytest.raises(SnapshotError, match=text):
        files_of(plant({"c/a": "1"}), path)


class TestLinks:
    """The shapes that occur in charts, and the ones that must not."""

    def test_to_a_directory_outside_the_chart(self, plant: Plant) -> None:
        tree = plant(
            {
                "charts/terminal/Chart.yaml": "name: terminal",
                "charts/terminal/charts/utils-templates": Link("../../utils-templates"),
                "charts/utils-templates/templates/_a.tpl": "helper",
            }
        )
        assert files_of(tree, "charts/terminal") == {
            "Chart.yaml": b"name: terminal",
            "charts/utils-templates/templates/_a.tpl": b"helper",
        }

    def test_to_a_file_of_the_same_chart(self, plant: Plant) -> None:
        tree = plant({"c/values.yaml": "v", "c/charts/application/values.yaml": Link("../../values.yaml")})
        assert files_of(tree, "c/charts/application") == {"values.yaml": b"v"}

    def test_with_a_slash_at_the_end(self, plant: Plant) -> None:
        tree = plant({"c/charts/aws/templates": Link("../../common/templates/"), "c/common/templates/a.yaml": "a"})
        assert files_of(tree, "c/charts/aws") == {"templates/a.yaml": b"a"}

    def test_in_chains_and_in_the_middle_of_paths(self, plant: Plant) -> None:
        tree = plant(
            {
                "real/deep/file": "f",
                "one": Link("real"),
                "two": Link("./one/../one"),
                "sub/three": Link("../two/deep/./file"),
                "sub/four": Link("three"),
            }
        )
        assert tree.read("sub/four") == b"f"
        assert tree.read("two/deep/file") == b"f"
        assert files_of(tree, "two") == {"deep/file": b"f"}

    def test_dots_count_from_where_a_link_leads(self, plant: Plant) -> None:
        tree = plant({"a/b/file": "right", "file": "wrong", "link": Link("a/b"), "c/up": Link("../link/../b/file")})
        assert tree.read("c/up") == b"right"

    def test_what_is_absent_behind_a_whole_link_is_absent_not_broken(self, plant: Plant) -> None:
        tree = plant(
            {"real/a/Chart.yaml": "1", "charts/x": Link("../real/a"), "up": Link("real"), "f": Link("up/a/Chart.yaml")}
        )
        assert tree.kind("charts/x/Chart.yaml") == "file"
        assert tree.kind("charts/x/.helmignore") is None
        assert tree.kind("up/a/none/deeper") is None
        assert tree.kind("f/below") is None

    def test_the_walked_directory_itself(self, plant: Plant) -> None:
        assert files_of(plant({"real/a": "1", "sub/chart": Link("../real")}), "sub/chart") == {"a": b"1"}

    def test_two_to_the_same_directory(self, plant: Plant) -> None:
        tree = plant({"common/a": "1", "c/x": Link("../common"), "c/y": Link("../common")})
        assert files_of(tree, "c") == {"x/a": b"1", "y/a": b"1"}

    @pytest.mark.parametrize(
        ("files", "text"),
        [
            ({"c/a": Link("/etc/passwd")}, r"link c/a -> /etc/passwd is absolute"),
            ({"c/a": Link("../../x")}, r"link c/a -> ../../x leaves the repository"),
            ({"c/a": Link("../b/../../c"), "b/x": ""}, r"leaves the repository"),
            ({"c/a": Link("gone")}, r"link c/a -> gone points to nothing, and links are followed inside"),
            ({"c/a": Link("b"), "c/b": Link("gone")}, r"link c/a -> b -> gone points to nothing"),
            ({"c/a": Link("a")}, r"loop"),
            ({"c/a": Link("b"), "c/b": Link("a")}, r"loop"),
            ({"c/a": Link("../c")}, r"c/a is a symbolic link to a directory that contains it"),
            ({"c/a": Link(".")}, r"directory that contains it"),
            ({"c/a": Link("..")}, r"directory that contains it"),
            ({"c/d/e/a": Link("../..")}, r"c/d/e/a is a symbolic link to a directory that contains it"),
            ({"c/a": Link("../d"), "d/b": Link("../c")}, r"c/a/b is a symbolic link to a directory that contains it"),
            ({"c/a": Link("file/below"), "c/file": ""}, r"goes on below a file"),
            ({"c/a": Link("file/"), "c/file": ""}, r"goes on below a file"),
            ({"c/a": Link("")}, r"without a usable target"),
            ({"c/a": Link(b"x\0y")}, r"without a usable target"),
            ({"c/a": Link("x" * 5000)}, r"target of 5000 bytes"),
            ({"c/a": Link("mod/file"), "c/mod": Submodule()}, r"c/mod is a submodule"),
            ({"c/mod": Submodule()}, r"c/mod is a submodule"),
        ],
    )
    def test_that_lead_nowhere_fail(self, plant: Plant, files: Files, text: str) -> None:
        with pytest.raises(SnapshotError, match=text) as caught:
            files_of(plant(files), "c")
        assert "\n" not in str(caught.value)

    def test_are_limited_in_number(self, plant: Plant) -> None:
        chain: dict[str | bytes, Content | None] = {f"l{number}": Link(f"l{number + 1}") for number in range(50)}
        tree = plant(chain | {"l50": "end"})
        assert tree.read("l10") == b"end"
        with pytest.raises(SnapshotError, match="loop"):
            tree.read("l9")

    def test_with_control_characters_are_shown_escaped(self, plant: Plant) -> None:
        with pytest.raises(SnapshotError) as caught:
            plant({"a": Link("\x1b[31m\n")}).read("a")
        assert str(caught.value).isprintable()

    def test_a_broken_one_is_no_absence(self, plant: Plant) -> None:
        with pytest.raises(SnapshotError, match="points to nothing"):
            plant({"a": Link("gone")}).kind("a")


NAMES = st.sampled_from(["a", "b", "c"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
TARGETS = st.builds(
    lambda parts, end: "/".join(parts) + end,
    st.lists(st.sampled_from(["a", "b", "c", "..", "."]), min_size=1, max_size=4),
    st.sampled_from(["", "/"]),
)


@given(files=st.dictionaries(PATHS, st.none() | TARGETS, max_size=8))
@settings(max_examples=50, deadline=None)
def test_links_lead_where_the_file_system_has_them_lead(files: dict[str, str | None]) -> None:
    """Every path up to three names deep is the same file, directory or nothing as in a checkout."""
    files = {path: target for path, target in files.items() if not any(path.startswith(f"{one}/") for one in files)}
    with TemporaryDirectory() as name:
        top = Path(name).resolve() / "x/y/z/top"
        for path, target in files.items():
            (top / path).parent.mkdir(parents=True, exist_ok=True)
            if target is None:
                (top / path).write_text(path)
            else:
                (top / path).symlink_to(target)
        repo = GitRepo(Path(name) / "repo")
        objects = LooseObjects(repo)
        commit = repo.commit({path: path if target is None else Link(target) for path, target in files.items()})
        tree = GitTree(objects, parse_commit(objects(commit, 1 << 20)[1])[0])
        for length in (1, 2, 3):
            for parts in product("abc", repeat=length):
                path = "/".join(parts)
                assert tree_says(tree, path) == system_says(top, path), (path, files)


def tree_says(tree: GitTree, path: str) -> str | None:
    try:
        return tree.read(path).decode() if tree.kind(path) == "file" else tree.kind(path)
    except SnapshotError:
        return None


def system_says(top: Path, path: str) -> str | None:
    try:
        found = (top / path).resolve(strict=True)
        (top / path).stat()
    except (OSError, RuntimeError):
        return None
    if not found.is_relative_to(top):
        return None
    return found.read_text() if found.is_file() else "dir"


class TestSkip:
    """What is skipped is neither followed nor read."""

    def test_directories_and_files(self, plant: Plant, objects: LooseObjects) -> None:
        tree = plant({"c/keep": "1", "c/drop": "2", "c/dir/file": "3", "c/dir-file": "4"})
        asked: list[tuple[str, bool]] = []

        def skip(path: str, is_directory: bool) -> bool:
            asked.append((path, is_directory))
            return path in {"drop", "dir"}

        objects.read.clear()
        assert dict(tree.walk("c", skip)) == {"keep": b"1", "dir-file": b"4"}
        assert sorted(asked) == [("dir", True), ("dir-file", False), ("drop", False), ("keep", False)]
        assert len(objects.read) == 4  # two trees, two files

    def test_a_broken_link(self, plant: Plant) -> None:
        tree = plant({"c/keep": "1", "c/broken": Link("gone"), "c/mod": Submodule()})
        assert dict(tree.walk("c", lambda path, _: path in {"broken", "mod"})) == {"keep": b"1"}

    def test_a_link_only_as_what_it_is(self, plant: Plant) -> None:
        tree = plant({"c/dir": Link("../d"), "c/file": Link("../d/f"), "d/f": "1"})
        assert list(tree.walk("c", lambda path, is_directory: path == "dir" and is_directory)) == [("file", b"1")]
        assert list(tree.walk("c", lambda path, is_directory: path == "file" and is_directory)) == [
            ("dir/f", b"1"),
            ("file", b"1"),
        ]


class TestHostileContent:
    """Names and sizes that no honest repository has."""

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            (b"c/..", "forbidden file name: '..'"),
            (b"c/.", "forbidden file name: '.'"),
            (b"c/.git", "forbidden file name: '.git'"),
            (b"c/.GIT/config", "forbidden file name: '.GIT'"),
            (b"c/", "forbidden file name: ''"),
            (b"c/a\\b", "backslash"),
            (b"c/a\nb", "control character"),
            (b"c/a\x1b[31m", "control character"),
            (b"c/a\x7f", "control character"),
            ("c/a\u0085b".encode(), "control character"),
            ("c/a\u2028b".encode(), "control character"),
            (b"c/\xff\xfe", "not UTF-8"),
        ],
    )
    def test_names(self, plant: Plant, name: bytes, text: str) -> None:
        with pytest.raises(SnapshotError, match=f"c has a .*{text}") as caught:
            files_of(plant({name: "x", "c/honest": "y"}), "c")
        assert str(caught.value).isprintable()

    def test_names_elsewhere_do_no_harm(self, plant: Plant) -> None:
        tree = plant({b"a\nb": "x", b"..": "y", "c/honest": "z"})
        assert files_of(tree, "c") == {"honest": b"z"}
        assert tree.find("", "honest") == ["c/honest"]

    def test_an_entry_named_dots_is_never_reached(self, plant: Plant) -> None:
        tree = plant({b"c/..": "evil", "file": "right", "c/link": Link("../file")})
        assert tree.read("c/link") == b"right"

    def test_unknown_modes(self, plant: Plant, repo: GitRepo) -> None:
        with pytest.raises(SnapshotError, match="neither file, directory nor link"):
            files_of(plant({"c/pipe": Raw("010644", repo.write("blob", b""))}), "c")

    @pytest.mark.parametrize(
        "data",
        [
            b"junk",
            b"100644 name",
            b"100644 name\0short",
            b"100999 name\0" + b"x" * 20,
            b" name\0" + b"x" * 20,
            (b"100644 name\0" + b"x" * 20) * 2,
            b"100644name\0" + b"x" * 30,
        ],
    )
    def test_malformed_trees(self, data: bytes) -> None:
        with pytest.raises(SnapshotError, match="malformed"):
            parse_tree(data, 20)

    def test_a_directory_that_is_a_file(self, plant: Plant, repo: GitRepo) -> None:
        with pytest.raises(SnapshotError, match="is a blob where"):
            files_of(plant({"c/d": Raw("40000", repo.write("blob", b""))}), "c")

    def test_large_files(self, plant: Plant) -> None:
        with pytest.raises(SnapshotError, match="c/a has 11 bytes; a file of a chart may have 10 bytes"):
            files_of(plant({"c/a": "x" * 11}, file=10), "c")

    def test_much_content(self, plant: Plant) -> None:
        with pytest.raises(SnapshotError, match="too much for a chart"):
            files_of(plant({f"c/{number}": "x" * 10 for number in range(3)}, walk=25), "c")

    def test_many_files(self, plant: Plant) -> None:
        with pytest.raises(SnapshotError, match="c holds more than 5 files"):
            files_of(plant({f"c/{number}": "" for number in range(6)}, files=5), "c")

    def test_deep_nesting(self, plant: Plant) -> None:
        tree = plant({"c" + "/d" * 100 + "/f": ""})
        with pytest.raises(SnapshotError, match="nested deeper than 64 directories"):
            files_of(tree, "c")
        assert tree.find("c", "f") == []

    def test_links_that_multiply(self, plant: Plant) -> None:
        layers: dict[str | bytes, Content | None] = {
            f"{layer}/{side}": Link(f"../{layer + 1}") for layer in range(30) for side in "lr"
        }
        tree = plant(layers | {"30/file": ""}, steps=20_000)
        with pytest.raises(SnapshotError, match="too many for a chart"):
            files_of(tree, "0")
        assert len(tree.blobs("0")) <= 61
        tree.find("0", "file")


class TestFind:
    """A hint for people: never fails."""

    def test_by_name_below_a_path(self, plant: Plant, objects: LooseObjects) -> None:
        tree = plant(
            {
                "c/Chart.yaml": "",
                "c/charts/runtime/Chart.yaml": "x",
                "c/charts/linked": Link("../../other"),
                "c/charts/broken": Link("gone"),
                "c/charts/mod": Submodule(),
                "c/charts/loop": Link("."),
                "c/Chart.yaml.orig": "",
                "other/Chart.yaml": "y",
                "c/dir/Chart.yaml/file": "",
            }
        )
        objects.read.clear()
        assert tree.find("c", "Chart.yaml") == [
            "c/Chart.yaml",
            "c/charts/linked/Chart.yaml",
            "c/charts/runtime/Chart.yaml",
        ]
        assert len(objects.read) == len(set(objects.read))

    @pytest.mark.parametrize("path", ["no", "file", "broken", "mod"])
    def test_nothing_where_no_directory_is(self, plant: Plant, path: str) -> None:
        assert plant({"file": "", "broken": Link("gone"), "mod": Submodule()}).find(path, "file") == []


class TestBlobs:
    """What must be there before a walk."""

    def test_of_files_and_of_links_once_they_are_there(
        self, plant: Plant, repo: GitRepo, objects: LooseObjects
    ) -> None:
        tree = plant(
            {
                "c/a": "1",
                "c/link": Link("../far"),
                "far": Link("farther"),
                "farther": "2",
                "no": "3",
                "c/m": Submodule(),
            }
        )
        one, two = repo.write("blob", b"1"), repo.write("blob", b"2")
        link, far = repo.write("blob", b"../far"), repo.write("blob", b"farther")
        objects.absent = {one, two, link, far}
        assert tree.blobs("c") == {one, link}
        objects.absent.remove(link)
        assert tree.blobs("c") == {one, far}
        objects.absent.remove(far)
        assert tree.blobs("c") == {one, two}
        with pytest.raises(SnapshotError, match="the content of c/a is not in the repository at hand"):
            dict(tree.walk("c", lambda path, _: path == "m"))

    def test_of_one_file_and_of_nothing(self, plant: Plant, repo: GitRepo) -> None:
        tree = plant({"a": "1", "broken": Link("gone")})
        assert [tree.blobs(path) for path in ("a", "no", "broken")] == [{repo.write("blob", b"1")}, set(), set()]


HEAD = f"object {'a' * 40}\ntype commit\ntag v1\ntagger A <a@b.c> 1 +0000\n\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("One\n\nTwo\n", "One\n\nTwo"),
        ("One\n-----BEGIN PGP SIGNATURE-----\nabc\n-----END PGP SIGNATURE-----\n", "One"),
        ("One\n-----BEGIN SSH SIGNATURE-----\nabc\n-----END SSH SIGNATURE-----\n", "One"),
        ("-----BEGIN PGP SIGNATURE-----\nabc\n-----END PGP SIGNATURE-----\n", ""),
        ("One -----BEGIN PGP SIGNATURE-----\n", "One -----BEGIN PGP SIGNATURE-----"),
        ("caf\u00e9\n", "caf\u00e9"),
        ("", ""),
    ],
)
def test_a_tags_message_comes_without_its_signature(text: str, message: str) -> None:
    assert parse_tag_object((HEAD + text).encode()) == ("a" * 40, message)


@pytest.mark.parametrize(
    ("when", "time"), [("1700000000 +0530", 1_700_000_000), ("-5 +0000", 0), ("99999999999999 -0000", 253_402_300_799)]
)
def test_a_commits_time_is_the_committers(when: str, time: int) -> None:
    data = f"tree {'b' * 64}\nauthor A <> 7 +0000\ncommitter A > B <x> {when}\n\ncommitter X <> 3 +0000\n"
    assert parse_commit(data.encode()) == ("b" * 64, time)


@pytest.mark.parametrize("data", [b"", b"tree abc\n", b"tree " + b"a" * 40 + b"\nauthor A <> 1 +0000\n\nx"])
def test_a_malformed_commit_is_refused(data: bytes) -> None:
    with pytest.raises(SnapshotError):
        parse_commit(data)
