"""What every test gets: a clean environment, no network in unit tests, and the real Helm if there is one."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NoReturn

import hypothesis
import pytest

from tests import lacking
from tests.helm import Helm
from tests.machine import Machine, machine
from tools import get_helm

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

_HERE = Path(__file__).resolve().parent
_REMOVED_PREFIXES = ("GITHUB_", "GH_", "ACTIONS_", "RUNNER_", "GIT_", "HELM_", "CHART_RELEASER_", "XDG_")
_REMOVED = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES", "KUBECONFIG")
_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")


def _clean(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Take out whatever the machine, its user or a CI service put there that could change a result."""
    for name in list(os.environ):
        if name.startswith(_REMOVED_PREFIXES) or name in _REMOVED or name.lower() in _PROXIES:
            patch.delenv(name)
    patch.setenv("HOME", str(home))
    patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    patch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    patch.setenv("CHART_RELEASER_CACHE", str(home / "chart-releaser-cache"))
    patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    patch.setenv("GIT_TERMINAL_PROMPT", "0")


@pytest.fixture(scope="session", autouse=True)
def _clean_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The same for fixtures of a wider scope than one test, and the usual umask, whatever the user's is."""
    before = os.umask(0o022)
    with pytest.MonkeyPatch.context() as patch:
        _clean(patch, tmp_path_factory.mktemp("session-home"))
        yield
    os.umask(before)


@pytest.fixture(autouse=True)
def _clean_environment(
    _clean_session: None, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A home and a cache of its own for each test; not below the test's tmp_path, which stays empty."""
    _clean(monkeypatch, tmp_path_factory.mktemp("home"))


@pytest.fixture(autouse=True)
def _no_network_in_unit_tests(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not request.node.path.is_relative_to(_HERE / "unit"):
        return

    def refuse(*arguments: object, **_options: object) -> NoReturn:
        # Not an Exception: code under test that tolerates network errors must not swallow it.
        pytest.fail(f"a unit test opened a connection: {arguments[-1]!r}")

    for name in ("connect", "connect_ex", "bind", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, refuse)


@pytest.fixture(scope="session")
def host(_clean_session: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine for whole runs of the command, with file systems of its own where that is permitted."""
    with machine(tmp_path_factory.mktemp("host")) as host:
        yield host


@cache
def _binary(release: get_helm.Release) -> Path:
    """Return the path of a Helm, which only `make helm` downloads. Without one, the test is skipped or fails."""
    try:
        found = get_helm.find(release)
        why = f"run `make helm`, or install {release.wanted} and set {release.variable} to its path"
    except get_helm.HelmMissingError as error:
        found, why = None, str(error)
    if found is None:
        lacking.lacking(f"what Helm {release.oldest[0]} says: {why}", "REQUIRE_HELM")
    return found


@pytest.fixture
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Helm 3.17 or later, e.g. `helm("lint", path)`; REQUIRE_HELM=1 fails where it is absent."""
    return Helm(_binary(get_helm.HELM3), tmp_path_factory.mktemp("helm"))


@pytest.fixture
def helm4(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """The same for Helm 4."""
    return Helm(_binary(get_helm.HELM4), tmp_path_factory.mktemp("helm4"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses Helm, so that `-m helm` and `-m "not helm"` select it."""
    for item in items:
        if {"helm", "helm4"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.helm)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was not tested."""
    lacking.summary(terminalreporter)
