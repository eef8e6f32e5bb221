"""`invoke`: call a function."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scar_pulumi.cli._cloud_errors import about
from scar_pulumi.cli._console import Console
from scar_pulumi.cli._parser import json_option
from scar_pulumi.cli._target import find_function, stack_hint, stack_options
from scar_pulumi.dataplane.event import event_from_bytes, event_from_file, event_from_text
from scar_pulumi.dataplane.invocation import FunctionFailed, Invocation, invoke, invoke_later
from scar_pulumi.errors import InputError


def configure(_verb: str, parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("name", metavar="NAME", help="the function's name in the FDL file")
    event = parser.add_mutually_exclusive_group()
    event.add_argument("--data", metavar="TEXT", help="the event: JSON as it is; other text becomes the input file")
    event.add_argument(
        "--file",
        metavar="FILE",
        help="the event: a JSON object or list as it is; anything else becomes the input file; - is stdin",
    )
    parser.add_argument("--async", dest="later", action="store_true", help="hand the event over and don't wait")
    parser.add_argument("--output", metavar="FILE", type=Path, help="write the answer to a file")
    stack_options(parser, search=True)
    json_option(parser)


def run(_verb: str, arguments: Namespace, console: Console) -> Mapping[str, Any]:
    """Call the function; a failed call is an error that shows what the container printed."""
    event = _event(arguments)
    if arguments.later and arguments.output:
        raise InputError("--output: an asynchronous call has no answer to write; leave out one of the two")
    function, clients = find_function(arguments.name, arguments, console)
    client = clients.client("lambda", function.region)
    with about(f"function {function.name}"), console.progress(f"{function.name} is running"):
        invocation = (invoke_later if arguments.later else invoke)(client, function, event)
    if invocation.failed:
        _show_failure(invocation, console)
    elif arguments.later:
        console.say(invocation.request_id)
    else:
        _show(invocation, arguments.output, console)
    console.note(_log_hint(invocation, arguments.stack))
    if invocation.failed:
        raise FunctionFailed(invocation)
    return invocation.document()


def _event(arguments: Namespace) -> bytes:
    if arguments.data is not None:
        return event_from_text(arguments.data)
    if arguments.file == "-":
        return event_from_bytes(sys.stdin.buffer.read())
    if arguments.file is not None:
        return event_from_file(Path(arguments.file))
    return b"{}"


def _show(invocation: Invocation, output: Path | None, console: Console) -> None:
    if output is not None:
        try:
            output.write_bytes(invocation.body)
        except OSError as error:
            raise InputError(f"{output}: {error.strerror}; the function has run all the same") from None
        console.note(f"{output}: {len(invocation.body)} bytes")
    elif not console.json:
        console.write(invocation.body)


def _show_failure(invocation: Invocation, console: Console) -> None:
    if invocation.function_error is None and invocation.body and not console.json:
        console.write(invocation.body)
    if invocation.log:
        console.note(invocation.log.rstrip("\n"))


def _log_hint(invocation: Invocation, stack: str) -> str:
    command = f"scar-pulumi logs {invocation.function} --request-id {invocation.request_id}{stack_hint(stack)}"
    return f"`{command}` shows the whole log"
