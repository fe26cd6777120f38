"""What reaches the terminal, the log of a job, its summary and its outputs."""

from __future__ import annotations

import errno
import io
import re
import sys
import threading
from pathlib import Path

import pytest

from chart_releaser.cli.console import Console
from chart_releaser.cli.markdown import RawMarkdown
from chart_releaser.errors import ChartReleaserError

TOKEN = "ghs_0123456789"
BAR = f"\x1b[32m━━━━━\x1b[0m\x1b[90m╺\x1b[0m\x1b[90m{'━' * 14}\x1b[0m"
ACTIONS = {"GITHUB_ACTIONS": "true"}
Capture = pytest.CaptureFixture[str]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class _Full(io.StringIO):
    def write(self, _text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def _terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Put a terminal in place of stderr."""
    stream = _Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


@pytest.mark.parametrize(
    ("verbosity", "shown"),
    [
        (-1, "error: e\nerror: f\nwarning: w\n"),
        (0, "s\nerror: e\nerror: f\nwarning: w\n"),
        (1, "s\nd\nerror: e\nerror: f\nwarning: w\n"),
    ],
)
def test_verbosity(capsys: Capture, verbosity: int, shown: str) -> None:
    console = Console(verbosity, {})
    console.step("s")
    console.detail("d")
    console.error("e")
    console.failure("f")
    console.warning("w")
    console.result("r")
    assert capsys.readouterr() == ("r\n", shown)


def test_each_line_of_an_error_is_a_message(capsys: Capture) -> None:
    Console(environ={}).error("a\nb\r\nc")
    assert capsys.readouterr().err == "error: a\nerror: b\nerror: c\n"


def test_nothing_is_wrapped(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    Console(environ={}).step("word " * 200 + "end")
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    "text", ["\x1b[31m", "\x07", "\x9b0m", "\r", "\n", "\u202e", "\u2028", "\x00", "\x7f", "\ud800"]
)
def test_control_characters_are_shown_as_text(capsys: Capture, text: str) -> None:
    console = Console(environ={})
    console.step(f"a{text}b")
    console.result(f"a{text}b")
    out, err = capsys.readouterr()
    assert out == err
    assert out.startswith("a\\x")
    assert out.strip().isprintable()


def test_other_scripts_stay(capsys: Capture) -> None:
    Console(environ={}).result("größe 図 ✓")
    assert capsys.readouterr().out == "größe 図 ✓\n"


def test_secrets_are_never_shown(capsys: Capture, tmp_path: Path) -> None:
    paths = {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary"), "GITHUB_OUTPUT": str(tmp_path / "output")}
    console = Console(1, paths, secrets=("another-secret", TOKEN))
    for tell in (console.step, console.detail, console.error, console.warning, console.result, console.report):
        tell(f"x {TOKEN} y")
    console.summary(TOKEN, ("a",), [(TOKEN,)])
    console.output("x", TOKEN)
    out, err = capsys.readouterr()
    assert TOKEN not in out + err + (tmp_path / "summary").read_text() + (tmp_path / "output").read_text()
    assert out == "x *** y\n"


def test_a_short_value_is_no_token(capsys: Capture) -> None:
    Console(environ={}, secrets=("x",)).result("xylophone")
    assert capsys.readouterr().out == "xylophone\n"


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _terminal(monkeypatch)
    Console(1, {}).error("e")
    Console(1, {"NO_COLOR": "1"}).error("e")
    Console(1, {"TERM": "dumb"}).error("e")
    Console(1, {"NO_COLOR": ""}).warning("w")
    assert terminal.getvalue() == "\x1b[31merror: e\x1b[0m\nerror: e\nerror: e\n\x1b[33mwarning: w\x1b[0m\n"


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (70, f"{BAR} 1/4, 3 left: building provider-azure v1.62.1"),
        (60, f"{BAR} 1/4, 3 left: building provider-azure v"),
        (59, "1/4, 3 left: building provider-azure v1.62.1"),
        (30, "1/4, 3 left: building provide"),
    ],
)
def test_progress_is_one_line_that_makes_room_and_goes_away(
    monkeypatch: pytest.MonkeyPatch, columns: int, line: str
) -> None:
    terminal = _terminal(monkeypatch)
    monkeypatch.setenv("COLUMNS", str(columns))
    console = Console(0, {})
    console.progress("building provider-azure v1.62.1", 1, 4)
    assert terminal.getvalue().rstrip() == f"\r\x1b[K{line}"
    console.step("s")
    assert terminal.getvalue().rstrip().endswith(f"\r\x1b[Ks\n{line}")
    console.progress("building provider-azure v1.62.1", 4, 4)
    console.step("t")
    assert terminal.getvalue().endswith("\r\x1b[Kt\n")


@pytest.mark.parametrize(("verbosity", "environ"), [(-1, {}), (0, ACTIONS), (0, {"TERM": "dumb"})])
def test_no_progress(monkeypatch: pytest.MonkeyPatch, verbosity: int, environ: dict[str, str]) -> None:
    terminal = _terminal(monkeypatch)
    Console(verbosity, environ).progress("working", 1, 4)
    assert terminal.getvalue() == ""


def test_a_progress_line_is_as_wide_as_its_characters_are(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _terminal(monkeypatch)
    monkeypatch.setenv("COLUMNS", "30")
    Console(0, {}).progress("図" * 30, 1, 4)
    assert terminal.getvalue().rstrip() == f"\r\x1b[K1/4, 3 left: {'図' * 8}"


def test_a_countdown_takes_the_place_of_the_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _terminal(monkeypatch)
    monkeypatch.setenv("COLUMNS", "50")
    console = Console(0, {})
    console.progress("a", 1, 4)
    console.countdown("waiting 2 s: b")
    console.step("s")
    console.countdown("")
    console.progress("a", 4, 4)
    shown = terminal.getvalue().split("\r\x1b[K")
    assert shown == ["", "1/4, 3 left: a", "waiting 2 s: b", "s\nwaiting 2 s: b", "1/4, 3 left: a", ""]


@pytest.mark.parametrize("markup", ["[bold]x[/bold]", "[link=https://example.org]x[/link]", ":smile: x", "[/]", "12 x"])
def test_what_looks_like_markup_stays_text(monkeypatch: pytest.MonkeyPatch, markup: str) -> None:
    terminal = _terminal(monkeypatch)
    monkeypatch.setenv("COLUMNS", "80")
    console = Console(0, {})
    console.success(markup)
    console.error(markup)
    console.progress(markup, 1, 4)
    drawn = console.draw_table(["source", "published"], [(markup, [0])])
    assert drawn is not None
    assert terminal.getvalue() == (
        f"\x1b[32m{markup}\x1b[0m\n\x1b[31merror: {markup}\x1b[0m\n\r\x1b[K{BAR} 1/4, 3 left: {markup}"
    )
    assert drawn[1].split("  ")[0] == markup


def test_a_failure_is_one_short_line_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _terminal(monkeypatch)
    monkeypatch.setenv("COLUMNS", "40")
    told = "provider-azure v1.62.1: charts/a does not exist; name another"
    Console(0, {}).failure(told)
    Console(0, {}).failure("gardener-extension-provider-azure v1.62.1: charts/a does not exist")
    assert terminal.getvalue() == (
        "\x1b[31merror: provider-azure v1.62.1: charts/a…\x1b[0m\n"
        "\x1b[31merror: …extension-provider-azure v1.62.1\x1b[0m\n"
    )
    for plain in (Console(-1, {}), Console(0, {"TERM": "dumb"})):  # nothing is told at the end, or no line is wiped
        terminal.truncate(0)
        plain.failure(told)
        assert told in terminal.getvalue()


def test_paths_on_a_terminal_start_where_the_user_is(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    texts = [
        f"directory {tmp_path}/public",
        f"'{tmp_path}/a'",
        f"file://{tmp_path}/a",
        f"/x{tmp_path}/a",
        f"{tmp_path}",
    ]
    Console(0, {}).step(texts[0])
    assert capsys.readouterr().err == f"{texts[0]}\n"
    terminal = _terminal(monkeypatch)
    for text in texts:
        Console(0, {}).step(text)
    assert terminal.getvalue().splitlines() == ["directory public", "'a'", *texts[2:]]


@pytest.mark.parametrize(("columns", "most"), [(80, 80), (40, 40), (20, 40)])
def test_a_table_fits_the_terminal_and_is_coloured(monkeypatch: pytest.MonkeyPatch, columns: int, most: int) -> None:
    _terminal(monkeypatch)
    monkeypatch.setenv("COLUMNS", str(columns))
    header = ["source", "published", "up to date", "failed", "waiting"][: 5 if columns == 80 else 4]
    rows = [("a" * 53, [1, 0, 0, 0]), ("b", [0, 2, 3, 0])]
    lines = Console(0, {"NO_COLOR": "1"}).draw_table(
        header, [(name, counts[: len(header) - 1]) for name, counts in rows]
    )
    assert lines is not None
    assert max(map(len, lines)) <= most
    assert any(line.startswith("aaa") and "…  " in line for line in lines)
    coloured = Console(0, {}).draw_table(header, [(name, counts[: len(header) - 1]) for name, counts in rows])
    assert coloured is not None
    assert [re.findall(r"\x1b\[(3\d)m *(\d)", line) for line in coloured][-2:] == [[("32", "1")], [("31", "3")]]


def test_no_progress_in_a_file(capsys: Capture) -> None:
    Console(0, {}).progress("working", 1, 4)
    assert capsys.readouterr().err == ""


def test_annotations(capsys: Capture) -> None:
    console = Console(0, ACTIONS)
    console.error("100% wrong\nand more\x1b")
    console.warning("a\nb")
    assert capsys.readouterr().err == "::error::100%25 wrong\n::error::and more\\x1b\n::warning::a\\x0ab\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::stop-commands::x", ": :stop-commands::x"),
        ("  ::set-output name=a::b", "  : :set-output name=a::b"),
        ("a ::b::", "a ::b::"),
        ("x ##[set-output name=a]b", "x ## [set-output name=a]b"),
        (": fine", ": fine"),
    ],
)
def test_texts_are_no_commands_to_the_runner(capsys: Capture, text: str, shown: str) -> None:
    console = Console(0, ACTIONS)
    console.step(text)
    console.result(text)
    assert capsys.readouterr() == (f"{shown}\n", f"{shown}\n")


def test_groups_end_whatever_happens(capsys: Capture) -> None:
    def fail() -> None:
        with Console(0, ACTIONS).group("a 100%"):
            raise ChartReleaserError("x")

    with pytest.raises(ChartReleaserError):
        fail()
    with Console(0, {}).group("nothing"), Console(-1, ACTIONS).group("nothing"):
        pass
    assert capsys.readouterr().err == "::group::a 100%25\n::endgroup::\n"


def test_a_summary_is_a_table_that_upstream_cannot_break(tmp_path: Path) -> None:
    path = tmp_path / "summary"
    console = Console(0, {"GITHUB_STEP_SUMMARY": str(path)})
    console.summary("o/charts", ("a", "b"), [("x|y", "`<b>`"), (RawMarkdown("done"), "two\nlines\x1b")])
    console.summary("empty", ("a",), [])
    assert path.read_text() == (
        "### `o/charts`\n\n| a | b |\n| --- | --- |\n| `x\\|y` | `` `<b>` `` |\n| done | `two lines\\x1b` |\n\n"
    )


def test_outputs_are_one_line_each(tmp_path: Path) -> None:
    console = Console(0, {"GITHUB_OUTPUT": str(tmp_path / "output")})
    console.output("a", "1")
    console.output("b", "x\nc=2")
    assert (tmp_path / "output").read_text() == "a=1\nb=x\\x0ac=2\n"


def test_a_file_that_cannot_be_written_is_a_warning(tmp_path: Path, capsys: Capture) -> None:
    Console(0, {"GITHUB_OUTPUT": str(tmp_path)}).output("a", "1")
    expected = f"warning: {tmp_path} can't be written: Is a directory; the job's summary or outputs are incomplete\n"
    assert capsys.readouterr().err == expected


def test_threads_do_not_mix_their_lines(capsys: Capture) -> None:
    console = Console(0, {})

    def tell(number: int) -> None:
        for _ in range(50):
            console.step(str(number) * 50)

    threads = [threading.Thread(target=tell, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 400
    assert all(len(line) == 50 and len(set(line)) == 1 for line in lines)


def test_results_that_cannot_be_written_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", _Full())
    with pytest.raises(ChartReleaserError, match="the results can't be written: No space left on device; make room"):
        Console(0, {}).result("x")
