"""Takes over the events that MiniStack delivers to functions made from images.

MiniStack posts an event and waits no longer than the function's timeout. What AWS delivers asynchronously is therefore
queued here and acknowledged at once; what somebody waits for is answered when it is done.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from scar_pulumi.cloud.asgi import Receive, Request, Response, Scope, Send, read_body, request_of
from scar_pulumi.cloud.asgi import send_response as respond
from scar_pulumi.cloud.lambda_.async_events import EventQueue
from scar_pulumi.cloud.lambda_.functions import DeployedFunction, FunctionReference, Functions, parse_reference
from scar_pulumi.cloud.lambda_.invocations import Invocations, ThrottledError
from scar_pulumi.cloud.runner import InvocationResult, RunnerStoppedError
from scar_pulumi.cloud.s3.upload_events import UploadEvents
from scar_pulumi.cloud.signature import Caller

# MiniStack gives up when it hears nothing for the function's timeout, of which a cold start takes its part. White space
# before a JSON document means nothing, and keeps it listening.
_PATIENCE = 0.5
_ASYNCHRONOUS = frozenset({"aws:s3", "aws:sns", "aws:ses", "aws:codecommit"})
_JSON = [(b"content-type", b"application/json")]


class EventHook:
    """Serves the address that MiniStack's proxy variable names."""

    def __init__(
        self, functions: Functions, invocations: Invocations, events: EventQueue, deliveries: UploadEvents
    ) -> None:
        self._functions = functions
        self._invocations = invocations
        self._events = events
        self._deliveries = deliveries

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one event."""
        request = request_of(scope, await read_body(receive))
        reference = _reference(request)
        if reference is None:
            await respond(send, Response(400, b"x-amzn-lambda-function-arn is missing or wrong"))
            return
        request_id = request.header("x-amzn-lambda-request-id")
        event = json.loads(request.body)
        if is_asynchronous(event):
            self._events.put(reference, request.body, request_id)
            self._deliveries.spooled(event)
            await respond(send, Response(200))
            return
        function = await self._functions.find(reference)
        if isinstance(function, Response) or function.configuration is None:
            await respond(send, Response(404, f"no function of that name: {reference.arn}".encode()))
            return
        await self._answer(function, event, request, request_id, send)

    async def _answer(
        self, function: DeployedFunction, event: Any, request: Request, request_id: str, send: Send
    ) -> None:
        task = asyncio.create_task(self._run(function, request.body, request_id))
        if not is_http(event):
            await respond(send, _plain_answer(await task))
            return
        await asyncio.wait({task}, timeout=_PATIENCE)
        await send({"type": "http.response.start", "status": 200, "headers": _JSON})
        while not task.done():
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
            await asyncio.wait({task}, timeout=_PATIENCE)
        body = _http_answer(task.result())
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _run(self, function: DeployedFunction, payload: bytes, request_id: str) -> InvocationResult | None:
        try:
            return await self._invocations.invoke(function, payload, request_id)
        except (ThrottledError, RunnerStoppedError):
            return None


def is_asynchronous(event: Any) -> bool:
    """Whether AWS would deliver an event like this through the asynchronous queue."""
    if not isinstance(event, Mapping):
        return False
    if "detail-type" in event or "awslogs" in event:
        return True
    records = event.get("Records")
    first = records[0] if isinstance(records, list) and records else None
    return isinstance(first, Mapping) and (first.get("eventSource") or first.get("EventSource")) in _ASYNCHRONOUS


def is_http(event: Any) -> bool:
    """Whether an event is a request of API Gateway or of a function URL."""
    if not isinstance(event, Mapping):
        return False
    context = event.get("requestContext")
    return isinstance(context, Mapping) and ("http" in context or "httpMethod" in event)


def _reference(request: Request) -> FunctionReference | None:
    version = request.header("x-amzn-lambda-function-version")
    arn = request.header("x-amzn-lambda-function-arn")
    return parse_reference(arn, Caller(), "" if version == "$LATEST" else version)


def _plain_answer(result: InvocationResult | None) -> Response:
    if result is None:
        return Response(429, b"Rate Exceeded.")
    return Response(500 if result.error else 200, result.payload, list(_JSON))


def _http_answer(result: InvocationResult | None) -> bytes:
    if result is not None and not result.error:
        return result.payload or b"null"
    status, message = (429, "Rate Exceeded.") if result is None else (502, "Internal Server Error")
    headers = {"content-type": "application/json"}
    return json.dumps({"statusCode": status, "headers": headers, "body": json.dumps({"message": message})}).encode()
