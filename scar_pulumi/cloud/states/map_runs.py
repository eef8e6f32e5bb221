"""Runs Distributed Maps: each item is a child execution of its own, and what has ended stays so after a kill.

https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
"""

import asyncio
import json
import re
import time
import uuid
from collections import deque
from collections.abc import Mapping
from typing import Any

from scar_foundation.limits import MAP_CONCURRENCY
from scar_pulumi.cloud.states import failures
from scar_pulumi.cloud.states.data_flow import Context, as_text, checked, checked_size, filled, filtered
from scar_pulumi.cloud.states.definitions import processor_of
from scar_pulumi.cloud.states.failures import StateFailureError
from scar_pulumi.cloud.states.interpreter import Interpreter, Run, Visit, items_of, selected, whole_number
from scar_pulumi.cloud.states.map_items import Objects, batched, read_items, write_results
from scar_pulumi.cloud.states.store import (
    ABORTED,
    FAILED,
    PENDING,
    PENDING_REDRIVE,
    RUNNING,
    SUCCEEDED,
    UNSUCCESSFUL,
    Execution,
    MapRun,
    StatesStore,
)

_AT_ONCE = 256
"""Children in memory at once. Their tasks wait for room in the runner, so that more of them would not be faster."""
_LABEL = re.compile(r"[^A-Za-z0-9_-]")
_EXCEEDED = "The specified tolerated failure threshold was exceeded"


class MapRuns:
    """Opens Map Runs and works on them until every child has ended."""

    def __init__(self, store: StatesStore, interpreter: Interpreter, objects: Objects) -> None:
        self._store = store
        self._interpreter = interpreter
        self._objects = objects

    async def run(self, run: Run, visit: Visit, context: Context) -> Any:
        """Return the result of a Distributed Map. Raises StateFailureError."""
        path = visit.opened("map")
        found = self._store.map_run_of(run.execution.arn, path)
        if found is None:
            found = await self._open(run, visit, context, path)
        elif _is_redriven(run.execution, found):
            self._redrive(run, visit, found)
        elif found.status == FAILED:  # interrupted before the state had heard of it
            raise StateFailureError(*found.settings["failure"])
        try:
            await self._work(found)
            result = await self._result(run, visit, context, found)
        except StateFailureError as failure:
            self._fail(run, visit, found, failure)
            raise
        if found.status == RUNNING:
            with self._store.transaction():
                self._close(found, SUCCEEDED)
                visit.event = run.history.add("MapRunSucceeded", run.history.last)
                visit.event = run.history.add("MapStateSucceeded", visit.event)
        return result

    async def _open(self, run: Run, visit: Visit, context: Context, path: str) -> MapRun:
        """Store a Map Run with all its children, which wait to start."""
        state, data = visit.state, filtered(visit.state, visit.input, context)
        if "ItemReader" in state:
            items = await read_items(self._objects, run.caller, state, data, context)
        else:
            items = items_of(state, data, context)
        inputs = list(batched(state.get("ItemBatcher"), selected(state, data, items, context), data, context))
        processor = processor_of(state)
        label = state.get("Label") or _LABEL.sub("_", visit.frame.state)[:40]
        machine = f"{run.execution.machine.rpartition(':')[2]}/{label}"
        prefix = run.execution.machine.partition(":stateMachine:")[0]
        settings = {
            "maxConcurrency": whole_number(state, "MaxConcurrency", data, context) or 0,
            "total": len(inputs),
            **_tolerance(state, data, context),
        }
        made = MapRun(
            f"{prefix}:mapRun:{machine}:{uuid.uuid4()}", run.execution.arn, path, label, settings, RUNNING, time.time()
        )
        with self._store.transaction():
            definition = self._store.keep_definition(as_text(processor))
            child = _children_of(run.execution, made, definition, processor["ProcessorConfig"]["ExecutionType"])
            self._store.add_executions(child(number, text) for number, text in enumerate(inputs))
            self._store.save_map_run(made)
            visit.event = run.history.add("MapStateStarted", visit.event, length=len(inputs))
            visit.event = run.history.add("MapRunStarted", visit.event, mapRunArn=made.arn)
        return made

    def _redrive(self, run: Run, visit: Visit, found: MapRun) -> None:
        """Let the children that have not succeeded start again; those that have stay as they are."""
        found.status, found.stopped = RUNNING, None
        found.redrives, found.redriven = found.redrives + 1, time.time()
        with self._store.transaction():
            self._store.set_children(found.arn, UNSUCCESSFUL, PENDING_REDRIVE, None)
            self._store.save_map_run(found)
            details = {"mapRunArn": found.arn, "redriveCount": found.redrives}
            visit.event = run.history.add("MapRunRedriven", run.history.last, **details)

    async def _work(self, found: MapRun) -> None:
        """Run the children, first those that a kill has interrupted. Raises StateFailureError at what is tolerated."""
        tasks: set[asyncio.Task[Execution]] = set()
        waiting = deque(self._store.children(found.arn, RUNNING))
        failed = sum(self._store.counts(found.arn).get(status, 0) for status in UNSUCCESSFUL)
        try:
            while True:
                if _is_exceeded(found.settings, failed):
                    raise StateFailureError(failures.EXCEED_TOLERATED, _EXCEEDED)
                while len(tasks) < self._room(found) and (child := self._next(found, waiting)):
                    tasks.add(asyncio.create_task(self._child(child)))
                if not tasks:
                    return
                done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                failed += sum(task.result().status != SUCCEEDED for task in done)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _next(self, found: MapRun, waiting: deque[Execution]) -> Execution | None:
        """Return the next child, which is stored as running."""
        if not waiting:
            waiting.extend(self._store.children(found.arn, PENDING, PENDING_REDRIVE, limit=_AT_ONCE))
        if not waiting:
            return None
        child = waiting.popleft()
        if child.status == PENDING_REDRIVE:
            reopen(self._store, child)
        elif child.status == PENDING:
            child.status, child.started = RUNNING, time.time()
            self._store.save_execution(child)
        return child

    def _room(self, found: MapRun) -> int:
        """Return how many children may run now; UpdateMapRun may have changed it."""
        current = self._store.map_run(found.arn) or found
        found.settings = current.settings
        return min(found.settings["maxConcurrency"] or MAP_CONCURRENCY.most, _AT_ONCE)

    async def _child(self, child: Execution) -> Execution:
        await self._interpreter.run(child)
        return child

    async def _result(self, run: Run, visit: Visit, context: Context, found: MapRun) -> Any:
        writer = visit.state.get("ResultWriter")
        if writer is not None:
            place = filled(writer["Parameters"], filtered(visit.state, visit.input, context), context)
            if "Bucket" not in place:
                raise StateFailureError(failures.RESULT_WRITER, "Parameters of the ResultWriter need Bucket")
            children = self._store.children(found.arn, SUCCEEDED, PENDING, *UNSUCCESSFUL)
            return await write_results(self._objects, run.caller, place, found, children)
        texts = self._store.outputs(found.arn)
        # Not to be parsed where it is too long anyway.
        checked_size(sum(map(len, texts)), f"The state/task '{visit.frame.state}'")
        result = [json.loads(text) for text in texts]
        checked(result, f"The state/task '{visit.frame.state}'")
        return result

    def _fail(self, run: Run, visit: Visit, found: MapRun, failure: StateFailureError) -> None:
        found.settings["failure"] = [failure.error, failure.cause]
        with self._store.transaction():
            self.abort_children(found)
            self._close(found, FAILED)
            reason = {"error": failure.error, "cause": failure.cause}
            visit.event = run.history.add("MapRunFailed", run.history.last, **reason)
            visit.event = run.history.add("MapStateFailed", visit.event)

    def abort_children(self, found: MapRun) -> None:
        """Abort the children of a Map Run that still run, and all that they have opened."""
        for child in self._store.children(found.arn, RUNNING):
            for inner in self._store.map_runs(child.arn):
                if inner.status == RUNNING:
                    self.abort_children(inner)
                    self._close(inner, ABORTED)
        self._store.set_children(found.arn, (RUNNING,), ABORTED, time.time())

    def _close(self, found: MapRun, status: str) -> None:
        found.status, found.stopped = status, time.time()
        self._store.save_map_run(found)


