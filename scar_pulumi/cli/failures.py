"""`failures`: the inputs that functions and services failed on, with reasons, and how to run them again."""

import time

import click

from scar_pulumi.cli.console import Console, printable
from scar_pulumi.cli.logs import milliseconds_since
from scar_pulumi.cli.options import CALLED_HELP, Document, deployments_options, json_option
from scar_pulumi.cli.output import label, moment, show_table
from scar_pulumi.client.failures import Failure
from scar_pulumi.client.outputs import DeployedService
from scar_pulumi.deployments import Deployments, stack_hint
from scar_pulumi.deployments.failures import Failures

_HEAD = ("WHEN", "FUNCTION", "INPUT", "TRIES", "REASON", "REQUEST OR JOB")


@click.command
@click.argument("name", required=False, help=CALLED_HELP + " By default all of them.")
@click.option(
    "--since",
    metavar="TIME",
    default="1d",
    show_default=True,
    help="How far back: 30s, 10m, 2h, 7d, or a date such as 2026-05-01T12:00.",
)
@click.option("--again", is_flag=True, help="Run them again: queue their events, as their storage would.")
@deployments_options(search=True)
@json_option
def failures(console: Console, deployments: Deployments, name: str | None, since: str, again: bool) -> Document:
    """List the inputs that failed, and run them again.

    All tries of an event are one failure. Inputs that have succeeded since are left out. Events that came with their
    data are run again if the function has a failure destination that keeps them: a bucket or a queue. Files that a
    service on an OSCAR cluster never got are listed, too: MinIO loses events when it restarts.
    """
    start = milliseconds_since(since, time.time())
    source = Failures(deployments)
    called = source.called(name)
    with console.progress("reading the logs"):
        found = source.listed(called, start)
    for untold in source.untold:
        console.warn(untold)
    show_table(console, _HEAD, [_row(failure) for failure in found])
    if again:
        return {"failures": [{**one.document(), "again": _run_again(console, source, one)} for one in found]}
    _say_what_next(console, name, since, found, stack_hint(deployments.stack))
    return {"failures": [one.document() for one in found]}


def _row(failure: Failure) -> tuple[str, ...]:
    place = failure.input or "-"
    reason = failure.reason.partition("\n")[0]
    return (
        moment(failure.when / 1000),
        label(failure.function),
        place,
        str(failure.tries),
        reason,
        failure.job or failure.request_id,
    )


def _run_again(console: Console, source: Failures, failure: Failure) -> str | None:
    """Queue the event, and return the id of its request; None where it cannot be had again."""
    subject = printable(failure.input or f"request {failure.request_id}")
    if failure.event is None:
        why = failure.otherwise or "nothing keeps its event"
        console.warn(f"{subject}: not run again: {why}; send it again from where it came")
        return None
    request = source.run_again(failure)
    what = "job" if isinstance(failure.function, DeployedService) else "request"
    console.say(f"{subject}: runs again as {what} {request}".rstrip())
    return request


def _say_what_next(console: Console, name: str | None, since: str, found: list[Failure], hint: str) -> None:
    if not found:
        console.note(f"no failures since {since}")
    elif any(failure.event is not None for failure in found):
        console.note(f"`scar-pulumi failures {f'{name} ' if name else ''}--again{hint}` runs them again")
