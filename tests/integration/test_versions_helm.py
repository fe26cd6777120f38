"""The true Helm on the same table of ranges and versions as the unit tests."""

from __future__ import annotations

import json
from pathlib import Path

from semver import Version

from chart_releaser.versions import Range
from tests.helm import Helm

TABLE = Path(__file__).parents[1] / "data" / "helm_ranges.txt"
TEMPLATE = """answers:
{{- range .Values.pairs }}
- {{ semverCompare (index . 0) (index . 1) }}
{{- end }}
"""


def differences(helm: Helm, folder: Path) -> list[tuple[str, Version]]:
    """The ranges and versions of the table that are a match to us and none to Helm, or the other way round."""
    _, first, *lines = TABLE.read_text().splitlines()
    pairs = [(line.rpartition("=>")[0].strip(), version) for line in lines for version in first.split()[1:]]
    (folder / "templates").mkdir()
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: ranges\nversion: 0.1.0\n")
    (folder / "templates" / "answers.yaml").write_text(TEMPLATE)
    (folder / "pairs.json").write_text(json.dumps({"pairs": pairs}))
    done = helm("template", "x", folder, "--values", folder / "pairs.json")
    answers = [line == "- true" for line in done.stdout.splitlines() if line.startswith("- ")]
    ours = [Range.parse(text).matches(Version.parse(version)) for text, version in pairs]
    assert any(ours)
    return [
        (text, Version.parse(version))
        for (text, version), mine, helms in zip(pairs, ours, answers, strict=True)
        if mine != helms
    ]


def test_ranges_match_what_helm_matches(helm: Helm, tmp_path: Path) -> None:
    assert differences(helm, tmp_path) == []


def test_to_helm_4_only_prereleases_are_another_matter(helm4: Helm, tmp_path: Path) -> None:
    found = differences(helm4, tmp_path)
    assert {text for text, _ in found} == {">=1.2-0 <2", "!=0.0.0", "!=0.2.3", "!=1.2.3", "!=v1.2.3"}
    assert all(version.prerelease for _, version in found)
