"""Environment variables for this process and its children: only what they need, no secrets, no relative paths.

Libraries start processes with all of `os.environ`, so this process's own environment has to be reduced.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path

PASSPHRASE = "CHART_RELEASER_GPG_PASSPHRASE"  # noqa: S105 - the name of a variable
PASS_ENV = "CHART_RELEASER_PASS_ENV"  # noqa: S105 - the name of a variable
_SECRETS = ("GITHUB_TOKEN", "GH_TOKEN", PASSPHRASE)

_ANY = r"HOME|USER|LOGNAME|SHELL|PATH|TMPDIR|TZ|LANG|LANGUAGE|LC_\w+|TERM|LD_LIBRARY_PATH|LD_PRELOAD"
_DESKTOP = r"DISPLAY|XAUTHORITY|WAYLAND_DISPLAY|DBUS_SESSION_BUS_ADDRESS|XDG_\w+"
_GPG = r"GNUPGHOME|GPG_TTY|PINENTRY_USER_DATA"
_NETWORK = (
    r"(?i:https?_proxy|all_proxy|no_proxy|ftp_proxy)|(?:NIX_)?SSL_CERT_FILE|SSL_CERT_DIR|CURL_CA_BUNDLE"
    r"|REQUESTS_CA_BUNDLE|OPENSSL_CONF|OPENSSL_MODULES|KRB5\w+|SSH_AUTH_SOCK|SSH_AGENT_PID|SSH_ASKPASS|SSH_ASKPASS_REQUIRE"
)
_GIT = (
    r"GIT_CONFIG_(?:GLOBAL|SYSTEM|NOSYSTEM|COUNT|KEY_\d+|VALUE_\d+)|GIT_(?:SSH|SSL|PROXY|AUTHOR|COMMITTER)\w*"
    r"|GIT_ASKPASS|GIT_HTTP_PROXY_AUTHMETHOD|GIT_EXEC_PATH|GIT_PYTHON_GIT_EXECUTABLE|EMAIL|SUDO_UID"
)
_OURS = (
    r"CHART_RELEASER_\w+|GITHUB_(?:SERVER_URL|API_URL|ACTIONS|STEP_SUMMARY|OUTPUT)|NO_COLOR|FORCE_COLOR|COLUMNS|LINES"
    r"|COMP_(?:WORDS|CWORD)|_(?:(?:GARDENER_)?CHART_RELEASER|TYPER)_\w+"
)
_KEPT = re.compile("|".join((_ANY, _DESKTOP, _GPG, _NETWORK, _GIT, _OURS)))
_FOR_GPG = re.compile("|".join((_ANY, _DESKTOP, _GPG)))
# Git's traces can contain the header with the token.
_NEVER = re.compile(r"GIT_TRACE\w*|GIT_CURL_VERBOSE|SSLKEYLOGFILE")
NO_TRACES = ("GIT_TRACE2", "GIT_TRACE2_EVENT", "GIT_TRACE2_PERF")
"""Set to 0, these turn off traces that the user's git configuration asks for (trace2.eventTarget and so on)."""
_SEARCHED = ("PATH", "LD_LIBRARY_PATH", "GIT_EXEC_PATH")
"""Search paths for programs and libraries. An empty entry in one means the current directory."""
_PATHS = re.compile(
    r"HOME|TMPDIR|GNUPGHOME|SSL_CERT_FILE|SSL_CERT_DIR|CURL_CA_BUNDLE|REQUESTS_CA_BUNDLE|OPENSSL_CONF|OPENSSL_MODULES"
    r"|SSH_AUTH_SOCK|XAUTHORITY|GIT_CONFIG_(?:GLOBAL|SYSTEM)|GIT_SSL_(?:CAINFO|CAPATH|CERT|KEY)"
    r"|GITHUB_(?:STEP_SUMMARY|OUTPUT)"
)
"""Variables with a path that may be relative to the user's directory; our child processes start in another one."""


@dataclass(frozen=True)
class Secrets:
    """The secrets that the environment held."""

    token: str | None = field(default=None, repr=False)
    """The token for the GitHub server."""
    passphrase: str = field(default="", repr=False)
    """The passphrase of the signing key."""
    all: tuple[str, ...] = field(default=(), repr=False)
    """Every value that must not appear in output."""


def find_secrets(environ: Mapping[str, str]) -> Secrets:
    """Return the secrets in `environ`."""
    token = (environ.get("GITHUB_TOKEN") or environ.get("GH_TOKEN") or "").strip() or None
    return Secrets(
        token=token,
        passphrase=environ.get(PASSPHRASE, ""),
        all=tuple(secret for name in _SECRETS if (secret := environ.get(name, "").strip())),
    )


def sanitize(environ: MutableMapping[str, str]) -> Secrets:
    """Remove everything from `environ` that this program and its children do not need, and return the secrets in it.

    Variables that CHART_RELEASER_PASS_ENV lists, separated by commas, stay. Relative entries of search paths are
    removed, since a program in the current directory must not be run. Other relative paths are made absolute.
    """
    secrets = find_secrets(environ)
    passed = {name.strip() for name in environ.get(PASS_ENV, "").split(",")}
    for name in list(environ):
        if name in _SECRETS or _NEVER.fullmatch(name) or not (name in passed or _KEPT.fullmatch(name)):
            del environ[name]
        elif name in _SEARCHED:
            environ[name] = _absolute_entries(environ[name])
            if not environ[name]:  # an empty search path means the current directory
                del environ[name]
        elif environ[name] and _PATHS.fullmatch(name):
            with contextlib.suppress(OSError):  # the current directory may have been deleted
                environ[name] = str(Path(environ[name]).absolute())
    environ.setdefault("PATH", os.defpath)
    environ.update(dict.fromkeys(NO_TRACES, "0"))
    return secrets


def gpg_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of `environ` that gpg needs: fewer than git's, since its agent lives on with them."""
    passed = {name.strip() for name in environ.get(PASS_ENV, "").split(",")}
    return {name: value for name, value in environ.items() if name in passed or _FOR_GPG.fullmatch(name)}


def python_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of `environ` that a Python interpreter needs to start."""
    return {name: environ[name] for name in ("LD_LIBRARY_PATH",) if name in environ}


def _absolute_entries(path: str) -> str:
    return os.pathsep.join(entry for entry in path.split(os.pathsep) if Path(entry).is_absolute())
