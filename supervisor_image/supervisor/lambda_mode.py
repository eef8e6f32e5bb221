"""Run on Lambda: process one event after another from the Runtime API, until the platform ends the process.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import os
import socket
import time
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException
from typing import NamedTuple

from supervisor import disk
from supervisor.errors import OutOfDisk, SupervisorError
from supervisor.function import Context, Function
from supervisor.limits import LAMBDA_LONGEST_TIMEOUT
from supervisor.log import Log

_ROOT = "/2018-06-01/runtime"
_ACCEPTED = 202
_TOO_LARGE = 413


class Invocation(NamedTuple):
    """One event from the Runtime API; `deadline` is in seconds since the epoch."""

    request_id: str
    payload: bytes
    deadline: float
    trace_id: str | None


class RuntimeApiError(Exception):
    """The Runtime API answered with an unexpected status."""

    def __init__(self, request: str, status: int, body: bytes) -> None:
        super().__init__(f"{request} was answered with {status}: {body[:200]!r}")
        self.status = status


class RuntimeApi:
    """A client of the Runtime API at `address` (host:port), over one kept-alive connection."""

    def __init__(self, address: str) -> None:
        self._connection = _Connection(address)

    def next(self) -> Invocation:
        """Wait for the next event, as long as it takes."""
        status, headers, body = self._request("GET", "/invocation/next")
        if status != 200:
            raise RuntimeApiError("GET /invocation/next", status, body)
        return Invocation(
            request_id=headers.get("lambda-runtime-aws-request-id", ""),
            payload=body,
            deadline=_seconds(headers.get("lambda-runtime-deadline-ms")),
            trace_id=headers.get("lambda-runtime-trace-id"),
        )

    def respond(self, request_id: str, response: bytes) -> None:
        """Send the response to an event."""
        self._post(f"/invocation/{request_id}/response", response, {"Content-Type": "application/json"})

    def fail(self, request_id: str, error_type: str, message: str) -> None:
        """Report that an event failed."""
        self._post(f"/invocation/{request_id}/error", *_failure(error_type, message))

    def fail_init(self, error_type: str, message: str) -> None:
        """Report that the function cannot start."""
        self._post("/init/error", *_failure(error_type, message))

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> None:
        status, _, answer = self._request("POST", path, body, headers)
        if status != _ACCEPTED:
            raise RuntimeApiError(f"POST {path}", status, answer)

    def _request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        try:
            return self._once(method, path, body, headers or {})
        except (HTTPException, ConnectionError):
            # The kept-alive connection may have been closed; a new one shows whether the Runtime API is still there.
            self._connection.close()
            return self._once(method, path, body, headers or {})

    def _once(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        self._connection.request(method, _ROOT + path, body, headers)
        response = self._connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


class _Connection(HTTPConnection):
    def connect(self) -> None:
        # The address is a literal one; resolving it as a name would load the codecs of international domain names.
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.connect((self.host, self.port))


def serve(environment: Mapping[str, str]) -> int:
    """Process events forever; return an exit code only when the function cannot start or the Runtime API is gone."""
    api = RuntimeApi(environment["AWS_LAMBDA_RUNTIME_API"])
    try:
        function = Function.read(environment)
    except SupervisorError as error:
        Log().failure(str(error))
        api.fail_init(type(error).__name__, str(error))
        return 1
    disk.clear_own(function.log)
    try:
        has_room = disk.clear_leftovers(function.log)
        while has_room:
            has_room = _process_next(api, function, api.next())
    except (HTTPException, OSError, RuntimeApiError) as error:
        function.log.failure(f"the Runtime API is gone: {error}")
        return 1
    function.log.failure(f"{disk.TMP} stays full, so this environment is not used again")
    return 1


def _process_next(api: RuntimeApi, function: Function, invocation: Invocation) -> bool:
    """Process an event; return whether the environment has room for another one."""
    log, failure = function.log.of_request(invocation.request_id), None
    try:
        failure = _process(api, function, invocation, log)
    except RuntimeApiError as error:  # this event is lost, but the next one is not
        log.failure(f"the Runtime API refused the response: {error}")
    return disk.clear_leftovers(log, failed=isinstance(failure, OutOfDisk))


def _process(api: RuntimeApi, function: Function, invocation: Invocation, log: Log) -> Exception | None:
    """Respond to an event, and return why it failed, if it did."""
    # Imported when the first event has arrived: everything before it delays the first poll.
    from supervisor.invocation import OneResponse, handle

    if function.configuration.mapreduce is not None:
        from supervisor.mapreduce.stages import handle

    turn = OneResponse()

    def respond_early(response: bytes) -> None:
        if not turn.take():
            return
        try:  # over a connection of its own, as this is another thread
            _respond(RuntimeApi(function.environment["AWS_LAMBDA_RUNTIME_API"]), invocation.request_id, response)
        except (HTTPException, OSError, RuntimeApiError) as error:
            log.failure(f"the Runtime API refused the response: {error}")

    try:
        response = handle(function, invocation.payload, _context(function, invocation, respond_early), log)
    except SupervisorError as error:
        log.failure(str(error))
        if turn.take():
            api.fail(invocation.request_id, type(error).__name__, str(error))
        return error
    except Exception as error:  # noqa: BLE001 whatever it is, the next event must be processed
        log.failure(_traceback(error))
        if turn.take():
            api.fail(invocation.request_id, type(error).__name__, f"the supervisor failed: {error}")
        return error
    if turn.take():
        _respond(api, invocation.request_id, response)
    return None


def _context(function: Function, invocation: Invocation, respond_early: Callable[[bytes], None]) -> Context:
    return Context(
        request_id=invocation.request_id,
        deadline=invocation.deadline,
        log_group=function.environment.get("AWS_LAMBDA_LOG_GROUP_NAME", ""),
        log_stream=function.environment.get("AWS_LAMBDA_LOG_STREAM_NAME", ""),
        trace_id=invocation.trace_id,
        respond_early=respond_early,
    )


def _respond(api: RuntimeApi, request_id: str, response: bytes) -> None:
    try:
        api.respond(request_id, response)
    except RuntimeApiError as error:
        if error.status != _TOO_LARGE:
            raise
        api.fail(request_id, "ResponseTooLarge", f"the response has {len(response)} bytes, more than Lambda accepts")


def _failure(error_type: str, message: str) -> tuple[bytes, dict[str, str]]:
    document: dict[str, object] = {"errorMessage": message, "errorType": error_type, "stackTrace": []}
    if stream := os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME"):
        document["logStream"] = stream  # callers find the log by it, as they do by the headers of a success
    headers = {
        "Content-Type": "application/vnd.aws.lambda.error+json",
        "Lambda-Runtime-Function-Error-Type": f"Function.{error_type}",
    }
    return json.dumps(document).encode(), headers


def _traceback(error: Exception) -> str:
    import traceback

    return "".join(traceback.format_exception(error))


def _seconds(milliseconds: str | None) -> float:
    try:
        return int(milliseconds or "") / 1000
    except ValueError:
        return time.time() + LAMBDA_LONGEST_TIMEOUT
