"""A small command line for Helm 4's library; it runs in the environment that get_helm4.py creates.

    helm4.py version
    helm4.py lint CHART
    helm4.py show chart|values REFERENCE     a directory, a package, an address, or name/chart of an added repository
    helm4.py package CHART [-d DIRECTORY]
    helm4.py repo add NAME ADDRESS           reads the index as strictly as Helm does

The library has no template command, and its Pull crashes with a nil pointer (0.1.32). To check that a package can be
downloaded through an index, add the repository and `show` the chart. The library's lint returns most texts as empty
objects, so messages often have a severity and a path only.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

import helm_sdkpy

SEVERITIES = {0: "UNKNOWN", 1: "INFO", 2: "WARNING", 3: "ERROR"}


async def _lint(chart: str) -> int:
    result = await helm_sdkpy.Lint(helm_sdkpy.Configuration()).run(chart)
    for message in result["Messages"] or []:
        text = message["Err"] if isinstance(message["Err"], str) else ""
        print(f"[{SEVERITIES.get(message['Severity'], '?')}] {message['Path']}: {text}")
    failed = bool(result["Errors"]) or any(message["Severity"] >= 3 for message in result["Messages"] or [])
    print(f"{result['TotalChartsLinted']} chart(s) linted, {int(failed)} chart(s) failed")
    return int(failed)


async def _run(options: argparse.Namespace) -> int:
    if options.command == "lint":
        return await _lint(options.chart)
    configuration = helm_sdkpy.Configuration()
    if options.command == "version":
        print(helm_sdkpy.get_version())
    elif options.command == "show":
        show = helm_sdkpy.Show(configuration)
        print(await (show.chart if options.what == "chart" else show.values)(options.reference), end="")
    elif options.command == "package":
        print(await helm_sdkpy.Package(configuration).run(options.chart, options.destination))
    else:
        # Helm's own command creates this file; the library expects it to exist.
        repositories = Path(os.environ["HELM_CONFIG_HOME"]) / "repositories.yaml"
        if not repositories.exists():
            repositories.parent.mkdir(parents=True, exist_ok=True)
            repositories.write_text("apiVersion: v1\nrepositories: []\n", encoding="utf-8")
        await helm_sdkpy.RepoAdd(configuration).run(options.name, options.address)
    return 0


def main() -> int:
    """Run the command. Returns 1, with Helm's message on standard error, if Helm refuses it."""
    parser = argparse.ArgumentParser(prog="helm4")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("version")
    commands.add_parser("lint").add_argument("chart")
    show = commands.add_parser("show")
    show.add_argument("what", choices=["chart", "values"])
    show.add_argument("reference")
    package = commands.add_parser("package")
    package.add_argument("chart")
    package.add_argument("-d", "--destination", default=".")
    repo = commands.add_parser("repo")
    repo.add_argument("verb", choices=["add"])
    repo.add_argument("name")
    repo.add_argument("address")
    options = parser.parse_args()
    try:
        return asyncio.run(_run(options))
    except helm_sdkpy.HelmError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
