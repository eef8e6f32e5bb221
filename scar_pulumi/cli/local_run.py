"""`local run`: one function on one file, without any cloud."""

import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scar_foundation.errors import InputError, ScarError
from scar_pulumi.cli.console import Console
from scar_pulumi.fdl import Fdl, Function, load

SUMMARY = "run one function on one file in its container, without a stack or a cloud"


class FunctionFailedError(ScarError):
    """The function ran, and failed."""


def configure(parser: ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("file", metavar="FILE", help="the FDL file")
    parser.add_argument("function", metavar="FUNCTION", help="the function's name in it")
    parser.add_argument("--input", metavar="FILE", type=Path, help="the input file (default: an event without one)")
    parser.add_argument("--output", metavar="DIR", type=Path, help="where output files go (default: a new folder)")


def run(arguments: Namespace, console: Console) -> Mapping[str, Any]:
    """Do it; a failed function is an error that shows why."""
    function = _function(load(arguments.file), arguments.function)
    if arguments.input is not None and not arguments.input.is_file():
        raise InputError(f"--input: {arguments.input} is not a file; give the path of one")
    folder = arguments.output or Path(tempfile.mkdtemp(prefix=f"{function.name}-"))
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--output: {folder} is not a folder; give another one")
    from scar_pulumi.cloud.single_run import run_function  # noqa: PLC0415 - brings the runner

    outcome = run_function(function, arguments.input, folder, console.note, console.note)
    for path in outcome.stored:
        console.note(f"stored {path}")
    if outcome.error is not None:
        raise FunctionFailedError(f"function {function.name}: {outcome.error}")
    if not console.json:
        console.write(outcome.answer)
    return {
        "function": function.name,
        "requestId": outcome.request_id,
        "answer": outcome.answer.decode("utf-8", "backslashreplace"),
        "outputs": [str(path) for path in outcome.stored],
        "durationMs": outcome.duration_ms,
        "maxMemoryMb": outcome.max_memory_mb,
    }


def _function(fdl: Fdl, name: str) -> Function:
    for function in fdl.functions:
        if function.name == name:
            return function
    known = ", ".join(function.name for function in fdl.functions)
    raise InputError(f"{fdl.path}: there is no function {name!r}; it has: {known}")
