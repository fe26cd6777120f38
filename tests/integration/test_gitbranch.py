"""The Pages branch: what is on it stays, who commits, what is refused, and what a broken cache is worth."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chart_releaser.errors import DestinationError
from chart_releaser.git.branch import Branch, Head
from chart_releaser.git.run import Login
from tests.hub import Fault, GitDir, Hub, Server, on, running
from tests.publishing import FIRST_INDEX, SLUG, TOKEN, new_hub, quick

BOT = "github-actions[bot] <41898282+github-actions[bot]@users.noreply.github.com>"
PUSHES = on("POST", r"/git-receive-pack$")


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with quick():
        yield


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return new_hub(tmp_path)


@pytest.fixture
def git(hub: Hub) -> GitDir:
    found = hub.at(SLUG).git
    assert found is not None
    return found


@pytest.fixture
def server(hub: Hub) -> Iterator[Server]:
    with running(hub) as server:
        yield server


@pytest.fixture
def branch(server: Server, tmp_path: Path) -> Callable[..., Branch]:
    def make(name: str = "gh-pages", cache: str = "cache") -> Branch:
        login = Login(server.url, TOKEN)
        url = f"{server.url}/{SLUG}.git"
        return Branch(url, name, cache=tmp_path / cache, login=login, on_wait=lambda _message: None)

    return make


def who(git: GitDir, revision: str = "refs/heads/gh-pages") -> list[str]:
    """Author, committer and message of a commit."""
    return git.git("show", "-s", "--format=%an <%ae>%n%cn <%ce>%n%B", revision).decode().strip().splitlines()


def test_whatever_else_is_on_the_branch_stays(git: GitDir, branch: Callable[..., Branch]) -> None:
    blob = git.git("hash-object", "-w", "--stdin", stdin=b"index.yaml").decode().strip()
    inner = git.git("mktree", stdin=f"100644 blob {blob}\tpage.html\n".encode()).decode().strip()
    entries = [
        f"100644 blob {blob}\t.nojekyll",
        f"100755 blob {blob}\tbuild.sh",
        f"120000 blob {blob}\tlatest.yaml",
        f"160000 commit {'1' * 40}\ttheme",
        f"040000 tree {inner}\tdocs",
        f"100755 blob {blob}\tindex.yaml",
        f"100644 blob {blob}\tÄ b\n.txt",
    ]
    tree = git.git("mktree", "-z", "--missing", stdin="".join(f"{entry}\0" for entry in entries).encode())
    commit = git.git(
        "-c", "user.name=A", "-c", "user.email=a@example.org", "commit-tree", tree.decode().strip(), "-m", "All sorts"
    )
    git.set_ref("refs/heads/gh-pages", commit.decode().strip())
    head = branch().read(["index.yaml"])
    assert head == Head(commit.decode().strip(), {"index.yaml": b"index.yaml"})
    assert branch().push(head, {"index.yaml": b"new\n", "index.html": b"page\n"}, "Publish")
    listed = git.git("ls-tree", "-z", "refs/heads/gh-pages").decode().split("\0")
    kept = {line.replace("\t", " ").replace(" ", "\t", 0) for line in listed}
    for entry in entries:
        if "index.yaml" not in entry:
            assert entry.replace("\t", " ") in kept
    assert git.read("refs/heads/gh-pages", "index.yaml") == b"new\n"
    assert any(re.fullmatch("100755 blob [0-9a-f]{40} index.yaml", line) for line in kept), "its mode stays, too"
    assert git.resolve("refs/heads/gh-pages^") == commit.decode().strip(), "the history stays"


def test_the_bot_commits_unless_git_knows_somebody(
    git: GitDir, branch: Callable[..., Branch], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def push() -> list[str]:
        it = branch()
        assert it.push(it.read([]), {"a": os.urandom(4)}, "Publish alpha 1.0.0")
        return who(git)

    assert push() == [BOT, BOT, "Publish alpha 1.0.0"]
    monkeypatch.setenv("GIT_AUTHOR_NAME", "An Author")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "author@example.org")
    assert push()[:2] == ["An Author <author@example.org>", BOT]
    (tmp_path / "gitconfig").write_text(
        "[user]\nname = Me\nemail = me@example.org\n"
        "[commit]\ngpgSign = true\n[push]\ngpgSign = true\nfollowTags = true\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    assert push()[:2] == ["An Author <author@example.org>", "Me <me@example.org>"]


@pytest.mark.parametrize("name", ["new", "pages/live", "Ä", "main"])
def test_branches_of_any_name(git: GitDir, branch: Callable[..., Branch], name: str) -> None:
    it = branch(name)
    head = it.read(["index.yaml"])
    assert (head.commit is None) == (name != "main")
    assert it.push(head, {"index.yaml": b"first\n"}, "Begin")
    assert it.read(["index.yaml", "other"]).files == {"index.yaml": b"first\n", "other": None}
    assert branch(name, "another").read(["index.yaml"]).files == {"index.yaml": b"first\n"}


def test_a_large_index(git: GitDir, branch: Callable[..., Branch]) -> None:
    text = b"# a comment\n" * 1_500_000
    git.commit("gh-pages", {"index.yaml": text})
    assert branch().read(["index.yaml"]).files["index.yaml"] == text


@pytest.mark.parametrize("mode", ["120000 blob", "040000 tree", "160000 commit"])
def test_an_index_that_is_no_file(git: GitDir, branch: Callable[..., Branch], mode: str) -> None:
    blob = git.git("hash-object", "-w", "--stdin", stdin=b"x").decode().strip()
    inner = git.git("mktree", stdin=f"100644 blob {blob}\tx\n".encode()).decode().strip()
    oids = {"040000 tree": inner, "160000 commit": "1" * 40}
    tree = git.git("mktree", "--missing", stdin=f"{mode} {oids.get(mode, blob)}\tindex.yaml\n".encode())
    command = ["-c", "user.name=A", "-c", "user.email=a@example.org", "commit-tree", tree.decode().strip(), "-m", "x"]
    git.set_ref("refs/heads/gh-pages", git.git(*command).decode().strip())
    with pytest.raises(DestinationError, match=r"index\.yaml on the branch gh-pages of .* is a directory or a link"):
        branch().read(["index.yaml"])


def test_a_branch_that_moved_is_not_overwritten(git: GitDir, branch: Callable[..., Branch]) -> None:
    it = branch()
    head = it.read([])
    theirs = git.commit("gh-pages", {"theirs": b""})
    assert not it.push(head, {"a": b"mine"}, "Mine")
    assert git.resolve("refs/heads/gh-pages") == theirs
    assert it.push(it.read([]), {"a": b"mine"}, "Mine")
    assert git.files("refs/heads/gh-pages") == ["CNAME", "a", "index.yaml", "theirs"]


def test_a_branch_that_was_made_meanwhile(git: GitDir, branch: Callable[..., Branch]) -> None:
    it = branch("new")
    head = it.read([])
    git.commit("new", {"theirs": b""})
    assert not it.push(head, {"a": b"mine"}, "Mine")


@pytest.mark.parametrize("kind", ["drop-after", "truncate"])
def test_a_push_whose_answer_is_lost_is_not_done_twice(
    hub: Hub, git: GitDir, branch: Callable[..., Branch], kind: str
) -> None:
    it = branch()
    hub.add_fault(Fault(PUSHES, kind))  # type: ignore[arg-type]
    # Git's own second attempt may be told that the branch is elsewhere: at this very commit. Reading anew shows it.
    assert it.push(it.read([]), {"a": b"mine"}, "Mine") or it.read(["a"]).files == {"a": b"mine"}
    assert len(git.history("refs/heads/gh-pages")) == 2


@pytest.mark.parametrize(
    "damage", ["objects/pack", "objects", "config", "HEAD", "shallow", "refs/published/head", "everything"]
)
def test_a_damaged_cache_is_made_anew(branch: Callable[..., Branch], tmp_path: Path, damage: str) -> None:
    branch().read(["index.yaml"])
    [directory] = (tmp_path / "cache" / "branch").glob("*.git")
    files = [path for path in directory.rglob("*") if path.is_file()]
    for path in files:
        if damage == "everything" or str(path.relative_to(directory)).startswith(damage):
            path.chmod(0o600)
            path.write_bytes(b"garbage")
    (directory / "index.lock").touch()
    (directory / "shallow.lock").touch()
    assert branch().read(["index.yaml"]).files == {"index.yaml": FIRST_INDEX}


@pytest.mark.parametrize("damage", ["flipped", "gone"])
def test_a_cache_that_got_damaged_is_made_anew_for_the_push(
    git: GitDir, branch: Callable[..., Branch], tmp_path: Path, damage: str
) -> None:
    it = branch()
    head = it.read(["index.yaml"])
    for path in (tmp_path / "cache").rglob("*.pack" if damage == "flipped" else "*.idx"):
        if damage == "gone":
            path.unlink()
            continue
        path.chmod(0o600)
        data = bytearray(path.read_bytes())
        for at in range(12, len(data), 8):
            data[at] ^= 4
        path.write_bytes(data)
    assert it.push(head, {"index.yaml": b"new\n"}, "Publish")
    assert git.read("refs/heads/gh-pages", "index.yaml") == b"new\n"


@pytest.mark.parametrize("what", ["a link", "a file"])
def test_what_is_in_the_place_of_the_cache_makes_way(branch: Callable[..., Branch], tmp_path: Path, what: str) -> None:
    branch().read([])
    [directory] = (tmp_path / "cache" / "branch").glob("*.git")
    shutil.rmtree(directory)
    others = tmp_path / "others"
    (others / "objects").mkdir(parents=True)
    for name in ("config", "index.lock", "objects/tmp_obj_a"):
        (others / name).write_text("somebody else's")
    directory.symlink_to(others) if what == "a link" else directory.write_text("a file")
    assert branch().read(["index.yaml"]).files == {"index.yaml": FIRST_INDEX}
    assert {path.name: path.read_text() for path in others.rglob("*") if path.is_file()} == dict.fromkeys(
        ("config", "index.lock", "tmp_obj_a"), "somebody else's"
    )


def test_the_cache_does_not_grow_for_ever(git: GitDir, branch: Callable[..., Branch], tmp_path: Path) -> None:
    it = branch()
    it.read([])
    [directory] = (tmp_path / "cache" / "branch").glob("*.git")
    for number in range(101):
        (directory / f"objects/pack/pack-{number}.pack").touch()
    it.read([])
    assert len(list((directory / "objects/pack").glob("*.pack"))) <= 1


def test_tags(git: GitDir, branch: Callable[..., Branch]) -> None:
    commit = git.resolve("refs/heads/main")
    assert commit is not None
    for name in ("a-1.0.0+b", "a-1.0.0", "x/a-1.0.1"):
        git.set_ref(f"refs/tags/{name}", commit)
    names = ["a-1.0.0", "a-1.0.0+b", "a-1.0.1", *(f"much-longer-name-{n}-1.0.0" for n in range(2000))]
    assert branch().tags(names) == {"a-1.0.0", "a-1.0.0+b"}


def test_a_cache_that_can_not_be_written(branch: Callable[..., Branch], tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(DestinationError, match="choose another place with --cache-dir"):
        branch().read([])
