"""The Lambda Runtime API for one container, on a loopback port of its own.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html; where that is silent, as AWS's own emulator does it.
"""

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from scar_pulumi.cloud.runner._http import Connection, Request, Response

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: 6 MB, and what Lambda adds to it
PAYLOAD_LIMIT = 6 * 1024 * 1024 + 100
_RUNTIME = "/2018-06-01/runtime/"
_EXTENSIONS = "/2020-01-01/extension/"


@dataclass(frozen=True)
class Answer:
    """What the runtime said to an event: its payload, and whether it was an error."""

    payload: bytes
    failed: bool


@dataclass(frozen=True)
class Event:
    """One event on its way through the runtime; `started` is done when it has been handed over."""

    request_id: str
    payload: bytes
    arn: str
    timeout: float
    client_context: str | None = None
    started: asyncio.Future[float] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    answered: asyncio.Future[Answer] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class RuntimeApi:
    """Hands events to a runtime and takes its answers.

    `ready` is done at the runtime's first request for an event, `init_error` when it says that it cannot start; `asked`
    is set while the runtime waits for an event, so it has nothing more to do for the one before.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[float] = loop.create_future()
        self.init_error: asyncio.Future[bytes] = loop.create_future()
        self._server: asyncio.Server | None = None
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self.asked = asyncio.Event()
        self._current: Event | None = None
        self._answered_id: str | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> str:
        """Listen, and return the address for AWS_LAMBDA_RUNTIME_API."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        return f"{host}:{port}"

    def deliver(self, event: Event) -> None:
        """Queue an event for the runtime's next request."""
        self._events.put_nowait(event)

    def abandon(self) -> None:
        """Take no answer any more to the event that the runtime has: its time is up."""
        self._current = None

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self.ready.cancel()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            # A cancelled handler is reported as an error by asyncio's streams; closing is none.
            with contextlib.suppress(asyncio.CancelledError):
                await Connection(reader, writer, PAYLOAD_LIMIT).serve(self._route)
        finally:
            self._connections.discard(task)

    async def _route(self, request: Request) -> Response:
        path = request.path.removeprefix(_RUNTIME)
        match (request.method, path.split("/")):
            case ("GET", ["", "2018-06-01", "ping"]):
                return Response(200, b"pong", (("Content-Type", b"text/plain"),))
            case ("GET", ["invocation", "next"]):
                return await self._next(request)
            case ("POST", ["invocation", request_id, ("response" | "error") as kind]):
                return self._answer(request_id, request, kind == "error")
            case ("POST", ["init", "error"]):
                return self._init_error(request)
        return _nothing_to_do(request)

    async def _next(self, request: Request) -> Response:
        if self._current is not None:  # its answer to the request before may have been lost
            return _handed(self._current)
        if not self.ready.done():
            self.ready.set_result(time.monotonic())
        self.asked.set()
        try:
            event = await self._event(request)
        finally:
            self.asked.clear()
        self._current = event
        if not event.started.done():
            event.started.set_result(time.monotonic())
        return _handed(event, lambda sent: self._handed_over(event, sent))

    async def _event(self, request: Request) -> Event:
        """Wait for an event; a client that hangs up meanwhile must not get one."""
        waiting = asyncio.create_task(self._events.get())
        gone = asyncio.create_task(_wait(request))
        try:
            await asyncio.wait({waiting, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            waiting.cancel()  # does nothing to a finished one
        await asyncio.gather(waiting, gone, return_exceptions=True)
        if waiting.cancelled():
            raise ConnectionAbortedError
        return waiting.result()

    def _handed_over(self, event: Event, sent: bool) -> None:
        if not sent and self._current is event and not event.answered.done():
            self._current = None  # nobody has it: the next request gets it
            self._events.put_nowait(event)

    def _answer(self, request_id: str, request: Request, failed: bool) -> Response:
        event = self._current
        if event is None and request_id == self._answered_id:
            return _refusal(403, "InvalidStateTransition", "the event has been answered already")
        if event is None or event.request_id != request_id:
            return _refusal(400, "InvalidRequestID", "Invalid request ID")
        self._current, self._answered_id = None, request_id
        answer, response = _judge(request, failed)
        if not event.answered.done():
            event.answered.set_result(answer)
        return response

    def _init_error(self, request: Request) -> Response:
        if self.ready.done():
            return _refusal(403, "InvalidStateTransition", "the runtime has already asked for an event")
        if not self.init_error.done():
            self.init_error.set_result(request.body or b"{}")
        return _ACCEPTED


_ACCEPTED = Response(202, b'{"status":"OK"}\n')


def _handed(event: Event, sent: Callable[[bool], None] = lambda _: None) -> Response:
    return Response(200, event.payload, _headers(event), sent)


def _judge(request: Request, failed: bool) -> tuple[Answer, Response]:
    if not request.too_long:
        return Answer(request.body, failed), _ACCEPTED
    kind = "Function.ResponseSizeTooLarge"
    message = f"Response payload size exceeded maximum allowed payload size ({PAYLOAD_LIMIT} bytes)."
    payload = json.dumps({"errorMessage": message, "errorType": kind}).encode()
    return Answer(payload, True), _refusal(413, "RequestEntityTooLarge", message)


def _nothing_to_do(request: Request) -> Response:
    if request.path.startswith(_EXTENSIONS):
        return _refusal(403, "Extension.NotSupported", "there are no extensions here")
    match request.path.removeprefix(_RUNTIME).split("/"):
        case ["invocation", "next"] | ["invocation", _, "response" | "error"] | ["init", "error"]:
            return _refusal(405, "MethodNotAllowed", f"{request.method} {request.path}")
    return _refusal(404, "NotFound", f"{request.method} {request.path}")


def _refusal(status: int, kind: str, message: str) -> Response:
    return Response(status, json.dumps({"errorMessage": message, "errorType": kind}).encode())


def _headers(event: Event) -> list[tuple[str, bytes]]:
    headers: list[tuple[str, bytes]] = [
        ("Content-Type", b"application/json"),
        ("Lambda-Runtime-Aws-Request-Id", event.request_id.encode()),
        ("Lambda-Runtime-Deadline-Ms", str(int((time.time() + event.timeout) * 1000)).encode()),
        ("Lambda-Runtime-Invoked-Function-Arn", event.arn.encode()),
        ("Lambda-Runtime-Trace-Id", _trace().encode()),
    ]
    if event.client_context:
        # A header is one line: JSON says the same with spaces for line breaks.
        headers.append(("Lambda-Runtime-Client-Context", " ".join(event.client_context.splitlines()).encode()))
    return headers


def _trace() -> str:
    root = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    return f"Root={root};Parent={secrets.token_hex(8)};Sampled=0"


async def _wait(request: Request) -> None:
    with contextlib.suppress(ConnectionError):
        await request.gone()
