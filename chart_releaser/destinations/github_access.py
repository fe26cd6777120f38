"""Whether a repository on GitHub can be published to: asked before anything is made there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from chart_releaser.errors import DestinationError, DestinationUnusableError, GitHubError, LostAnswerError
from chart_releaser.git.branch import ProtectedError

if TYPE_CHECKING:
    from chart_releaser.github.api import GitHubApi
    from chart_releaser.location import GitHubRepository

_MAY_PUSH = (
    "query($owner: String!, $name: String!, $ref: String!) { repository(owner: $owner, name: $name) "
    "{ ref(qualifiedName: $ref) { refUpdateRule { viewerCanPush } } } }"
)


@dataclass(frozen=True)
class RepositoryFacts:
    """What GitHub says of a repository: `slug` is its owner and name now, which are others if it has moved."""

    slug: str
    default_branch: str
    private: bool = False


def check_repository(api: GitHubApi, repository: GitHubRepository, *, writes: bool) -> RepositoryFacts:
    """Return the facts of a repository that is there and, with `writes`, takes changes. Raises DestinationError.

    Whether this token may make them is not among the facts: `permissions` are a person's, and all false for the token
    of an app or a workflow, whatever it may do. Branch.check_access asks that.
    """
    slug = repository.slug
    if writes and not api.has_token:
        raise DestinationUnusableError(
            f"publishing to {slug} needs a token that may write its contents", remedy="set GITHUB_TOKEN"
        )
    try:
        _, found = api.get(f"/repos/{slug}")
    except LostAnswerError as error:
        also = f", and check {api_url}" if (api_url := repository.server.unusual_api) else ""
        raise DestinationError(
            f"the destination {slug} can't be reached: {error.what}", remedy=f"{error.advice}{also}"
        ) from error
    except GitHubError as error:
        if error.status == 404:
            also = f"; check {api_url}, too" if (api_url := repository.server.unusual_api) else ""
            raise DestinationUnusableError(
                f"the destination {repository.web_url} was not found",
                remedy=f"create it, correct owner and repo, or give the token access to it{also}",
            ) from error
        raise DestinationUnusableError.of(error, f"the destination {slug} can't be used") from error
    if writes and (found.get("archived") or found.get("disabled")):
        state = "archived" if found.get("archived") else "disabled"
        raise DestinationUnusableError(
            f"the destination {slug} is {state}, nothing can be published to it",
            remedy="enable it again or name another one",
        )
    default_branch = str(found.get("default_branch") or "")
    return RepositoryFacts(str(found.get("full_name") or slug), default_branch, private=bool(found.get("private")))


def check_branch(api: GitHubApi, slug: str, name: str) -> None:
    """Raise DestinationUnusableError for a branch that is protected against this token."""
    found = fetch_branch(api, slug, name)
    if found is not None and found.get("protected") and not _may_push(api, slug, name):
        raise ProtectedError(slug, name)


def fetch_branch(api: GitHubApi, slug: str, name: str) -> Mapping[str, Any] | None:
    """Return what GitHub says of a branch, None if there is none. Raises DestinationError."""
    with convert_errors(slug):
        try:
            found: Mapping[str, Any] = api.get(f"/repos/{slug}/branches/{quote(name, safe='')}")[1]
        except GitHubError as error:
            if error.status == 404:
                return None
            raise
    return found


def _may_push(api: GitHubApi, slug: str, name: str) -> bool:
    """Ask what a branch's protection means for this token; only GraphQL tells: RefUpdateRule.viewerCanPush."""
    owner, _, repository = slug.partition("/")
    variables = {"owner": owner, "name": repository, "ref": f"refs/heads/{name}"}
    try:
        data = api.graphql(_MAY_PUSH, variables)
        return data["repository"]["ref"]["refUpdateRule"]["viewerCanPush"] is True
    except (GitHubError, KeyError, TypeError):
        return False


@contextmanager
def convert_errors(title: str) -> Iterator[None]:
    """Turn what GitHub refuses into errors that name the destination."""
    try:
        yield
    except GitHubError as error:
        if error.status == 401:
            raise DestinationUnusableError.of(error, title) from error
        raise DestinationError.of(error, title) from error
