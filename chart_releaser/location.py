"""Parse the `repo:` of a source: a repository on the GitHub server, a git URL, or a local path."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urlsplit

from chart_releaser.errors import UsageError

_DEFAULT_PORTS = {"http": 80, "https": 443, "ssh": 22}
# GitHub's rules for names. Names of managed users contain an underscore, and some old ones end in a hyphen.
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,38}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}", re.ASCII)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.-]*::")
_SCP = re.compile(r"(?:(?P<user>[^@/:]*)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^@/:\[\]]+):(?P<path>.*)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True)
class Server:
    """A GitHub server: `url` for people and git, `api_url` for its REST API; neither ends in a slash."""

    url: str = "https://github.com"
    api_url: str = "https://api.github.com"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Server:
        """Return the server of GITHUB_SERVER_URL and GITHUB_API_URL, by default github.com. Raises UsageError."""
        url = _server_url(environ, "GITHUB_SERVER_URL") or cls.url
        return cls(url, _server_url(environ, "GITHUB_API_URL") or _api_of(url))

    @property
    def unusual_api(self) -> str:
        """A hint for messages if the API is not at the address that GitHub's conventions give, else ""."""
        return "" if self.api_url == _api_of(self.url) else f"GITHUB_API_URL, which is {self.api_url}"

    @property
    def host(self) -> str:
        """The server's host name, without a port."""
        return urlsplit(self.url).hostname or ""

    def owns(self, url: str) -> bool:
        """Whether `url` has the scheme, host and port of this server or its API. The token goes nowhere else."""
        return same_origin(url, self.url) or same_origin(url, self.api_url)

    def takes_uploads(self, url: str) -> bool:
        """Whether `url` is on this server or, if the API is at api.X, on uploads.X, as on github.com.

        On loopback, where servers are reached through forwarded ports, uploads may use another port.
        """
        scheme, _, rest = self.api_url.partition("://api.")
        if self.owns(url) or (bool(rest) and same_origin(url, f"{scheme}://uploads.{rest}")):
            return True
        return is_loopback(urlsplit(self.api_url).hostname or "") and is_loopback(urlsplit(url).hostname or "")


@dataclass(frozen=True)
class GitHubRepository:
    """A repository on a GitHub server."""

    server: Server
    owner: str
    name: str
    follows_tags: bool = False
    """Whether its tags are its releases, as in a plain git repository."""

    @property
    def slug(self) -> str:
        """`owner/name`."""
        return f"{self.owner}/{self.name}"

    @property
    def web_url(self) -> str:
        """The repository's page."""
        return f"{self.server.url}/{self.slug}"

    @property
    def clone_url(self) -> str:
        """The address that git fetches from."""
        return f"{self.web_url}.git"

    def __str__(self) -> str:
        return self.slug


@dataclass(frozen=True)
class GitRepository:
    """A repository at a git URL, without releases or an API."""

    url: str

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True)
class LocalRepository:
    """A git repository in a local directory."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


Location = GitHubRepository | GitRepository | LocalRepository

_ALLOWED = "write owner/name, an https or ssh URL, or a path that begins with ./"


def is_loopback(host: str) -> bool:
    """Whether `host` is a loopback name or address. Names are not resolved."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def same_origin(url: str, other: str) -> bool:
    """Whether two URLs have the same scheme, host and port. False if one of them is malformed."""
    try:
        return _origin(urlsplit(url)) == _origin(urlsplit(other))
    except ValueError:
        return False


def path_segment(text: str) -> str:
    """Return `text` quoted as one segment of a URL's path, whatever characters it has.

    Raises ValueError for what clients and servers resolve instead: https://www.rfc-editor.org/rfc/rfc3986#section-5.2.4
    """
    if text in {"", ".", ".."}:
        raise ValueError(f"{text!r} can't be a part of an address")
    return quote(text, safe="")


def check_repository_name(owner: str, name: str) -> None:
    """Raise ValueError if GitHub would not accept `owner` or `name`."""
    if not _OWNER.fullmatch(owner):
        raise ValueError(f"{owner!r} is not a valid GitHub owner: letters, digits and hyphens, at most 39")
    if not _NAME.fullmatch(name) or name in {".", ".."} or name.endswith(".git"):
        raise ValueError(f"{name!r} is not a valid GitHub repository name: letters, digits and . _ -, at most 100")


def parse_location(repo: str, *, base: Path, server: Server) -> Location:
    """Return the repository that `repo` names. Local paths are relative to `base`.

    `owner/name` is on `server`; https://github.com/owner/name is on github.com whatever `server` is. Raises ValueError,
    with the reason, if `repo` can't be used.
    """
    if not repo:
        raise ValueError(f"it is empty; {_ALLOWED}")
    if _CONTROL.search(repo) or repo != repo.strip():
        raise ValueError("it has a control character, or a space at its beginning or end")
    if repo.startswith("-"):
        raise ValueError(f"{repo!r} would be taken for an option; {_ALLOWED}")
    if _HELPER.match(repo):
        raise ValueError(f"{repo!r} names a git remote helper, which is never run; {_ALLOWED}")
    if scheme := _SCHEME.match(repo):
        return _from_url(repo, scheme[1].lower(), server)
    if repo.startswith(("/", "./", "../", "~")) or repo in {".", ".."}:
        return LocalRepository(_local(repo, base))
    if (scp := _SCP.fullmatch(repo)) is not None:
        return _from_scp(repo, scp)
    owner, slash, name = repo.rstrip("/").partition("/")
    name = name.removesuffix(".git")
    if slash and _OWNER.fullmatch(owner) and _NAME.fullmatch(name) and name not in {".", ".."}:
        return GitHubRepository(server, owner, name)
    return LocalRepository(_local(repo, base))


