"""The verbs, and the frame around each: exit codes, the one JSON document, and errors as sentences."""

import io
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType

import click

from scar_pulumi.cli.console import Console
from scar_pulumi.cli.errors import Failure, describe
from scar_pulumi.cli.groups import Verb, VerbGroup

PROGRAM = "scar-pulumi"
COMPLETION = "_SCAR_PULUMI_COMPLETE"
DEBUG = "SCAR_DEBUG"
"""Variable that keeps tracebacks; `--debug` sets it."""
_INTERRUPTED = 128 + signal.SIGINT
_TERMINATED = 128 + signal.SIGTERM
_NO_READER = 128 + signal.SIGPIPE
EXIT_CODES: Mapping[int, str] = {
    0: "done",
    1: "the cloud, the engine or a function failed",
    2: "the input is wrong; nothing was changed",
    _INTERRUPTED: "interrupted with Ctrl-C",
    _NO_READER: "the reader of stdout went away, as `head` does",
    _TERMINATED: "terminated with SIGTERM",
}

GROUPS: Mapping[str, tuple[Verb, ...]] = {
    "Stacks": (
        Verb("up", "Deploy an FDL file: create or update its stack.", "stack"),
        Verb("preview", "Show what `up` would change.", "stack"),
        Verb("refresh", "Update the stack's state to match the cloud.", "stack"),
        Verb("destroy", "Delete the stack's resources; buckets and their files stay.", "stack"),
        Verb("outputs", "Show the stack's functions, services and buckets.", "stack"),
    ),
    "Functions and files": (
        Verb("invoke", "Call a function or service, or run a MapReduce over a file.", "invoke"),
        Verb("put", "Upload files and folders.", "storage"),
        Verb("get", "Download an object or a folder.", "storage"),
        Verb("ls", "List functions, services and buckets, or the objects in a bucket.", "storage"),
        Verb("rm", "Remove objects, or a bucket.", "storage"),
        Verb("logs", "Show the log lines of a function or service.", "logs"),
        Verb("failures", "List the inputs that failed, and run them again.", "failures"),
        Verb("jobs", "List, show, cancel and resume jobs and MapReduce runs.", "jobs"),
    ),
    "FDL files": (Verb("fdl", "Check, show, convert and draw FDL files.", "fdl"),),
    "This machine": (
        Verb("doctor", "Check that this machine and the account have what a stack needs.", "doctor"),
        Verb("local", "Start, stop and use the local cloud.", "local"),
        Verb("engine", "Find the Pulumi engine, or prepare it.", "engine"),
    ),
}

command_line = VerbGroup(
    GROUPS,
    name=PROGRAM,
    help="Container functions on files, declared in FDL, deployed by the Pulumi engine.",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=f"`{PROGRAM} VERB --help` describes a verb; with --debug, errors have tracebacks. SCAR's verbs and flags "
    "(init, run, log, ls -b, …) work, too.",
)
click.version_option(package_name=PROGRAM, message="%(prog)s %(version)s")(command_line)


class _Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a verb as cleanly as Ctrl-C does."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _write_anything()
    if instruction := os.environ.get(COMPLETION):
        from click.shell_completion import shell_complete  # noqa: PLC0415 - only shells ask for it

        return shell_complete(command_line, {}, PROGRAM, COMPLETION, instruction)
    arguments = _without_debug(arguments)
    console = Console(json="--json" in arguments)
    try:
        with _terminable():
            status = _run(arguments, console)
            sys.stdout.flush()  # not left to the interpreter's end, where nobody could catch it
            return status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _NO_READER


def _without_debug(arguments: list[str]) -> list[str]:
    """Return arguments without `--debug`, which asks for tracebacks wherever it stands; SCAR's `run` may pass it on."""
    if "--debug" not in arguments or arguments[0] == "run":
        return arguments
    os.environ[DEBUG] = "1"
    return [argument for argument in arguments if argument != "--debug"]


def _run(arguments: list[str], console: Console) -> int:
    try:
        with command_line.make_context(PROGRAM, arguments, obj=console) as context:
            document = command_line.invoke(context)
        if console.json and document is not None:
            console.document(document)
    except click.exceptions.Exit as end:  # --help and --version
        return end.exit_code
    except _Terminated:
        return _report(console, Failure("terminated", _TERMINATED))
    except KeyboardInterrupt:
        if console.follows:
            return _INTERRUPTED
        return _report(console, Failure("interrupted", _INTERRUPTED))
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the last resort, which keeps the traceback in a file
        if os.environ.get(DEBUG):
            console.note("".join(traceback.format_exception(error)).rstrip("\n"))
        return _report(console, describe(error))
    return 0


def _report(console: Console, failure: Failure) -> int:
    console.note(failure.text, "red")
    if console.json:
        console.document(failure.document())
    return failure.exit_code


def _write_anything() -> None:
    """Print names that are not UTF-8 as escapes instead of failing in the middle of a list."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def _terminable() -> Iterator[None]:
    def end(_number: int, _frame: FrameType | None) -> None:
        raise _Terminated

    try:
        before = signal.signal(signal.SIGTERM, end)
    except ValueError:  # not the main thread: the caller handles signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
