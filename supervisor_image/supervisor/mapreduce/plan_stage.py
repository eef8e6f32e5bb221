"""Start runs for new objects, and divide each into tasks; quoted CSV is scanned first, to know where records end."""

import json
import time
from collections.abc import Mapping
from typing import Any

from supervisor import aws, events
from supervisor.errors import BadRecord, ConfigurationInvalid, EventInvalid, SupervisorError
from supervisor.events import Object
from supervisor.function import Function
from supervisor.mapreduce import commit_stage, replaced
from supervisor.mapreduce.attempts import Call
from supervisor.mapreduce.map_stage import is_whole
from supervisor.mapreduce.objects import Bucket, Pinned, side_by_side
from supervisor.mapreduce.quotes import Crossing, Outside, State, Table, crossings, starts
from supervisor.mapreduce.run import LARGEST_PLAN, PLAN, Plan, Run, Work, output_of, provider_of

SCANNED_HERE = 256 << 20
"""Bytes of quoted CSV that the planner scans itself."""
_SCANS = "scan.jsonl"


def start_runs(call: Call, event: Any) -> dict[str, Any]:
    """Start an execution for each object of a storage event; one that there is already counts as started."""
    items = events.request(event, call.function.configuration.inputs).items
    objects = [item for item in items if isinstance(item.source, Object) and not item.is_folder]
    if items and not objects and not all(item.is_folder for item in items):
        raise EventInvalid("the event names no object; put the input into the bucket")
    if not call.settings.state_machine:
        raise ConfigurationInvalid("mapreduce: state_machine is missing; deploy again")
    return {"runs": [_started(call, item.source) for item in objects]}


def _started(call: Call, source: Any) -> str:
    """Start the run over an object; one whose results have gone since, or that has failed, is started once more.

    The same content may come back after another one: its run was published, but the results are now the other's.
    """
    function, settings, _, log = call
    bucket = Bucket(function.storages, provider_of(function, source.container, source.key), source.container)
    run = Run.of(source.container, source.key, bucket.head(source.key), settings.digest)
    provider, output, prefix = output_of(function, run.bucket, run.key)
    published = Bucket(function.storages, provider, output)
    for attempt in range(_MOST_ATTEMPTS):
        name = f"{run.run}-{attempt}" if attempt else run.run
        started = _execution(settings.state_machine, name, run)
        runs = started or _status(settings.state_machine, name, run) == "RUNNING"
        if runs and not _has_given_up(call, run, name):
            log.info(f"{run.uri}: run {name} of {run.size} bytes is started")
            return run.run
        if commit_stage.marker(published, prefix + commit_stage.SUCCESS).get("run") == run.run:
            log.info(f"{run.uri}: the results of run {run.run} are there")
            return run.run
    raise SupervisorError(
        f"{run.uri}: run {run.run} has failed {_MOST_ATTEMPTS} times; change the input or the scripts"
    )


def _has_given_up(call: Call, run: Run, name: str) -> bool:
    """Return whether the execution has ended, as it had found the input replaced when it was not there again yet."""
    work, until = Work(call.function, call.settings, run.run), time.time() + _GIVES_UP_IN
    while replaced.is_noted(work) and time.time() < until:
        if _status(call.settings.state_machine, name, run) != "RUNNING":
            replaced.forget(work)  # what is started now has not given up
            return True
        time.sleep(_LOOK)
    return False


_MOST_ATTEMPTS = 1000
_GIVES_UP_IN = 60.0  # seconds
_LOOK = 0.5  # seconds


def _execution(state_machine: str, name: str, run: Run) -> bool:
    """Start an execution; return False where there has been one of that name."""
    request = {"stateMachineArn": state_machine, "name": name, "input": json.dumps(run._asdict())}
    try:
        _states("StartExecution", request, run)
    except aws.AwsError as error:
        if error.kind != "ExecutionAlreadyExists":
            raise SupervisorError(f"{run.uri}: {error}; let the function's role start executions") from error
        return False
    return True


def _status(state_machine: str, name: str, run: Run) -> str:
    arn = f"{state_machine.replace(':stateMachine:', ':execution:')}:{name}"
    try:
        return str(_states("DescribeExecution", {"executionArn": arn}, run)["status"])
    except aws.AwsError as error:
        raise SupervisorError(f"{run.uri}: {error}; let the function's role describe executions") from error


def _states(action: str, request: Mapping[str, Any], run: Run) -> Any:
    try:
        return aws.call("states", f"AWSStepFunctions.{action}", request)
    except OSError as error:
        raise SupervisorError(f"{run.uri}: Step Functions cannot be reached: {error}") from error


