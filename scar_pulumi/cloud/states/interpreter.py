"""Runs executions: state after state, each step stored before the next one, so that a kill loses none.

https://states-language.net. A state that was interrupted is entered again with the same input; what it had opened and
finished (branches, iterations, children, a Batch job) is found in the store and not done again.
"""

import asyncio
import json
import logging
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from scar_foundation.errors import LocalCloudError
from scar_pulumi.cloud.signature import Caller
from scar_pulumi.cloud.states import choices, failures
from scar_pulumi.cloud.states.data_flow import (
    Context,
    State,
    as_text,
    checked,
    effective,
    evaluated,
    filled,
    filtered,
    output_of,
    passed_on,
)
from scar_pulumi.cloud.states.definitions import mode_of, parse, processor_of
from scar_pulumi.cloud.states.failures import StateFailureError, is_matched
from scar_pulumi.cloud.states.history import History, TaskEvents
from scar_pulumi.cloud.states.paths import placed, select
from scar_pulumi.cloud.states.store import FAILED, RUNNING, SUCCEEDED, TIMED_OUT, Execution, Frame, StatesStore
from scar_pulumi.cloud.states.tasks import Tasks

_log = logging.getLogger(__name__)
_INLINE_CONCURRENCY = 40
"""https://docs.aws.amazon.com/step-functions/latest/dg/state-map-inline.html"""
_EXPRESS_SECONDS = 300.0
"""https://docs.aws.amazon.com/step-functions/latest/dg/choosing-workflow-type.html"""
_PLACED = frozenset({failures.RUNTIME, failures.PARAMETER_PATH, failures.RESULT_PATH, failures.INTRINSIC})

Outcome = tuple[Any, str | None]
"""A state's output, and the next state."""


class DistributedMaps(Protocol):
    """What runs Distributed Maps."""

    async def run(self, run: "Run", visit: "Visit", context: Context) -> Any:
        """Return the result of a Distributed Map."""


class Run:
    """One execution while it runs."""

    def __init__(self, store: StatesStore, execution: Execution) -> None:
        self.execution = execution
        self.definition = parse(store.definition(execution.definition))
        self.history = History(store, execution.arn, is_kept=execution.type == "STANDARD")
        _, _, _, region, account, *_ = execution.arn.split(":")
        self.caller = Caller(account, region, "states")
        self.input = json.loads(execution.input)

    def context(self, frame: Frame, retries: int) -> Context:
        """Return the context object. https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html"""
        execution = self.execution
        return {
            "Execution": {
                "Id": execution.arn,
                "Input": self.input,
                "Name": execution.name,
                "RoleArn": execution.role,
                "StartTime": written(execution.started),
                "RedriveCount": execution.redrives,
            },
            "State": {"Name": frame.state, "EnteredTime": written(frame.entered), "RetryCount": retries},
            "StateMachine": {"Id": execution.machine, "Name": execution.machine.rpartition(":")[2]},
        }


class Visit:
    """One visit of a state: what it is, what came in, and where its frame stands."""

    def __init__(self, frame: Frame, state: State, event: int) -> None:
        self.frame = frame
        self.state = state
        self.input = json.loads(frame.input)
        self.event = event
        """The number of the last event of this visit."""

    def opened(self, number: int | str) -> str:
        """Return the path of a frame that this visit opens."""
        return f"{self.frame.path}/{self.frame.step}.{self.frame.attempt}.{number}"


