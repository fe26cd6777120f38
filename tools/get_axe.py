"""Download axe-core for the browser tests, which finds accessibility problems in a page; optional there."""

from __future__ import annotations

import sys

from tools.wheels import TOOLS, DownloadError, download

SCRIPT = TOOLS / "axe-4.12.1.min.js"
"""The path of the downloaded file."""

PACKAGE = "axe-playwright-python==0.1.8"
MEMBER = "axe_playwright_python/axe.min.js"
SHA256 = "84494fec757e4710dc751c8d7a636e457f4532f08f85c86dc9070133fbff53bc"


def main() -> int:
    """Print the path and return 0, or print the reason to standard error and return 1."""
    if not SCRIPT.exists():
        try:
            download(PACKAGE, [MEMBER], SHA256, SCRIPT)
        except DownloadError as error:
            print(f"axe-core can't be downloaded: {error}", file=sys.stderr)
            return 1
    print(SCRIPT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
