"""`jobs`: the jobs that functions have submitted to AWS Batch."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import click

from scar_foundation.errors import ScarError
from scar_pulumi.cli.console import Console
from scar_pulumi.cli.groups import Group
from scar_pulumi.cli.logs import LinePrinter, show_job_log
from scar_pulumi.cli.options import (
    Document,
    deployments_options,
    json_option,
    timestamps_option,
    yes_option,
)
from scar_pulumi.cli.output import count, moment, show_table
from scar_pulumi.client.failures import inputs
from scar_pulumi.client.jobs import ENDED, STATUSES, BatchJob, job_of
from scar_pulumi.deployments import Deployments
from scar_pulumi.deployments.jobs import Jobs

_SHOWN = 50


jobs = Group(name="jobs", help="List, show and cancel the jobs of functions in AWS Batch.")


@jobs.command
@click.argument("name", required=False, help="The function's name; by default all functions.")
@click.option(
    "--status",
    metavar="STATUS",
    type=click.Choice(STATUSES, case_sensitive=False),
    help=f"Only jobs with this status: {', '.join(STATUSES)}.",
)
@click.option("--all", "everything", is_flag=True, help=f"Show all jobs.  [default: the newest {_SHOWN}]")
@deployments_options(search=True)
@json_option
def ls(console: Console, deployments: Deployments, name: str | None, status: str | None, everything: bool) -> Document:
    """List jobs, newest first."""
    found = Jobs(deployments)
    functions = found.functions(name)
    listed = [job for job in found.listed(functions) if status in (None, job.status)]
    shown = listed if everything else listed[:_SHOWN]
    named = found.inputs(shown, functions)
    head = ("JOB", "FUNCTION", "INPUT", "STATUS", "CREATED", "RAN", "EXIT", "REASON")
    show_table(console, head, [_row(job, named.get(job.id, ()), time.time()) for job in shown])
    if len(shown) < len(listed):
        console.note(f"{len(listed) - len(shown)} older ones are not shown; --all shows them")
    if not listed:
        console.note("no jobs" if functions else "no function of this stack uses AWS Batch")
    documents = [{**job.document(), "inputs": list(named.get(job.id, ()))} for job in shown]
    return {"jobs": documents, "count": len(listed)}


@jobs.command
@click.argument("job", help="The job's id, or a function's name for its newest job.")
@deployments_options(search=True)
@json_option
def show(console: Console, deployments: Deployments, job: str) -> Document:
    """Show all that is known of a job."""
    found = Jobs(deployments)
    chosen = found.find(job)
    parts = [job_of(part, chosen.function) for part in found.parts(chosen)]
    for name, value in _facts(chosen.job, chosen.detail):
        console.say_foreign(f"{name + ':':<12} {value}")
    show_table(console, ("PART", "STATUS", "EXIT"), [(part.id, part.status, str(part.exit_code)) for part in parts])
    return {"job": {**_job_document(chosen.job, chosen.detail), "parts": [part.document() for part in parts]}}


@jobs.command
@click.argument("job", help="The job's id, or a function's name for its newest job.")
@click.option("-f", "--follow", is_flag=True, help="Keep printing new lines until the job has ended.")
@timestamps_option
@deployments_options(search=True)
@json_option
def logs(console: Console, deployments: Deployments, job: str, follow: bool, timestamps: bool) -> Document | None:
    """Show what a job prints, in all its attempts."""
    return show_job_log(LinePrinter(console, follow, timestamps), deployments, job)


@jobs.command
@click.argument(
    "targets", metavar="JOB...", nargs=-1, required=True, help="A job's id, or a function's name for all its jobs."
)
@click.option(
    "--reason",
    metavar="TEXT",
    default="cancelled with scar-pulumi",
    show_default=True,
    help="The reason that Batch records.",
)
@yes_option
@deployments_options(search=True)
@json_option
def cancel(console: Console, deployments: Deployments, targets: tuple[str, ...], reason: str, yes: bool) -> Document:
    """End jobs, waiting or running."""
    found = Jobs(deployments)
    meant = found.meant(targets)
    active = [(job, region) for job, region in meant if job.status not in ENDED]
    asks = active and any(deployments.has_function(target) for target in targets)
    if asks and not console.must_confirm(f"End {count(len(active), 'job')}?", yes=yes):
        raise ScarError("jobs: not confirmed; none was cancelled")
    for job, region in active:
        found.cancel(job, region, reason)
        console.say(f"{job.id}: cancelled ({job.status} before)")
    ended = [job for job, _ in meant if job.status in ENDED]
    for job in ended:
        console.note(f"{job.id}: had already ended: {job.status}")
    return {"cancelled": [job.id for job, _ in active], "ended": [job.id for job in ended]}


def _row(job: BatchJob, named: Sequence[str], now: float) -> tuple[str, ...]:
    ran = f"{((job.stopped or now * 1000) - job.started) / 1000:.0f} s" if job.started else "-"
    code = "-" if job.exit_code is None else str(job.exit_code)
    reason = job.reason if job.status != ENDED[0] else ""
    place = ", ".join(named) or "-"
    return job.id, job.function, place, job.status, moment(job.created / 1000), ran, code, reason


def _facts(job: BatchJob, detail: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = {
        "job": job.id,
        "function": job.function,
        "input": ", ".join(inputs(detail)),
        "request id": job.request_id,
        "status": job.status,
        "reason": job.reason,
        "exit code": "" if job.exit_code is None else str(job.exit_code),
        "attempts": f"{len(detail.get('attempts', ()))} of {(detail.get('retryStrategy') or {}).get('attempts', 1)}",
        "created": moment(job.created / 1000),
        "started": moment(job.started / 1000),
        "stopped": moment(job.stopped / 1000),
        "queue": detail["jobQueue"].rpartition("/")[2],
        "definition": detail["jobDefinition"].rpartition("/")[2],
        "log stream": (detail.get("container") or {}).get("logStreamName", ""),
    }
    return [(name, value) for name, value in facts.items() if value and value != "-"]


def _job_document(job: BatchJob, detail: Mapping[str, Any]) -> dict[str, Any]:
    # The variables of a container may hold secrets.
    container = {key: value for key, value in (detail.get("container") or {}).items() if key != "environment"}
    return {
        **job.document(),
        "inputs": inputs(detail),
        "queue": detail["jobQueue"],
        "definition": detail["jobDefinition"],
        "container": container,
        "attempts": detail.get("attempts", []),
    }
