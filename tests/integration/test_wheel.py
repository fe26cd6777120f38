"""What is handed out: the same bytes from any copy of the sources, with all that the program needs and nothing else."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.lacking import NO_CHECKOUT, needs
from tools.wheels import ROOT


def build(folder: Path, *, umask: int, mtime: int) -> dict[str, Path]:
    """Build wheel and source archive from a copy in `folder`; the values are their paths, by kind."""
    copy = folder / "sources"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            target = copy / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target)
            target.chmod((0o777 if os.access(ROOT / name, os.X_OK) else 0o666) & ~umask)
            os.utime(target, (mtime, mtime))
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder / "dist"), str(copy)]
    env = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    subprocess.run(command, env=env, check=True, capture_output=True, timeout=300, umask=umask)
    found = {path.suffix: path for path in (folder / "dist").iterdir()}
    assert set(found) == {".whl", ".gz"}
    return found


pytestmark = needs((ROOT / ".git").exists(), NO_CHECKOUT)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Path]]:
    return [
        build(tmp_path_factory.mktemp("one"), umask=0o022, mtime=1_600_000_000),
        build(tmp_path_factory.mktemp("other-copy"), umask=0o077, mtime=1_750_000_000),
    ]


@pytest.mark.parametrize("kind", [".whl", ".gz"])
def test_the_same_sources_give_the_same_bytes(built: list[dict[str, Path]], kind: str) -> None:
    one, other = (hashlib.sha256(files[kind].read_bytes()).hexdigest() for files in built)
    assert one == other
    assert built[0][kind].name == built[1][kind].name


def test_the_wheel_has_the_package_and_nothing_else(built: list[dict[str, Path]]) -> None:
    with zipfile.ZipFile(built[0][".whl"]) as wheel:
        names = wheel.namelist()
    assert "chart_releaser/py.typed" in names
    assert "chart_releaser/page/templates/page.html.j2" in names
    assert {name.partition("/")[0].removeprefix("gardener_").partition("-")[0] for name in names} == {"chart_releaser"}
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


@pytest.mark.parametrize("kind", [".whl", ".gz"])
def test_it_has_a_name_of_its_own(built: list[dict[str, Path]], kind: str) -> None:
    """`chart-releaser` is somebody else's package on PyPI: it would be installed in place of this one."""
    assert built[0][kind].name.startswith("gardener_chart_releaser-")
    text = "".join(path.read_text() for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))))
    assert re.findall(r"(?:pip|pipx|uv tool) install ([a-z][\w-]+)", text) == ["gardener-chart-releaser"]
