"""Lambda's API: functions made from images are invoked on the runner, all else is MiniStack's, with documents adapted.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

import base64
import json
import re
import uuid
from typing import Any
from urllib.parse import quote

from scar_pulumi.cloud.asgi import BodyTooLargeError, Receive, Request, Response, Scope, Send, read_body, request_of
from scar_pulumi.cloud.asgi import receive_body as replay_body
from scar_pulumi.cloud.asgi import send_response as respond
from scar_pulumi.cloud.lambda_.async_events import EventQueue
from scar_pulumi.cloud.lambda_.function_changes import FunctionChanges
from scar_pulumi.cloud.lambda_.functions import DeployedFunction, Functions, parse_reference, restore
from scar_pulumi.cloud.lambda_.invocations import Invocations, ThrottledError, failure
from scar_pulumi.cloud.ministack.upstream import Upstream
from scar_pulumi.cloud.runner import RunnerStoppedError
from scar_pulumi.cloud.signature import Caller

_INVOKE = re.compile(r"/2015-03-31/functions/(?P<function>[^/]+)/invocations/?")
_MISTAKABLE = re.compile(r"(/20\d\d-\d\d-\d\d/functions/)(url[A-Za-z0-9_-]*)")

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
_SYNCHRONOUS_LIMIT = 6 * 1024 * 1024
_ASYNCHRONOUS_LIMIT = 1024 * 1024


class LambdaApi:
    """Serves everything signed for `lambda`."""

    def __init__(
        self,
        upstream: Upstream,
        functions: Functions,
        changes: FunctionChanges,
        invocations: Invocations,
        events: EventQueue,
    ) -> None:
        self._upstream = upstream
        self._functions = functions
        self._changes = changes
        self._invocations = invocations
        self._events = events

    async def __call__(self, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        scope = _by_arn(caller, scope)
        request = request_of(scope)
        if request.method == "POST" and (found := _INVOKE.fullmatch(request.path)):
            await self._invoke(caller, found["function"], scope, receive, send)
            return
        request = request_of(scope, await read_body(receive))
        refusal_or_request = await self._changes.prepare(caller, request)
        if isinstance(refusal_or_request, Response):
            await respond(send, refusal_or_request)
            return
        response = await self._upstream.request(refusal_or_request)
        await self._changes.apply(caller, refusal_or_request, response)
        await respond(send, _restored(response))

    async def _invoke(self, caller: Caller, name: str, scope: Scope, receive: Receive, send: Send) -> None:
        request = request_of(scope)
        reference = parse_reference(name, caller, request.parameter("Qualifier"))
        if reference is None:
            await respond(send, error(400, "ValidationException", f"{name!r} is not the name or ARN of a function"))
            return
        function = await self._functions.find(reference)
        if isinstance(function, Response):
            await respond(send, function)
        elif function.configuration is None:
            await self._upstream(scope, replay_body(await read_body(receive), receive), send)
        else:
            await respond(send, await self._run(function, request, receive))

    async def _run(self, function: DeployedFunction, request: Request, receive: Receive) -> Response:
        kind = request.header("x-amz-invocation-type") or "RequestResponse"
        limit = _ASYNCHRONOUS_LIMIT if kind == "Event" else _SYNCHRONOUS_LIMIT
        try:
            payload = await read_body(receive, limit) or b"{}"
            json.loads(payload)
        except BodyTooLargeError:
            return _too_large(kind, limit)
        except ValueError as problem:
            message = f"Could not parse request body into json: {problem}"
            return error(400, "InvalidRequestContentException", message)
        request_id = str(uuid.uuid4())
        headers = [
            (b"x-amzn-requestid", request_id.encode()),
            (b"x-amz-executed-version", function.version.encode()),
        ]
        if kind == "DryRun":
            return Response(204, b"", headers)
        if kind == "Event":
            self._events.put(function.reference, payload, request_id)
            return Response(202, b"", headers)
        if kind != "RequestResponse":
            return error(400, "InvalidParameterValueException", f"Unknown invocation type {kind}")
        return await self._run_now(function, payload, request_id, request, headers)

    async def _run_now(
        self,
        function: DeployedFunction,
        payload: bytes,
        request_id: str,
        request: Request,
        headers: list[tuple[bytes, bytes]],
    ) -> Response:
        context = request.header("x-amz-client-context") or None
        try:
            result = await self._invocations.invoke(function, payload, request_id, client_context=context)
        except ThrottledError:
            return throttled()
        except RunnerStoppedError as problem:
            return error(503, "ServiceException", str(problem))
        if len(result.payload) > _SYNCHRONOUS_LIMIT:
            message = f"Response payload size exceeded maximum allowed payload size ({_SYNCHRONOUS_LIMIT} bytes)."
            result = failure("Function.ResponseSizeTooLarge", message)
        headers.append((b"content-type", b"application/json"))
        if result.error:
            headers.append((b"x-amz-function-error", result.error.encode()))
        if request.header("x-amz-log-type") == "Tail":
            headers.append((b"x-amz-log-result", base64.b64encode(result.log_tail[-4096:])))
        return Response(200, result.payload, headers)


def _by_arn(caller: Caller, scope: Scope) -> Scope:
    """The scope with a function's ARN in its path: MiniStack takes `/functions/url-shortener` for a function's URL."""
    found = _MISTAKABLE.match(scope["path"])
    if not found:
        return scope
    start, name = found.groups()
    arn = f"arn:aws:lambda:{caller.region}:{caller.account}:function:{name}"
    path = f"{start}{arn}{scope['path'][found.end() :]}"
    return {**scope, "path": path, "raw_path": quote(path, safe="/:").encode()}


def error(status: int, kind: str, message: str, **more: str) -> Response:
    """An error as Lambda words it."""
    document = {"Type": "User" if status < 500 else "Service", "Message": message, "message": message, **more}
    headers = [
        (b"content-type", b"application/json"),
        (b"x-amzn-errortype", kind.encode()),
        (b"x-amzn-requestid", str(uuid.uuid4()).encode()),
    ]
    return Response(status, json.dumps(document).encode(), headers)


def throttled() -> Response:
    """The answer at the reserved concurrency."""
    reason = "ReservedFunctionConcurrentInvocationLimitExceeded"
    return error(429, "TooManyRequestsException", "Rate Exceeded.", Reason=reason)


def _too_large(kind: str, limit: int) -> Response:
    if kind == "Event":
        message = f"The payload is too large for the Event invocation type (limit {limit} bytes)"
    else:
        message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
    return error(413, "RequestTooLargeException", message)


def _restored(response: Response) -> Response:
    if not response.body.startswith((b"{", b"[")):
        return response
    try:
        document: Any = json.loads(response.body)
    except ValueError:
        return response
    return response.with_body(json.dumps(restore(document)).encode())
