"""The demo: chart-releaser publishes small upstream repositories to ./public, and Helm shows the result.

It needs only git and the standard library, and runs chart-releaser as a command, as users do. Start it with
`make demo`, or with `python -m examples.demo` in the checkout.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from examples import upstreams

ROOT = Path(__file__).resolve().parent.parent


def say(title: str) -> None:
    """Print a heading."""
    print(f"\n=== {title}", flush=True)


def run(*command: str | Path, folder: Path) -> int:
    """Print a command as a user would type it, run it, and return its exit code."""
    name, *arguments = map(str, command)
    print(f"$ {shlex.join([Path(name).name, *arguments])}", flush=True)
    return subprocess.run([name, *arguments], cwd=folder, stdin=subprocess.DEVNULL, check=False).returncode


def chart_releaser() -> Path:
    """Return the console script in the environment of this interpreter."""
    return Path(sysconfig.get_path("scripts")) / "chart-releaser"


def tree_lines(folder: Path, indent: str = "  ") -> Iterator[str]:
    """The files below a folder as an indented list."""
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            yield f"{indent}{entry.name}/"
            yield from tree_lines(entry, indent + "  ")
        else:
            yield f"{indent}{entry.name}  ({entry.stat().st_size:,} bytes)"


def index_excerpt(index: str, chart: str) -> list[str]:
    """The beginning of the index and the newest entry of one chart, as in the file."""
    lines = index.splitlines()
    start = lines.index(f"  {chart}:")
    later = range(start + 2, len(lines))
    end = next((i for i in later if not lines[i].startswith("   ")), len(lines))
    return lines[start:end]


def find_helm() -> str | None:
    """Return the Helm that the tests would use, or None."""
    brought = ROOT / ".tools" / "helm"
    return shutil.which(os.environ.get("HELM") or "helm") or (str(brought) if brought.exists() else None)


def show_helm(folder: Path) -> int:
    """Show one package with Helm, or only the commands if Helm is missing."""
    package = "public/provider-acme-1.2.1.tgz"
    switches = "controller.enabled=true,admission-acme-runtime.enabled=true,controller.values.image.tag=my-own"
    helm = find_helm()
    commands = [
        ["show", "values", package],
        [
            "template",
            "acme",
            package,
            "--set",
            switches,
            "--show-only",
            "charts/admission-acme-runtime/templates/configmap.yaml",
        ],
        ["template", "acme", package, "--set", switches, "--show-only", "charts/controller/templates/*"],
    ]
    if helm is None:
        print("Helm is not at hand here; with it, try:")
        for command in commands:
            print(f"  helm {shlex.join(command)}")
        return 0
    return max(run(helm, *command, folder=folder) for command in commands)


def main() -> int:
    """Run the demo. Returns the exit code of the first failed step, or 0."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument(
        "--folder", type=Path, default=ROOT, help="where demo/ and public/ are made (default: the checkout)"
    )
    parser.add_argument("--only-upstream", action="store_true", help="make the upstream repositories and stop")
    options = parser.parse_args()
    folder: Path = options.folder.resolve()
    public = folder / "public"

    say("Upstream: three small git repositories, and a configuration that names them")
    config = upstreams.build(folder / "demo").relative_to(folder)
    for repository in sorted((folder / "demo" / "upstream").iterdir()):
        tags = subprocess.run(
            ["git", "tag", "--list"], cwd=repository, capture_output=True, text=True, check=True
        ).stdout
        print(f"  {repository.relative_to(folder)}: {' '.join(tags.split())}")
    if options.only_upstream:
        return 0

    say("Publish what the repository in ./public lacks")
    if public.exists():
        print("(public/ is there from an earlier run: nothing should be new. `make clean` removes it.)")
    os.environ["CHART_RELEASER_CACHE"] = str(folder / "demo" / "cache")
    if code := run(chart_releaser(), "update", "-c", config, folder=folder):
        return code

    say("Once more: nothing is new, nothing is written")
    before = {path: path.stat().st_mtime_ns for path in public.rglob("*")}
    if code := run(chart_releaser(), "update", "-c", config, folder=folder):
        return code
    same = before == {path: path.stat().st_mtime_ns for path in public.rglob("*")}
    print("Every file in public/ is as it was." if same else "error: files in public/ changed")

    say("What came out")
    print("public/", *tree_lines(public), sep="\n")
    print("\nThe newest provider-acme in public/index.yaml:")
    print(*index_excerpt((public / "index.yaml").read_text(encoding="utf-8"), "provider-acme"), sep="\n")

    say("The same charts unpacked, each at its configured version")
    if code := run(chart_releaser(), "export", "-c", config, "--target-dir", "demo/charts", folder=folder):
        return code
    print("demo/charts/", *tree_lines(folder / "demo" / "charts"), sep="\n")

    say("How Helm uses it")
    if code := show_helm(folder):
        return code
    print("\nServed by any static server, it is a Helm repository:")
    print("  python3 -m http.server --directory public 8080 &")
    print("  helm repo add demo http://127.0.0.1:8080")
    print("  helm install acme demo/provider-acme --set controller.enabled=true")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
