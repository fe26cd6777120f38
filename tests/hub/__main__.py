"""`python -m tests.hub --mirror DIR`: serve DIR/<owner>+<name>/repo as repositories with a release for each version."""

from __future__ import annotations

import argparse
import signal
import tempfile
import threading
from pathlib import Path

from tests.hub import GitDir, Hub, create, running


def notes(tag: str) -> str:
    """Return release notes for a tag."""
    return f"Release notes of {tag}\n\n## What changed\n- Bugs were fixed.\n- `{tag}` is newer than what came before.\n"


def main() -> None:
    """Serve the repositories until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.hub", description=__doc__)
    parser.add_argument("--mirror", type=Path, help="directory with <owner>+<name>/repo bare repositories")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--token", default="token", help="may write to the destinations")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds a request")
    parser.add_argument("--connect-latency", type=float, default=0.0, help="seconds a new connection")
    parser.add_argument("--destination", action="append", default=[], help="owner/name of an empty repository to make")
    parser.add_argument("--index", type=Path, help="an index.yaml that the destinations' gh-pages branch begins with")
    parser.add_argument("--no-limits", action="store_true", help="no rate limits")
    options = parser.parse_args()
    hub = Hub()
    hub.latency, hub.connect_latency = options.latency, options.connect_latency
    if options.no_limits:
        hub.limits.anonymous = hub.limits.content_per_minute = hub.limits.content_per_hour = None
    hub.add_token(options.token, options.destination, limit=None if options.no_limits else 1000)
    for repo in sorted(options.mirror.glob("*+*/repo")) if options.mirror else []:
        slug = repo.parent.name.replace("+", "/", 1)
        hub.add_repository(slug, repo)
        hub.releases_from_tags(slug, notes=notes)
    with tempfile.TemporaryDirectory(prefix="hub-") as scratch:
        for slug in options.destination:
            path = create(Path(scratch) / f"{slug.replace('/', '+')}.git")
            if options.index:
                GitDir(path).commit("main", {"README.md": b"# Charts\n"}, "Begin")
                GitDir(path).commit("gh-pages", {"index.yaml": options.index.read_bytes()}, "Charts so far")
            hub.add_repository(slug, path)
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        with running(hub, options.port) as server:
            print(f"GITHUB_SERVER_URL={server.url}")
            print(f"GITHUB_API_URL={server.api_url}", flush=True)
            stop.wait()
    print(f"{len(hub.journal)} requests, {hub.journal.bytes_out} bytes out, {len(hub.journal.mutations())} mutating")


if __name__ == "__main__":
    main()
