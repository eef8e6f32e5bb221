"""Takes over the events that MiniStack delivers to functions made from images.

MiniStack posts an event and waits no longer than the function's timeout. What AWS delivers asynchronously is therefore
queued here and acknowledged at once; what somebody waits for is answered when it is done.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.responses import StreamingResponse

from scar_pulumi.cloud.asgi import ASGIApp, Request, Response
from scar_pulumi.cloud.lambda_.async_events import EventQueue
from scar_pulumi.cloud.lambda_.functions import DeployedFunction, FunctionReference, Functions, parse_reference
from scar_pulumi.cloud.lambda_.invocations import Invocations, ThrottledError
from scar_pulumi.cloud.runner import InvocationResult, RunnerStoppedError
from scar_pulumi.cloud.s3.upload_events import UploadEvents
from scar_pulumi.cloud.service import Service, ServiceError, ServiceRequest
from scar_pulumi.cloud.signature import Caller
from scar_pulumi.cloud.sqs.messages import SentMessages

PATH = "/_scar/events"
# MiniStack gives up when it hears nothing for the function's timeout, of which a cold start takes its part. White space
# before a JSON document means nothing, and keeps it listening.
_PATIENCE = 0.5
_ASYNCHRONOUS = frozenset({"aws:s3", "aws:sns", "aws:ses", "aws:codecommit"})


class EventHook(Service):
    """Serves the address that MiniStack's proxy variable names."""

    name = "events"

    def __init__(
        self,
        functions: Functions,
        invocations: Invocations,
        events: EventQueue,
        uploads: UploadEvents,
        messages: SentMessages,
    ) -> None:
        self._functions = functions
        self._invocations = invocations
        self._events = events
        self._uploads = uploads
        self._messages = messages

    def takes(self, request: ServiceRequest) -> bool:
        """Return whether MiniStack posts an event."""
        return request.path == PATH

    async def __call__(self, request: ServiceRequest) -> ASGIApp:
        """Answer one event."""
        posted = await request.read()
        reference = _reference(posted)
        if reference is None:
            return Response("x-amzn-lambda-function-arn is missing or wrong", 400)
        request_id = posted.header("x-amzn-lambda-request-id")
        event = json.loads(posted.body)
        if is_asynchronous(event):
            await self._events.put(reference, posted.body, request_id)
            self._uploads.spooled(event)
            return Response()
        function = await self._functions.find(reference)
        if function.configuration is None:
            raise ServiceError(404, "ResourceNotFoundException", f"{reference.arn} is not made from an image")
        return await self._invoke(function, event, posted.body, request_id)

    async def _invoke(self, function: DeployedFunction, event: Any, payload: bytes, request_id: str) -> ASGIApp:
        task = asyncio.create_task(self._run(function, payload, request_id))
        if not is_http(event):
            result = await task
            if result is not None and not result.error:
                self._messages.processed(event, _document(result.payload))
            return _plain_answer(result)
        await asyncio.wait({task}, timeout=_PATIENCE)
        return StreamingResponse(_http_answer_with_white_space(task), media_type="application/json")

    async def _run(self, function: DeployedFunction, payload: bytes, request_id: str) -> InvocationResult | None:
        try:
            return await self._invocations.invoke(function, payload, request_id)
        except (ThrottledError, RunnerStoppedError):
            return None


def is_asynchronous(event: Any) -> bool:
    """Return whether AWS would deliver an event like this through the asynchronous queue."""
    if not isinstance(event, Mapping):
        return False
    if "detail-type" in event or "awslogs" in event:
        return True
    records = event.get("Records")
    first = records[0] if isinstance(records, list) and records else None
    return isinstance(first, Mapping) and (first.get("eventSource") or first.get("EventSource")) in _ASYNCHRONOUS


def is_http(event: Any) -> bool:
    """Return whether an event is a request of API Gateway or of a function URL."""
    if not isinstance(event, Mapping):
        return False
    context = event.get("requestContext")
    return isinstance(context, Mapping) and ("http" in context or "httpMethod" in event)


def _reference(posted: Request) -> FunctionReference | None:
    version = posted.header("x-amzn-lambda-function-version")
    arn = posted.header("x-amzn-lambda-function-arn")
    return parse_reference(arn, Caller(), "" if version == "$LATEST" else version)


def _document(payload: bytes) -> Any:
    try:
        return json.loads(payload or b"null")
    except ValueError:
        return None


def _plain_answer(result: InvocationResult | None) -> Response:
    if result is None:
        return Response("Rate Exceeded.", 429)
    return Response(result.payload, 500 if result.error else 200, media_type="application/json")


async def _http_answer_with_white_space(task: asyncio.Task[InvocationResult | None]) -> AsyncIterator[bytes]:
    while not task.done():
        yield b" "
        await asyncio.wait({task}, timeout=_PATIENCE)
    yield _http_answer(task.result())


def _http_answer(result: InvocationResult | None) -> bytes:
    if result is not None and not result.error:
        return result.payload or b"null"
    status, message = (429, "Rate Exceeded.") if result is None else (502, "Internal Server Error")
    headers = {"content-type": "application/json"}
    return json.dumps({"statusCode": status, "headers": headers, "body": json.dumps({"message": message})}).encode()
