"""Packages signed with the user's own gpg key, which the true Helm verifies."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chart_releaser.environment import PASSPHRASE
from tests.cli.runner import TOKEN, config, run, server_env, source, upstream
from tests.helm import Helm
from tests.hub import Fault, GitDir, Hub, create, on, running
from tests.lacking import NO_GPG, needs
from tests.serving import served

SLUG = "acme/charts"
WHO = "charts@example.org"
SECRET = "open-sesame-of-tests"

pytestmark = [
    needs(shutil.which("gpg") is not None, NO_GPG, "REQUIRE_GPG"),
    pytest.mark.helm,
]


@pytest.fixture(scope="module", params=["", SECRET], ids=["no passphrase", "passphrase"])
def keyring(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environment variables with a keyring that holds one key, of the kind that Helm knows."""
    home = tmp_path_factory.mktemp("gpg")
    home.chmod(0o700)
    env = {"GNUPGHOME": str(home), **({PASSPHRASE: request.param} if request.param else {})}
    full = {**os.environ, **env}
    batch = ["gpg", "--batch", "--pinentry-mode", "loopback", "--passphrase", request.param]
    subprocess.run([*batch, "--quick-gen-key", f"Charts <{WHO}>", "rsa2048", "sign", "0"], env=full, check=True)
    public = subprocess.run(["gpg", "--batch", "--export"], env=full, check=True, capture_output=True).stdout
    (home / "public.gpg").write_bytes(public)
    yield env
    subprocess.run(["gpgconf", "--kill", "all"], env=full, check=False)


def test_a_directory_of_signed_packages(keyring: dict[str, str], tmp_path: Path, helm: Helm) -> None:
    repo = upstream(tmp_path / "up.git", ["v1.0.0", "v1.1.0"])
    config(tmp_path, source("weather", repo.path), destination=f"destination: {{directory: public, sign: {WHO}}}")
    run("update", cwd=tmp_path, env=keyring, ok=True)
    public = f"{keyring['GNUPGHOME']}/public.gpg"
    for version in ("1.0.0", "1.1.0"):
        said = helm("verify", tmp_path / f"public/weather-{version}.tgz", "--keyring", public).stdout
        assert f"Signed by: Charts <{WHO}>" in said
        assert "Chart Hash Verified: sha256:" in said
    with served(tmp_path / "public") as url:
        helm("repo", "add", "signed", url)
        helm("pull", "signed/weather", "--verify", "--keyring", public, "--destination", tmp_path)
    package = tmp_path / "public/weather-1.0.0.tgz"
    package.write_bytes(package.read_bytes() + b"\0")
    assert helm("verify", package, "--keyring", public, check=False).returncode != 0


def test_the_same_bytes_with_and_without_a_signature(keyring: dict[str, str], tmp_path: Path) -> None:
    repo = upstream(tmp_path / "up.git", ["v1.0.0"])
    for folder, sign in (("signed", f", sign: {WHO}"), ("plain", "")):
        config(tmp_path, source("weather", repo.path), destination=f"destination: {{directory: {folder}{sign}}}")
        run("update", cwd=tmp_path, env=keyring, ok=True)
    names = ["index.html", "index.yaml", "weather-1.0.0.tgz"]
    assert sorted(path.name for path in (tmp_path / "plain").iterdir()) == names
    assert sorted(path.name for path in (tmp_path / "signed").iterdir()) == [*names, "weather-1.0.0.tgz.prov"]
    assert (tmp_path / "signed" / names[2]).read_bytes() == (tmp_path / "plain" / names[2]).read_bytes()
    before = (tmp_path / "signed" / "weather-1.0.0.tgz.prov").read_bytes()
    config(tmp_path, source("weather", repo.path), destination=f"destination: {{directory: signed, sign: {WHO}}}")
    run("update", cwd=tmp_path, env=keyring, ok=True)
    assert (tmp_path / "signed" / "weather-1.0.0.tgz.prov").read_bytes() == before


@pytest.mark.parametrize("fault", [None, "drop-before", "drop-after", "corrupt"])
def test_github_has_it_beside_the_package(
    keyring: dict[str, str], tmp_path: Path, helm: Helm, fault: str | None
) -> None:
    hub = Hub()
    path = create(tmp_path / "charts.git")
    GitDir(path).commit("main", {"README.md": b"# Charts\n"}, time=1_600_000_000)
    hub.add_repository(SLUG, path)
    hub.add_token(TOKEN, {SLUG})
    hub.add_repository("up/weather", upstream(tmp_path / "weather.git", ["v1.0.0+a.1"]).path)
    hub.releases_from_tags("up/weather", pattern=r"v.*")
    destination = f"destination: {{owner: acme, repo: charts, sign: {WHO}}}"
    config(tmp_path, source("weather", "up/weather"), destination=destination)
    if fault is not None:  # the second upload is the provenance file
        hub.add_fault(Fault(on("POST", r"^/api/uploads/"), fault, nth=2))  # type: ignore[arg-type]
    with running(hub) as server:
        ran = run("update", cwd=tmp_path, env={**server_env(server, TOKEN), **keyring}, ok=True)
        assert "published weather 1.0.0+a.1" in ran.err
        (release,) = [release for release in hub.at(SLUG).releases.values() if not release.draft]
        assert sorted(asset.name for asset in release.assets) == ["weather-1.0.0.a.1.tgz", "weather-1.0.0.a.1.tgz.prov"]
        assert len(hub.at(SLUG).releases) == 1, "no draft is left"
        files = {asset.name: tmp_path / asset.name for asset in release.assets}
        for asset in release.assets:
            files[asset.name].write_bytes(asset.data)
        public = f"{keyring['GNUPGHOME']}/public.gpg"
        helm("verify", files["weather-1.0.0.a.1.tgz"], "--keyring", public)
        hub.journal.clear()
        run("update", cwd=tmp_path, env={**server_env(server, TOKEN), **keyring}, ok=True)
        assert hub.journal.mutations() == []
        checked = run("verify", cwd=tmp_path, env={**server_env(server, TOKEN), **keyring}, ok=True)
        assert "nothing is wrong" in checked.err


def test_a_key_that_can_not_sign_stops_the_run_before_anything_is_published(
    keyring: dict[str, str], tmp_path: Path
) -> None:
    repo = upstream(tmp_path / "up.git", ["v1.0.0"])
    config(tmp_path, source("weather", repo.path), destination="destination: {directory: public, sign: nobody@here}")
    ran = run("update", cwd=tmp_path, env=keyring)
    assert ran.code == 2
    assert len(ran.errors) == 1
    assert ran.errors[0].startswith("gpg can't sign with nobody@here: ")
    assert "import the key, name another one under destination: sign, or take sign out" in ran.errors[0]
    assert not (tmp_path / "public").exists()
    config(tmp_path, source("weather", repo.path), destination=f"destination: {{directory: public, sign: {WHO}}}")
    subprocess.run(["gpgconf", "--kill", "all"], env={**os.environ, **keyring}, check=True)
    if PASSPHRASE in keyring:
        wrong = run("update", cwd=tmp_path, env={**keyring, PASSPHRASE: "a-wrong-one-of-tests"})
        assert wrong.code == 2
        assert "a-wrong-one-of-tests" not in wrong.err
        assert SECRET not in wrong.err
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "git").symlink_to(str(shutil.which("git")))
    missing = run("update", cwd=tmp_path, env={**keyring, "PATH": str(tools)})
    assert missing.code == 2
    assert missing.errors == ["destination: sign needs the program gpg, which was not found; install GnuPG"]
    assert not (tmp_path / "public").exists()