def make_plan(call: Call, work: Work, run: Run) -> dict[str, Any]:
    """Write the plan and its tasks, and return where they are; with a scan ahead, only where that is."""
    plan = _divided(call, work, run)
    is_quoted = bool(call.settings.rules.dialect.quote) and not is_whole(call.settings.format, run.key)
    if not is_quoted or plan.map_count < 2 or run.size <= SCANNED_HERE:
        tables = scan_here(call, plan) if is_quoted else []
        return _with_tasks(work, with_starts(call, plan, tables))
    work.write(PLAN, plan.document())
    scans = _tasks(work, "scan", plan.map_count, _SCANS)
    return {**_answer(plan, None, None), "map_count": 0, "reduce_count": 0, "scan": scans}


def scan(call: Call, work: Work, task: int) -> dict[str, Any]:
    """Scan the range of one task, and keep what becomes of each state in it."""
    plan = work.plan()
    if task >= plan.map_count:
        return {"task": task}
    work.write(f"s/{task:05d}.json", {"table": _table(call, plan, task)})
    return {"task": task}


def make_splits(call: Call, work: Work) -> dict[str, Any]:
    """Complete the plan with what the scans have found."""
    plan = work.plan()
    names = [f"s/{task:05d}.json" for task in range(plan.map_count)]
    found = side_by_side(work.read, names)
    tables = [tuple(Crossing(*crossing) for crossing in one["table"]) for one in found]
    return _with_tasks(work, with_starts(call, plan, tables))


def _divided(call: Call, work: Work, run: Run) -> Plan:
    """Return the plan of a run, which began when it was planned first."""
    function, settings, _, log = call
    size = max(settings.split_size, -(-run.size // LARGEST_PLAN))
    if is_whole(settings.format, run.key):
        size = max(1, run.size)
    elif size > settings.split_size:
        log.info(f"{run.uri}: splits of {size} bytes, as there are at most {LARGEST_PLAN} of them")
    earlier = work.find(PLAN)
    started = earlier["started"] if earlier else time.time()
    provider, bucket, prefix = output_of(function, run.bucket, run.key)
    return Plan(run, size, -(-run.size // size), settings.reducers, provider, bucket, prefix, started)


def scan_here(call: Call, plan: Plan) -> list[Table]:
    """Return the tables of all tasks, which are scanned in this one."""
    return [_table(call, plan, task) for task in range(plan.map_count)]


def _table(call: Call, plan: Plan, task: int) -> Table:
    place = plan.range(task)
    return crossings(_source(call.function, plan).read(place.start, place.end), call.settings.rules.dialect)


def _source(function: Function, plan: Plan) -> Pinned:
    run = plan.run
    bucket = Bucket(function.storages, provider_of(function, run.bucket, run.key), run.bucket)
    return bucket.pinned(run.key, run.etag, run.version)


def with_starts(call: Call, plan: Plan, tables: list[Table]) -> Plan:
    """Return the plan with how each task begins. Raises BadRecord where a quote is never closed."""
    if not tables:
        return plan
    found, end, ends = starts(tables)
    if end.inside:
        place = _last_record(call, plan, [start.state for start in found])
        raise BadRecord(f"{plan.run.uri}: the quote that was opened in the record at byte {place} is never closed")
    unfinished = not tables[-1][found[-1].state.number].last
    records = max(0, ends + unfinished - call.settings.rules.header)
    return plan._replace(starts="".join(start.encoded() for start in found), records=records)


def _last_record(call: Call, plan: Plan, states: list[State]) -> int:
    """Return the byte at which the input's last record begins."""
    source = _source(call.function, plan)
    for task in reversed(range(plan.map_count)):
        place, outside, found = plan.range(task), Outside(call.settings.rules.dialect, states[task]), -1
        at = place.start
        for block in source.read(place.start, place.end):
            last = outside.view(block).rfind(b"\n")
            found = at + last + 1 if last >= 0 else found
            at += len(block)
        if found >= 0:
            return found
    return 0


def _with_tasks(work: Work, plan: Plan) -> dict[str, Any]:
    work.write(PLAN, plan.document())
    tasks = _tasks(work, "map", plan.map_count, "map.jsonl")
    return _answer(plan, tasks, _tasks(work, "reduce", plan.reduce_count, "reduce.jsonl"))


def _tasks(work: Work, stage: str, count: int, name: str) -> dict[str, str]:
    run = work.folder.rstrip("/").rpartition("/")[2]
    lines = (json.dumps({"mapreduce": stage, "run": run, "task": task}) for task in range(count))
    work.bucket.put(work.key(name), "".join(f"{line}\n" for line in lines).encode())
    return {"bucket": work.bucket.name, "key": work.key(name)}


def _answer(plan: Plan, tasks: Mapping[str, str] | None, reduces: Mapping[str, str] | None) -> dict[str, Any]:
    return {
        "tasks": tasks,
        "reduce_tasks": reduces,
        "map_count": plan.map_count,
        "reduce_count": plan.reduce_count,
        "scan": None,
        "array_size": max(2, plan.map_count),
        "reduce_array_size": max(2, plan.reduce_count),
    }
