"""Lambda's API: functions made from images are invoked on the runner, all else is MiniStack's, with documents adapted.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

import base64
import json
import re
import uuid
from functools import partial
from typing import Any
from urllib.parse import quote

from scar_foundation.limits import KIB, LAMBDA_ASYNC_PAYLOAD_BYTES, LAMBDA_PAYLOAD_BYTES
from scar_pulumi.cloud.asgi import (
    ASGIApp,
    BodyTooLargeError,
    Receive,
    Response,
    Scope,
    Send,
    json_response,
    read_body,
    receive_body,
)
from scar_pulumi.cloud.lambda_.async_events import EventQueue
from scar_pulumi.cloud.lambda_.function_changes import FunctionChanges
from scar_pulumi.cloud.lambda_.functions import DeployedFunction, Functions, parse_reference, restore
from scar_pulumi.cloud.lambda_.invocations import Invocations, failure
from scar_pulumi.cloud.ministack.upstream import Upstream
from scar_pulumi.cloud.runner import InvocationResult, RunnerStoppedError
from scar_pulumi.cloud.service import Service, ServiceError, ServiceRequest
from scar_pulumi.cloud.signature import Caller

_PATH = re.compile(r"/20\d\d-\d\d-\d\d/functions(?:/|$)")
_INVOKE = re.compile(r"/2015-03-31/functions/(?P<function>[^/]+)/invocations/?")
_UNKNOWN_TO_MINISTACK = re.compile(
    r"/20\d\d-\d\d-\d\d/functions/(?P<function>[^/]+)/(?P<part>runtime-management-config|provisioned-concurrency)"
)
_MISTAKABLE = re.compile(r"(/20\d\d-\d\d-\d\d/functions/)(url[A-Za-z0-9_-]*)")
_LOG_TAIL_BYTES = 4 * KIB


class LambdaApi(Service):
    """Serves everything that is signed for `lambda`."""

    name = "lambda"

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

    def takes(self, request: ServiceRequest) -> bool:
        """Return whether a request is signed for Lambda, or is unsigned and names a function in its path."""
        return request.service == "lambda" or (request.caller is None and _PATH.match(request.path) is not None)

    async def __call__(self, request: ServiceRequest) -> ASGIApp:
        """Answer one request."""
        caller = request.caller or Caller(service="lambda")
        request = _by_arn(caller, request)
        if request.method == "POST" and (found := _INVOKE.fullmatch(request.raw_path)):
            return await self._invoke(caller, found["function"], request)
        if request.method == "GET" and (asked := _UNKNOWN_TO_MINISTACK.fullmatch(request.raw_path)):
            return await self._tell(caller, asked["function"], asked["part"], request)
        change = await self._changes.prepare(caller, await request.read())
        answer = await self._upstream.request(change)
        await self._changes.apply(caller, change, answer)
        return _restored(answer)

    async def _tell(self, caller: Caller, name: str, part: str, request: ServiceRequest) -> ASGIApp:
        """Answer what MiniStack does not: both settings are as they are where nobody has changed them."""
        reference = parse_reference(name, caller, request.query_params.get("Qualifier", ""))
        if reference is None:
            raise ServiceError(400, "ValidationException", f"{name!r} is not the name or ARN of a function")
        if part == "provisioned-concurrency" and request.query_params.get("List") != "ALL":
            return await self._upstream.request(await request.read())
        function = await self._functions.find(reference)
        if part == "provisioned-concurrency":
            return json_response({"ProvisionedConcurrencyConfigs": []})
        return json_response({"UpdateRuntimeOn": "Auto", "FunctionArn": function.reference.arn})

    async def _invoke(self, caller: Caller, name: str, request: ServiceRequest) -> ASGIApp:
        reference = parse_reference(name, caller, request.query_params.get("Qualifier", ""))
        if reference is None:
            raise ServiceError(400, "ValidationException", f"{name!r} is not the name or ARN of a function")
        function = await self._functions.find(reference)
        if function.configuration is None:
            return partial(self._invoke_in_ministack, request)
        kind = request.header("x-amz-invocation-type") or "RequestResponse"
        payload = await _payload(request, kind)
        request_id = str(uuid.uuid4())
        answer = await self._run(function, kind, payload, request_id, request)
        answer.headers["x-amzn-requestid"] = request_id
        answer.headers["x-amz-executed-version"] = function.version
        return answer

    async def _invoke_in_ministack(self, request: ServiceRequest, _scope: Scope, receive: Receive, send: Send) -> None:
        """Let MiniStack run a function that is not made from an image."""
        await self._upstream(request.scope, receive_body(await read_body(receive), receive), send)

    async def _run(
        self, function: DeployedFunction, kind: str, payload: bytes, request_id: str, request: ServiceRequest
    ) -> Response:
        match kind:
            case "DryRun":
                return Response(status_code=204)
            case "Event":
                await self._events.put(function.reference, payload, request_id)
                return Response(status_code=202)
            case "RequestResponse":
                context = request.header("x-amz-client-context") or None
                result = await self._result(function, payload, request_id, context)
                return _answer(result, with_log=request.header("x-amz-log-type") == "Tail")
        raise ServiceError(400, "InvalidParameterValueException", f"Unknown invocation type {kind}")

    async def _result(
        self, function: DeployedFunction, payload: bytes, request_id: str, context: str | None
    ) -> InvocationResult:
        try:
            result = await self._invocations.invoke(function, payload, request_id, client_context=context)
        except RunnerStoppedError as problem:
            raise ServiceError(503, "ServiceException", str(problem)) from problem
        if len(result.payload) <= LAMBDA_PAYLOAD_BYTES:
            return result
        message = f"Response payload size exceeded maximum allowed payload size ({LAMBDA_PAYLOAD_BYTES} bytes)."
        return failure("Function.ResponseSizeTooLarge", message)


async def _payload(request: ServiceRequest, kind: str) -> bytes:
    limit = LAMBDA_ASYNC_PAYLOAD_BYTES if kind == "Event" else LAMBDA_PAYLOAD_BYTES
    try:
        payload = await read_body(request.receive, limit) or b"{}"
        json.loads(payload)
    except BodyTooLargeError:
        raise _too_large(kind, limit) from None
    except ValueError as problem:
        message = f"Could not parse request body into json: {problem}"
        raise ServiceError(400, "InvalidRequestContentException", message) from None
    return payload


def _too_large(kind: str, limit: int) -> ServiceError:
    message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
    if kind == "Event":
        message = f"The payload is too large for the Event invocation type (limit {limit} bytes)"
    return ServiceError(413, "RequestTooLargeException", message)


def _answer(result: InvocationResult, *, with_log: bool) -> Response:
    answer = Response(result.payload, media_type="application/json")
    if result.error:
        answer.headers["x-amz-function-error"] = result.error
    if with_log:
        answer.headers["x-amz-log-result"] = base64.b64encode(result.log_tail[-_LOG_TAIL_BYTES:]).decode()
    return answer


def _by_arn(caller: Caller, request: ServiceRequest) -> ServiceRequest:
    """Put a function's ARN into the path: MiniStack takes `/functions/url-shortener` for a function's URL."""
    found = _MISTAKABLE.match(request.path)
    if not found:
        return request
    start, name = found.groups()
    arn = f"arn:aws:lambda:{caller.region}:{caller.account}:function:{name}"
    path = f"{start}{arn}{request.path[found.end() :]}"
    return ServiceRequest({**request.scope, "path": path, "raw_path": quote(path, safe="/:").encode()}, request.receive)


def _restored(answer: Response) -> Response:
    if not answer.body.startswith((b"{", b"[")):
        return answer
    try:
        document: Any = json.loads(answer.body)
    except ValueError:
        return answer
    return answer.with_body(json.dumps(restore(document)).encode())
