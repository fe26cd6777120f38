"""Entry point of the console scripts and of `python -m chart_releaser`, with a safe module search path."""

from __future__ import annotations

import contextlib
import sys
import sysconfig
from pathlib import Path
from typing import NoReturn


def main() -> NoReturn:
    """Remove the current directory from `sys.path`, then run the command line.

    Somebody else may have put modules there. Python searches it first for `python -m`, and for an empty or relative
    entry of PYTHONPATH.
    """
    here = None
    with contextlib.suppress(OSError):  # the current directory may have been deleted
        here = Path.cwd()
    if here not in {Path(sysconfig.get_path(name)) for name in ("purelib", "platlib", "stdlib", "platstdlib")}:
        sys.path[:] = [entry for entry in sys.path if entry and Path(entry).resolve() != here]

    from chart_releaser.cli.main import run_console_script as program

    program()


if __name__ == "__main__":
    main()
