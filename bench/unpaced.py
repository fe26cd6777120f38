"""chart-releaser without its pacing of content-creating requests; otherwise a catch-up would measure waiting."""

from __future__ import annotations

from chart_releaser.cli import main as cli
from chart_releaser.github.pacing import Pacing


def main() -> None:
    """Run the command line without pacing."""
    setattr(Pacing, "before_creating", lambda _pacing: None)  # noqa: B010 - mypy forbids assigning to a method
    cli.run_console_script()


if __name__ == "__main__":
    main()
