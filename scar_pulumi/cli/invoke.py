"""`invoke`: call a function, through its HTTP endpoint where it has one."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scar_foundation.errors import InputError, InvocationError
from scar_pulumi.cli._access_token import access_token, token_options
from scar_pulumi.cli._answer import log_hint, show_answer
from scar_pulumi.cli._parser import json_option
from scar_pulumi.cli._service_call import invoke_service
from scar_pulumi.cli._target import CalledService, find_called, stack_options
from scar_pulumi.cli.console import Console
from scar_pulumi.client.call import (
    Body,
    Call,
    binary_body,
    check_size,
    json_body,
    lambda_event,
    mixed_body,
    read_file,
    read_parameters,
    text_body,
)
from scar_pulumi.client.clients import Clients
from scar_pulumi.client.cloud_errors import about
from scar_pulumi.client.invocation import (
    EndpointFailed,
    FunctionFailed,
    Invocation,
    call_over_http,
    invoke,
    invoke_later,
)
from scar_pulumi.client.outputs import DeployedFunction


def configure(_verb: str, parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("name", metavar="NAME", help="the function's name in the FDL file, or an OSCAR service's")
    body = parser.add_mutually_exclusive_group()
    body.add_argument("--data", metavar="TEXT", help="the event: JSON as it is; other text becomes the input file")
    body.add_argument("-jd", "--json-data", metavar="JSON", help="the event, in JSON")
    body.add_argument("-db", "--data-binary", metavar="FILE", help="the input file, byte for byte; - is stdin")
    body.add_argument(
        "--file",
        metavar="FILE",
        help="the event: a JSON object or list as it is; anything else becomes the input file; - is stdin",
    )
    parser.add_argument(
        "-p",
        "--parameters",
        metavar="PARAMETERS",
        action="append",
        default=[],
        help="query parameters, which the script sees as CONT_VAR_<name>: a JSON object, or name=value; repeatable",
    )
    parser.add_argument(
        "-a", "--async", "--asynchronous", dest="later", action="store_true", help="hand the event over and don't wait"
    )
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="write the answer to a file")
    parser.add_argument(
        "--direct", action="store_true", help="call Lambda itself, not the HTTP endpoint: waits up to 15 minutes"
    )
    token_options(parser)
    stack_options(parser, search=True)
    json_option(parser)


def run(_verb: str, arguments: Namespace, console: Console) -> Mapping[str, Any]:
    """Call the function; a failed call is an error that shows what the container printed."""
    call = Call(_body(arguments), read_parameters(arguments.parameters), arguments.later)
    if call.later and arguments.output:
        raise InputError("--output: an asynchronous call has no answer to write; leave out one of the two")
    token = access_token(arguments)
    function, clients = find_called(arguments.name, arguments, console)
    if isinstance(function, CalledService):
        return invoke_service(function, call, arguments, console)
    over_http = bool(function.url) and not arguments.direct
    check_size(call, function, through_gateway=over_http)
    with about(f"function {function.name}"), console.progress(f"{function.name} is running"):
        if over_http:
            invocation = call_over_http(function, call, clients, token)
        else:
            invocation = _call_directly(function, call, clients)
    if invocation.failed:
        _show_failure(invocation, console)
    elif call.later:
        console.say(invocation.request_id)
    else:
        show_answer(invocation, arguments.output, console)
    if invocation.request_id:
        console.note(log_hint(invocation, arguments.stack))
    if invocation.failed:
        raise _failure(function, invocation, over_http=over_http)
    return invocation.document()


def _call_directly(function: DeployedFunction, call: Call, clients: Clients) -> Invocation:
    client = clients.client("lambda", function.region)
    return (invoke_later if call.later else invoke)(client, function, lambda_event(call))


def _body(arguments: Namespace) -> Body | None:
    if arguments.data is not None:
        return text_body(arguments.data)
    if arguments.json_data is not None:
        return json_body(arguments.json_data)
    for file, make in ((arguments.data_binary, binary_body), (arguments.file, mixed_body)):
        if file is not None:
            return make(sys.stdin.buffer.read() if file == "-" else read_file(Path(file)), file)
    return None


def _show_failure(invocation: Invocation, console: Console) -> None:
    explained = invocation.function_error is not None or invocation.error_type or invocation.error_message
    if not explained and invocation.body and not console.json:
        console.write(invocation.body)
    if invocation.log:
        console.note(invocation.log.rstrip("\n"))


def _failure(function: DeployedFunction, invocation: Invocation, *, over_http: bool) -> InvocationError:
    return EndpointFailed(function, invocation) if over_http else FunctionFailed(invocation)
