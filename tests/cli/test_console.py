"""What a terminal gets: text from elsewhere is neither markup nor an escape, and colours can be turned off."""

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scar_pulumi.cli import console as module
from scar_pulumi.cli.console import Console, printable
from scar_pulumi.cli.output import show_table

ODD = "[red]x[/red] \x1b[2J\x1b[31m"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_a_table_on_a_terminal_shows_text_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    stdout = Terminal()
    show_table(
        Console(stdout=stdout, stderr=io.StringIO()), ("NAME", "PROJECT"), [(ODD, ":smile: https://x"), ("b", "-")]
    )
    text = stdout.getvalue()
    assert "\x1b[1mNAME" in text
    assert "\x1b[2J" not in text
    lines = [line.split() for line in plain(text).splitlines()]
    assert lines == [["NAME", "PROJECT"], ["[red]x[/red]", r"\x1b[2J\x1b[31m", ":smile:", "https://x"], ["b", "-"]]


def test_a_dumb_terminal_gets_no_colours_and_no_rewritten_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    stdout, stderr = Terminal(), Terminal()
    console = Console(stdout=stdout, stderr=stderr)
    console.warn("careful")
    console.status("working")
    console.status("still working")
    show_table(console, ("NAME",), [("b",)])
    assert stderr.getvalue() == "warning: careful\nworking\nstill working\n"
    assert "\x1b" not in stdout.getvalue()


def test_what_takes_long_is_told_once_on_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    label = "building the engine (once, about four minutes)"
    for stderr, rewritten in ((io.StringIO(), 0), (Terminal(), 2)):
        console = Console(stdout=io.StringIO(), stderr=stderr)
        for line in (f"{label}: 2 s, 5 of 900 packages", f"{label}: 4 s", "starting"):
            console.tell(line)
        lines = stderr.getvalue().replace("\r\x1b[K", "\n").splitlines()
        assert [line for line in lines if line in (label, "starting")] == [label, "starting"]
        assert len([line for line in lines if " s" in line.removeprefix(label)]) == rewritten


def test_a_table_in_a_file_is_plain_columns() -> None:
    stdout = io.StringIO()
    show_table(Console(stdout=stdout, stderr=io.StringIO()), ("NAME", "PROJECT"), [(ODD, "p"), ("b", "")])
    assert stdout.getvalue().splitlines() == [
        "NAME                          PROJECT",
        r"[red]x[/red] \x1b[2J\x1b[31m  p",
        "b",
    ]


def test_a_table_without_rows_is_nothing_and_json_has_no_table() -> None:
    for console, rows in ((Console(stdout=io.StringIO()), []), (Console(json=True, stdout=io.StringIO()), [("b",)])):
        show_table(console, ("NAME",), rows)
        assert isinstance(console.stdout, io.StringIO)
        assert console.stdout.getvalue() == ""


@pytest.mark.parametrize(("variable", "coloured"), [("", True), ("1", False)])
def test_warnings_are_coloured_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, variable: str, coloured: bool
) -> None:
    monkeypatch.setenv("NO_COLOR", variable)
    stderr = Terminal()
    Console(stdout=io.StringIO(), stderr=stderr).warn("[bold]mind[/bold]")
    assert ("\x1b[33m" in stderr.getvalue()) is coloured
    assert plain(stderr.getvalue()) == "warning: [bold]mind[/bold]\n"


def test_progress_on_a_terminal_is_a_bar_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(module, "_TERMINAL_SECONDS", 0.01)
    monkeypatch.setenv("COLUMNS", "80")
    stderr = Terminal()
    with Console(stdout=io.StringIO(), stderr=stderr).progress(f"uploading {ODD}") as progress:
        while "3 of 4" not in stderr.getvalue():
            progress.update("3 of 4", 0.75)
    text = stderr.getvalue()
    assert "━" in text
    assert "\x1b[2J" not in text
    assert "[red]x[/red]" in plain(text)
    assert text.endswith("\r\x1b[K")
    assert "\n" not in text


def test_progress_in_a_file_is_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0.0)
    stderr = io.StringIO()
    with Console(stdout=io.StringIO(), stderr=stderr).progress("uploading") as progress:
        progress.update("3 of 4", 0.75)
        while not stderr.getvalue():
            pass
    assert re.fullmatch(r"uploading(  3 of 4)?  0 s\n", stderr.getvalue())


def test_a_real_terminal_gets_the_list_of_what_is_deployed_without_escapes_from_names(directories: Path) -> None:
    script = (
        "import sys\nfrom scar_pulumi.cli.console import Console\nfrom scar_pulumi.cli.output import show_table\n"
        f"show_table(Console(), ('NAME',), [({ODD!r},)])"
    )
    reader, writer = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "80"}
    subprocess.run([sys.executable, "-c", script], stdout=writer, env=environment, check=True)
    os.close(writer)
    text = os.read(reader, 4096).decode()
    os.close(reader)
    assert "\x1b[2J" not in text
    assert r"[red]x[/red] \x1b[2J\x1b[31m" in plain(text)


def test_a_line_from_elsewhere_is_escaped_on_terminals_only() -> None:
    for stdout, expected in ((Terminal(), r"[red]x[/red] \x1b[2J\x1b[31m"), (io.StringIO(), ODD)):
        Console(stdout=stdout).say_foreign(ODD)
        assert stdout.getvalue() == f"{expected}\n"


def test_names_cannot_move_the_cursor() -> None:
    assert printable("a\x1b[2Jb\nc\u202e") == "a\\x1b[2Jb\\nc\\u202e"
    assert printable("naïve 日本 a+b%") == "naïve 日本 a+b%"
