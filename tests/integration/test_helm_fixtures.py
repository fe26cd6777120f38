"""The Helm that other tests rely on is the true one, and is cut off from the machine's own settings."""

from __future__ import annotations

from pathlib import Path

from tests.helm import Helm

CHART = "apiVersion: v2\nname: small\nversion: 1.2.3\n"


def small_chart(folder: Path) -> Path:
    chart = folder / "small"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text(CHART)
    (chart / "values.yaml").write_text("a: 1\n")
    return chart


def test_helm_packages_and_lists_nothing_of_the_machine(helm: Helm, tmp_path: Path) -> None:
    chart = small_chart(tmp_path)
    helm("package", chart, "-d", tmp_path)
    assert "name: small" in helm("show", "chart", tmp_path / "small-1.2.3.tgz").stdout
    assert "no repositories" in helm("repo", "list", check=False).stderr


def test_helm4_is_of_that_version(helm4: Helm) -> None:
    assert helm4("version", "--short").stdout.startswith("v4.")
