"""One container of a function: it starts, takes any number of events one by one, and ends."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import Executor as Threads
from dataclasses import dataclass, replace
from typing import Any, Literal

from scar_pulumi.cloud.runner.configuration import (
    FunctionConfiguration,
    InvocationResult,
    LogSink,
    container_environment,
)
from scar_pulumi.cloud.runner.executors import Executor, Process, Sandbox
from scar_pulumi.cloud.runner.image import StoredImage, command_line
from scar_pulumi.cloud.runner.log import (
    TIMED_OUT,
    ContainerLog,
    RuntimeFailure,
    Usage,
    end_line,
    exited,
    log_stream_name,
    report_line,
    start_line,
    timed_out,
)
from scar_pulumi.cloud.runner.runtime_api import Event, RuntimeApi, RuntimeResponse

# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib
INIT_SECONDS = 10.0
_SAMPLING_SECONDS = 0.1
# How long a runtime that has answered may take to ask for the next event. One that does not still works on the first.
_NEXT_SECONDS = 0.1


@dataclass(frozen=True)
class Invocation:
    """An event for a container."""

    request_id: str
    payload: bytes
    client_context: str | None = None


@dataclass(frozen=True)
class _Ending:
    """How an event ended, and how many seconds it took."""

    result: RuntimeResponse | RuntimeFailure
    spent: float


class ContainerGone(Exception):  # noqa: N818 - never leaves the runner: the event goes to another container
    """A warm container died before it took the event."""


class Container:
    """Takes one event after the other. After a failure of its runtime it is no longer `alive`."""

    def __init__(self, function: FunctionConfiguration, generation: int) -> None:
        self.name = uuid.uuid4().hex
        self.function = function
        self.generation = generation
        self.idle_since = 0.0
        self._api = RuntimeApi()
        self._process: Process | None = None
        self._log: ContainerLog | None = None
        self._begun = 0.0
        self._fresh = True
        self._failed = False
        self._has_answered = False
        self.rest: asyncio.Task[None] | None = None
        """The rest of an event that was answered early; the container is busy until it is done."""

    @property
    def alive(self) -> bool:
        """Whether the container can take another event."""
        return self._process is not None and not self._failed and not self._process.exited.done()

    async def start(
        self, executor: Executor, image: StoredImage, endpoint: Mapping[str, str], sink: LogSink, threads: Threads
    ) -> None:
        """Start the container from a prepared image. Raises LaunchError, UnusableImageError."""
        stream = log_stream_name(self.function.version)
        address = await self._api.start()
        try:
            self._begun = time.monotonic()
            self._process = await executor.launch(self._sandbox(image, endpoint, address, stream))
        except BaseException:
            await self._api.close()
            raise
        self._log = ContainerLog(sink, self.function.log_group, stream, threads)
        self._log.follow(self._process.output)

    def _sandbox(self, image: StoredImage, endpoint: Mapping[str, str], address: str, stream: str) -> Sandbox:
        function = self.function
        return Sandbox(
            self.name,
            function.name,
            image,
            command_line(image, function.entry_point, function.command),
            function.working_directory or image.working_directory,
            function.memory,
            function.ephemeral_storage,
            container_environment(function, image.environment, endpoint, address, stream),
        )

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        """Run one event; a function that fails has a result, too. Raises ContainerGone."""
        process, log = self._process, self._log
        assert process is not None
        assert log is not None
        log.begin()
        sampling = asyncio.create_task(_sample(process))
        try:
            init_ms, outcome = await self._run(invocation, process, log)
            goes_on = await self._goes_on(process, outcome)
            used = self.function.memory if process.out_of_memory() else process.memory()
        finally:
            sampling.cancel()
        spent = Usage(outcome.spent * 1000, init_ms, used)
        if isinstance(outcome.result, RuntimeResponse) and goes_on:
            self.rest = asyncio.create_task(self._finish(invocation, process, log, outcome, spent))
            return _result(outcome.result, log, spent)
        return await self._conclude(invocation, log, outcome.result, spent)

    async def _goes_on(self, process: Process, outcome: _Ending) -> bool:
        """Whether the runtime has answered but still works on the event."""
        if isinstance(outcome.result, RuntimeFailure) or self._failed:
            return False
        return not await self._done(process, _NEXT_SECONDS)

    async def _done(self, process: Process, seconds: float) -> bool:
        """Return whether the runtime asks for the next event, or ends, within so many seconds."""
        asked = asyncio.ensure_future(self._api.asked.wait())
        try:
            await _first({asked, process.exited}, seconds)
        finally:
            asked.cancel()
        return self._api.asked.is_set() or process.exited.done()

    async def _finish(
        self, invocation: Invocation, process: Process, log: ContainerLog, outcome: _Ending, spent: Usage
    ) -> None:
        """Wait for the end of an event that was answered early, at most for the function's timeout."""
        begun = time.monotonic()
        result: RuntimeResponse | RuntimeFailure = RuntimeResponse(b"", False)
        if not await self._done(process, self.function.timeout - outcome.spent) or process.exited.done():
            result = await self._fail(process, log)
        whole = spent.duration_ms + (time.monotonic() - begun) * 1000
        await self._conclude(invocation, log, result, replace(spent, duration_ms=whole, memory=process.memory()))

    async def _run(self, invocation: Invocation, process: Process, log: ContainerLog) -> tuple[float | None, _Ending]:
        """Return how many milliseconds a fresh container took to start, and how the event ended."""
        init_ms, overrun, failed = None, 0.0, None
        if self._fresh:
            failed = await self._initialise(process, log)
            seconds = time.monotonic() - self._begun
            init_ms, overrun = min(seconds, INIT_SECONDS) * 1000, max(0.0, seconds - INIT_SECONDS)
            self._fresh = False
            await log.flush()  # what it has printed while starting comes before the event
        log.write(start_line(invocation.request_id, self.function.version))
        if failed is not None:
            return init_ms, _Ending(failed, overrun)
        return init_ms, await self._deliver(invocation, process, log, overrun)

    async def _initialise(self, process: Process, log: ContainerLog) -> RuntimeResponse | RuntimeFailure | None:
        """Wait until the runtime first asks for an event; what takes longer than ten seconds is the event's time."""
        ready, broken = self._api.ready, self._api.init_error
        await _first({ready, broken, process.exited}, INIT_SECONDS + self.function.timeout)
        return None if ready.done() else await self._fail(process, log)

    async def _deliver(self, invocation: Invocation, process: Process, log: ContainerLog, overrun: float) -> _Ending:
        limit = self.function.timeout - overrun
        event = Event(invocation.request_id, invocation.payload, self.function.arn, limit, invocation.client_context)
        self._api.deliver(event)
        await _first({event.started, process.exited}, limit)
        if self._has_answered and process.exited.done() and not event.started.done():
            raise ContainerGone
        begun = event.started.result() if event.started.done() else time.monotonic()
        await _first({event.answered, process.exited}, limit if event.started.done() else 0)
        if event.answered.done():
            self._has_answered = True
            return _Ending(event.answered.result(), overrun + time.monotonic() - begun)
        result = await self._fail(process, log)
        is_late = isinstance(result, RuntimeFailure) and result.kind == TIMED_OUT
        return _Ending(result, self.function.timeout if is_late else overrun + time.monotonic() - begun)

    async def _fail(self, process: Process, log: ContainerLog) -> RuntimeResponse | RuntimeFailure:
        """Kill what is left of the runtime, and return how it ended or that it timed out."""
        self._failed = True
        self._api.abandon()
        has_ended = process.exited.done()
        await process.kill()
        await log.flush()
        if self._api.init_error.done():
            return RuntimeResponse(self._api.init_error.result(), True)
        if not has_ended:
            return timed_out(self.function.timeout)
        return exited(process.exited.result(), log.tail(), process.out_of_memory())

    async def _conclude(
        self,
        invocation: Invocation,
        log: ContainerLog,
        result: RuntimeResponse | RuntimeFailure,
        spent: Usage,
    ) -> InvocationResult:
        await log.flush()
        status = None
        if isinstance(result, RuntimeFailure):
            status = result.status
            log.write(result.line(invocation.request_id))
            result = RuntimeResponse(result.payload(invocation.request_id), True)
        log.write(end_line(invocation.request_id))
        log.write(report_line(invocation.request_id, spent, self.function.memory, status))
        await log.flush()
        return _result(result, log, spent)

    async def close(self) -> None:
        """Kill the container. May be called again."""
        self._failed = True
        if self._process is not None:
            await self._process.kill()
        if self.rest is not None:
            await asyncio.gather(self.rest, return_exceptions=True)
        await self._api.close()
        if self._log is not None:
            await self._log.close()


def _result(answer: RuntimeResponse, log: ContainerLog, spent: Usage) -> InvocationResult:
    error: Literal["Unhandled"] | None = "Unhandled" if answer.failed else None
    times = (spent.duration_ms, spent.billed_ms, spent.init_ms)
    return InvocationResult(answer.payload, error, log.tail(), *times, spent.memory)


async def _first(expected: set[asyncio.Future[Any]], seconds: float) -> None:
    """Wait for the first of several futures, at most so many seconds."""
    await asyncio.wait(expected, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)


async def _sample(process: Process) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            process.memory()
            await asyncio.sleep(_SAMPLING_SECONDS)
