"""The command line: options in, exit codes out, and the one place where errors become messages."""

from __future__ import annotations

import io
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from chart_releaser import __version__, environment
from chart_releaser.cli.console import Console, unwritable
from chart_releaser.cli.process import (
    INTERRUPTED,
    broken_stdout,
    children_end_with_it,
    finishing,
    open_closed_streams,
)
from chart_releaser.cli.startup import cache_of, destination_of, load, run_of, seconds, source_names
from chart_releaser.environment import Secrets
from chart_releaser.errors import ChartReleaserError, ConfigError, UsageError

if TYPE_CHECKING:
    from chart_releaser.commands.report import UpdateReport

BUG = 70
_THREADS = 8
_CONFIG = Path("config.yaml")


class _Commands(TyperGroup):
    """Takes the common options before the command too, for a run as for completion."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As inherited."""
        return super().parse_args(ctx, _command_first(args))


app = typer.Typer(
    name="chart-releaser",
    cls=_Commands,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Follow upstream repositories and publish their charts as one Helm repository.",
    context_settings={"help_option_names": ["-h", "--help"]},
)

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", metavar="FILE", help="The configuration file.", show_default=True)
]


def _complete_source(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names to offer for --source: those in the configuration that have not been given yet."""
    given = context.params.get("source") or ()
    config = Path(os.path.expanduser(context.params.get("config") or _CONFIG))  # noqa: PTH111 - never raises
    names = source_names(config)
    return [name for name in names if name.startswith(incomplete) and name not in given]


SourceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--source", "-s", metavar="NAME", help="Process only this source; repeatable.", autocompletion=_complete_source
    ),
]
VerboseOption = Annotated[
    int,
    typer.Option(
        "--verbose", "-v", count=True, show_default=False, help="Show more; -vv: every request and git command as well."
    ),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Show only problems.")]
JobsOption = Annotated[
    int, typer.Option("--jobs", "-j", metavar="N", min=1, max=64, help="Repositories to process in parallel.")
]
CacheOption = Annotated[
    Path | None,
    typer.Option("--cache-dir", metavar="DIR", envvar="CHART_RELEASER_CACHE", help="Where to keep fetched data."),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Print the plan and write nothing.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"chart-releaser {__version__}\n")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options that come before the command."""


@app.command()
def update(
    context: typer.Context,
    config: ConfigOption = _CONFIG,
    source: SourceOption = None,
    dry_run: DryRunOption = False,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Publish at most N releases.")
    ] = None,
    max_wait: Annotated[
        str, typer.Option("--max-wait", metavar="TIME", help="Longest wait for a rate limit: 90s, 5m, 1h.")
    ] = "5m",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
    jobs: JobsOption = _THREADS,
    cache_dir: CacheOption = None,
    # What gardener-chart-releaser took with every command; nothing is kept locally here any more.
    target_dir: Annotated[str | None, typer.Option("--targetDir", hidden=True)] = None,  # noqa: ARG001
) -> None:
    """Publish the releases that the destination lacks."""
    from chart_releaser.cli.results import show_update
    from chart_releaser.commands.update import update as run_update

    console = _console(context, verbose, quiet)
    settings = load(config)
    with cache_of(cache_dir, keep=not dry_run) as cache:
        run = run_of(settings, source, jobs, cache, console, context.obj, max_wait=seconds(max_wait))
        destination = destination_of(settings, config, run.repositories, writes=not dry_run)
        with finishing(run.stop), console.group(f"update {destination.title}"):
            report = run_update(run, destination, limit=limit, dry_run=dry_run)
    show_update(console, report, destination.title, as_json=json, dry_run=dry_run)
    _exit(report)


@app.command()
def export(
    context: typer.Context,
    config: ConfigOption = _CONFIG,
    source: SourceOption = None,
    target_dir: Annotated[
        str | None,
        typer.Option("--target-dir", "-t", metavar="DIR", help="Where to write the charts.  [default: ./charts]"),
    ] = None,
    old_target_dir: Annotated[str | None, typer.Option("--targetDir", hidden=True)] = None,
    packaged: Annotated[bool, typer.Option("--packaged", help="Write tgz files instead of directories.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also replace charts that were edited by hand.")] = False,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
    jobs: JobsOption = _THREADS,
    cache_dir: CacheOption = None,
) -> None:
    """Write the charts at their configured version to ./charts."""
    from chart_releaser.cli.results import show_export
    from chart_releaser.commands.export import export as run_export
    from chart_releaser.commands.exporting import ExportDirectory

    console = _console(context, verbose, quiet)
    settings = load(config)
    chosen = target_dir or old_target_dir
    if chosen is None:
        chosen = str(settings.base / settings.target_dir) if settings.target_dir else "charts"
    with cache_of(cache_dir, keep=True) as cache:
        run = run_of(settings, source, jobs, cache, console, context.obj)
        with finishing(run.stop), console.group(f"export to {chosen}"):
            report = run_export(run, ExportDirectory(Path(chosen), force=force), packaged=packaged)
    show_export(console, report)
    _exit(report.failures)


