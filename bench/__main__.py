"""`python -m bench [--small] [--json FILE] [PART ...]`: measure, print tables, write JSON."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from bench.machine import describe
from bench.results import Part

PARTS = {
    "snapshots": "bench.snapshots",
    "nothing-new": "bench.nothing_new",
    "export": "bench.export",
    "catch-up": "bench.catch_up",
    "index": "bench.index",
    "start-up": "bench.start_up",
}


def main() -> int:
    """Run the requested parts. Returns 1 if --check is given and a count goal is missed, otherwise 0."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"default: all of {', '.join(PARTS)}")
    parser.add_argument("--small", action="store_true", help="use little data, for the counts; takes a few seconds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE")
    parser.add_argument("--check", action="store_true", help="exit 1 if a count goal is missed; time is never checked")
    options = parser.parse_args()
    unknown = [name for name in options.parts if name not in PARTS]
    if unknown:
        parser.error(f"there is no part {unknown[0]}; choose from {', '.join(PARTS)}")
    machine = describe()
    print("; ".join(f"{name}: {value}" for name, value in machine.items()), flush=True)
    parts = [measure(name, small=options.small) for name in options.parts or PARTS]
    if options.json:
        document = {"machine": machine, "small": options.small, "parts": [part.as_json() for part in parts]}
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    missed = any(goal.kind == "count" and not goal.met for part in parts for goal in part.goals)
    return 1 if options.check and missed else 0


def measure(name: str, *, small: bool) -> Part:
    """Run one part in a temporary directory, print its result, and return it."""
    run: Callable[..., Part] = import_module(PARTS[name]).run
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        part = run(Path(folder), small=small)
    print("\n" + "\n".join(part.lines()), flush=True)
    print(f"  ({name} took {time.perf_counter() - begin:.0f} s)", file=sys.stderr, flush=True)
    return part


if __name__ == "__main__":
    sys.exit(main())
