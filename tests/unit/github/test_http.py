"""What errors of GitHub's API become."""

from __future__ import annotations

import pytest
from github import GithubException

from chart_releaser.errors import GitHubError, LostAnswerError
from chart_releaser.github.http import convert_api_errors
from chart_releaser.location import Server


@pytest.mark.parametrize(
    ("headers", "message", "advice"),
    [
        (
            {"x-github-sso": "required; url=https://github.com/orgs/o/sso?x=1"},
            "Forbidden",
            " at https://github.com/orgs/o/sso?x=1",
        ),
        ({"X-GitHub-SSO": "required; url=https://evil.example/sso"}, "Forbidden", " in the settings of its owner"),
        ({}, "Resource protected by organization SAML enforcement.", " in the settings of its owner"),
    ],
)
def test_a_token_without_single_sign_on_is_for_a_person_to_authorise(
    headers: dict[str, str], message: str, advice: str
) -> None:
    with pytest.raises(GitHubError) as caught, convert_api_errors(Server()):
        raise GithubException(403, {"message": message}, headers)
    assert caught.value.advice == f"authorise the token for the organisation's single sign-on{advice}"


def test_another_refusal_is_left_as_it_is() -> None:
    with pytest.raises(GitHubError) as caught, convert_api_errors(Server()):
        raise GithubException(403, {"message": "Must have admin rights"}, {})
    assert (caught.value.remedy, caught.value.advice) == ("", "try again later")


def test_a_servers_error_is_no_answer() -> None:
    with pytest.raises(LostAnswerError), convert_api_errors(Server()):
        raise GithubException(502, {"message": "Bad gateway"}, {})
