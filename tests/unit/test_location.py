"""What `repo:` may name, and what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from chart_releaser.errors import UsageError
from chart_releaser.location import (
    GitHubRepository,
    GitRepository,
    LocalRepository,
    Server,
    check_repository_name,
    is_loopback,
    parse_location,
    path_segment,
    same_origin,
)

BASE = Path("/srv/config")
PUBLIC = Server()
PRIVATE = Server("https://ghe.example.com", "https://ghe.example.com/api/v3")
LOOPBACK = Server("http://127.0.0.1:8080", "http://127.0.0.1:8080/api")


@pytest.mark.parametrize(
    ("repo", "server", "expected"),
    [
        ("gardener/gardener", PUBLIC, GitHubRepository(PUBLIC, "gardener", "gardener")),
        ("gardener/gardener.git", PUBLIC, GitHubRepository(PUBLIC, "gardener", "gardener")),
        ("gardener/gardener/", PUBLIC, GitHubRepository(PUBLIC, "gardener", "gardener")),
        ("octo_corp/.github", PUBLIC, GitHubRepository(PUBLIC, "octo_corp", ".github")),
        ("a/b", PRIVATE, GitHubRepository(PRIVATE, "a", "b")),
        ("https://github.com/a/b", PRIVATE, GitHubRepository(PUBLIC, "a", "b")),
        ("https://GitHub.com:443/a/b.git/", PRIVATE, GitHubRepository(PUBLIC, "a", "b")),
        ("https://www.github.com/a/b", PRIVATE, GitHubRepository(PUBLIC, "a", "b")),
        ("https://ghe.example.com/a/b", PRIVATE, GitHubRepository(PRIVATE, "a", "b")),
        ("http://127.0.0.1:8080/a/b", LOOPBACK, GitHubRepository(LOOPBACK, "a", "b")),
        ("http://127.0.0.1:8081/a/b", LOOPBACK, GitRepository("http://127.0.0.1:8081/a/b")),
        ("http://localhost/x.git", PUBLIC, GitRepository("http://localhost/x.git")),
        ("http://[::1]:99/x.git/", PUBLIC, GitRepository("http://[::1]:99/x.git")),
        ("https://ghe.example.com/a/b", PUBLIC, GitRepository("https://ghe.example.com/a/b")),
        ("https://gitlab.com/g/sub/p.git", PUBLIC, GitRepository("https://gitlab.com/g/sub/p.git")),
        ("ssh://git@example.com:2222/x.git", PUBLIC, GitRepository("ssh://git@example.com:2222/x.git")),
        ("git@github.com:a/b.git", PUBLIC, GitRepository("git@github.com:a/b.git")),
        ("host:path", PUBLIC, GitRepository("host:path")),
        ("git@[::1]:path", PUBLIC, GitRepository("git@[::1]:path")),
        ("./a/b", PUBLIC, LocalRepository(BASE / "a/b")),
        ("./with:colon", PUBLIC, LocalRepository(BASE / "with:colon")),
        ("../a", PUBLIC, LocalRepository(BASE / "../a")),
        (".", PUBLIC, LocalRepository(BASE)),
        ("/a/b", PUBLIC, LocalRepository(Path("/a/b"))),
        ("word", PUBLIC, LocalRepository(BASE / "word")),
        ("a/b/c", PUBLIC, LocalRepository(BASE / "a/b/c")),
        ("my repos/b", PUBLIC, LocalRepository(BASE / "my repos/b")),
        ("a/..", PUBLIC, LocalRepository(BASE / "a/..")),
        ("file:///a/b%20c", PUBLIC, LocalRepository(Path("/a/b c"))),
        ("file://localhost/a", PUBLIC, LocalRepository(Path("/a"))),
    ],
)
def test_locate(repo: str, server: Server, expected: object) -> None:
    assert parse_location(repo, base=BASE, server=server) == expected


def test_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert parse_location("~/repo", base=BASE, server=PUBLIC) == LocalRepository(Path("/home/someone/repo"))
    with pytest.raises(ValueError, match="home"):
        parse_location("~no-such-user-here/repo", base=BASE, server=PUBLIC)


@pytest.mark.parametrize(
    ("repo", "what"),
    [
        ("", "empty"),
        (" a/b", "space"),
        ("a/b\n", "control"),
        ("a\x00b", "control"),
        ("--upload-pack=x", "option"),
        ("-a/b", "option"),
        ("ext::sh -c id", "remote helper"),
        ("fd::17", "remote helper"),
        ("git://example.com/x", "git:// is not supported"),
        ("ftp://example.com/x", "ftp:// is not supported"),
        ("git+https://example.com/x", "is not supported"),
        ("http://example.com/x.git", "write https://"),
        ("http://github.com/a/b", "write https://"),
        ("http://ghe.example.com/a/b", "write https://"),
        ("https://github.com/a", "does not name a repository"),
        ("https://github.com/a/b/tree/main", "does not name a repository"),
        ("https://github.com/a/b?x=1", "can't have a ? or #"),
        ("https://github.com/-a/b", "GitHub owner"),
        ("https://github.com/a/b%00", "GitHub repository"),
        ("https://example.com", "names a server but no repository"),
        ("https:///x", "host"),
        ("https://-example.com/x", "host"),
        ("https://exa mple.com/x", "host"),
        ("https://example.com:99999/x", "malformed URL"),
        ("https://[::1/x", "malformed URL"),
        ("ssh://-oProxyCommand=id/x", "host"),
        ("ssh://-o@example.com/x", "host"),
        ("ssh://example.com/-x", "does not name a repository"),
        ("ssh://example.com/", "does not name a repository"),
        ("git@-host:x", "not an ssh address"),
        ("-oProxyCommand=id:x", "option"),
        ("@host:x", "not an ssh address"),
        ("git@host:", "not an ssh address"),
        ("git@host:-x", "not an ssh address"),
        ("a b@host:x", "space in its host"),
        ("file://example.com/x", "file URL"),
        ("file://relative", "file URL"),
        ("file:///a%00b", "file URL"),
    ],
)
def test_what_is_refused(repo: str, what: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse_location(repo, base=BASE, server=PRIVATE)
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "repo",
    ["https://someone:s3cret@github.com/a/b", "https://s3cret@example.com/a/b", "ssh://git:s3cret@example.com/x"],
)
def test_credentials_are_refused_and_not_repeated(repo: str) -> None:
    with pytest.raises(ValueError, match="GITHUB_TOKEN") as caught:
        parse_location(repo, base=BASE, server=PUBLIC)
    assert "s3cret" not in str(caught.value)


def test_addresses_of_a_repository() -> None:
    repository = GitHubRepository(PRIVATE, "a", "b")
    assert repository.slug == str(repository) == "a/b"
    assert repository.web_url == "https://ghe.example.com/a/b"
    assert repository.clone_url == "https://ghe.example.com/a/b.git"
    assert str(GitRepository("git@x:y")) == "git@x:y"
    assert str(LocalRepository(Path("/x"))) == "/x"


@pytest.mark.parametrize(
    ("environ", "url", "api"),
    [
        ({}, "https://github.com", "https://api.github.com"),
        ({"GITHUB_SERVER_URL": "", "GITHUB_API_URL": ""}, "https://github.com", "https://api.github.com"),
        ({"GITHUB_SERVER_URL": "https://github.com/"}, "https://github.com", "https://api.github.com"),
        ({"GITHUB_SERVER_URL": "https://ghe.x/"}, "https://ghe.x", "https://ghe.x/api/v3"),
        ({"GITHUB_SERVER_URL": "https://octo.ghe.com"}, "https://octo.ghe.com", "https://api.octo.ghe.com"),
        ({"GITHUB_SERVER_URL": "http://h:1", "GITHUB_API_URL": "http://h:2/api/"}, "http://h:1", "http://h:2/api"),
        ({"GITHUB_API_URL": "http://127.0.0.1:1"}, "https://github.com", "http://127.0.0.1:1"),
    ],
)
def test_server_from_environ(environ: dict[str, str], url: str, api: str) -> None:
    assert Server.from_environ(environ) == Server(url, api)


@pytest.mark.parametrize(
    "url", ["github.com", "ftp://x", "https://", "https://x:99999", "https://u:p@x", "https://x?y", "https://a b", "-x"]
)
@pytest.mark.parametrize("key", ["GITHUB_SERVER_URL", "GITHUB_API_URL"])
def test_an_unusable_server(key: str, url: str) -> None:
    with pytest.raises(UsageError, match=key) as caught:
        Server.from_environ({key: url})
    assert "u:p" not in str(caught.value)


def test_a_token_goes_to_its_server_alone() -> None:
    assert PUBLIC.owns("https://github.com/a/b.git")
    assert PUBLIC.owns("https://api.github.com:443/repos")
    assert LOOPBACK.owns("http://127.0.0.1:8080/x")
    for other in (
        "http://github.com/x",
        "https://github.com.evil.example/x",
        "https://github.com:8443/",
        "x",
        "https://[::1",
    ):
        assert not PUBLIC.owns(other)
    assert PRIVATE.host == "ghe.example.com"


@pytest.mark.parametrize(
    ("url", "server", "expected"),
    [
        ("https://uploads.github.com/repos/o/r/releases/1/assets", "https://github.com", True),
        ("https://uploads.acme.ghe.com/repos/o/r/releases/1/assets", "https://acme.ghe.com", True),
        ("https://git.acme.org/api/uploads/repos/o/r", "https://git.acme.org", True),
        ("http://127.0.0.1:8080/api/uploads/repos/o/r", "http://127.0.0.1:8080", True),
        ("http://127.0.0.1:8081/api/uploads/repos/o/r", "http://127.0.0.1:8080", True),
        ("http://uploads.github.com/repos/o/r/releases/1/assets", "https://github.com", False),
        ("https://uploads.github.com.evil.org/repos/o/r", "https://github.com", False),
        ("https://uploads.git.acme.org/repos/o/r", "https://git.acme.org", False),
        ("https://git.acme.org:8443/api/uploads/repos/o/r", "https://git.acme.org", False),
    ],
)
def test_the_token_goes_with_uploads_to_its_own_server_only(url: str, server: str, expected: bool) -> None:
    assert Server.from_environ({"GITHUB_SERVER_URL": server}).takes_uploads(url) is expected


@pytest.mark.parametrize(
    ("url", "other", "expected"),
    [
        ("https://a.example/x", "https://A.example:443/y", True),
        ("https://user@a.example/x", "https://a.example./y", True),
        ("https://a.example/x", "http://a.example/x", False),
        ("https://a.example/x", "https://a.example:8443/x", False),
        ("https://a.example@evil.example/x", "https://a.example/x", False),
        ("git@a.example:x", "https://a.example/x", False),
        ("https://[::1", "https://[::1", False),
    ],
)
def test_same_origin(url: str, other: str, expected: bool) -> None:
    assert same_origin(url, other) is expected
    assert same_origin(other, url) is expected


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "x.localhost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["example.com", "127.0.0.1.example.com", "10.0.0.1", "", "localhost.example.com"])
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("owner", "name"), [("", "x"), ("a b", "x"), ("a" * 40, "x"), ("a", ""), ("a", ".."), ("a", "x.git")]
)
def test_names_that_github_refuses(owner: str, name: str) -> None:
    with pytest.raises(ValueError, match="GitHub"):
        check_repository_name(owner, name)


@pytest.mark.parametrize(
    ("text", "quoted"),
    [("v1.2.3", "v1.2.3"), ("etcd/v1", "etcd%2Fv1"), ("../../6.3.0", "..%2F..%2F6.3.0"), ("1+b?#%", "1%2Bb%3F%23%25")],
)
def test_a_segment_stays_one_whatever_is_in_it(text: str, quoted: str) -> None:
    assert path_segment(text) == quoted


@pytest.mark.parametrize("text", ["", ".", ".."])
def test_what_would_be_resolved_is_no_segment(text: str) -> None:
    with pytest.raises(ValueError, match="part of an address"):
        path_segment(text)