@app.command("fetch-latest-versions")
def fetch_latest_versions(
    context: typer.Context,
    config: ConfigOption = _CONFIG,
    source: SourceOption = None,
    dry_run: DryRunOption = False,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if a version would change.")] = False,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
    jobs: JobsOption = _THREADS,
    cache_dir: CacheOption = None,
    target_dir: Annotated[str | None, typer.Option("--targetDir", hidden=True)] = None,  # noqa: ARG001
) -> None:
    """Bump every version: key in the configuration file."""
    from chart_releaser.cli.results import show_latest
    from chart_releaser.commands.latest import latest

    console = _console(context, verbose, quiet)
    settings = load(config)
    writes = not (dry_run or check)
    with cache_of(cache_dir, keep=writes) as cache:
        run = run_of(settings, source, jobs, cache, console, context.obj)
        with finishing(run.stop), console.group("fetch latest versions"):
            report = latest(run, config, writes=writes)
    show_latest(console, report.failures, report.bumps, dry_run=dry_run)
    if check and report.changed and not report.failures.failed:
        raise typer.Exit(ChartReleaserError.exit_code)
    _exit(report.failures)


app.command("fetchLatestVersions", hidden=True)(fetch_latest_versions)


@app.command()
def verify(
    context: typer.Context,
    config: ConfigOption = _CONFIG,
    source: SourceOption = None,
    repair: Annotated[bool, typer.Option("--repair", help="Fix what can be fixed without changing a package.")] = False,
    adopt: Annotated[
        list[str] | None,
        typer.Option("--adopt", metavar="NAME", help="Let --repair also list this chart; repeatable, * means all."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
    jobs: JobsOption = _THREADS,
    cache_dir: CacheOption = None,
) -> None:
    """Check the published packages against the index."""
    from chart_releaser.cli.results import show_verify
    from chart_releaser.commands.verify import verify as run_verify

    console = _console(context, verbose, quiet)
    settings = load(config)
    with cache_of(cache_dir, keep=True) as cache:
        run = run_of(settings, source, jobs, cache, console, context.obj)
        destination = destination_of(settings, config, run.repositories, writes=repair, audits=True)
        with finishing(run.stop), console.group(f"verify {destination.title}"):
            names = [source.name for source in settings.sources]
            charts = {"names": names, "adopt": adopt or (), "only": [*source, *(adopt or ())] if source else ()}
            report = run_verify(destination, repair=repair, threads=jobs, stop=run.stop, **charts)
            report.retried = run.repositories.attempts.list()
    show_verify(console, report, destination.title, as_json=json)
    if report.exit_code:
        raise typer.Exit(report.exit_code)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration."""
    import json

    from chart_releaser.config.parse import json_schema

    console = Console()
    for line in json.dumps(json_schema(), indent=2).splitlines():
        console.result(line)


def _console(context: typer.Context, verbose: int, quiet: bool) -> Console:
    """Return the console of a command; what `-vv` asks for is shown until the command ends."""
    if verbose and quiet:
        raise UsageError("--verbose and --quiet exclude each other", remedy="give one of them")
    console = Console(verbosity=1 if verbose else -1 if quiet else 0, secrets=context.obj.all)
    if verbose > 1:
        from chart_releaser.cli.logs import logs_shown

        context.with_resource(logs_shown(console))
    return console


def _exit(report: UpdateReport) -> None:
    if report.bug is not None:
        raise report.bug
    if report.exit_code:
        raise typer.Exit(report.exit_code)


def run() -> int:
    """Run the program on `sys.argv` and return its exit code; every error has become a message on stderr.

    From here on `os.environ` holds no secret, and nothing else that no process needs to know.
    """
    secrets = environment.close(os.environ)
    try:
        with children_end_with_it():
            return _run(secrets)
    except KeyboardInterrupt:  # one more, while an error was being told
        return INTERRUPTED


def _run(secrets: Secrets) -> int:
    console = Console(secrets=secrets.all)
    try:
        code = app(sys.argv[1:], standalone_mode=False, obj=secrets)
    except (KeyboardInterrupt, typer.Abort):
        console.error("interrupted")
        return INTERRUPTED
    except ChartReleaserError as error:
        console.error(str(error) if isinstance(error, ConfigError) else error.advised)
        return error.exit_code
    except TyperException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context else " ".join(["chart-releaser", *_command_first(sys.argv[1:])[:1]])
        console.error(f"{error.format_message().rstrip('.')}; see {path} --help")
        return UsageError.exit_code
    except BrokenPipeError:
        return 1
    except Exception as error:
        if (broken := broken_stdout()) is not None:  # such as by the text of --help
            console.error(unwritable(broken).advised)
            return 1
        from chart_releaser.cli.bugreport import bug_report

        console.error("this is a bug in chart-releaser; please report it with these lines:")
        for line in bug_report(error, next(iter(_command_first(sys.argv[1:])), "")):
            console.report(line)
        return BUG
    return code if isinstance(code, int) else 0


_WITH_VALUE = ("--config", "-c", "--source", "-s", "--jobs", "-j", "--cache-dir", "--targetDir")
_ATTACHED = tuple(f"{name}=" if name.startswith("--") else name for name in _WITH_VALUE)
_BARE = re.compile(r"--verbose|--quiet|-[vq]+")


def _command_first(words: list[str]) -> list[str]:
    """Move the common options that stand before the command behind it: both places have always worked."""
    at = 0
    while at < len(words):
        if words[at] in _WITH_VALUE:
            at += 2
        elif _BARE.fullmatch(words[at]) or words[at].startswith(_ATTACHED):
            at += 1
        else:
            break
    if at >= len(words) or words[at].startswith("-"):  # no command, or an option of the program itself
        return words[at:]
    return [words[at], *words[:at], *words[at + 1 :]]


def main() -> NoReturn:
    """Entry point of the console scripts."""
    open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a character is no reason to fail
    code = run()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = code or 1
    except OSError as error:
        if not code:
            Console().error(unwritable(error).advised)
        code = code or 1
    finally:
        # Threads that wait for the network would keep the process from ending after an interrupt.
        os._exit(code)