class Interpreter:
    """Runs one execution at a time in each call of `run`; any number of calls may run at once."""

    def __init__(self, store: StatesStore, tasks: Tasks) -> None:
        self._store = store
        self._tasks = tasks
        self.maps: DistributedMaps
        self._states: Mapping[str, Callable[[Run, Visit, Context], Awaitable[Outcome]]] = {
            "Task": self._task,
            "Pass": self._pass,
            "Choice": self._choice,
            "Wait": self._wait,
            "Succeed": self._succeed,
            "Fail": self._fail,
            "Parallel": self._parallel,
            "Map": self._map,
        }

    async def run(self, execution: Execution) -> None:
        """Run an execution to its end and store that. Cancelled, it leaves everything for the next start.

        Raises LocalCloudError when the cloud itself cannot go on.
        """
        run = Run(self._store, execution)
        if not run.history.last:
            run.history.add("ExecutionStarted", 0, input=execution.input, roleArn=execution.role)
        try:
            async with asyncio.timeout(self._seconds_left(run)) as limit:
                output = await self.sequence(run, "", run.definition, run.input, run.history.last)
        except StateFailureError as failure:
            self._end(run, FAILED, failure)
        except TimeoutError:
            if not limit.expired():
                raise
            self._end(run, TIMED_OUT, StateFailureError(failures.TIMEOUT, ""))
        except LocalCloudError:
            raise
        except Exception as error:  # noqa: BLE001 - an execution that nobody can end would be worse
            _log.exception("%s", execution.arn)
            self._end(run, FAILED, StateFailureError(failures.RUNTIME, f"local cloud: {type(error).__name__}: {error}"))
        else:
            self._succeeded(run, as_text(output))

    def _seconds_left(self, run: Run) -> float | None:
        is_express = run.execution.type == "EXPRESS"
        most = run.definition.get("TimeoutSeconds", _EXPRESS_SECONDS if is_express else None)
        return (
            None if most is None else max(0.0, (run.execution.redriven or run.execution.started) + most - time.time())
        )

    def _succeeded(self, run: Run, output: str) -> None:
        execution = run.execution
        execution.status, execution.stopped, execution.output = SUCCEEDED, time.time(), output
        with self._store.transaction():
            run.history.add("ExecutionSucceeded", run.history.last, output=output)
            self._store.save_execution(execution)
            self._store.drop_frames(execution.arn, "")

    def _end(self, run: Run, status: str, failure: StateFailureError) -> None:
        """Store how an execution has failed. Its frames stay, for it may be redriven."""
        execution = run.execution
        execution.status, execution.stopped = status, time.time()
        execution.error, execution.cause = failure.error, failure.cause
        kind = "ExecutionTimedOut" if status == TIMED_OUT else "ExecutionFailed"
        with self._store.transaction():
            run.history.add(kind, run.history.last, error=failure.error, cause=failure.cause)
            self._store.save_execution(execution)
            if execution.map_run is None:
                self._store.abort_tree(execution.arn, execution.stopped)

    async def sequence(self, run: Run, path: str, document: Mapping[str, Any], data: Any, event: int) -> Any:
        """Return the output of a sequence of states: a machine's, a branch's or an iteration's.

        It begins where its frame stands. Raises StateFailureError; the frame then stands at the state that has failed.
        """
        frame = self._store.frame(run.execution.arn, path)
        if frame is None:
            frame = Frame(run.execution.arn, path, document["StartAt"], 0, 0, as_text(data), time.time())
            with self._store.transaction():
                self._store.save_frame(frame)
                event = self._entered(run, frame, document, event)
        while frame.status == RUNNING:
            event = await self._step(run, frame, document, event)
        return json.loads(frame.output or "null")

    async def _step(self, run: Run, frame: Frame, document: Mapping[str, Any], event: int) -> int:
        """Do what the frame's state does, and go on to the next one."""
        state, visit = document["States"][frame.state], Visit(frame, document["States"][frame.state], event)
        output, following = await self._visit(run, visit)
        text = checked(output, f"The state/task '{frame.state}'")
        with self._store.transaction():
            event = visit.event
            if state["Type"] != "Fail":
                event = run.history.add(f"{state['Type']}StateExited", event, name=frame.state, output=text)
            if state["Type"] in ("Map", "Parallel"):
                self._store.drop_frames(frame.execution, f"{frame.path}/")
            if following is None:
                frame.status, frame.output = SUCCEEDED, text
            else:
                frame.state, frame.step, frame.attempt = following, frame.step + 1, 0
                frame.input, frame.entered, frame.job = text, time.time(), None
                event = self._entered(run, frame, document, event)
            self._store.save_frame(frame)
        return event

    def _entered(self, run: Run, frame: Frame, document: Mapping[str, Any], event: int) -> int:
        kind = f"{document['States'][frame.state]['Type']}StateEntered"
        return run.history.add(kind, event, name=frame.state, input=frame.input)

    async def _visit(self, run: Run, visit: Visit) -> Outcome:
        """Do what a state does, again where its retriers say so; let its catchers choose the next state."""
        tries: Counter[int] = Counter()
        entered = visit.event
        while True:
            try:
                context = run.context(visit.frame, sum(tries.values()))
                return await self._states[visit.state["Type"]](run, visit, context)
            except StateFailureError as found:
                failure = _with_place(found, visit.frame.state, entered)
                if (pause := retry_pause(visit.state, failure, tries)) is None:
                    return self._caught(visit, failure)
                visit.frame.attempt, visit.frame.job = visit.frame.attempt + 1, None
                with self._store.transaction():
                    self._store.drop_frames(visit.frame.execution, f"{visit.frame.path}/")
                    self._store.save_frame(visit.frame)
                await asyncio.sleep(pause)

    @staticmethod
    def _caught(visit: Visit, failure: StateFailureError) -> Outcome:
        for catcher in visit.state.get("Catch", ()):
            if is_matched(failure.error, catcher["ErrorEquals"]):
                output = {"Error": failure.error, "Cause": failure.cause}
                where = catcher.get("ResultPath", "$")
                return (visit.input if where is None else placed(where, visit.input, output)), catcher["Next"]
        raise failure

    async def _task(self, run: Run, visit: Visit, context: Context) -> Outcome:
        state, frame = visit.state, visit.frame
        parameters = effective(state, visit.input, context)
        text = checked(parameters, f"The state/task '{frame.state}'")
        seconds = whole_number(state, "TimeoutSeconds", visit.input, context)
        events = TaskEvents(run.history, state["Resource"], visit.event)
        if frame.job is None:
            events.scheduled(text, run.caller.region, seconds)

        def keep_job(job: str) -> None:
            frame.job = job
            with self._store.transaction():
                self._store.save_frame(frame)
                events.submitted(as_text({"JobId": job}))

        try:
            async with asyncio.timeout(seconds) as limit:
                result = await self._tasks.perform(run.caller, state["Resource"], parameters, frame.job, keep_job)
            output = checked(result, f"The state/task '{frame.state}'")
        except TimeoutError:
            if not limit.expired():
                raise
            failure = StateFailureError(failures.TIMEOUT, "")
            events.failed(failure)
            if frame.job:
                await self._tasks.end_job(run.caller, frame.job, "The task has timed out.")
            raise failure from None
        except StateFailureError as failure:
            events.failed(failure)
            raise
        events.ended(output)
        visit.event = events.last
        return output_of(state, visit.input, result, context), state.get("Next")

    async def _pass(self, _run: Run, visit: Visit, context: Context) -> Outcome:
        state = visit.state
        result = state["Result"] if "Result" in state else effective(state, visit.input, context)
        return output_of(state, visit.input, result, context), state.get("Next")

    async def _choice(self, _run: Run, visit: Visit, context: Context) -> Outcome:
        state, data = visit.state, filtered(visit.state, visit.input, context)
        for rule in state["Choices"]:
            if choices.holds(rule, data, context):
                return passed_on(state, data, context), rule["Next"]
        if "Default" not in state:
            reason = f"No choice of the state '{visit.frame.state}' is met, and it has no Default."
            raise StateFailureError(failures.NO_CHOICE, reason)
        return passed_on(state, data, context), state["Default"]

    async def _wait(self, _run: Run, visit: Visit, context: Context) -> Outcome:
        state, data = visit.state, filtered(visit.state, visit.input, context)
        moment = _moment(state, data, context, visit.frame.entered)
        await asyncio.sleep(max(0.0, moment - time.time()))
        return passed_on(state, data, context), state.get("Next")

    async def _succeed(self, _run: Run, visit: Visit, context: Context) -> Outcome:
        return passed_on(visit.state, filtered(visit.state, visit.input, context), context), None

    async def _fail(self, _run: Run, visit: Visit, context: Context) -> Outcome:
        words = [
            str(evaluated(visit.state[f"{name}Path"], visit.input, context))
            if f"{name}Path" in visit.state
            else visit.state.get(name, "")
            for name in ("Error", "Cause")
        ]
        raise StateFailureError(*words)

    async def _parallel(self, run: Run, visit: Visit, context: Context) -> Outcome:
        state = visit.state
        data = effective(state, visit.input, context)
        visit.event = run.history.add("ParallelStateStarted", visit.event)

        def branch(number: int, document: Mapping[str, Any]) -> Callable[[], Awaitable[Any]]:
            return lambda: self.sequence(run, visit.opened(number), document, data, visit.event)

        try:
            result = await gathered([branch(number, document) for number, document in enumerate(state["Branches"])])
        except StateFailureError:
            visit.event = run.history.add("ParallelStateFailed", run.history.last)
            raise
        checked(result, f"The state/task '{visit.frame.state}'")
        visit.event = run.history.add("ParallelStateSucceeded", run.history.last)
        return output_of(state, visit.input, result, context), state.get("Next")

    async def _map(self, run: Run, visit: Visit, context: Context) -> Outcome:
        state = visit.state
        if mode_of(state) == "DISTRIBUTED":
            result = await self.maps.run(run, visit, context)
            return output_of(state, visit.input, result, context), state.get("Next")
        data = filtered(state, visit.input, context)
        items = items_of(state, data, context)
        most = whole_number(state, "MaxConcurrency", visit.input, context) or _INLINE_CONCURRENCY
        visit.event = run.history.add("MapStateStarted", visit.event, length=len(items))
        made = [
            self._iteration(run, visit, number, item)
            for number, item in enumerate(selected(state, data, items, context))
        ]
        try:
            result = await gathered(made, min(most, _INLINE_CONCURRENCY))
        except StateFailureError:
            visit.event = run.history.add("MapStateFailed", run.history.last)
            raise
        checked(result, f"The state/task '{visit.frame.state}'")
        visit.event = run.history.add("MapStateSucceeded", run.history.last)
        return output_of(state, visit.input, result, context), state.get("Next")

    def _iteration(self, run: Run, visit: Visit, number: int, item: Any) -> Callable[[], Awaitable[Any]]:
        names = {"name": visit.frame.state, "index": number}

        async def iterate() -> Any:
            event = run.history.add("MapIterationStarted", visit.event, **names)
            try:
                output = await self.sequence(run, visit.opened(number), processor_of(visit.state), item, event)
            except StateFailureError:
                run.history.add("MapIterationFailed", run.history.last, **names)
                raise
            run.history.add("MapIterationSucceeded", run.history.last, **names)
            return output

        return iterate


