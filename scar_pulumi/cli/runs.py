"""Runs of MapReduces, as `jobs` and `invoke` show them: facts, logs, and progress by stage."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from scar_foundation.errors import InputError, ScarError
from scar_pulumi.cli.console import Console
from scar_pulumi.cli.logs import LinePrinter
from scar_pulumi.cli.options import Document
from scar_pulumi.cli.output import moment, show_table, size
from scar_pulumi.client.cloud_errors import about
from scar_pulumi.client.mapreduce import SUCCEEDED, Progress, RunDetail, Tasks
from scar_pulumi.client.objects import Location
from scar_pulumi.client.outputs import DeployedMapReduce, StoragePath
from scar_pulumi.client.prices import REGION
from scar_pulumi.deployments import Deployments, stack_hint
from scar_pulumi.deployments.runs import FoundRun, Runs

if TYPE_CHECKING:
    from scar_pulumi.client.transfer import Upload

_PAUSE = 0.5
_LONGEST_PAUSE = 5.0
_SLOWER = 1.2


def show_run(console: Console, found: FoundRun) -> Document:
    """Print all that is known of a run."""
    with about(f"run {found.run.id}"):
        detail = found.runs.detail(found.run)
    for name, value in _facts(detail):
        console.say_foreign(f"{name + ':':<12} {value}")
    rows = [
        (str(one["stage"]), str(one["task"]), str(one["error"]), str(one["message"]).replace("\n", " | "))
        for one in detail.failures
    ]
    if rows:
        show_table(console, ("STAGE", "TASK", "ERROR", "MESSAGE"), rows)
    return {"job": detail.document()}


def _facts(detail: RunDetail) -> Iterator[tuple[str, str]]:
    run, totals, progress = detail.run, detail.totals, detail.progress
    facts = {
        "run": run.id,
        "mapreduce": run.mapreduce,
        "input": f"{run.place} ({size(run.size)})",
        "status": run.status,
        "stage": progress.stage,
        "reason": "" if run.status == SUCCEEDED else run.reason,
        "resumed": f"{run.attempt} times" if run.attempt > 1 else "once" if run.attempt else "",
        "created": moment(run.created / 1000),
        "stopped": moment(run.stopped / 1000) if run.stopped else "",
        "map tasks": _tasks(progress.map, has_ended=run.has_ended),
        "reducers": _tasks(progress.reduce, has_ended=run.has_ended),
        "records": f"{totals.records:,}" if totals.bytes else "",
        "bytes": f"{totals.bytes:,}" if totals.bytes else "",
        "pairs": f"{totals.pairs:,}" + (f", {totals.bad_pairs:,} bad ones skipped" if totals.bad_pairs else ""),
        "skew": f"{totals.skew:g} (the largest partition by the mean)" if totals.skew is not None else "",
        "results": size(totals.output_bytes) if totals.output_bytes else "",
        "output": detail.output,
        "cost": _cost(detail),
    }
    yield from ((name, value) for name, value in facts.items() if value)
    yield from (("note", note) for note in detail.notes)


def _tasks(tasks: Tasks, *, has_ended: bool) -> str:
    failed = f", {tasks.failed} {'failed' if has_ended else 'to be tried again'}" if tasks.failed else ""
    return f"{tasks.done} of {tasks.total} done{failed}" if tasks.total else ""


def _cost(detail: RunDetail) -> str:
    cost = detail.cost
    if cost is None:
        return ""
    each = "" if cost.per_gib is None else f", ${cost.per_gib:.4f} for each GiB of input"
    return f"about ${cost.total:.6f} on AWS{each} (list prices of {REGION})"


def show_run_log(printer: LinePrinter, deployments: Deployments, found: FoundRun) -> Document | None:
    """Print what the functions or jobs of a run have logged, stage by stage."""
    shown = printer.show(Runs(deployments).lines(found))
    if not shown:
        printer.console.note(f"run {found.run.id}: has logged nothing yet; its status is {found.run.status}")
    return {"function": found.mapreduce.name, "job": found.run.id, "status": found.run.status, "events": shown}


def run_over_file(
    console: Console, deployments: Deployments, mapreduce: DeployedMapReduce, file: Path, *, later: bool
) -> Document:
    """Put a file into the input of a MapReduce, and wait for the end of its run unless `later`.

    A run over the same content by the same scripts that has succeeded is not repeated; one that has failed is resumed.
    """
    place, item = _upload_of(mapreduce, file)
    _put(console, deployments, place, item)
    runs = Runs(deployments)
    with console.progress(f"planning {item.key}"):
        found = runs.start(mapreduce, place.bucket, item.key)
    if found.run.has_ended and found.run.status == SUCCEEDED:
        console.note(f"run {found.run.id}: has had this content before; its results are there")
    elif found.run.attempt:
        console.note(f"run {found.run.id}: has had this content before, and is resumed")
    if later:
        console.say(found.run.id)
        return {"run": found.run.document()}
    console.note(f"run {found.run.id}{_hint(deployments, found)}")
    return wait_for_run(console, found)


def _hint(deployments: Deployments, found: FoundRun) -> str:
    return f"  (`scar-pulumi jobs show {found.run.id}{stack_hint(deployments.stack)}` shows how far it is)"


def _upload_of(mapreduce: DeployedMapReduce, file: Path) -> tuple[Location, "Upload"]:
    """Return where a file goes: the first input that takes files of its name.

    Raises:
        InputError: There is no such file, or no input takes it.
    """
    from scar_pulumi.client.transfer import plan_uploads  # noqa: PLC0415 - listing needs none of it

    if not file.is_file():
        raise InputError(f"{file}: no such file" if not file.exists() else f"{file}: is not a file")
    fitting = [place for place in mapreduce.inputs if _takes(place, file.name)]
    if not fitting:
        taken = "; ".join(f"{place.path}: {' '.join((*place.prefix, *place.suffix))}" for place in mapreduce.inputs)
        raise InputError(f"{file.name}: no input of {mapreduce.name} takes files of this name ({taken})")
    location = Location.parse(f"s3://{fitting[0].path}")
    (item,) = plan_uploads(location, [file])
    return location, item


def _takes(place: StoragePath, name: str) -> bool:
    starts, ends = place.prefix or ("",), place.suffix or ("",)
    return name.startswith(tuple(starts)) and name.endswith(tuple(ends))


def _put(console: Console, deployments: Deployments, place: Location, item: "Upload") -> None:
    from scar_pulumi.client.transfer import upload  # noqa: PLC0415 - likewise

    sent = 0
    with about(f"bucket {place.bucket}"), console.progress(f"putting {item.file.name}") as progress:

        def moved(count: int) -> None:
            nonlocal sent
            sent += count
            progress.update(size(sent), sent / item.size if item.size else None)

        for done in upload(deployments.storage(place), place.bucket, [item], moved):
            console.note(f"{done.file} → {place.bucket}/{done.key}  ({size(done.size)})")


def wait_for_run(console: Console, found: FoundRun) -> Document:
    """Wait for the end of a run and print its facts.

    Raises:
        ScarError: It has failed.
    """
    with about(f"run {found.run.id}"), console.progress(f"{found.mapreduce.name} is running") as progress:
        pause = _PAUSE
        run = found.run
        while not run.has_ended:
            far = found.runs.progress(run)
            progress.update(_far(far), far.fraction)
            time.sleep(pause)
            pause = min(pause * _SLOWER, _LONGEST_PAUSE)
            run = found.runs.find(run.id) or run
    document = show_run(console, FoundRun(run, found.mapreduce, found.runs))
    if run.status != SUCCEEDED:
        reason = document["job"]["reason"] or run.status
        raise ScarError(
            f"run {run.id}: {reason}; `scar-pulumi jobs logs {run.id}` shows its log, `jobs resume` resumes it"
        )
    return {"run": document["job"]}


def _far(progress: Progress) -> str:
    tasks = {"map": progress.map, "reduce": progress.reduce}.get(progress.stage)
    return f"{progress.stage} {tasks.done}/{tasks.total}" if tasks and tasks.total else progress.stage
