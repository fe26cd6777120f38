"""Output: results on stdout, progress and messages on stderr, annotations and a summary in GitHub Actions."""

from __future__ import annotations

import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from chart_releaser.cli.markdown import markdown_table
from chart_releaser.errors import ChartReleaserError

if TYPE_CHECKING:
    from chart_releaser.cli.terminal import Terminal

_CLEAR = "\r\x1b[K"
_NARROWEST = 40  # columns; a narrower terminal wraps the lines itself

_SHORTEST_SECRET = 8  # a shorter one is not a token, and hiding it would hide ordinary words


@dataclass
class Console:
    """The output of a command. Thread-safe. `verbosity` is -1 for quiet, 0, or 1 for verbose.

    All text passes through `clean`, because messages contain names and texts from upstream.
    """

    verbosity: int = 0
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    secrets: Sequence[str] = field(default=(), repr=False)
    """Texts that are replaced by `***` wherever they occur."""
    started: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _bar: str = ""
    _countdown: str = ""

    @property
    def in_actions(self) -> bool:
        """Whether this is a GitHub Actions job."""
        return self.environ.get("GITHUB_ACTIONS") == "true"

    @property
    def elapsed(self) -> str:
        """The time since the start: `0.4 s`, `12 s`, `3 min 5 s`."""
        seconds = time.monotonic() - self.started
        if seconds < 10:
            return f"{seconds:.1f} s"
        return f"{seconds:.0f} s" if seconds < 60 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"

    @property
    def result_width(self) -> int | None:
        """The columns for a line of the result on a terminal; None elsewhere, where a line may have any length."""
        return _width(sys.stdout)

    @property
    def message_width(self) -> int | None:
        """The columns for a message on a terminal; None elsewhere, where a message may have any length."""
        return _width(sys.stderr)

    @property
    def is_live(self) -> bool:
        """Whether messages go to a terminal that can show progress and countdowns in its last line."""
        plain = self.in_actions or self.environ.get("TERM") == "dumb"
        return self.verbosity >= 0 and not plain and sys.stderr.isatty()

    def step(self, text: str) -> None:
        """Write a step that was begun or done."""
        if self.verbosity >= 0:
            self._write(sys.stderr, text)

    def success(self, text: str) -> None:
        """Write what was published."""
        if self.verbosity >= 0:
            self._write(sys.stderr, text, "green")

    def detail(self, text: str) -> None:
        """Write a detail, only with --verbose."""
        if self.verbosity > 0:
            self._write(sys.stderr, text, "dim")

    def detail_each(self, texts: Iterable[str]) -> None:
        """Write details, which are made only with --verbose."""
        if self.verbosity > 0:
            for text in texts:
                self.detail(text)

    def headline(self, text: str) -> None:
        """Write a failure in the summary at the end."""
        if self.verbosity >= 0:
            self._write(sys.stderr, text, "red")

    def note(self, text: str) -> None:
        """Write a note about something that is not an error, but probably not intended."""
        if self.verbosity >= 0:
            self._annotate("note", text, "yellow")

    def failure(self, text: str) -> None:
        """Write that one source or release failed, while the run goes on.

        On a terminal the message is cut to one line, because the full reason is shown at the end of the run.
        """
        if self.is_live:
            room = shutil.get_terminal_size().columns - len("error: ")
            text = self._for_terminal(text)
            title = text.partition(": ")[0]
            if len(title) > room:
                text = f"…{title[1 - room :]}"  # the version is at the end
            elif len(text) > room:
                text = f"{text[: room - 1]}…"
        self.error(text)

    def error(self, text: str) -> None:
        """Write an error at any verbosity, in Actions as an annotation. Each line of `text` is a message of its own."""
        for line in text.splitlines():
            self._annotate("error", line, "red")

    def warning(self, text: str) -> None:
        """Write a warning at any verbosity, because it explains the exit code."""
        self._annotate("warning", text, "yellow")

    def result(self, text: str) -> None:
        """Write a line of the result to stdout. Raises ChartReleaserError, or BrokenPipeError if the reader is gone."""
        try:
            self._write(sys.stdout, text)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise output_error(error) from error

    def report(self, text: str) -> None:
        """Write a line of a bug report to stderr, as plain text at any verbosity."""
        self._write(sys.stderr, text)

    def progress(self, what: str, done: int, total: int) -> None:
        """Show in the terminal's last line how much is done, and `what` is being done. It disappears at the end."""
        if self.is_live:
            self._set_last_line(
                bar=self._terminal(sys.stderr).progress(self.clean(what), done, total) if done < total else ""
            )

    def countdown(self, text: str) -> None:
        """Show a wait in the terminal's last line, in place of the progress; an empty `text` ends it."""
        if self.is_live:
            self._set_last_line(countdown=self._terminal(sys.stderr).status(self.clean(text)) if text else "")

    def draw_table(self, header: Sequence[str], rows: Sequence[tuple[str, Sequence[int]]]) -> list[str] | None:
        """Return the lines of a table of counts for the terminal that shows messages; None if that is no terminal."""
        if not sys.stderr.isatty():
            return None
        return self._terminal(sys.stderr).table(header, [(self.clean(name), counts) for name, counts in rows])

    def write_table(self, lines: Sequence[str]) -> None:
        """Write the lines that `draw_table` returned, unless the console is quiet."""
        for line in lines:
            if self.verbosity >= 0:
                self._write(sys.stderr, line, raw=True)

    @contextmanager
    def group(self, title: str) -> Iterator[None]:
        """In Actions, fold what is written in the body; elsewhere, do nothing."""
        if self.in_actions and self.verbosity >= 0:
            self._write(sys.stderr, f"::group::{_escape(self.clean(title))}", raw=True)
        try:
            yield
        finally:
            if self.in_actions and self.verbosity >= 0:
                self._write(sys.stderr, "::endgroup::", raw=True)

    def summary(self, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Append a Markdown table to the job's summary, if there are rows and a summary. See `cli/markdown.py`."""
        path = self.environ.get("GITHUB_STEP_SUMMARY")
        if path and rows:
            self._append(path, markdown_table(title, header, rows, self.clean))

    def output(self, name: str, value: str) -> None:
        """Set an output of the job's step, if it runs in Actions. `value` is one line."""
        path = self.environ.get("GITHUB_OUTPUT")
        if path:
            self._append(path, f"{name}={self.clean(value)}\n")

    def clean(self, text: str) -> str:
        """Return `text` in one line, without secrets and without characters that control a terminal or a job."""
        for secret in self.secrets:
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, "***")
        shown = text
        if not text.isprintable():
            shown = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
        # The runner reads "##[" as a command anywhere in a line, and "::" at its beginning.
        return re.sub(r"^(\s*):(?=:)", r"\1: ", shown.replace("##[", "## [")) if self.in_actions else shown

    def _annotate(self, kind: str, text: str, style: str) -> None:
        if self.in_actions:
            kind = "notice" if kind == "note" else kind
            self._write(sys.stderr, f"::{kind}::{_escape(self.clean(text))}", raw=True)
        else:
            self._write(sys.stderr, f"{kind}: {text}", style)

    def _append(self, path: str, text: str) -> None:
        try:
            with self._lock, Path(path).open("a", encoding="utf-8") as stream:
                stream.write(text)
        except OSError as error:
            self.warning(f"{path} can't be written: {error.strerror}; the job's summary or outputs are incomplete")

    def _for_terminal(self, text: str) -> str:
        """Return `text` for a terminal: cleaned, and with paths relative to the current directory."""
        with suppress(OSError):  # the current directory may be gone
            here = re.escape(str(Path.cwd()))
            text = re.sub(rf"(?<![^\s'\"(:=]){here}/(?=[^/\s])", "", text)
        return self.clean(text)

    def _set_last_line(self, bar: str | None = None, countdown: str | None = None) -> None:
        with self._lock:
            before = self._last_line
            self._bar = self._bar if bar is None else bar
            self._countdown = self._countdown if countdown is None else countdown
            if self._last_line != before:
                with suppress(OSError):
                    sys.stderr.write(f"{_CLEAR}{self._last_line}")
                    sys.stderr.flush()

    @property
    def _last_line(self) -> str:
        return self._countdown or self._bar

    def _terminal(self, stream: TextIO) -> Terminal:
        from chart_releaser.cli.terminal import Terminal

        return Terminal(stream, width=_width(stream) or _NARROWEST, colours=self._has_colour(stream))

    def _write(self, stream: TextIO, text: str, style: str = "", *, raw: bool = False) -> None:
        shown = text if raw else self._for_terminal(text) if stream.isatty() else self.clean(text)
        if style and self._has_colour(stream):
            shown = self._terminal(stream).style_line(shown, style)
        with self._lock, suppress(OSError) if stream is sys.stderr else nullcontext():
            # A message that can't be written, because the disk is full or the reader gone, must not stop the work.
            if self._last_line:
                sys.stderr.write(_CLEAR)
                sys.stderr.flush()
            stream.write(f"{shown}\n")
            stream.flush()
            if self._last_line:
                sys.stderr.write(self._last_line)
                sys.stderr.flush()

    def _has_colour(self, stream: TextIO) -> bool:
        return stream.isatty() and not self.environ.get("NO_COLOR") and self.environ.get("TERM") != "dumb"


def output_error(error: OSError) -> ChartReleaserError:
    """Return the error for results that can't be written to stdout."""
    return ChartReleaserError(
        f"the results can't be written: {error.strerror}", remedy="make room, or write them elsewhere"
    )


def _width(stream: TextIO) -> int | None:
    return max(shutil.get_terminal_size().columns, _NARROWEST) if stream.isatty() else None


def _escape(text: str) -> str:
    """Escape the data of a workflow command: https://docs.github.com/actions/reference/workflow-commands-for-github-actions"""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