def items_of(state: State, data: Any, context: Context) -> list[Any]:
    """Return the items of a Map state that are in its input. Raises StateFailureError."""
    found = select(state.get("ItemsPath", "$"), data, context)
    if not isinstance(found, list):
        reason = f'Reference path "{state.get("ItemsPath", "$")}" must point to array.'
        raise StateFailureError(failures.RUNTIME, reason)
    return found


def selected(state: State, data: Any, items: Sequence[Any], context: Context) -> list[Any]:
    """Return the inputs of a Map state's iterations."""
    template = state.get("ItemSelector", state.get("Parameters"))
    if template is None:
        return list(items)
    return [
        filled(template, data, {**context, "Map": {"Item": {"Index": number, "Value": item}}})
        for number, item in enumerate(items)
    ]


async def gathered(makers: Sequence[Callable[[], Awaitable[Any]]], most: int | None = None) -> list[Any]:
    """Return all results, `most` at once; the first failure cancels the others and is raised."""
    room = asyncio.Semaphore(most or max(1, len(makers)))

    async def limited(make: Callable[[], Awaitable[Any]]) -> Any:
        async with room:
            return await make()

    tasks = [asyncio.ensure_future(limited(make)) for make in makers]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION) if tasks else (set(), set())
        for task in done:
            task.result()
        return [task.result() for task in tasks]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def written(moment: float) -> str:
    """Return a time as the context object has it."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _with_place(failure: StateFailureError, state: str, event: int) -> StateFailureError:
    if failure.error not in _PLACED or failure.cause.startswith("An error occurred"):
        return failure
    where = f"An error occurred while executing the state '{state}' (entered at the event id #{event})."
    return StateFailureError(failure.error, f"{where} {failure.cause}")


def retry_pause(state: State, failure: StateFailureError, tries: Counter[int]) -> float | None:
    """Return how many seconds to wait before the next try; None when there is none."""
    for number, retrier in enumerate(state.get("Retry", ())):
        if not is_matched(failure.error, retrier["ErrorEquals"]):
            continue
        if tries[number] >= retrier.get("MaxAttempts", 3):
            return None
        pause = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** tries[number]
        pause = min(pause, retrier.get("MaxDelaySeconds", pause))
        tries[number] += 1
        # https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html (JitterStrategy)
        return random.uniform(0, pause) if retrier.get("JitterStrategy") == "FULL" else pause  # noqa: S311 - no secret
    return None


def whole_number(state: State, name: str, data: Any, context: Context) -> int | None:
    """Return a whole number that a state has as it is, or by a path."""
    if f"{name}Path" not in state:
        number: int | None = state.get(name)
        return number
    found = select(state[f"{name}Path"], data, context)
    if not isinstance(found, int) or isinstance(found, bool) or found < 0:
        raise StateFailureError(failures.RUNTIME, f"{name}Path must mean a whole number, not {as_text(found)[:50]}")
    return found


def _moment(state: State, data: Any, context: Context, entered: float) -> float:
    """Return when a Wait state ends, in seconds since the epoch."""
    if "Seconds" in state or "SecondsPath" in state:
        return entered + (whole_number(state, "Seconds", data, context) or 0)
    text = state["Timestamp"] if "Timestamp" in state else select(state["TimestampPath"], data, context)
    if (moment := choices.timestamp(text)) is None:
        raise StateFailureError(failures.RUNTIME, f"{as_text(text)[:50]} is no time such as 2026-01-31T12:00:00Z")
    return moment.timestamp()
