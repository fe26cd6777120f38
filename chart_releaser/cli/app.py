"""The commands and their options: each reads the configuration, runs the command, and shows its report."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from chart_releaser import __version__
from chart_releaser.cli.console import Console
from chart_releaser.cli.process import finish_on_signal
from chart_releaser.cli.startup import load_config, make_destination, make_run, open_cache, parse_duration, source_names
from chart_releaser.errors import ChartReleaserError, UsageError

if TYPE_CHECKING:
    from chart_releaser.commands.report import UpdateReport

_THREADS = 8
_CONFIG = Path("config.yaml")


class _Commands(TyperGroup):
    """Accepts the common options before the command too, when running and when completing."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See `TyperGroup`."""
        return super().parse_args(ctx, move_command_first(args))


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
    """Return completions for --source: the names in the configuration that are not given yet."""
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
MaxWaitOption = Annotated[
    str, typer.Option("--max-wait", metavar="TIME", help="Longest wait for a rate limit: 90s, 5m, 1h.")
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


@app.command("update")
def update_command(
    context: typer.Context,
    config: ConfigOption = _CONFIG,
    source: SourceOption = None,
    dry_run: DryRunOption = False,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Publish at most N releases.")
    ] = None,
    max_wait: MaxWaitOption = "5m",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
    jobs: JobsOption = _THREADS,
    cache_dir: CacheOption = None,
    # gardener-chart-releaser accepts it with every command, so existing workflows may pass it. It has no effect here.
    target_dir: Annotated[str | None, typer.Option("--targetDir", hidden=True)] = None,  # noqa: ARG001
) -> None:
    """Publish the releases that the destination lacks."""
    from chart_releaser.cli.results import show_update
    from chart_releaser.commands.update import update

    console = _console(context, verbose, quiet)
    settings = load_config(config)
    with open_cache(cache_dir, keep=not dry_run) as cache:
        run = make_run(settings, source, jobs, cache, console, context.obj, max_wait=parse_duration(max_wait))
        destination = make_destination(settings, config, run.repositories, writes=not dry_run)
        with finish_on_signal(run.stop), console.group(f"update {destination.title}"):
            report = update(run, destination, limit=limit, dry_run=dry_run)
    show_update(console, report, destination.title, as_json=json, dry_run=dry_run)
    _exit(report)


@app.command("export")
def export_command(
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
    max_wait: MaxWaitOption = "5m",
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
    jobs: JobsOption = _THREADS,
    cache_dir: CacheOption = None,
) -> None:
    """Write the charts at their configured version to ./charts."""
    from chart_releaser.cli.results import show_export
    from chart_releaser.commands.export import export
    from chart_releaser.commands.export_directory import ExportDirectory

    console = _console(context, verbose, quiet)
    settings = load_config(config)
    chosen = target_dir or old_target_dir
    if chosen is None:
        chosen = str(settings.base / settings.target_dir) if settings.target_dir else "charts"
    with open_cache(cache_dir, keep=True) as cache:
        run = make_run(settings, source, jobs, cache, console, context.obj, max_wait=parse_duration(max_wait))
        with finish_on_signal(run.stop), console.group(f"export to {chosen}"):
            report = export(run, ExportDirectory(Path(chosen), force=force), packaged=packaged)
    show_export(console, report)
    _exit(report.failures)


@app.command("fetch-latest-versions")
def latest_command(
    context: typer.Context,
    config: ConfigOption = _CONFIG,
    source: SourceOption = None,
    dry_run: DryRunOption = False,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if a version would change.")] = False,
    max_wait: MaxWaitOption = "5m",
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
    settings = load_config(config)
    writes = not (dry_run or check)
    with open_cache(cache_dir, keep=writes) as cache:
        run = make_run(settings, source, jobs, cache, console, context.obj, max_wait=parse_duration(max_wait))
        with finish_on_signal(run.stop), console.group("fetch latest versions"):
            report = latest(run, config, writes=writes)
    show_latest(console, report.failures, report.bumps, dry_run=dry_run)
    if check and report.changed and not report.failures.failed:
        raise typer.Exit(ChartReleaserError.exit_code)
    _exit(report.failures)


app.command("fetchLatestVersions", hidden=True)(latest_command)


@app.command("verify")
def verify_command(
    context: typer.Context,
    config: ConfigOption = _CONFIG,
    source: SourceOption = None,
    repair: Annotated[bool, typer.Option("--repair", help="Fix what can be fixed without changing a package.")] = False,
    adopt: Annotated[
        list[str] | None,
        typer.Option("--adopt", metavar="NAME", help="Let --repair also list this chart; repeatable, * means all."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
    max_wait: MaxWaitOption = "5m",
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
    jobs: JobsOption = _THREADS,
    cache_dir: CacheOption = None,
) -> None:
    """Check the published packages against the index."""
    from chart_releaser.cli.results import show_verify
    from chart_releaser.commands.verify import verify

    console = _console(context, verbose, quiet)
    settings = load_config(config)
    with open_cache(cache_dir, keep=True) as cache:
        run = make_run(settings, source, jobs, cache, console, context.obj, max_wait=parse_duration(max_wait))
        destination = make_destination(settings, config, run.repositories, writes=repair, audits=True)
        with finish_on_signal(run.stop), console.group(f"verify {destination.title}"):
            names = [source.name for source in settings.sources]
            charts = {"names": names, "adopt": adopt or (), "only": [*source, *(adopt or ())] if source else ()}
            report = verify(destination, repair=repair, threads=jobs, stop=run.stop, **charts)
            report.retried = run.repositories.attempts.list()
    show_verify(console, report, destination.title, as_json=json)
    if report.exit_code:
        raise typer.Exit(report.exit_code)


@app.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of the configuration."""
    import json

    from chart_releaser.config.parse import json_schema

    console = Console()
    for line in json.dumps(json_schema(), indent=2).splitlines():
        console.result(line)


def _console(context: typer.Context, verbose: int, quiet: bool) -> Console:
    """Return the console of a command. With `-vv` it shows logs until the command ends."""
    if verbose and quiet:
        raise UsageError("--verbose and --quiet exclude each other", remedy="give one of them")
    console = Console(verbosity=1 if verbose else -1 if quiet else 0, secrets=context.obj.all)
    if verbose > 1:
        from chart_releaser.cli.logs import show_logs

        context.with_resource(show_logs(console))
    return console


def _exit(report: UpdateReport) -> None:
    if report.bug is not None:
        raise report.bug
    if report.exit_code:
        raise typer.Exit(report.exit_code)


_WITH_VALUE = ("--config", "-c", "--source", "-s", "--jobs", "-j", "--cache-dir", "--targetDir", "--max-wait")
_ATTACHED = tuple(f"{name}=" if name.startswith("--") else name for name in _WITH_VALUE)
_BARE = re.compile(r"--verbose|--quiet|-[vq]+")


def move_command_first(words: list[str]) -> list[str]:
    """Return `words` with the common options that stand before the command moved behind it."""
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
