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


def test_ranges_match_what_helm_matches(helm: Helm, tmp_path: Path) -> None:
    _, first, *lines = TABLE.read_text().splitlines()
    pairs = [[line.rpartition("=>")[0].strip(), version] for line in lines for version in first.split()[1:]]
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: ranges\nversion: 0.1.0\n")
    (tmp_path / "templates" / "answers.yaml").write_text(TEMPLATE)
    (tmp_path / "pairs.json").write_text(json.dumps({"pairs": pairs}))
    done = helm("template", "x", tmp_path, "--values", tmp_path / "pairs.json")
    answers = [line == "- true" for line in done.stdout.splitlines() if line.startswith("- ")]
    assert len(answers) == len(pairs)
    ours = [Range.parse(text).matches(Version.parse(version)) for text, version in pairs]
    different = [pair for pair, mine, helms in zip(pairs, ours, answers, strict=True) if mine != helms]
    assert different == []
