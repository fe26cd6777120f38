"""The Helm that other tests rely on is the true one, and is cut off from the machine's own settings."""

from __future__ import annotations

from pathlib import Path

from tests.helm import Helm

CHART = "apiVersion: v2\nname: small\nversion: 1.2.3\n"


def small_chart(folder: Path, text: str = CHART) -> Path:
    chart = folder / "small"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text(text)
    (chart / "values.yaml").write_text("a: 1\n")
    return chart


def test_helm_packages_and_lists_nothing_of_the_machine(helm: Helm, tmp_path: Path) -> None:
    chart = small_chart(tmp_path)
    helm("package", chart, "-d", tmp_path)
    assert "name: small" in helm("show", "chart", tmp_path / "small-1.2.3.tgz").stdout
    assert "no repositories" in helm("repo", "list", check=False).stderr


def test_helm4_speaks_for_itself(helm4: Helm, tmp_path: Path) -> None:
    chart = small_chart(tmp_path)
    helm4("lint", chart)
    helm4("package", chart, "-d", tmp_path)
    assert helm4("show", "values", tmp_path / "small-1.2.3.tgz").stdout.strip() == "a: 1"


def test_helm4_refuses_what_is_no_chart(helm4: Helm, tmp_path: Path) -> None:
    chart = small_chart(tmp_path, "apiVersion: v2\nname: small\nversion: nonsense\n")
    assert helm4("lint", chart, check=False).returncode == 1
    refused = helm4("package", chart, "-d", tmp_path, check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith("Error: ")
