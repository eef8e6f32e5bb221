"""`invoke`: call a function, through its HTTP endpoint where it has one, or a service on an OSCAR cluster."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from scar_foundation.errors import InputError
from scar_pulumi.cli.console import Console
from scar_pulumi.cli.options import CALLED_HELP, FILE, Document, at_most_one, deployments_options, json_option
from scar_pulumi.client.call import (
    Body,
    Call,
    binary_body,
    json_body,
    mixed_body,
    read_file,
    read_parameters,
    text_body,
)
from scar_pulumi.client.cloud_errors import about
from scar_pulumi.client.invocation import Invocation, call_function, failure_of
from scar_pulumi.client.outputs import DeployedService
from scar_pulumi.deployments import Deployments, stack_hint

_TOKEN_VARIABLE = "SCAR_TOKEN"  # noqa: S105 - the name of a variable


@dataclass(frozen=True)
class AnswerPrinter:
    """Shows how a call went: on the terminal, or its answer in a file."""

    console: Console
    stack: str
    output: Path | None

    def show(self, invocation: Invocation, *, accepted: str = "") -> Document:
        """Print the answer, or what the container printed if the call failed; `accepted` stands for no answer."""
        if invocation.failed:
            self._failure(invocation)
        elif accepted:
            self.console.say(accepted)
        else:
            self._answer(invocation.body)
        if invocation.request_id:
            request = f"--request-id {invocation.request_id}{stack_hint(self.stack)}"
            self.console.note(f"`scar-pulumi logs {invocation.function} {request}` shows the whole log")
        return invocation.document()

    def _answer(self, body: bytes) -> None:
        if self.output is None:
            if not self.console.json:
                self.console.write(body)
            return
        try:
            self.output.write_bytes(body)
        except OSError as error:
            raise InputError(f"{self.output}: {error.strerror}; the function did run") from None
        self.console.note(f"{self.output}: {len(body)} bytes")

    def _failure(self, invocation: Invocation) -> None:
        explained = invocation.function_error is not None or invocation.error_type or invocation.error_message
        if not explained and invocation.body and not self.console.json:
            self.console.write(invocation.body)
        if invocation.log:
            self.console.note(invocation.log.rstrip("\n"))


@click.command
@click.argument("name", help=CALLED_HELP)
@click.option("--data", metavar="TEXT", help="The event: JSON unchanged; other text becomes the input file.")
@click.option("-jd", "--json-data", metavar="JSON", help="The event, in JSON.")
@click.option("-db", "--data-binary", metavar="FILE", help="The input file, byte for byte; - is stdin.")
@click.option(
    "--file",
    metavar="FILE",
    help="The event: a JSON object or list unchanged; anything else becomes the input file; - is stdin.",
)
@click.option(
    "-p",
    "--parameters",
    metavar="PARAMETERS",
    multiple=True,
    help="Query parameters, which the script gets as CONT_VAR_<name>: a JSON object, or name=value. Repeatable.",
)
@click.option(
    "-a", "--async", "--asynchronous", "later", is_flag=True, help="Don't wait for the answer; print the request id."
)
@click.option("-o", "--output", metavar="FILE", type=FILE, help="Write the answer to a file.")
@click.option("--direct", is_flag=True, help="Call Lambda itself, not the HTTP endpoint: waits up to 15 minutes.")
@click.option(
    "--token-file",
    metavar="FILE",
    help=f"File with the access token for the HTTP endpoint; - is stdin.  [default: ${_TOKEN_VARIABLE}]",
)
@deployments_options(search=True)
@json_option
def invoke(
    console: Console,
    deployments: Deployments,
    /,
    *,
    name: str,
    parameters: tuple[str, ...],
    later: bool,
    output: Path | None,
    direct: bool,
    token_file: str | None,
    **given: str | None,
) -> Document:
    """Call a function or service, or run a MapReduce over a file."""
    if deployments.has_mapreduce(name):
        refused = {"output": output, "direct": direct, "parameters": parameters, "token_file": token_file}
        unfit = [f"--{option}".replace("_", "-") for option, value in {**given, **refused}.items() if value]
        return _invoke_mapreduce(console, deployments, name, given.get("file"), unfit, later=later)
    call = Call(_body(**given), read_parameters(parameters), later)
    if later and output:
        raise InputError("--output: an asynchronous call has no answer to write; leave out one of the two")
    token = _access_token(token_file)
    called = deployments.called(name)
    printer = AnswerPrinter(console, deployments.stack, output)
    if isinstance(called, DeployedService):
        return _invoke_service(printer, deployments, called, call)
    with about(f"function {name}"), console.progress(f"{name} is running"):
        invocation = call_function(called, call, deployments.clients, token=token, direct=direct)
    document = printer.show(invocation, accepted=invocation.request_id if later else "")
    if invocation.failed:
        raise failure_of(called, invocation)
    return document


def _invoke_mapreduce(
    console: Console, deployments: Deployments, name: str, file: str | None, given: list[str], *, later: bool
) -> Document:
    from scar_pulumi.cli.runs import run_over_file  # noqa: PLC0415 - functions need none of it

    unfit = [option for option in given if option != "--file"]
    if file in (None, "-") or unfit:
        raise InputError(f"{name}: is a MapReduce; invoke it with --file FILE, and nothing else but --async")
    return run_over_file(console, deployments, deployments.mapreduce(name), Path(str(file)), later=later)


def _invoke_service(printer: AnswerPrinter, deployments: Deployments, service: DeployedService, call: Call) -> Document:
    from scar_pulumi.client import oscar  # noqa: PLC0415 - functions need no OSCAR cluster

    as_job = oscar.runs_as_job(service, call)
    if as_job and printer.output:
        raise InputError(
            f"--output: cluster {service.cluster} answers no calls, it runs them as jobs; "
            "their results go to the service's outputs"
        )
    oscar.service_event(call)  # reports wrong input before anything else happens
    client = deployments.cluster(service)
    service = client.cluster.services[service.name]
    with printer.console.progress(f"{service.name} is {'called' if as_job else 'running'}"):
        invocation = oscar.invoke_service(client, service, call, is_file=printer.output is not None)
    if invocation.failed:
        raise oscar.failure_of(invocation)
    return printer.show(invocation, accepted=(invocation.request_id or "accepted") if as_job else "")


def _body(**given: str | None) -> Body | None:
    """Return what the function is called with; at most one of the options says it."""
    at_most_one({f"--{name.replace('_', '-')}": value for name, value in given.items()})
    chosen = next(((name, value) for name, value in given.items() if value is not None), None)
    if chosen is None:
        return None
    name, value = chosen
    if name in ("data", "json_data"):
        return (text_body if name == "data" else json_body)(value)
    content = sys.stdin.buffer.read() if value == "-" else read_file(Path(value))
    return (binary_body if name == "data_binary" else mixed_body)(content, value)


def _access_token(file: str | None) -> str:
    """Return the access token, or nothing. It comes from a file or a variable, so no list of processes shows it.

    Raises:
        InputError: Its file cannot be read or is empty, or the content is not a token.
    """
    source, token = (_TOKEN_VARIABLE, os.environ.get(_TOKEN_VARIABLE, "")) if file is None else (file, _token_in(file))
    token = token.strip().removeprefix("Bearer ").strip()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise InputError(f"{source}: is not an access token, which is one word")
    if file is not None and not token:
        raise InputError(f"{source}: is empty; write the access token into it")
    return token


def _token_in(file: str) -> str:
    if file == "-":
        return sys.stdin.read()
    try:
        return Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: {getattr(error, 'strerror', None) or 'is not text'}") from None
