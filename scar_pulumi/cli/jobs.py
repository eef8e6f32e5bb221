"""`jobs`: what functions have handed over to AWS Batch."""

import datetime
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from typing import Any

from scar_foundation.errors import ScarError
from scar_pulumi.cli._job_logs import show_job_logs
from scar_pulumi.cli._job_target import FoundJob, functions_with_jobs, is_function, jobs_of, one_job
from scar_pulumi.cli._overview import table
from scar_pulumi.cli._parser import json_option, yes_option
from scar_pulumi.cli._target import deployed_stacks, stack_options
from scar_pulumi.cli.console import Console, count
from scar_pulumi.client.clients import Clients
from scar_pulumi.client.cloud_errors import about
from scar_pulumi.client.jobs import ENDED, STATUSES, BatchJob, cancel, job_of, parts_of

_ACTIONS = {
    "ls": "list jobs, the newest first",
    "show": "show all that is known of a job",
    "logs": "show what a job prints, in all its attempts",
    "cancel": "end jobs, whether they wait or run",
}
_SHOWN = 50
_JOB = "the job's id, or a function's name for its newest job"


def configure(_verb: str, parser: ArgumentParser) -> None:
    """Add the actions and their arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for action, summary in _ACTIONS.items():
        below = actions.add_parser(action, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        _ARGUMENTS[action](below)
        stack_options(below, search=True)
        json_option(below)


def run(_verb: str, arguments: Namespace, console: Console) -> Mapping[str, Any] | None:
    """Do it."""
    return _RUN[arguments.action](arguments, console)


def _ls_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="the function's name (default: all functions)")
    parser.add_argument(
        "--status", metavar="STATUS", type=str.upper, choices=STATUSES, help=f"only jobs that are {', '.join(STATUSES)}"
    )
    parser.add_argument("--all", action="store_true", help=f"all of them (default: the newest {_SHOWN})")


def _show_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("job", metavar="JOB", help=_JOB)


def _logs_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("job", metavar="JOB", help=_JOB)
    parser.add_argument("-f", "--follow", action="store_true", help="go on with new lines until the job has ended")
    parser.add_argument("--timestamps", action="store_true", help="begin lines with their time")


def _cancel_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("jobs", metavar="JOB", nargs="+", help="a job's id, or a function's name for all its jobs")
    parser.add_argument("--reason", metavar="TEXT", default="cancelled with scar-pulumi", help="what is said of it")
    yes_option(parser)


def _ls(arguments: Namespace, console: Console) -> Mapping[str, Any]:
    functions, clients = functions_with_jobs(arguments, console, arguments.name)
    jobs = [job for function in functions for job in jobs_of(function, clients)]
    jobs = sorted(jobs, key=lambda job: job.created, reverse=True)
    jobs = [job for job in jobs if arguments.status in (None, job.status)]
    shown = jobs if arguments.all else jobs[:_SHOWN]
    head = ("JOB", "FUNCTION", "STATUS", "CREATED", "RAN", "EXIT", "REASON")
    for line in table(head, [_row(job, time.time()) for job in shown]):
        console.say(line)
    if len(shown) < len(jobs):
        console.note(f"{len(jobs) - len(shown)} older ones are not shown; --all shows them")
    if not jobs:
        console.note("no jobs" if functions else "no function of this stack uses AWS Batch")
    return {"jobs": [job.document() for job in shown], "count": len(jobs)}


def _row(job: BatchJob, now: float) -> tuple[str, ...]:
    ran = f"{((job.stopped or now * 1000) - job.started) / 1000:.0f} s" if job.started else "-"
    code = "-" if job.exit_code is None else str(job.exit_code)
    return (
        job.id,
        job.function,
        job.status,
        _moment(job.created),
        ran,
        code,
        job.reason if job.status != ENDED[0] else "",
    )


def _moment(milliseconds: int) -> str:
    if not milliseconds:
        return "-"
    return f"{datetime.datetime.fromtimestamp(milliseconds / 1000).astimezone():%Y-%m-%d %H:%M:%S}"


def _show(arguments: Namespace, console: Console) -> Mapping[str, Any]:
    found = one_job(arguments.job, arguments, console)
    job = job_of(found.detail, found.function)
    with about(f"job {job.id}"):
        parts = [job_of(part, found.function) for part in parts_of(_batch(found), found.detail)]
    for name, value in _facts(job, found.detail):
        console.say(f"{name + ':':<12} {value}")
    for line in table(("PART", "STATUS", "EXIT"), [(part.id, part.status, str(part.exit_code)) for part in parts]):
        console.say(line)
    container = found.detail.get("container") or {}
    # Its variables may hold what nobody beside the job should read.
    shown = {key: value for key, value in container.items() if key != "environment"}
    details = {"queue": found.detail["jobQueue"], "definition": found.detail["jobDefinition"], "container": shown}
    attempts = found.detail.get("attempts", [])
    return {"job": {**job.document(), **details, "attempts": attempts, "parts": [part.document() for part in parts]}}


def _facts(job: BatchJob, detail: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = {
        "job": job.id,
        "function": job.function,
        "request id": job.request_id,
        "status": job.status,
        "reason": job.reason,
        "exit code": "" if job.exit_code is None else str(job.exit_code),
        "attempts": f"{len(detail.get('attempts', ()))} of {(detail.get('retryStrategy') or {}).get('attempts', 1)}",
        "created": _moment(job.created),
        "started": _moment(job.started),
        "stopped": _moment(job.stopped),
        "queue": detail["jobQueue"].rpartition("/")[2],
        "definition": detail["jobDefinition"].rpartition("/")[2],
        "log stream": (detail.get("container") or {}).get("logStreamName", ""),
    }
    return [(name, value) for name, value in facts.items() if value and value != "-"]


def _logs(arguments: Namespace, console: Console) -> Mapping[str, Any] | None:
    return show_job_logs(arguments.job, arguments, console)


def _cancel(arguments: Namespace, console: Console) -> Mapping[str, Any]:
    stacks = deployed_stacks(arguments)
    chosen: dict[str, tuple[BatchJob, Any]] = {}
    for target in arguments.jobs:
        by_name = is_function(target, stacks)
        found = _all_of(target, arguments, console) if by_name else [_one(target, arguments, console)]
        chosen |= {job.id: (job, client) for job, client in found}
    waiting = {key: pair for key, pair in chosen.items() if pair[0].status not in ENDED}
    named = any(is_function(target, stacks) for target in arguments.jobs)
    if named and waiting and not console.must_confirm(f"End {count(len(waiting), 'job')}?", yes=arguments.yes):
        raise ScarError("jobs: not confirmed; none was cancelled")
    for job, client in waiting.values():
        with about(f"job {job.id}"):
            cancel(client, job, arguments.reason)
        console.say(f"{job.id}: cancelled ({job.status} before)")
    for job, _ in chosen.values():
        if job.id not in waiting:
            console.note(f"{job.id}: had already ended: {job.status}")
    return {"cancelled": list(waiting), "ended": [key for key in chosen if key not in waiting]}


def _all_of(name: str, arguments: Namespace, console: Console) -> list[tuple[BatchJob, Any]]:
    functions, clients = functions_with_jobs(arguments, console, name)
    found = [(job, _client(clients, function.region)) for function in functions for job in jobs_of(function, clients)]
    return [(job, client) for job, client in found if job.status not in ENDED]


def _one(target: str, arguments: Namespace, console: Console) -> tuple[BatchJob, Any]:
    found = one_job(target, arguments, console)
    return job_of(found.detail, found.function), _batch(found)


def _batch(found: FoundJob) -> Any:
    return _client(found.clients, found.region)


def _client(clients: Clients, region: str) -> Any:
    return clients.client("batch", region)


_ARGUMENTS: Mapping[str, Callable[[ArgumentParser], None]] = {
    "ls": _ls_arguments,
    "show": _show_arguments,
    "logs": _logs_arguments,
    "cancel": _cancel_arguments,
}
_RUN: Mapping[str, Callable[[Namespace, Console], Mapping[str, Any] | None]] = {
    "ls": _ls,
    "show": _show,
    "logs": _logs,
    "cancel": _cancel,
}
