"""What of the environment stays, and what becomes of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chart_releaser.environment import NO_TRACES, PASS_ENV, PASSPHRASE, gpg_environment, sanitize

SECRETS = {"GITHUB_TOKEN": "ghs_1", "GH_TOKEN": "gho_2", PASSPHRASE: "open sesame"}


def test_secrets_are_taken_out_and_handed_over() -> None:
    environ = {"HOME": "/home/me", **SECRETS}
    secrets = sanitize(environ)
    assert environ == {"HOME": "/home/me", "PATH": os.defpath, **dict.fromkeys(NO_TRACES, "0")}
    assert (secrets.token, secrets.passphrase) == ("ghs_1", "open sesame")
    assert set(secrets.all) == set(SECRETS.values())
    assert not any(secret in repr(secrets) for secret in SECRETS.values())


@pytest.mark.parametrize(
    ("environ", "token"),
    [
        ({"GITHUB_TOKEN": " a\n", "GH_TOKEN": "b"}, "a"),
        ({"GITHUB_TOKEN": "", "GH_TOKEN": "b"}, "b"),
        ({"GH_TOKEN": " "}, None),
        ({}, None),
    ],
)
def test_which_token_it_is(environ: dict[str, str], token: str | None) -> None:
    assert sanitize(environ).token == token


@pytest.mark.parametrize(
    "name",
    [
        *(
            "AWS_SECRET_ACCESS_KEY",
            "ACTIONS_RUNTIME_TOKEN",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
            "NPM_TOKEN",
            "INPUT_TOKEN",
        ),
        *(
            "GIT_DIR",
            "GIT_CONFIG",
            "GIT_CONFIG_PARAMETERS",
            "GIT_TRACE",
            "GIT_TRACE2_CONFIG_PARAMS",
            "GIT_CURL_VERBOSE",
        ),
        *("SSLKEYLOGFILE", "BASH_ENV", "ENV", "BASH_FUNC_git%%", "PYTHONPATH", "PYTHONSTARTUP", "MY_HOME"),
    ],
)
def test_what_no_process_needs_goes(name: str) -> None:
    environ = {name: "x"}
    sanitize(environ)
    assert name not in environ


@pytest.mark.parametrize(
    "name",
    [
        *(
            "LANG",
            "LC_ALL",
            "HTTPS_PROXY",
            "no_proxy",
            "SSH_AUTH_SOCK",
            "GIT_SSH_COMMAND",
            "GIT_CONFIG_VALUE_0",
            "GPG_TTY",
        ),
        *("GIT_AUTHOR_NAME", "GIT_SSL_CAINFO", "GITHUB_OUTPUT", "CHART_RELEASER_CACHE", "_CHART_RELEASER_COMPLETE"),
    ],
)
def test_what_is_needed_stays(name: str) -> None:
    environ = {name: "/x"}
    sanitize(environ)
    assert environ[name] == "/x"


def test_more_is_passed_on_request_but_no_secret_and_no_trace() -> None:
    environ = {
        PASS_ENV: "AWS_PROFILE, GITHUB_TOKEN,GIT_TRACE_CURL",
        "AWS_PROFILE": "p",
        "GIT_TRACE_CURL": "/t",
        **SECRETS,
    }
    sanitize(environ)
    assert environ.items() >= {PASS_ENV: environ[PASS_ENV], "AWS_PROFILE": "p", "PATH": os.defpath}.items()
    assert environ.keys() == {PASS_ENV, "AWS_PROFILE", "PATH", *NO_TRACES}
    assert gpg_environment(environ) == {"AWS_PROFILE": "p", "PATH": os.defpath}


def test_gpg_gets_less_than_git() -> None:
    assert gpg_environment({"HOME": "/h", "GIT_CONFIG_VALUE_0": "token", "HTTPS_PROXY": "http://me:pw@x"}) == {
        "HOME": "/h"
    }


@pytest.mark.parametrize(
    ("path", "left"),
    [
        (".:/usr/bin", "/usr/bin"),
        (":/usr/bin", "/usr/bin"),
        ("/usr/bin:", "/usr/bin"),
        ("/a::/b:bin:../c:~/d", "/a:/b"),
        (".", os.defpath),
        ("", os.defpath),
    ],
)
def test_programs_are_looked_for_in_no_relative_directory(path: str, left: str) -> None:
    environ = {"PATH": path, "LD_LIBRARY_PATH": path}
    sanitize(environ)
    assert environ["PATH"] == left
    assert environ.get("LD_LIBRARY_PATH", os.defpath) == left


def test_files_that_the_user_names_stay_what_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"GNUPGHOME": "keys", "SSL_CERT_FILE": "/ca.pem", "HOME": ""}
    sanitize(environ)
    assert {name: value for name, value in environ.items() if name not in NO_TRACES} == {
        "GNUPGHOME": str(tmp_path / "keys"), "SSL_CERT_FILE": "/ca.pem", "HOME": "", "PATH": os.defpath
    }  # fmt: skip
