"""The runs that an event asks for: each of its inputs staged, the user's program run on it, and what it made stored."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from supervisor import alarm, answer, command, environment, events, outputs, staging
from supervisor import process as running
from supervisor.context import Context
from supervisor.errors import ScriptTimedOut, SupervisorError
from supervisor.events import Item, Object, Request
from supervisor.function import Function
from supervisor.log import Log


class Job(NamedTuple):
    """What is special about an event outside Lambda.

    `done` are inputs that were through before, a `helper` is a node that only runs the program beside the main one,
    `collect` takes the folder of outputs, for what is handed back with them.
    """

    passed_to: tuple[int, int] = (1, 2)
    done: tuple[int, ...] = ()
    helper: bool = False
    collect: Callable[[Item, str], None] | None = None


def process(function: Function, event: Any, context: Context, log: Log, job: Job | None = None) -> bytes:
    """What the user's program printed for the event; its output is also passed on."""
    outputs.check(function.configuration.outputs, function.storages)
    request = events.request(event, function.configuration.inputs)
    if not request.items:
        log.info("the event names no input, nothing to do")
    runs = _Runs(function, request, context, log, latest(function, context), job or Job(), answer.Output())
    failures: dict[int, SupervisorError] = {}
    for number, item in enumerate(request.items):
        if number in runs.job.done:
            continue
        try:
            runs.run(item)
        except SupervisorError as error:
            failures[number] = error
            if isinstance(error, ScriptTimedOut):
                # Nothing is left for the others.
                error.done = tuple(before for before in range(number) if before not in failures)
                break
    if failures:
        raise _summary(failures, request.items)
    return runs.output.value()


def latest(function: Function, context: Context) -> float:
    """When the user's program must have ended, in seconds since the epoch."""
    return context.deadline - running.reserve(function.configuration, context.deadline - time.time())


class _Runs(NamedTuple):
    """What all runs of one event have in common; `latest` is when the last must have ended."""

    function: Function
    request: Request
    context: Context
    log: Log
    latest: float
    job: Job
    output: answer.Output

    def run(self, item: Item) -> None:
        """One run: from the input in its storage to the outputs in theirs."""
        if item.is_folder:
            self.log.info(f"{item.name} is a folder's placeholder, nothing to do")
            return
        with staging.workspace(self.log) as space:
            variables = {**item.variables, **self._stage(item, space), **_variables(space, self.context)}
            search_path = environment.search_path(self.function.environment, self.function.image)
            program = command.choose(self.request, self.function.image, space.root, search_path)
            self._execute(item, program, self._environment(variables), space.output)
            if not self.job.helper:
                self._store(item, space)

    def _stage(self, item: Item, space: staging.Workspace) -> dict[str, str]:
        by_the_program = self.function.configuration.file_stage_in and isinstance(item.source, Object)
        if by_the_program or self.job.helper:
            return {}
        late = ScriptTimedOut(f"{item.name}: bringing in the input took all the time; raise the function's timeout")
        with alarm.at(self.latest, late):
            return {"INPUT_FILE_PATH": staging.stage(item.source, space, self.function.storages, self.log)}

    def _store(self, item: Item, space: staging.Workspace) -> None:
        configuration = self.function.configuration
        outputs.store(space.output, configuration.outputs, self.function.storages, self.context.request_id, self.log)
        if self.job.collect:
            self.job.collect(item, space.output)

    def _environment(self, variables: dict[str, str]) -> dict[str, str]:
        function = self.function
        secrets = function.configuration.secret_variables
        whole, too_long = environment.for_user(function.environment, function.image, variables, secrets)
        for name in too_long:
            self.log.warning(f"the variable {name} is longer than a process can be given, so it is left out")
        return whole

    def _execute(self, item: Item, program: command.Command, variables: dict[str, str], folder: str) -> None:
        for remark in program.remarks:
            self.log.warning(remark)
        self.log.info(f"running {program.arguments[0]} on {item.name}")
        started = time.monotonic()
        running.run(
            program,
            variables,
            limit=self.latest - time.time(),
            output=self.output,
            request_id=self.context.request_id,
            passed_to=self.job.passed_to,
            log=self.log,
            folder=folder,
        )
        self.log.info(f"{program.arguments[0]} ended after {time.monotonic() - started:.3f} s")


def _variables(space: staging.Workspace, context: Context) -> dict[str, str]:
    found = {
        "TMP_INPUT_DIR": space.input,
        "TMP_OUTPUT_DIR": space.output,
        "AWS_LAMBDA_REQUEST_ID": context.request_id,
    }
    return {**found, "_X_AMZN_TRACE_ID": context.trace_id} if context.trace_id else found


def _summary(failures: dict[int, SupervisorError], items: tuple[Item, ...]) -> SupervisorError:
    """The one failure as it is; of several the one that ended it all, else the first, with all their names."""
    errors = list(failures.values())
    worst = errors[-1] if isinstance(errors[-1], ScriptTimedOut) else errors[0]
    if len(items) == 1:
        return worst
    reasons = "; ".join(
        f"{items[number].name}: {str(error).partition(chr(10))[0]}" for number, error in failures.items()
    )
    _, newline, printed = str(worst).partition("\n")
    worst.args = (f"{len(failures)} of {len(items)} inputs failed: {reasons}{newline}{printed}",)
    return worst
