"""chart-releaser without its own pacing of content-creating requests, with which a catch-up would measure waiting."""

from __future__ import annotations

from chart_releaser.cli import main as cli
from chart_releaser.github.pacing import Pacing


def main() -> None:
    """Run the command line."""
    setattr(Pacing, "before_creating", lambda _pacing: None)  # noqa: B010 - a method may not be assigned openly
    cli.run_console_script()


if __name__ == "__main__":
    main()
