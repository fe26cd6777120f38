"""`python -m chart_releaser`: the same as the command `chart-releaser`."""

from __future__ import annotations

import sys
from pathlib import Path

# Python puts the current directory first. A stranger may have filled it, and our libraries are not there.
sys.path[:] = [entry for entry in sys.path if entry and Path(entry).resolve() != Path.cwd()]

from chart_releaser.cli.app import main  # noqa: E402 - not before the path is right

main()
