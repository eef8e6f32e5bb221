"""The operations on executions and Map Runs: start, describe, list, stop, redrive, and the history.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_Operations.html
"""

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Mapping
from typing import Any

from scar_foundation.limits import (
    MAP_CONCURRENCY,
    STATES_EVENTS,
    STATES_KEPT_DAYS,
    STATES_PAYLOAD_BYTES,
    STATES_REDRIVE_DAYS,
    STATES_REDRIVES,
)
from scar_pulumi.cloud.runner import RunnerStoppedError
from scar_pulumi.cloud.signature import Caller
from scar_pulumi.cloud.states.history import History, document_of
from scar_pulumi.cloud.states.interpreter import Interpreter
from scar_pulumi.cloud.states.map_runs import reopen
from scar_pulumi.cloud.states.requests import StatesError, bounds, check_arn, check_name, page_of
from scar_pulumi.cloud.states.store import ABORTED, RUNNING, SUCCEEDED, UNSUCCESSFUL, Execution, MapRun, StatesStore
from scar_pulumi.cloud.states.tasks import Tasks

_log = logging.getLogger(__name__)
_DAY = 86_400.0
_COUNTED = ("pending", "running", "succeeded", "failed", "timedOut", "aborted")


class Executions:
    """The executions of all machines: those that run have a task each in this process."""

    def __init__(self, store: StatesStore, interpreter: Interpreter, tasks: Tasks) -> None:
        self._store = store
        self._interpreter = interpreter
        self._tasks_of_states = tasks
        self._running: dict[str, asyncio.Task[None]] = {}

    def resume(self) -> None:
        """Go on with the executions that an earlier daemon left, and forget those that are too old to be shown."""
        self._store.forget_ended(time.time() - STATES_KEPT_DAYS * _DAY)
        for execution in self._store.running():
            self._begin(execution)

    async def close(self) -> None:
        """Stop; what runs goes on at the next start."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def describe_all(self) -> dict[str, int]:
        """Return how many executions run."""
        return {"running": len(self._running)}

    async def start(self, machine: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
        """StartExecution. The same name with the same input, while it runs, is the same execution."""
        name, text = document.get("name") or str(uuid.uuid4()), document.get("input", "{}")
        check_name(name)
        _check_input(text)
        arn = f"{machine['stateMachineArn'].replace(':stateMachine:', ':execution:')}:{name}"
        if present := self._store.execution(arn):
            if present.status != RUNNING or json.loads(present.input) != json.loads(text):
                raise StatesError("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")
            return {"executionArn": arn, "startDate": present.started}
        execution = Execution(
            arn=arn,
            root=arn,
            machine=machine["stateMachineArn"],
            name=name,
            definition=self._store.keep_definition(machine["definition"]),
            role=machine["roleArn"],
            type="STANDARD",
            status=RUNNING,
            input=text,
            started=time.time(),
        )
        self._store.add_executions([execution])
        self._begin(execution)
        return {"executionArn": arn, "startDate": execution.started}

    async def describe(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """DescribeExecution."""
        execution = self._found(document["executionArn"])
        why = _not_redrivable(execution)
        shown: dict[str, Any] = {
            **_listed(execution),
            "input": execution.input,
            "inputDetails": {"included": True},
            "redriveStatus": why[0] if why else "REDRIVABLE",
            "error": execution.error,
            "cause": execution.cause,
        }
        if why:
            shown["redriveStatusReason"] = why[1]
        if execution.output is not None:
            shown |= {"output": execution.output, "outputDetails": {"included": True}}
        if document.get("includedData") == "METADATA_ONLY":
            shown = {key: value for key, value in shown.items() if key not in ("input", "output")}
            shown["inputDetails"] = {"included": False}
        return _present(shown)

    async def machine(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """DescribeStateMachineForExecution: what the execution runs, whatever its machine has become."""
        execution = self._found(document["executionArn"])
        run = self._store.map_run(execution.map_run) if execution.map_run else None
        return _present(
            {
                "stateMachineArn": execution.machine,
                "name": execution.machine.rpartition(":")[2],
                "definition": self._store.definition(execution.definition),
                "roleArn": execution.role,
                "updateDate": execution.started,
                "loggingConfiguration": {"level": "OFF", "includeExecutionData": False},
                "mapRunArn": execution.map_run,
                "label": run.label if run else None,
            }
        )

    async def list(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """ListExecutions of a machine or of a Map Run, the youngest first."""
        machine, map_run = document.get("stateMachineArn", ""), document.get("mapRunArn", "")
        if bool(machine) == bool(map_run):
            raise StatesError("ValidationException", "exactly one of stateMachineArn and mapRunArn is needed")
        if machine and not self._store.machine(machine):
            check_arn(machine, "stateMachine")
            raise StatesError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{machine}'")
        if map_run:
            self._found_run(map_run)
        start, size = bounds(document)
        wanted = document.get("redriveFilter")
        found = self._store.found(
            machine=machine,
            map_run=map_run,
            status=document.get("statusFilter", ""),
            redriven=None if wanted is None else wanted == "REDRIVEN",
            limit=size + 1,
            offset=start,
        )
        return page_of([_listed(execution) for execution in found], start, size, "executions")

    async def stop(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """StopExecution: abort it with its children; the Batch jobs that it waits for are terminated."""
        execution = self._found(document["executionArn"])
        if execution.map_run:
            reason = "the local cloud stops whole executions only; stop the one that the Map Run belongs to"
            raise StatesError("ValidationException", reason)
        if execution.status == RUNNING:
            await self._abort(execution, document.get("error"), document.get("cause"))
            execution = self._found(execution.arn)
        return {"stopDate": execution.stopped}

    async def stop_all(self, machine: str) -> None:
        """Abort what runs of a machine."""
        for execution in self._store.running():
            if execution.machine == machine:
                await self._abort(execution, None, "The state machine was deleted.")

    async def redrive(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """RedriveExecution: go on where it failed; what had succeeded is not done again."""
        execution = self._found(document["executionArn"])
        if why := _not_redrivable(execution):
            raise StatesError("ExecutionNotRedrivable", why[1])
        history = History(self._store, execution.arn, is_kept=True)
        if history.last >= STATES_EVENTS - 1:
            raise StatesError(
                "ExecutionNotRedrivable", f"Execution has {history.last} events; {STATES_EVENTS} is the most"
            )
        reopen(self._store, execution)
        history.add("ExecutionRedriven", history.last, redriveCount=execution.redrives)
        self._begin(execution)
        return {"redriveDate": execution.redriven}

    async def history(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """GetExecutionHistory."""
        execution = self._found(document["executionArn"])
        if execution.type == "EXPRESS":
            reason = "children of type EXPRESS have no history; use ExecutionType STANDARD to see theirs"
            raise StatesError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{execution.arn}': {reason}")
        start, size = bounds(document)
        reverse = bool(document.get("reverseOrder"))
        events = self._store.events(execution.arn, reverse=reverse, limit=size + 1, offset=start)
        with_data = document.get("includeExecutionData", True)
        return page_of([document_of(event, with_data=with_data) for event in events], start, size, "events")

    async def list_map_runs(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """ListMapRuns of an execution."""
        execution = self._found(document["executionArn"])
        start, size = bounds(document)
        shown = [
            _present(
                {
                    "executionArn": run.execution,
                    "mapRunArn": run.arn,
                    "stateMachineArn": execution.machine,
                    "startDate": run.started,
                    "stopDate": run.stopped,
                }
            )
            for run in self._store.map_runs(execution.arn)
        ]
        return page_of(shown[start : start + size + 1], start, size, "mapRuns")

    async def describe_map_run(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """DescribeMapRun."""
        run = self._found_run(document["mapRunArn"])
        counts = self._counts(run)
        return _present(
            {
                "mapRunArn": run.arn,
                "executionArn": run.execution,
                "status": run.status,
                "startDate": run.started,
                "stopDate": run.stopped,
                "maxConcurrency": run.settings["maxConcurrency"],
                "toleratedFailurePercentage": run.settings.get("toleratedFailurePercentage") or 0.0,
                "toleratedFailureCount": run.settings.get("toleratedFailureCount") or 0,
                "itemCounts": counts,
                "executionCounts": counts,
                "redriveCount": run.redrives,
                "redriveDate": run.redriven,
            }
        )

    async def update_map_run(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """UpdateMapRun: change its limits while it runs."""
        run = self._found_run(document["mapRunArn"])
        if run.status != RUNNING:
            raise StatesError("ValidationException", f"Map Run '{run.arn}' is {run.status}, not RUNNING")
        changes = {key: value for key, value in document.items() if key != "mapRunArn"}
        if changes.get("maxConcurrency", 0) > MAP_CONCURRENCY.most:
            raise StatesError("ValidationException", f"maxConcurrency must be up to {MAP_CONCURRENCY.most}")
        run.settings |= changes
        self._store.save_map_run(run)
        return {}

    def _begin(self, execution: Execution) -> None:
        task = asyncio.create_task(self._interpreter.run(execution))
        self._running[execution.arn] = task
        task.add_done_callback(lambda done: self._done(execution.arn, done))

    def _done(self, arn: str, task: asyncio.Task[None]) -> None:
        if self._running.get(arn) is task:
            del self._running[arn]
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, RunnerStoppedError):
            _log.error("execution %s goes on at the next start", arn, exc_info=error)

    async def _abort(self, execution: Execution, error: str | None, cause: str | None) -> None:
        if task := self._running.get(execution.arn):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        current = self._store.execution(execution.arn)
        if current is None or current.status != RUNNING:
            return
        jobs = self._store.jobs(current.arn)
        current.status, current.stopped, current.error, current.cause = ABORTED, time.time(), error, cause
        history = History(self._store, current.arn, is_kept=True)
        with self._store.transaction():
            history.add("ExecutionAborted", history.last, **_present({"error": error, "cause": cause}))
            self._store.save_execution(current)
            self._store.abort_tree(current.arn, current.stopped)
        _, _, _, region, account, *_ = current.arn.split(":")
        for job in jobs:
            await self._tasks_of_states.end_job(Caller(account, region), job, "The execution was stopped.")

    def _counts(self, run: MapRun) -> dict[str, int]:
        found = self._store.counts(run.arn)
        names = {status: status.lower() for status in found} | {"TIMED_OUT": "timedOut"}
        counts = {**dict.fromkeys(_COUNTED, 0), **{names[status]: count for status, count in found.items()}}
        counts["pendingRedrive"] = counts.pop("pending_redrive", 0)
        written = counts["succeeded"] if run.status == SUCCEEDED else 0
        return {**counts, "total": run.settings["total"], "resultsWritten": written, "failuresNotRedrivable": 0}

    def _found(self, arn: str) -> Execution:
        check_arn(arn, "execution")
        if found := self._store.execution(arn):
            return found
        raise StatesError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")

    def _found_run(self, arn: str) -> MapRun:
        check_arn(arn, "mapRun")
        if found := self._store.map_run(arn):
            return found
        raise StatesError("ResourceNotFound", f"Resource not found: '{arn}'")


def _check_input(text: str) -> None:
    try:
        json.loads(text)
    except ValueError as error:
        raise StatesError("InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'") from None
    if len(text.encode()) > STATES_PAYLOAD_BYTES:
        reason = f"Invalid State Machine Execution Input: it has more than {STATES_PAYLOAD_BYTES} bytes"
        raise StatesError("InvalidExecutionInput", reason)


def _not_redrivable(execution: Execution) -> tuple[str, str] | None:
    """Return the status and the reason of an execution that cannot be redriven, else None.

    https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
    """
    why = ""
    if execution.map_run:
        return "REDRIVABLE_BY_MAP_RUN", "Execution is a child of a Map Run; redrive the execution that it belongs to"
    if execution.status not in UNSUCCESSFUL:
        why = f"Execution is {execution.status} and cannot be redriven"
    elif execution.redrives >= STATES_REDRIVES:
        why = f"Execution has been redriven {STATES_REDRIVES} times, the most that there can be"
    elif time.time() - (execution.stopped or 0) > STATES_REDRIVE_DAYS * _DAY:
        why = f"Execution ended more than {STATES_REDRIVE_DAYS} days ago and cannot be redriven"
    return ("NOT_REDRIVABLE", why) if why else None


def _listed(execution: Execution) -> dict[str, Any]:
    return _present(
        {
            "executionArn": execution.arn,
            "stateMachineArn": execution.machine,
            "name": execution.name,
            "status": execution.status,
            "startDate": execution.started,
            "stopDate": execution.stopped,
            "mapRunArn": execution.map_run,
            "redriveCount": execution.redrives,
            "redriveDate": execution.redriven,
        }
    )


def _present(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if value is not None}
