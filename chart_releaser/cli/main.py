"""Runs the program; the one place where errors become messages and exit codes."""

from __future__ import annotations

import io
import os
import sys
from typing import NoReturn

import typer
from typer.exceptions import TyperException

from chart_releaser import environment
from chart_releaser.cli.app import app, move_command_first
from chart_releaser.cli.console import Console, output_error
from chart_releaser.cli.process import (
    INTERRUPTED,
    end_children_on_exit,
    flush_stdout,
    open_closed_streams,
)
from chart_releaser.environment import Secrets
from chart_releaser.errors import ChartReleaserError, ConfigError, UsageError

BUG = 70
"""The exit code for a bug in this program."""


def run_program() -> int:
    """Run the program with `sys.argv` and return its exit code. Every error becomes a message on stderr.

    Removes from `os.environ` all secrets and everything else that no process needs.
    """
    secrets = environment.sanitize(os.environ)
    try:
        with end_children_on_exit():
            return _run_command(secrets)
    except KeyboardInterrupt:  # a second one, while an error was being handled
        return INTERRUPTED


def _run_command(secrets: Secrets) -> int:
    console = Console(secrets=secrets.all)
    try:
        code = app(sys.argv[1:], standalone_mode=False, obj=secrets)
    except (KeyboardInterrupt, typer.Abort):
        console.error("interrupted")
        return INTERRUPTED
    except ChartReleaserError as error:
        console.error(str(error) if isinstance(error, ConfigError) else error.full_message)
        return error.exit_code
    except TyperException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context else " ".join(["chart-releaser", *move_command_first(sys.argv[1:])[:1]])
        console.error(f"{error.format_message().rstrip('.')}; see {path} --help")
        return UsageError.exit_code
    except BrokenPipeError:
        return 1
    except Exception as error:
        if (broken := flush_stdout()) is not None:  # for example, the text of --help could not be written
            console.error(output_error(broken).full_message)
            return 1
        from chart_releaser.cli.bugreport import bug_report

        console.error("this is a bug in chart-releaser; please report it with these lines:")
        for line in bug_report(error, next(iter(move_command_first(sys.argv[1:])), "")):
            console.report(line)
        return BUG
    return code if isinstance(code, int) else 0


def run_console_script() -> NoReturn:
    """Run the program and end the process with its exit code: the entry point of the console scripts."""
    open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # instead of failing on a character that the terminal lacks
    code = run_program()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = code or 1
    except OSError as error:
        if not code:
            Console().error(output_error(error).full_message)
        code = code or 1
    finally:
        # Not sys.exit: it would wait for threads that wait for the network.
        os._exit(code)