def _is_redriven(execution: Execution, found: MapRun) -> bool:
    """Return whether an execution was redriven after a Map Run of it had ended without success."""
    has_ended = found.status in (FAILED, ABORTED) and found.stopped is not None
    return has_ended and execution.redriven is not None and execution.redriven >= (found.stopped or 0)


def reopen(store: StatesStore, execution: Execution) -> None:
    """Let an execution that has not succeeded go on where it has failed; an EXPRESS one begins again."""
    execution.status, execution.stopped, execution.error, execution.cause = RUNNING, None, None, None
    execution.redrives, execution.redriven = execution.redrives + 1, time.time()
    with store.transaction():
        store.save_execution(execution)
        if execution.type == "EXPRESS":
            store.drop_frames(execution.arn, "")
        else:
            store.reopen_frames(execution.arn)


def _children_of(parent: Execution, found: MapRun, definition: str, kind: str) -> Any:
    """Return what makes a child of its number and input."""
    prefix, _, name = found.arn.partition(":mapRun:")
    machine = name.rpartition(":")[0]

    def child(number: int, text: str) -> Execution:
        own = str(uuid.uuid4())
        return Execution(
            arn=f"{prefix}:execution:{machine}:{own}",
            root=parent.root,
            machine=f"{prefix}:stateMachine:{machine}",
            name=own,
            definition=definition,
            role=parent.role,
            type=kind,
            status=PENDING,
            input=text,
            started=found.started,
            map_run=found.arn,
            number=number,
        )

    return child


def _tolerance(state: Mapping[str, Any], data: Any, context: Context) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for ours, theirs in (
        ("toleratedFailureCount", "ToleratedFailureCount"),
        ("toleratedFailurePercentage", "ToleratedFailurePercentage"),
    ):
        if f"{theirs}Path" in state:
            found[ours] = whole_number(state, theirs, data, context)
        elif theirs in state:
            found[ours] = state[theirs]
    return found


def _is_exceeded(settings: Mapping[str, Any], failed: int) -> bool:
    """Return whether more children have failed than are tolerated; without a setting, none is."""
    count, percentage = settings.get("toleratedFailureCount"), settings.get("toleratedFailurePercentage")
    if count is None and percentage is None:
        return failed > 0
    share = 100 * failed / max(1, settings["total"])
    return (count is not None and failed > count) or (percentage is not None and share > percentage)
