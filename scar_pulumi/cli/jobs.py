"""`jobs`: jobs of functions in AWS Batch and of services on OSCAR clusters, and the runs of MapReduces."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import click

from scar_foundation.errors import InputError, ScarError
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
from scar_pulumi.cli.runs import show_run, show_run_log, wait_for_run
from scar_pulumi.client import mapreduce
from scar_pulumi.client.failures import inputs
from scar_pulumi.client.jobs import ENDED, STATUSES, BatchJob, job_of
from scar_pulumi.client.mapreduce import Run
from scar_pulumi.client.service_jobs import ServiceJob
from scar_pulumi.deployments import Deployments, stack_hint
from scar_pulumi.deployments.jobs import Jobs
from scar_pulumi.deployments.logs import LogQuery, Logs
from scar_pulumi.deployments.runs import Runs
from scar_pulumi.deployments.service_jobs import ServiceJobs

_SHOWN = 50


jobs = Group(name="jobs", help="List, show, cancel and resume jobs and MapReduce runs.")
_STATUSES = tuple(dict.fromkeys((*STATUSES, *mapreduce.STATUSES)))
_TARGET_HELP = "The id of a job or run, or the name of a function or MapReduce for its newest one."
_SHOWN_HELP = "The id of a job or run, or the name of a function, service or MapReduce for its newest one."


@jobs.command
@click.argument("name", required=False, help="The name of a function, service or MapReduce; by default all of them.")
@click.option(
    "--status",
    metavar="STATUS",
    type=click.Choice(_STATUSES, case_sensitive=False),
    help=f"Only jobs and runs with this status: {', '.join(_STATUSES)}.",
)
@click.option("--all", "everything", is_flag=True, help=f"Show all jobs.  [default: the newest {_SHOWN}]")
@deployments_options(search=True)
@json_option
def ls(console: Console, deployments: Deployments, name: str | None, status: str | None, everything: bool) -> Document:
    """List jobs and runs, newest first."""
    found, runs, on_clusters = Jobs(deployments), Runs(deployments), ServiceJobs(deployments)
    of_mapreduce = name is not None and deployments.has_mapreduce(name)
    services = on_clusters.services(name)
    functions = [] if of_mapreduce or (name and services) else found.functions(name)
    mapreduces = runs.mapreduces(name) if of_mapreduce or name is None else []
    most = None if everything or status else _SHOWN + 1
    every: list[Listed] = [
        *found.listed(functions),
        *runs.listed(mapreduces, most),
        *on_clusters.listed(services),
    ]
    listed = sorted((one for one in every if status in (None, one.status)), key=lambda one: one.created, reverse=True)
    shown = on_clusters.explained(listed if everything else listed[:_SHOWN])
    named = found.inputs([one for one in shown if isinstance(one, BatchJob)], functions)
    head = ("JOB", "KIND", "FUNCTION", "INPUT", "STATUS", "CREATED", "RAN", "EXIT", "REASON")
    show_table(console, head, [_row(one, named.get(one.id, ()), time.time()) for one in shown])
    if len(shown) < len(listed):
        console.note("older ones are not shown; --all shows them")
    if not listed:
        runs_any = functions or mapreduces or services
        console.note("no jobs" if runs_any else "nothing of this stack uses AWS Batch, MapReduce or OSCAR")
    return {"jobs": [_listed_document(one, named) for one in shown], "count": len(listed)}


Listed = BatchJob | Run | ServiceJob


def _listed_document(one: Listed, named: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    if isinstance(one, Run | ServiceJob):
        return one.document()
    return {**one.document(), "inputs": list(named.get(one.id, ()))}


@jobs.command
@click.argument("job", help=_SHOWN_HELP)
@deployments_options(search=True)
@json_option
def show(console: Console, deployments: Deployments, job: str) -> Document:
    """Show all that is known of a job or a run."""
    if (run := Runs(deployments).find(job)) is not None:
        return show_run(console, run)
    if (of_service := _of_service(deployments, job)) is not None:
        return _show_service_job(console, of_service, stack_hint(deployments.stack))
    found = Jobs(deployments)
    chosen = found.find(job)
    parts = [job_of(part, chosen.function) for part in found.parts(chosen)]
    for name, value in _facts(chosen.job, chosen.detail):
        console.say_foreign(f"{name + ':':<12} {value}")
    show_table(console, ("PART", "STATUS", "EXIT"), [(part.id, part.status, str(part.exit_code)) for part in parts])
    return {"job": {**_job_document(chosen.job, chosen.detail), "parts": [part.document() for part in parts]}}


@jobs.command
@click.argument("job", help=_SHOWN_HELP)
@click.option("-f", "--follow", is_flag=True, help="Keep printing new lines until the job has ended; runs have it not.")
@timestamps_option
@deployments_options(search=True)
@json_option
def logs(console: Console, deployments: Deployments, job: str, follow: bool, timestamps: bool) -> Document | None:
    """Show what a job prints, in all its attempts, or the functions of a run."""
    if (run := Runs(deployments).find(job)) is not None:
        if follow:
            raise InputError(
                f"--follow: run {run.run.id} is logged by several functions; `jobs show` says how far it is"
            )
        return show_run_log(LinePrinter(console, follow, timestamps), deployments, run)
    if (of_service := _of_service(deployments, job)) is not None:
        return _show_service_log(LinePrinter(console, follow, timestamps), deployments, of_service)
    return show_job_log(LinePrinter(console, follow, timestamps), deployments, job)


@jobs.command
@click.argument(
    "targets",
    metavar="JOB...",
    nargs=-1,
    required=True,
    help="The id of a job or run, or the name of a function or MapReduce for all that are active.",
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
    """End jobs and runs, waiting or running."""
    for target in targets:
        if (of_service := _of_service(deployments, target)) is not None:
            raise InputError(f"{of_service.id}: is a job of an OSCAR service, which OSCAR can only delete with its log")
    found, runs = Jobs(deployments), Runs(deployments)
    of_runs = {target: runs.meant(target) for target in targets}
    meant = found.meant([target for target, several in of_runs.items() if several is None])
    active = [(job, region) for job, region in meant if job.status not in ENDED]
    meant_runs = [run for several in of_runs.values() for run in several or ()]
    running = [run for run in meant_runs if not run.run.has_ended]
    asks = (active or running) and any(
        deployments.has_function(target) or deployments.has_mapreduce(target) for target in targets
    )
    if asks and not console.must_confirm(f"End {count(len(active) + len(running), 'job')}?", yes=yes):
        raise ScarError("jobs: not confirmed; none was cancelled")
    for job, region in active:
        found.cancel(job, region, reason)
        console.say(f"{job.id}: cancelled ({job.status} before)")
    for one in running:
        runs.cancel(one, reason)
        console.say(f"{one.run.id}: cancelled ({one.run.status} before)")
    ended = [
        *((job.id, job.status) for job, _ in meant if job.status in ENDED),
        *((run.run.id, run.run.status) for run in meant_runs if run.run.has_ended),
    ]
    for identifier, status in ended:
        console.note(f"{identifier}: had already ended: {status}")
    if not (active or running or ended):
        console.note("nothing to cancel: no job or run is active")
    cancelled = [*(job.id for job, _ in active), *(run.run.id for run in running)]
    return {"cancelled": cancelled, "ended": [identifier for identifier, _ in ended]}


@jobs.command
@click.argument("run", help="The run's id, or a MapReduce's name for its newest run.")
@click.option("--wait", is_flag=True, help="Wait for its end, and show how far it is.")
@deployments_options(search=True)
@json_option
def resume(console: Console, deployments: Deployments, run: str, wait: bool) -> Document:
    """Start a run that failed again; tasks that are done stay so."""
    runs = Runs(deployments)
    found = runs.find(run)
    if found is None:
        raise InputError(f"{run}: no such run; `scar-pulumi jobs ls` lists them, and jobs of AWS Batch are not resumed")
    resumed = runs.resume(found)
    if resumed.run.id != found.run.id:
        console.note(f"{found.mapreduce.name} was deployed anew since, so this is another run over {found.run.place}")
    console.say(f"{resumed.run.id}: resumed")
    return wait_for_run(console, resumed) if wait else {"run": resumed.run.document()}


def _of_service(deployments: Deployments, target: str) -> ServiceJob | None:
    """Return the job of a service that is meant, as its log explains it; None for a function, a run or a Batch job."""
    if deployments.has_function(target) or deployments.has_mapreduce(target):
        return None
    on_clusters = ServiceJobs(deployments)
    found = on_clusters.find(target)
    return None if found is None else on_clusters.explained([found])[0]


def _show_service_log(printer: LinePrinter, deployments: Deployments, job: ServiceJob) -> Document | None:
    service = deployments.called(f"{job.cluster}/{job.function}")
    shown = printer.show(Logs(deployments).lines(service, LogQuery(request_id=job.id, follow=printer.follow)))
    if shown is None:
        return None
    if not shown:
        printer.console.note(f"job {job.id}: has printed nothing yet; its status is {job.status}")
    return {"function": job.function, "job": job.id, "status": job.status, "events": shown}


def _show_service_job(console: Console, job: ServiceJob, hint: str) -> Document:
    facts = {
        "job": job.id,
        "service": job.function,
        "input": ", ".join(job.inputs),
        "status": job.status,
        "reason": job.reason,
        "created": moment(job.created / 1000),
        "started": moment(job.started / 1000),
        "stopped": moment(job.stopped / 1000),
    }
    for name, value in facts.items():
        if value and value != "-":
            console.say_foreign(f"{name + ':':<12} {value}")
    console.note(f"`scar-pulumi logs {job.function} --request-id {job.id}{hint}` shows its whole log")
    return {"job": job.document()}


def _row(job: Listed, named: Sequence[str], now: float) -> tuple[str, ...]:
    reason = job.reason if job.status != ENDED[0] else ""
    started = job.created if isinstance(job, Run) else job.started
    ran = f"{((job.stopped or now * 1000) - started) / 1000:.0f} s" if started else "-"
    created = moment(job.created / 1000)
    if isinstance(job, Run):
        return job.id, "mapreduce", job.mapreduce, job.place, job.status, created, ran, "-", reason
    if isinstance(job, ServiceJob):
        places = ", ".join(job.inputs) or "-"
        return job.id, "oscar", f"{job.cluster}/{job.function}", places, job.status, created, ran, "-", reason
    code = "-" if job.exit_code is None else str(job.exit_code)
    return job.id, "batch", job.function, ", ".join(named) or "-", job.status, created, ran, code, reason


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
