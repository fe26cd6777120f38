"""What the true Helm says of many charts at once: starting it for each one would cost more than all that it does."""

from __future__ import annotations

import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.helm import Helm
from tests.memorytree import write

Files = dict[str, bytes]


def packaged(helm: Helm, folders: Sequence[Path], out: Path) -> list[Files | None]:
    """The files that `helm package` keeps of each chart directory, None where Helm refuses it.

    Every chart has another name, that of its directory, and the version 0.1.0.
    """
    out.mkdir()
    found: list[Files | None] = []
    # It stops at the first one that it refuses.
    while len(found) < len(folders):
        done = helm("package", "-d", out, *folders[len(found) :], check=False)
        for folder in folders[len(found) :]:
            packed = out / f"{folder.name}-0.1.0.tgz"
            if not packed.exists():
                break
            found.append(members(packed))
        if done.returncode != 0:
            found.append(None)
        else:
            assert len(found) == len(folders), done.stdout
    return found


def members(packed: Path) -> Files:
    """The files in an archive below its top directory."""
    with tarfile.open(packed) as archive:
        return {
            member.name.partition("/")[2]: archive.extractfile(member).read()  # type: ignore[union-attr]
            for member in archive
        }


def indexed(helm: Helm, archives: Sequence[bytes], folder: Path) -> list[dict[str, Any] | None]:
    """What Helm would list of each archive in an index, as texts alone; None where it does not load the archive."""
    folder.mkdir()
    for number, data in enumerate(archives):
        (folder / f"{number}.tgz").write_bytes(data)
    helm("repo", "index", folder)
    index = yaml.load((folder / "index.yaml").read_bytes(), Loader=_Texts)
    found: list[dict[str, Any] | None] = [None] * len(archives)
    for entries in index["entries"].values():
        for entry in entries:
            found[int(entry.pop("urls")[0].removesuffix(".tgz"))] = entry
            del entry["created"], entry["digest"]
    return found


def linted(helm: Helm, folder: Path) -> dict[int, list[str]]:
    """The errors that `helm lint` finds in archives that `indexed` has put into a folder, by their number."""
    archives = sorted(folder.glob("*.tgz"))
    found: dict[int, list[str]] = {}
    if archives:
        for section in helm("lint", *archives, check=False).stdout.split("==> Linting ")[1:]:
            path, *lines = section.splitlines()
            found[int(Path(path).stem)] = [line for line in lines if line.startswith("[ERROR]")]
        assert len(found) == len(archives)
    return found


class _Texts(getattr(yaml, "CBaseLoader", yaml.BaseLoader)):  # type: ignore[misc]
    """Leave every scalar a text."""


def unpacked(helm: Helm, archives: Mapping[int, bytes], folder: Path) -> dict[int, Files]:
    """The files of each archive as Helm sees them in it, which must be one that it loads."""
    outer: dict[str, str | bytes] = {"Chart.yaml": _chart("outer")}
    for number, data in archives.items():
        # In a chart of its own each: names may be equal.
        outer[f"charts/p{number}/Chart.yaml"] = _chart(f"p{number}")
        outer[f"charts/p{number}/charts/x.tgz"] = data
    write(outer, folder / "outer")
    helm("package", "-d", folder, folder / "outer")
    found: dict[int, Files] = {number: {} for number in archives}
    with tarfile.open(folder / "outer-0.1.0.tgz") as archive:
        for member in archive:
            parts = member.name.split("/")
            if len(parts) > 5 and parts[3] == "charts":
                content = archive.extractfile(member)
                found[int(parts[2][1:])]["/".join(parts[5:])] = content.read() if content is not None else b""
    return found


def _chart(name: str) -> str:
    return f"apiVersion: v2\nname: {name}\nversion: 0.1.0\n"