def _local(path: str, base: Path) -> Path:
    try:
        return (base / Path(path).expanduser()).absolute()
    except RuntimeError:
        raise ValueError(f"{path!r}: there is no such home directory") from None


def _from_scp(repo: str, parts: re.Match[str]) -> GitRepository:
    user, host, path = parts.group("user", "host", "path")
    if user == "" or (user or "").startswith("-") or host.startswith("-") or not path or path.startswith("-"):
        raise ValueError(f"{repo!r} is not an ssh address; write user@host:path/to/repository.git")
    if re.search(r"\s", host + (user or "")):
        raise ValueError(f"{repo!r} has a space in its host; {_ALLOWED}")
    return GitRepository(repo.rstrip("/"))


def _from_url(repo: str, scheme: str, server: Server) -> Location:
    try:
        url = urlsplit(repo)
        host, port = url.hostname or "", url.port
    except ValueError:  # not chained: its text may contain part of a password
        raise ValueError("it is a malformed URL: its host or port can't be read") from None
    if scheme == "file":
        return _from_file_url(url)
    if scheme not in {"https", "http", "ssh"}:
        raise ValueError(f"{scheme}:// is not supported, only https, ssh and local paths are; {_ALLOWED}")
    # The message must not repeat the address, which contains a secret.
    if url.password is not None or (scheme != "ssh" and url.username is not None):
        raise ValueError(
            "credentials in an address end up in logs; take them out, and set GITHUB_TOKEN or use a credential helper"
        )
    if not host or host.startswith("-") or (url.username or "").startswith("-") or re.search(r"[\s\\%]", url.netloc):
        raise ValueError(f"{repo!r} has no usable host; {_ALLOWED}")
    if url.query or url.fragment or "?" in repo or "#" in repo:
        raise ValueError("the address of a repository can't have a ? or #; remove it and what follows")
    if port == 0:
        raise ValueError(f"{repo!r} has no usable port")
    if scheme == "ssh":
        if not url.path.strip("/") or url.path.startswith("/-"):
            raise ValueError(f"{repo!r} does not name a repository; write ssh://user@host/path/to/repository.git")
        return GitRepository(repo.rstrip("/"))
    for candidate in (server, Server()):
        prefix = urlsplit(candidate.url).path
        if same_origin(repo, candidate.url) and url.path.startswith(f"{prefix}/"):
            return _from_path(repo, url.path.removeprefix(prefix), candidate)
    if scheme == "https" and host == "www.github.com":
        return _from_path(repo, url.path, server if server.host == "github.com" else Server())
    if scheme == "http" and not is_loopback(host):
        raise ValueError(
            f"{repo!r}: http is only allowed for this machine and for the GitHub server itself; write https://"
        )
    if not url.path.strip("/"):
        raise ValueError(f"{repo!r} names a server but no repository")
    return GitRepository(repo.rstrip("/"))


def _from_path(repo: str, path: str, server: Server) -> GitHubRepository:
    parts = path.strip("/").split("/")
    if len(parts) != 2:
        raise ValueError(f"{repo!r} does not name a repository; write {server.url}/owner/name")
    owner, name = parts[0], parts[1].removesuffix(".git")
    check_repository_name(owner, name)
    return GitHubRepository(server, owner, name)


def _from_file_url(url: SplitResult) -> LocalRepository:
    path = unquote(url.path)
    if url.netloc not in {"", "localhost"} or not path.startswith("/"):
        raise ValueError("a file URL names an absolute path on this machine, such as file:///srv/repository")
    if url.query or url.fragment or _CONTROL.search(path):
        raise ValueError("a file URL has no ?, # or control characters")
    return LocalRepository(Path(path))


def _origin(url: SplitResult) -> tuple[str, str, int | None]:
    host = (url.hostname or "").rstrip(".")
    return url.scheme.lower(), host, url.port or _DEFAULT_PORTS.get(url.scheme.lower())


def _server_url(environ: Mapping[str, str], key: str) -> str | None:
    """Return the URL in the environment variable `key`, or None if it is unset or empty. Raises UsageError."""
    text = environ.get(key, "").strip().rstrip("/")
    if not text:
        return None
    try:
        url = urlsplit(text)
        usable = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        usable = False
    if not usable or url.query or url.fragment or _CONTROL.search(text) or " " in text:
        raise UsageError(
            f"{key} is not an http or https address", remedy="set it to one such as https://github.com, or unset it"
        )
    if url.username is not None or url.password is not None:
        raise UsageError(f"{key} holds credentials", remedy="take them out and set GITHUB_TOKEN")
    return text


def _api_of(url: str) -> str:
    """Return the API address of the server at `url` by GitHub's conventions."""
    host = urlsplit(url).hostname or ""
    if host == "github.com":
        return Server.api_url
    if host.endswith(".ghe.com"):
        return f"https://api.{host}"
    return f"{url}/api/v3"
