"""The frame around every verb: exit codes, the one JSON document, and errors as sentences.

Exit codes: 0 done; 1 the cloud, the engine or a function failed; 2 the input is wrong and nothing was changed;
130 and 143 after Ctrl-C and SIGTERM; 141 when the reader of stdout went away, as `head` does.
"""

import io
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from scar_pulumi.cli._parser import parse
from scar_pulumi.cli.console import Console
from scar_pulumi.cli.errors import Failure, describe

_INTERRUPTED = 128 + signal.SIGINT
_TERMINATED = 128 + signal.SIGTERM
_NO_READER = 128 + signal.SIGPIPE


class _Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a verb as cleanly as Ctrl-C does."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    _write_anything()
    console = Console(json="--json" in arguments)
    try:
        with _terminable():
            status = _run(arguments, console)
            sys.stdout.flush()  # not left to the interpreter's end, where nobody could catch it
            return status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _NO_READER


def _run(arguments: Sequence[str], console: Console) -> int:
    try:
        verb, options = parse(arguments)
        document = verb.load().run(verb.name, options, console)
        if console.json and document is not None:
            console.document(document)
    except SystemExit as end:  # --help and --version
        return end.code if isinstance(end.code, int) else 0
    except _Terminated:
        return _report(console, Failure("terminated", _TERMINATED))
    except KeyboardInterrupt:
        return _report(console, Failure("interrupted", _INTERRUPTED))
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the last resort, which keeps the traceback in a file
        return _report(console, describe(error))
    return 0


def _report(console: Console, failure: Failure) -> int:
    console.note(failure.text, "red")
    if console.json:
        console.document(failure.document())
    return failure.exit_code


def _write_anything() -> None:
    """Let names that are not UTF-8 through as escapes instead of failing in the middle of a list."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def _terminable() -> Iterator[None]:
    def end(_number: int, _frame: FrameType | None) -> None:
        raise _Terminated

    try:
        before = signal.signal(signal.SIGTERM, end)
    except ValueError:  # not the main thread: whoever called this handles signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
