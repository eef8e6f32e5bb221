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
from scar_pulumi.cloud.service import ServiceError

_log = logging.getLogger(__name__)


class ThrottledError(ServiceError):
    """The function already runs as often as its reserved concurrency allows."""

    def __init__(self) -> None:
        reason = "ReservedFunctionConcurrentInvocationLimitExceeded"
        super().__init__(429, "TooManyRequestsException", "Rate Exceeded.", details={"Reason": reason})


class Invocations:
    """Counts the running invocations of each function, and starts more on the runner."""

    def __init__(self, runner: Runner, logs: CloudLogSink) -> None:
        self._runner = runner
        self._logs = logs
        self._running: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[InvocationResult]] = set()

    def admits(self, function: DeployedFunction) -> bool:
        """Return whether one more invocation may run now."""
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
        """Run one invocation to its end, even if the caller stops waiting.

        Raise ThrottledError, or RunnerStoppedError when the local cloud stops before that end.
        """
        if not self.admits(function):
            raise ThrottledError
        self._running[function.reference.arn] += 1
        task = asyncio.create_task(self._run(function, payload, request_id, client_context, background))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda task: task.cancelled() or task.exception())  # the caller may be gone
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
        except Exception as error:  # noqa: BLE001 - the function has failed, whatever the reason
            _log.exception("%s: request %s could not be run", reference.name, request_id)
            self._tell(function.configuration, request_id, str(error) or type(error).__name__)
            return failure("Runtime.ExecutorFailure", f"{type(error).__name__}: {error}")
        finally:
            self._running[reference.arn] -= 1

    def _tell(self, function: FunctionConfiguration, request_id: str, message: str) -> None:
        """Write to the function's log: for an asynchronous event there is no other place to look."""
        line = f"RequestId: {request_id} Error: {message}"
        self._logs.put(function.log_group, log_stream_name(function.version), [(time.time_ns() // 1_000_000, line)])


def failure(kind: str, message: str) -> InvocationResult:
    """Return the result of an invocation that failed before or after the function's own code."""
    payload = json.dumps({"errorType": kind, "errorMessage": message}).encode()
    return InvocationResult(payload, "Unhandled", b"", 0.0, 0, None, 0)
