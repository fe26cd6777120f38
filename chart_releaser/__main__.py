"""What the commands start with, and `python -m chart_releaser`: the program, with a clean path for modules."""

from __future__ import annotations

import contextlib
import sys
import sysconfig
from pathlib import Path
from typing import NoReturn


def main() -> NoReturn:
    """Entry point of the console scripts.

    The current directory is no place for modules: a stranger may have filled it. Python looks there first for
    `python -m`, and where PYTHONPATH has an empty or relative entry.
    """
    here = None
    with contextlib.suppress(OSError):  # it may be gone
        here = Path.cwd()
    if here not in {Path(sysconfig.get_path(name)) for name in ("purelib", "platlib", "stdlib", "platstdlib")}:
        sys.path[:] = [entry for entry in sys.path if entry and Path(entry).resolve() != here]

    from chart_releaser.cli.main import run_console_script as program

    program()


if __name__ == "__main__":
    main()
