"""The runs that an event asks for: stage each input, run the user's program on it, store its outputs."""

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, NamedTuple

from supervisor import events, files, program
from supervisor.errors import ScriptTimedOut, SupervisorError
from supervisor.events import Item, Object, RunRequest
from supervisor.function import Context, Function
from supervisor.log import Log
from supervisor.process import Output, reserve, run_program
from supervisor.response import LARGEST_OUTPUT


class RunOptions(NamedTuple):
    """How runs differ outside Lambda.

    `passed_to` are the descriptors for the program's two outputs; `done` are inputs that were finished before; a
    `helper` is a node that only runs the program beside the main node; `collect` takes the folder of outputs.
    """

    passed_to: tuple[int, int] = (1, 2)
    done: tuple[int, ...] = ()
    helper: bool = False
    collect: Callable[[Item, str], None] | None = None


def run_event(function: Function, event: Any, context: Context, log: Log, options: RunOptions | None = None) -> bytes:
    """Return what the user's program printed for the event; the output is also passed on."""
    files.check_outputs(function.configuration.outputs, function.storages)
    request = events.request(event, function.configuration.inputs)
    if not request.items:
        log.info("the event names no input, nothing to do")
    end, output = latest_end(function, context), Output(LARGEST_OUTPUT)
    runs = _Runs(function, request, context, log, end, options or RunOptions(), output)
    failures: dict[int, SupervisorError] = {}
    for number, item in enumerate(request.items):
        if number in runs.options.done:
            continue
        try:
            runs.run(item)
        except SupervisorError as error:
            _name_input(error, item, log, only=len(request.items) == 1)
            failures[number] = error
            if isinstance(error, ScriptTimedOut):
                # No time is left for the others.
                error.done = tuple(before for before in range(number) if before not in failures)
                break
    if failures:
        raise _summary(failures, request.items)
    return output.value()


def latest_end(function: Function, context: Context) -> float:
    """Return when the user's program must have ended, in seconds since the epoch."""
    return context.deadline - reserve(function.configuration, context.deadline - time.time())


class _Runs(NamedTuple):
    """What all runs of one event share; `latest` is when the last one must have ended."""

    function: Function
    request: RunRequest
    context: Context
    log: Log
    latest: float
    options: RunOptions
    output: Output

    def run(self, item: Item) -> None:
        """Run the program once, from the input in its storage to the outputs in theirs."""
        if item.is_folder:
            self.log.info(f"{item.name} is a folder's placeholder, nothing to do")
            return
        with files.workspace(self.log) as space:
            variables = {**item.variables, **self._stage(item, space), **_variables(space, self.context)}
            variables |= program.temporary_folder(self.function.environment, self.function.image, space.temporary)
            search_path = program.search_path(self.function.environment, self.function.image)
            command = program.choose(self.request, self.function.image, space.root, search_path)
            self._execute(item, command, self._environment(variables), space.output)
            if not self.options.helper:
                self._store(item, space)

    def _stage(self, item: Item, space: files.Workspace) -> dict[str, str]:
        by_the_program = self.function.configuration.file_stage_in and isinstance(item.source, Object)
        if by_the_program or self.options.helper:
            return {}
        late = ScriptTimedOut(f"{item.name}: downloading the input took all the time; raise the function's timeout")
        with raise_at(self.latest, late):
            return {"INPUT_FILE_PATH": files.stage_input(item.source, space, self.function.storages, self.log)}

    def _store(self, item: Item, space: files.Workspace) -> None:
        outputs, request_id = self.function.configuration.outputs, self.context.request_id
        files.store_outputs(space.output, outputs, self.function.storages, request_id, self.log)
        if self.options.collect:
            self.options.collect(item, space.output)

    def _environment(self, variables: dict[str, str]) -> dict[str, str]:
        function = self.function
        secrets = function.configuration.secret_variables
        whole, too_long = program.user_environment(function.environment, function.image, variables, secrets)
        for name in too_long:
            self.log.warning(f"the variable {name} is longer than a process can be given, so it is left out")
        return whole

    def _execute(self, item: Item, command: program.Command, variables: dict[str, str], folder: str) -> None:
        for warning in command.warnings:
            self.log.warning(warning)
        self.log.info(f"running {command.arguments[0]} on {item.name}")
        started = time.monotonic()
        run_program(
            command,
            variables,
            limit=self.latest - time.time(),
            output=self.output,
            request_id=self.context.request_id,
            passed_to=self.options.passed_to,
            log=self.log,
            folder=folder,
        )
        self.log.info(f"{command.arguments[0]} ended after {time.monotonic() - started:.3f} s")


@contextlib.contextmanager
def raise_at(moment: float, error: Exception) -> Iterator[None]:
    """Raise the error in the block once the moment has come (seconds since the epoch); only in the main thread."""

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise error

    seconds = moment - time.time()
    if seconds <= 0:
        raise error
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _variables(space: files.Workspace, context: Context) -> dict[str, str]:
    found = {
        "TMP_INPUT_DIR": space.input,
        "TMP_OUTPUT_DIR": space.output,
        "AWS_LAMBDA_REQUEST_ID": context.request_id,
    }
    return {**found, "_X_AMZN_TRACE_ID": context.trace_id} if context.trace_id else found


def _name_input(error: SupervisorError, item: Item, log: Log, *, only: bool) -> None:
    """Begin the message with the input that failed; one of several has a line of its own in the log."""
    if not only or isinstance(item.source, Object):
        error.args = (f"{item.name}: {error}",)
    if not only:
        log.failure(str(error).partition("\n")[0])


def _summary(failures: dict[int, SupervisorError], items: tuple[Item, ...]) -> SupervisorError:
    """Return the only failure as it is; of several the timeout, else the first one, with a line about all of them."""
    errors = list(failures.values())
    worst = errors[-1] if isinstance(errors[-1], ScriptTimedOut) else errors[0]
    if len(items) == 1:
        return worst
    reasons = "; ".join(str(error).partition("\n")[0] for error in errors)
    _, newline, printed = str(worst).partition("\n")
    worst.args = (f"{len(failures)} of {len(items)} inputs failed: {reasons}{newline}{printed}",)
    return worst
