"""One container of a function, from its start over any number of events to its end."""

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
# A runtime asks for the next event when it has answered one. One that does not has answered early and goes on.
_MANNERS_SECONDS = 0.1


@dataclass(frozen=True)
class Invocation:
    """An event for a container."""

    request_id: str
    payload: bytes
    client_context: str | None = None


@dataclass(frozen=True)
class _Passage:
    """How an event ended; `spent` is its seconds."""

    result: RuntimeResponse | RuntimeFailure
    spent: float


class ContainerGone(Exception):  # noqa: N818 - never leaves the runner: the event goes to another container
    """A warm container had died before it took the event."""


class Container:
    """A container takes one event after the other; after a failure of its runtime it is no longer `alive`."""

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
        """What is left of an event that was answered early; the container is busy until it is done."""

    @property
    def alive(self) -> bool:
        """Whether it can take another event."""
        return self._process is not None and not self._failed and not self._process.exited.done()

    async def start(
        self, executor: Executor, image: StoredImage, endpoint: Mapping[str, str], sink: LogSink, threads: Threads
    ) -> None:
        """Start it from a prepared image. Raises LaunchError, UnusableImageError."""
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
        """Pass one event through; whatever the function does with it is a result. Raises ContainerGone."""
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

    async def _goes_on(self, process: Process, outcome: _Passage) -> bool:
        """Whether the runtime has answered and is not done with the event."""
        if isinstance(outcome.result, RuntimeFailure) or self._failed:
            return False
        return not await self._done(process, _MANNERS_SECONDS)

    async def _done(self, process: Process, seconds: float) -> bool:
        """Wait until the runtime wants the next event, or has ended; False when it does neither in time."""
        asked = asyncio.ensure_future(self._api.asked.wait())
        try:
            await _first({asked, process.exited}, seconds)
        finally:
            asked.cancel()
        return self._api.asked.is_set() or process.exited.done()

    async def _finish(
        self, invocation: Invocation, process: Process, log: ContainerLog, outcome: _Passage, spent: Usage
    ) -> None:
        """See an event that was answered early to its end, which is at the latest the end of the function's time."""
        begun = time.monotonic()
        result: RuntimeResponse | RuntimeFailure = RuntimeResponse(b"", False)
        if not await self._done(process, self.function.timeout - outcome.spent) or process.exited.done():
            result = await self._fail(process, log)
        whole = spent.duration_ms + (time.monotonic() - begun) * 1000
        await self._conclude(invocation, log, result, replace(spent, duration_ms=whole, memory=process.memory()))

    async def _run(self, invocation: Invocation, process: Process, log: ContainerLog) -> tuple[float | None, _Passage]:
        """Return the milliseconds of a fresh container's start, and how the event ended."""
        init_ms, overrun, failed = None, 0.0, None
        if self._fresh:
            failed = await self._initialise(process, log)
            seconds = time.monotonic() - self._begun
            init_ms, overrun = min(seconds, INIT_SECONDS) * 1000, max(0.0, seconds - INIT_SECONDS)
            self._fresh = False
            await log.flush()  # what it printed while starting comes before the event
        log.write(start_line(invocation.request_id, self.function.version))
        if failed is not None:
            return init_ms, _Passage(failed, overrun)
        return init_ms, await self._deliver(invocation, process, log, overrun)

    async def _initialise(self, process: Process, log: ContainerLog) -> RuntimeResponse | RuntimeFailure | None:
        """Wait for the runtime's first request for an event; what it takes beyond ten seconds is the event's time."""
        ready, broken = self._api.ready, self._api.init_error
        await _first({ready, broken, process.exited}, INIT_SECONDS + self.function.timeout)
        return None if ready.done() else await self._fail(process, log)

    async def _deliver(self, invocation: Invocation, process: Process, log: ContainerLog, overrun: float) -> _Passage:
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
            return _Passage(event.answered.result(), overrun + time.monotonic() - begun)
        result = await self._fail(process, log)
        is_late = isinstance(result, RuntimeFailure) and result.kind == TIMED_OUT
        return _Passage(result, self.function.timeout if is_late else overrun + time.monotonic() - begun)

    async def _fail(self, process: Process, log: ContainerLog) -> RuntimeResponse | RuntimeFailure:
        """Say how the runtime ended, or that it ran out of time; in either case nothing of it lives on."""
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
        """End it. Repeatable."""
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
    """Wait for the first of what is expected, or the time."""
    await asyncio.wait(expected, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)


async def _sample(process: Process) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            process.memory()
            await asyncio.sleep(_SAMPLING_SECONDS)
