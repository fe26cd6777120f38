"""What pyproject.toml says of the libraries, beside the versions that the tests run with."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
DEPENDENCIES = [
    Requirement(line) for line in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
]


def pins(name: str) -> dict[str, Version]:
    """The version of each package in a file of constraints."""
    lines = (ROOT / name).read_text().splitlines()
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(package): Version(version) for package, version in pairs}


@pytest.mark.parametrize("needed", DEPENDENCIES, ids=lambda needed: needed.name)
def test_the_lowest_version_is_one_that_is_tested(needed: Requirement) -> None:
    [lowest] = [one.version for one in needed.specifier if one.operator == ">="]
    assert pins("constraints-lowest.txt")[canonicalize_name(needed.name)] == Version(lowest)


@pytest.mark.parametrize("needed", DEPENDENCIES, ids=lambda needed: needed.name)
def test_the_pinned_version_is_within_the_bounds(needed: Requirement) -> None:
    assert pins("constraints.txt")[canonicalize_name(needed.name)] in needed.specifier
