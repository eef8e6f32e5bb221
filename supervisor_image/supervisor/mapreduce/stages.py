"""The events of a MapReduce's functions and jobs: each asks for one stage, and is answered in plain JSON."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from supervisor import events, files
from supervisor.errors import EventInvalid
from supervisor.function import Context, Function
from supervisor.log import Log
from supervisor.mapreduce import commit_stage, plan_stage, replaced
from supervisor.mapreduce.attempts import Attempt, Call, failures_kept
from supervisor.mapreduce.map_stage import run_map
from supervisor.mapreduce.reduce_stage import run_reduce
from supervisor.mapreduce.run import Run, Work, checked_id
from supervisor.mapreduce.settings import read_settings

INDEX = "AWS_BATCH_JOB_ARRAY_INDEX"
"""The task of a child of a job array.

https://docs.aws.amazon.com/batch/latest/userguide/array_jobs.html
"""
_ANSWERED_FAILURES = 3  # of all that _FAILED lists: a state's result has 256 KiB at most
_TASKS: Mapping[str, Callable[[Attempt], dict[str, Any]]] = {"map": run_map, "reduce": run_reduce}
_OF_STAGE = {
    "plan": ("plan", "scan", "splits"),
    "map": ("map",),
    "reduce": ("reduce",),
    "commit": ("commit", "failed"),
}


def handle(function: Function, payload: bytes, context: Context, log: Log) -> bytes:
    """Do what the event asks for, and return the answer. Raises SupervisorError."""
    settings = read_settings(function.configuration.mapreduce or {})
    call, event = Call(function, settings, context, log), events.parse(payload)
    kind = event.get("mapreduce") if isinstance(event, dict) else None
    if kind is None and settings.stage == "plan":
        return _json(plan_stage.start_runs(call, event))
    if kind not in _OF_STAGE[settings.stage]:
        raise EventInvalid(f"the event asks for {kind!r}; this function does {', '.join(_OF_STAGE[settings.stage])}")
    files.check_outputs(function.configuration.outputs, function.storages)
    return _json(_task(call, event) if kind in _TASKS else _service(call, event))


def job_event(payload: bytes, environment: Mapping[str, str]) -> bytes:
    """Return the event of a job, which has its task from the place in the job array."""
    event, index = events.parse(payload), environment.get(INDEX, "")
    if not isinstance(event, dict) or not index.isdecimal():
        return payload
    return json.dumps({**event, "task": int(index)}).encode()


def _service(call: Call, event: dict[str, Any]) -> dict[str, Any]:
    kind = event["mapreduce"]
    if kind == "scan":
        call.log.info(f"run {event.get('run')}: scan task {event.get('task')}")
        work = _work(call, event.get("run"))
        return _pinned(call, work, work.plan().run, lambda: plan_stage.scan(call, work, _number(event)))
    run = Run.read(event.get("run"))
    work = _work(call, run.run)
    call.log.info(f"run {run.run}: {kind} of {run.uri}")
    if kind == "plan":
        replaced.forget(work)
        return _pinned(call, work, run, lambda: plan_stage.make_plan(call, work, run))
    if kind == "splits":
        return _pinned(call, work, run, lambda: plan_stage.make_splits(call, work))
    if kind == "commit":
        success = _pinned(call, work, run, lambda: commit_stage.commit(call, work))
        # Names of files alone could make more than a state's result holds, and they are in _SUCCESS.
        return {name: value for name, value in success.items() if name != "files"}
    failure = commit_stage.fail(call, work, run, event.get("error"))
    return {**failure, "tasks": failure["tasks"][:_ANSWERED_FAILURES]}


def _pinned(call: Call, work: Work, run: Run, action: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    return replaced.unless_replaced(call.function, work, run, action)


def _task(call: Call, event: dict[str, Any]) -> dict[str, Any]:
    stage, task = event["mapreduce"], _number(event)
    work = _work(call, event.get("run"))
    call.log.info(f"run {event['run']}: {stage} task {task}")
    with failures_kept(work, stage, task, call.log):
        attempt = Attempt.begin(call, work, stage, task)
        planned = attempt.plan.map_count if stage == "map" else attempt.plan.reduce_count
        if task >= planned:
            call.log.info(f"the run has {planned} {stage} tasks, so there is no task {task}")
            return {"task": task}
        manifest = _pinned(call, work, attempt.plan.run, lambda: _TASKS[stage](attempt))
    return {name: manifest[name] for name in ("task", "records", "pairs_in", "pairs_out") if name in manifest}


def _work(call: Call, run: Any) -> Work:
    return Work(call.function, call.settings, checked_id(run))


def _number(event: dict[str, Any]) -> int:
    task = event.get("task")
    if not isinstance(task, int) or isinstance(task, bool) or task < 0:
        raise EventInvalid(f"the event's task is {task!r}, not a number")
    return task


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
