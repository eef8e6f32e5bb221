"""Invocations on the runner, within a function's reserved concurrency. Shared by Lambda's API and the event queue."""

import asyncio
import json
import logging
import time
from collections import Counter

from scar_pulumi.cloud.lambda_.functions import DeployedFunction
from scar_pulumi.cloud.logs.cloudwatch import CloudLogSink
from scar_pulumi.cloud.runner import FunctionConfiguration, InvocationResult, Runner, RunnerStoppedError
from scar_pulumi.cloud.runner.log import log_stream_name

_log = logging.getLogger(__name__)


class ThrottledError(Exception):
    """The function runs as often as its reserved concurrency allows."""


class Invocations:
    """Counts what runs per function and hands it to the runner."""

    def __init__(self, runner: Runner, logs: CloudLogSink) -> None:
        self._runner = runner
        self._logs = logs
        self._running: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[InvocationResult]] = set()

    def admits(self, function: DeployedFunction) -> bool:
        """Whether one more invocation may run now."""
        return function.reserved is None or self._running[function.reference.arn] < function.reserved

    async def invoke(
        self,
        function: DeployedFunction,
        payload: bytes,
        request_id: str,
        *,
        client_context: str | None = None,
        background: bool = False,
    ) -> InvocationResult:
        """Runs one invocation to its end, whether or not somebody still waits.

        Raises ThrottledError, and RunnerStoppedError when the local cloud stops before that end.
        """
        if not self.admits(function):
            raise ThrottledError(function.reference.name)
        self._running[function.reference.arn] += 1
        task = asyncio.create_task(self._run(function, payload, request_id, client_context, background))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda task: task.cancelled() or task.exception())  # nobody may wait any more
        return await asyncio.shield(task)

    async def _run(
        self, function: DeployedFunction, payload: bytes, request_id: str, client_context: str | None, background: bool
    ) -> InvocationResult:
        assert function.configuration is not None, function
        reference = function.reference
        self._logs.expect(function.configuration.log_group, reference.account, reference.region)
        try:
            return await self._runner.invoke(
                function.configuration, payload, request_id, client_context=client_context, background=background
            )
        except RunnerStoppedError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the runner raises is this function's failure
            _log.exception("%s: request %s could not be run", reference.name, request_id)
            self._tell(function.configuration, request_id, str(error) or type(error).__name__)
            return failure("Runtime.ExecutorFailure", f"{type(error).__name__}: {error}")
        finally:
            self._running[reference.arn] -= 1

    def _tell(self, function: FunctionConfiguration, request_id: str, message: str) -> None:
        """Say it in the function's log: of an asynchronous event there is no other place to look."""
        line = f"RequestId: {request_id} Error: {message}"
        self._logs.put(function.log_group, log_stream_name(function.version), [(time.time_ns() // 1_000_000, line)])


def failure(kind: str, message: str) -> InvocationResult:
    """The result of an invocation that failed before or after the function's own code."""
    payload = json.dumps({"errorType": kind, "errorMessage": message}).encode()
    return InvocationResult(payload, "Unhandled", b"", 0.0, 0, None, 0)
