"""The terminal: results on stdout, everything else on stderr."""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

from scar_foundation.errors import InputError

# Shorter work needs no words.
_PATIENCE = 2.0
_TERMINAL_INTERVAL = 0.2
_FILE_INTERVAL = 10.0
_ESCAPES = {"red": "\x1b[31m", "yellow": "\x1b[33m", "green": "\x1b[32m", "bold": "\x1b[1m"}
_PLAIN = "\x1b[0m"


class Console:
    """Where a verb writes and asks.

    Args:
        json: stdout belongs to the one document that `document` prints; `say` is silent.
    """

    def __init__(self, *, json: bool = False, stdout: TextIO | None = None, stderr: TextIO | None = None) -> None:
        self.json = json
        self.stdout = stdout or sys.stdout
        self.stderr = stderr or sys.stderr
        self._lock = threading.Lock()
        self._status = ""

    @property
    def interactive(self) -> bool:
        """Whether somebody is there to answer a question."""
        return sys.stdin is not None and sys.stdin.isatty() and self.stderr.isatty()

    def say(self, text: str) -> None:
        """Print a line of the result."""
        if not self.json:
            self._line(self.stdout, text)

    def note(self, text: str, colour: str = "") -> None:
        """Print a line that is not the result."""
        self._line(self.stderr, self._coloured(text, colour))

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
        """Print bytes as they are; a terminal gets only what is text."""
        if not self.stdout.isatty():
            self.stdout.flush()
            self.stdout.buffer.write(content)
            self.stdout.flush()
            return
        try:
            text = content.decode()
        except UnicodeDecodeError:
            self.note(f"{len(content)} bytes that are not text; --output FILE keeps them")
        else:
            self._line(self.stdout, text.removesuffix("\n"))

    def confirm(self, question: str) -> bool:
        """Ask a question whose answer is yes or no; anything but yes is no."""
        with self._lock:
            self._clear()
            self.stderr.write(f"{question} [y/N] ")
            self.stderr.flush()
        answer = sys.stdin.readline()
        return answer.strip().lower() in {"y", "yes"}

    def must_confirm(self, question: str, *, yes: bool) -> bool:
        """Ask unless `--yes` was given.

        Raises:
            InputError: Nobody is there to ask.
        """
        if yes:
            return True
        if not self.interactive:
            raise InputError(f"{question} Nobody is there to answer: say so with --yes")
        return self.confirm(question)

    @contextmanager
    def progress(self, text: str) -> Iterator["Progress"]:
        """Show, while something takes longer than two seconds, what it is and how far it is."""
        progress = Progress(self, text)
        progress.start()
        try:
            yield progress
        finally:
            progress.finish()

    def status(self, text: str) -> None:
        """Show a line that the next one replaces; on a file it is a line like others."""
        if not self.stderr.isatty():
            self._line(self.stderr, text)
            return
        with self._lock:
            self._clear()
            self._status = text
            self.stderr.write(text)
            self.stderr.flush()

    def settle(self) -> None:
        """Take the status line away."""
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

    def _coloured(self, text: str, colour: str) -> str:
        # https://no-color.org
        if not colour or os.environ.get("NO_COLOR") or not self.stderr.isatty():
            return text
        return f"{_ESCAPES[colour]}{text}{_PLAIN}"


class Progress:
    """The state of something that may take long; `update` says how far it is."""

    def __init__(self, console: Console, text: str) -> None:
        self._console = console
        self._text = text
        self._detail = ""
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._show, daemon=True)
        self._began = time.monotonic()

    def start(self) -> None:
        """Begin to watch the clock."""
        self._thread.start()

    def update(self, detail: str) -> None:
        """Say how far it is."""
        self._detail = detail

    def finish(self) -> None:
        """Stop showing."""
        self._done.set()
        self._thread.join()
        self._console.settle()

    def _show(self) -> None:
        interval = _TERMINAL_INTERVAL if self._console.stderr.isatty() else _FILE_INTERVAL
        pause = _PATIENCE
        while not self._done.wait(pause):
            pause = interval
            parts = [self._text, self._detail, f"{time.monotonic() - self._began:.0f} s"]
            self._console.status("  ".join(part for part in parts if part))


def printable(text: str) -> str:
    """Escape what a terminal would act on: object keys and function names are not ours."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character == "\t" else character.encode("unicode_escape").decode()
        for character in text
    )


def size(count: int) -> str:
    """Write a number of bytes for people."""
    if count < 1000:
        return f"{count} B"
    amount = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        amount /= 1000
        if amount < 999.5 or unit == "TB":
            break
    return f"{amount:.1f} {unit}" if amount < 99.5 else f"{amount:.0f} {unit}"


def count(number: int, noun: str) -> str:
    """Write a number of things: `1 object`, `2 objects`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
