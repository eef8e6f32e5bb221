"""The asynchronous event queue, with Lambda's rules: retries under one request id, maximum age, destinations.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from typing import Any

from scar_pulumi.cloud.lambda_.destinations import Destinations, EventOutcome
from scar_pulumi.cloud.lambda_.functions import DeployedFunction, FunctionReference, Functions
from scar_pulumi.cloud.lambda_.invocations import Invocations, ThrottledError
from scar_pulumi.cloud.lambda_.store import Spool, SpooledEvent
from scar_pulumi.cloud.runner import InvocationResult, RunnerStoppedError
from scar_pulumi.cloud.service import ServiceError

_log = logging.getLogger(__name__)

# Events of one function that are in memory at once: enough to keep the runner busy.
_AT_ONCE = 64
_THROTTLE_SECONDS = 0.2


class EventQueue:
    """Delivers every event in a task of its own; their payloads stay on disk until they run."""

    back_off = (1.0, 2.0)
    """Seconds before the first and the second retry. AWS waits one and two minutes."""

    def __init__(
        self, spool: Spool, functions: Functions, invocations: Invocations, destinations: Destinations
    ) -> None:
        self._spool = spool
        self._functions = functions
        self._invocations = invocations
        self._destinations = destinations
        self._slots: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(_AT_ONCE))
        self._tasks: dict[asyncio.Task[None], SpooledEvent] = {}
        self._counts = {"running": 0, "delivered": 0, "retried": 0, "failed": 0}

    def start(self) -> None:
        """Go on with the events that an earlier daemon left."""
        for event in self._spool.restore():
            self._begin(event)

    async def put(self, function: FunctionReference, payload: bytes, request_id: str) -> None:
        """Accept an event: it is on the disk when this returns, and is delivered even after a kill."""
        event = SpooledEvent(request_id, function, time.time())
        self._spool.put(event, payload)
        self._begin(event)
        await self._spool.flushed()

    async def close(self) -> None:
        """Stop; unfinished events stay on disk."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def describe(self) -> dict[str, Any]:
        """Return how many events wait and run, how those since the start ended, and the oldest one's age in seconds."""
        oldest = min((event.created for event in self._tasks.values()), default=time.time())
        waiting = len(self._tasks) - self._counts["running"]
        return {"waiting": waiting, **self._counts, "oldest_seconds": round(max(0.0, time.time() - oldest), 1)}

    def _begin(self, event: SpooledEvent) -> None:
        task = asyncio.create_task(self._deliver(event))
        self._tasks[task] = event
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        event = self._tasks.pop(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, RunnerStoppedError):
            _log.error("event %s for %s stays queued", event.request_id, event.function.name, exc_info=error)

    async def _deliver(self, event: SpooledEvent) -> None:
        while True:
            outcome = await self._attempt(event)
            if outcome is None:
                await asyncio.sleep(_THROTTLE_SECONDS)
                continue
            function, result = outcome
            if function is None:
                self._spool.remove(event)
                return
            event = self._spool.tried(event)
            if result is not None and result.error is None:
                await self._finish(function, event, "Success", result)
                return
            waited = self.back_off[min(event.attempts, len(self.back_off)) - 1]
            expired = time.time() - event.created + waited > function.events.max_age
            if result is None or expired or event.attempts > function.events.retries:
                reason = "EventAgeExceeded" if result is None or expired else "RetriesExhausted"
                await self._finish(function, event, reason, result)
                return
            self._counts["retried"] += 1
            await asyncio.sleep(waited)

    async def _attempt(self, event: SpooledEvent) -> tuple[DeployedFunction | None, InvocationResult | None] | None:
        """Return the function (None when it is gone) and its result (None when the event is too old).

        Return None when the function is throttled, which does not count as an attempt.
        """
        async with self._slots[event.function.arn]:
            function = await self._image_function(event)
            if function is None:
                return None, None
            if time.time() - event.created > function.events.max_age:
                return function, None
            if not self._invocations.admits(function):
                return None
            return await self._invoke(function, event)

    async def _image_function(self, event: SpooledEvent) -> DeployedFunction | None:
        with contextlib.suppress(ServiceError):
            function = await self._functions.find(event.function)
            if function.configuration is not None:
                return function
        _log.warning("event %s: the function %s is gone", event.request_id, event.function.name)
        return None

    async def _invoke(
        self, function: DeployedFunction, event: SpooledEvent
    ) -> tuple[DeployedFunction, InvocationResult] | None:
        self._counts["running"] += 1
        try:
            payload = self._spool.payload(event)
            return function, await self._invocations.invoke(function, payload, event.request_id, background=True)
        except ThrottledError:
            return None
        finally:
            self._counts["running"] -= 1

    async def _finish(
        self, function: DeployedFunction, event: SpooledEvent, condition: str, result: InvocationResult | None
    ) -> None:
        self._counts["delivered" if condition == "Success" else "failed"] += 1
        if function.events.has_destination(condition):
            payload = self._spool.payload(event)
            await self._destinations.send(
                EventOutcome(function, event.request_id, condition, event.attempts, payload, result)
            )
        self._spool.remove(event)
