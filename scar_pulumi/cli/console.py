"""The terminal: results on stdout, everything else on stderr."""

import json
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

import click

from scar_foundation.errors import InputError

# Shorter work needs no words.
_PATIENCE_SECONDS = 2.0
_TERMINAL_SECONDS = 0.2
_FILE_SECONDS = 10.0
_BAR_COLUMNS = 24
_TICKING = re.compile(r"(?P<label>.+): \d+ s(?:, .+)?")


class Console:
    """Where a verb writes and asks.

    Args:
        json: stdout belongs to the one document that `document` prints; `say` is silent.
    """

    def __init__(self, *, json: bool = False, stdout: TextIO | None = None, stderr: TextIO | None = None) -> None:
        self.json = json
        self.stdout = stdout or sys.stdout
        self.stderr = stderr or sys.stderr
        self.follows = False
        """Whether what runs goes on until Ctrl-C, which is then no error."""
        self._lock = threading.Lock()
        self._status = ""
        self._told: set[str] = set()

    @property
    def interactive(self) -> bool:
        """Whether a terminal is there to ask on."""
        return sys.stdin is not None and sys.stdin.isatty() and self.stderr.isatty()

    def say(self, text: str) -> None:
        """Print a line of the result."""
        if not self.json:
            self._line(self.stdout, text)

    def say_foreign(self, text: str) -> None:
        """Print a line of the result with text from elsewhere: terminals get its control characters escaped."""
        self.say(printable(text) if self.stdout.isatty() else text)

    def note(self, text: str, colour: str = "") -> None:
        """Print a line that is not part of the result."""
        self._line(self.stderr, click.style(text, fg=colour) if colour and is_coloured(self.stderr) else text)

    def tell(self, text: str) -> None:
        """Print what takes long once, however often the seconds are told that it has taken: `LABEL: 12 s`.

        A live terminal shows the seconds in a line that the next one replaces.
        """
        ticking = _TICKING.fullmatch(text)
        label = ticking["label"] if ticking else text
        if label not in self._told:
            self._told.add(label)
            self.note(label)
        elif not ticking:
            self.note(text)
        if ticking and is_live(self.stderr):
            self.status(text)

    def warn(self, text: str) -> None:
        """Print a warning."""
        self.note(f"warning: {text}", "yellow")

    def document(self, document: Mapping[str, Any]) -> None:
        """Print the result as a JSON document."""
        self._line(self.stdout, json.dumps(document, indent=2, ensure_ascii=False, default=str))

    def json_line(self, document: Mapping[str, Any]) -> None:
        """Print one of many JSON documents, on a line of its own."""
        self._line(self.stdout, json.dumps(document, ensure_ascii=False, default=str))

    def write(self, content: bytes) -> None:
        """Print bytes unchanged; on a terminal only if they are text."""
        if not self.stdout.isatty():
            self.stdout.flush()
            self.stdout.buffer.write(content)
            self.stdout.flush()
            return
        try:
            text = content.decode()
        except UnicodeDecodeError:
            self.note(f"{len(content)} bytes that are not text; --output FILE saves them")
        else:
            self._line(self.stdout, text.removesuffix("\n"))

    def confirm(self, question: str) -> bool:
        """Ask a yes-or-no question; anything but yes is no."""
        with self._lock:
            self._clear()
            self.stderr.write(f"{question} [y/N] ")
            self.stderr.flush()
        answer = sys.stdin.readline()
        return answer.strip().lower() in {"y", "yes"}

    def must_confirm(self, question: str, *, yes: bool) -> bool:
        """Ask unless `--yes` was given.

        Raises:
            InputError: There is no terminal to ask on.
        """
        if yes:
            return True
        if not self.interactive:
            raise InputError(f"{question} There is no terminal to ask on; confirm with --yes")
        return self.confirm(question)

    @contextmanager
    def progress(self, text: str) -> Iterator["Progress"]:
        """Show an activity and its progress, once it takes longer than two seconds."""
        progress = Progress(self, text)
        try:
            yield progress
        finally:
            progress.finish()

    def status(self, text: str) -> None:
        """Show a line that the next one replaces; on a file it is a line like others."""
        if not is_live(self.stderr):
            self._line(self.stderr, text)
            return
        with self._lock:
            self._clear()
            self._status = text
            self.stderr.write(text)
            self.stderr.flush()

    def settle(self) -> None:
        """Remove the status line."""
        with self._lock:
            self._clear()

    def _line(self, stream: TextIO, text: str) -> None:
        with self._lock:
            self._clear()
            stream.write(f"{text}\n")
            stream.flush()

    def _clear(self) -> None:
        if self._status:
            self.stderr.write("\r\x1b[K")
            self.stderr.flush()
            self._status = ""


class Progress:
    """The state of something that may take long; `update` says how far it is."""

    def __init__(self, console: Console, text: str) -> None:
        self._console = console
        self._text = text
        self._detail = ""
        self._fraction: float | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._show, daemon=True)
        self._began = time.monotonic()
        self._thread.start()

    def update(self, detail: str, fraction: float | None = None) -> None:
        """Set how far it is: in words, and as a part of 1 where that is known."""
        self._detail, self._fraction = detail, fraction

    def finish(self) -> None:
        """Stop showing it."""
        self._done.set()
        self._thread.join()
        self._console.settle()

    def _show(self) -> None:
        live = is_live(self._console.stderr)
        pause = _PATIENCE_SECONDS
        while not self._done.wait(pause):
            pause = _TERMINAL_SECONDS if live else _FILE_SECONDS
            elapsed = f"{time.monotonic() - self._began:.0f} s"
            parts = [part for part in (self._text, self._detail, elapsed) if part]
            self._console.status(self._bar(parts) if live else "  ".join(parts))

    def _bar(self, parts: list[str]) -> str:
        """Return a line with a bar, as wide as the terminal at most."""
        from rich.console import Console as Terminal  # noqa: PLC0415 - only terminals show a bar
        from rich.progress_bar import ProgressBar  # noqa: PLC0415 - likewise
        from rich.table import Table  # noqa: PLC0415 - likewise
        from rich.text import Text  # noqa: PLC0415 - likewise

        elapsed = time.monotonic() - self._began
        total = None if self._fraction is None else 1.0  # without a total the bar pulses
        bar = ProgressBar(total, self._fraction or 0.0, _BAR_COLUMNS, animation_time=elapsed)
        grid = Table.grid(padding=(0, 2))
        cells = [Text(printable(part), no_wrap=True, overflow="ellipsis") for part in parts]
        grid.add_row(cells[0], bar, *cells[1:])
        stream, columns = self._console.stderr, shutil.get_terminal_size().columns
        terminal = Terminal(file=stream, force_terminal=True, no_color=not is_coloured(stream), width=columns - 1)
        with terminal.capture() as captured:
            terminal.print(grid, end="")
        return captured.get().partition("\n")[0]


def is_live(stream: TextIO) -> bool:
    """Return whether a stream is a terminal that can rewrite a line: one with TERM=dumb cannot."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def is_coloured(stream: TextIO) -> bool:
    """Return whether a stream takes colours: a terminal, unless NO_COLOR is set (https://no-color.org)."""
    return is_live(stream) and not os.environ.get("NO_COLOR")


def printable(text: str) -> str:
    """Escape what a terminal would act on: object keys and function names come from elsewhere."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character == "\t" else character.encode("unicode_escape").decode()
        for character in text
    )
