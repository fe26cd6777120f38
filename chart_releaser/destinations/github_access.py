"""Checks whether a GitHub repository can be published to, before anything is created in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chart_releaser.errors import DestinationError, DestinationUnusableError, GitHubError, LostAnswerError
from chart_releaser.git.branch import ProtectedError
from chart_releaser.location import check_repository_name, path_segment

if TYPE_CHECKING:
    from chart_releaser.github.api import GitHubApi
    from chart_releaser.location import GitHubRepository

_MAY_PUSH = (
    "query($owner: String!, $name: String!, $ref: String!) { repository(owner: $owner, name: $name) "
    "{ ref(qualifiedName: $ref) { refUpdateRule { viewerCanPush } } } }"
)


@dataclass(frozen=True)
class RepositoryFacts:
    """What GitHub reports about a repository. `slug` is its current owner and name, which change when it moves."""

    slug: str
    default_branch: str
    private: bool = False


def fetch_repository_facts(api: GitHubApi, repository: GitHubRepository, *, writes: bool) -> RepositoryFacts:
    """Return the facts of a repository. Raises DestinationError if it is not found or, with `writes`, is read-only.

    The token's own permissions are not checked here, because GitHub reports those of people only: for the token of an
    app or a workflow all `permissions` are false. `Branch.check_access` checks the token.
    """
    slug = repository.slug
    if writes and not api.has_token:
        raise DestinationUnusableError(
            f"publishing to {slug} needs a token that may write its contents", remedy="set GITHUB_TOKEN"
        )
    try:
        _, answer = api.get(f"/repos/{slug}")
    except LostAnswerError as error:
        also = f", and check {api_url}" if (api_url := repository.server.unusual_api) else ""
        raise DestinationError(
            f"the destination {slug} can't be reached: {error.what}", remedy=f"{error.advice}{also}"
        ) from error
    except GitHubError as error:
        if error.status == 404:
            also = f"; also check {api_url}" if (api_url := repository.server.unusual_api) else ""
            raise DestinationUnusableError(
                f"the destination {repository.web_url} was not found",
                remedy=f"create it, correct owner and repo, or give the token access to it{also}",
            ) from error
        raise DestinationUnusableError.of(error, f"the destination {slug} can't be used") from error
    if writes and (answer.get("archived") or answer.get("disabled")):
        state = "archived" if answer.get("archived") else "disabled"
        raise DestinationUnusableError(
            f"the destination {slug} is {state}, nothing can be published to it",
            remedy="enable it again or name another one",
        )
    default_branch = str(answer.get("default_branch") or "")
    current_slug = str(answer.get("full_name") or slug)
    try:
        check_repository_name(*current_slug.split("/", 1))
    except (TypeError, ValueError) as error:
        raise DestinationError(
            f"the destination {slug} has the odd name {current_slug!r} in GitHub's answer"
        ) from error
    return RepositoryFacts(current_slug, default_branch, private=bool(answer.get("private")))


def check_branch_protection(api: GitHubApi, slug: str, name: str) -> None:
    """Raise DestinationUnusableError if the branch `name` is protected against pushes with this token."""
    branch = fetch_branch(api, slug, name)
    if branch is not None and branch.get("protected") and not _may_push(api, slug, name):
        raise ProtectedError(slug, name)


def fetch_branch(api: GitHubApi, slug: str, name: str) -> Mapping[str, Any] | None:
    """Return GitHub's description of a branch, or None if it does not exist. Raises DestinationError."""
    with convert_errors(slug):
        try:
            branch: Mapping[str, Any] = api.get(f"/repos/{slug}/branches/{path_segment(name)}")[1]
        except GitHubError as error:
            if error.status == 404:
                return None
            raise
    return branch


def _may_push(api: GitHubApi, slug: str, name: str) -> bool:
    """Tell whether a protected branch accepts pushes with this token.

    Only GraphQL reports that: https://docs.github.com/graphql/reference/objects#refupdaterule
    """
    owner, _, repository = slug.partition("/")
    variables = {"owner": owner, "name": repository, "ref": f"refs/heads/{name}"}
    try:
        data = api.graphql(_MAY_PUSH, variables)
        return data["repository"]["ref"]["refUpdateRule"]["viewerCanPush"] is True
    except (GitHubError, KeyError, TypeError):
        return False


@contextmanager
def convert_errors(title: str) -> Iterator[None]:
    """Raise DestinationError for a GitHubError in the body, with `title`, the destination, in its message."""
    try:
        yield
    except GitHubError as error:
        if error.status == 401:
            raise DestinationUnusableError.of(error, title) from error
        raise DestinationError.of(error, title) from error
