"""The Lambda Runtime API for one container, on a loopback port of its own.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html; where that is silent, as AWS's own emulator does it.
"""

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import h11

from scar_foundation.limits import LAMBDA_PAYLOAD_BYTES

_READ = 256 * 1024
_HEADERS = 64 * 1024


@dataclass(frozen=True)
class HttpRequest:
    """A request with its whole body. `gone` returns when the client hangs up while it waits for the response."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    too_long: bool
    gone: Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class HttpResponse:
    """A response. `sent` is called with whether the response could be written."""

    status: int
    body: bytes = b""
    headers: Sequence[tuple[str, bytes]] = (("Content-Type", b"application/json"),)
    sent: Callable[[bool], None] = lambda _: None


Handler = Callable[[HttpRequest], Awaitable[HttpResponse]]


class HttpConnection:
    """One connection, for as many requests as the client sends. Bodies of more than `limit` bytes are dropped.

    It is h11 on an asyncio stream: each container has a server of its own, and a warm call passes through it twice.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: int) -> None:
        self._reader = reader
        self._writer = writer
        self._limit = limit
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEADERS)

    async def serve(self, handler: Handler) -> None:
        """Answer requests until either side ends the connection."""
        try:
            while (request := await self._request()) is not None:
                await self._respond(await handler(request))
                if self._http.our_state is not h11.DONE:
                    break
                self._http.start_next_cycle()
        except (ConnectionError, h11.ProtocolError):
            pass
        finally:
            self._writer.close()

    async def _request(self) -> HttpRequest | None:
        head = await self._event()
        if not isinstance(head, h11.Request):
            return None
        body, length = bytearray(), 0
        while isinstance(event := await self._event(), h11.Data):
            length += len(event.data)
            if length <= self._limit:
                body += event.data
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        path = head.target.decode("latin-1").partition("?")[0]
        too_long = length > self._limit
        return HttpRequest(head.method.decode("ascii"), path, headers, bytes(body), too_long, self._hang_up)

    async def _event(self) -> h11.Event | None:
        """Return the next event of HTTP, or None when there are no more."""
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Event):
                return event
            if event is h11.PAUSED:
                return None
            if self._http.they_are_waiting_for_100_continue:
                await self._send(h11.InformationalResponse(status_code=100, headers=[]))
            self._http.receive_data(await self._reader.read(_READ))

    async def _hang_up(self) -> None:
        """Return when the client has closed the connection; keep what it sends meanwhile for the next request."""
        while data := await self._reader.read(_READ):
            self._http.receive_data(data)

    async def _respond(self, response: HttpResponse) -> None:
        headers = [(name.encode(), value) for name, value in response.headers]
        headers.append((b"Content-Length", str(len(response.body)).encode()))
        try:
            await self._send(h11.Response(status_code=response.status, headers=headers))
            await self._send(h11.Data(data=response.body))
            await self._send(h11.EndOfMessage())
        except ConnectionError:
            response.sent(False)
            raise
        response.sent(True)

    async def _send(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            self._writer.write(data)
            await self._writer.drain()


PAYLOAD_LIMIT = LAMBDA_PAYLOAD_BYTES + 100  # what Lambda itself adds to an event
_RUNTIME = "/2018-06-01/runtime/"
_EXTENSIONS = "/2020-01-01/extension/"


@dataclass(frozen=True)
class RuntimeResponse:
    """The runtime's response to an event: the payload, and whether it is an error."""

    payload: bytes
    failed: bool


@dataclass(frozen=True)
class Event:
    """An event for the runtime. `started` is done when the runtime has it, `answered` when it has responded."""

    request_id: str
    payload: bytes
    arn: str
    timeout: float
    client_context: str | None = None
    started: asyncio.Future[float] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    answered: asyncio.Future[RuntimeResponse] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class RuntimeApi:
    """Gives events to a runtime and takes its responses.

    `ready` is done when the runtime first asks for an event, `init_error` when it reports that it cannot start. `asked`
    is set while the runtime waits for an event, so that it has finished the one before.
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
        """Listen, and return the value of AWS_LAMBDA_RUNTIME_API."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        return f"{host}:{port}"

    def deliver(self, event: Event) -> None:
        """Queue an event until the runtime asks for one."""
        self._events.put_nowait(event)

    def abandon(self) -> None:
        """Accept no response to the current event any more, because it has timed out."""
        self._current = None

    async def close(self) -> None:
        """Stop listening and close every connection."""
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
            # asyncio's streams report a cancelled handler as an error, which closing is not.
            with contextlib.suppress(asyncio.CancelledError):
                await HttpConnection(reader, writer, PAYLOAD_LIMIT).serve(self._route)
        finally:
            self._connections.discard(task)

    async def _route(self, request: HttpRequest) -> HttpResponse:
        path = request.path.removeprefix(_RUNTIME)
        match (request.method, path.split("/")):
            case ("GET", ["", "2018-06-01", "ping"]):
                return HttpResponse(200, b"pong", (("Content-Type", b"text/plain"),))
            case ("GET", ["invocation", "next"]):
                return await self._next(request)
            case ("POST", ["invocation", request_id, ("response" | "error") as kind]):
                return self._answer(request_id, request, kind == "error")
            case ("POST", ["init", "error"]):
                return self._init_error(request)
        return _nothing_to_do(request)

    async def _next(self, request: HttpRequest) -> HttpResponse:
        if self._current is not None:  # the response to the request before may have been lost
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

    async def _event(self, request: HttpRequest) -> Event:
        """Wait for an event, and take none when the client hangs up meanwhile."""
        waiting = asyncio.create_task(self._events.get())
        gone = asyncio.create_task(_wait(request))
        try:
            await asyncio.wait({waiting, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            waiting.cancel()  # without effect when it is done
        await asyncio.gather(waiting, gone, return_exceptions=True)
        if waiting.cancelled():
            raise ConnectionAbortedError
        return waiting.result()

    def _handed_over(self, event: Event, sent: bool) -> None:
        if not sent and self._current is event and not event.answered.done():
            self._current = None  # the runtime never got it: the next request does
            self._events.put_nowait(event)

    def _answer(self, request_id: str, request: HttpRequest, failed: bool) -> HttpResponse:
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

    def _init_error(self, request: HttpRequest) -> HttpResponse:
        if self.ready.done():
            return _refusal(403, "InvalidStateTransition", "the runtime has already asked for an event")
        if not self.init_error.done():
            self.init_error.set_result(request.body or b"{}")
        return _ACCEPTED


_ACCEPTED = HttpResponse(202, b'{"status":"OK"}\n')


def _handed(event: Event, sent: Callable[[bool], None] = lambda _: None) -> HttpResponse:
    return HttpResponse(200, event.payload, _headers(event), sent)


def _judge(request: HttpRequest, failed: bool) -> tuple[RuntimeResponse, HttpResponse]:
    if not request.too_long:
        return RuntimeResponse(request.body, failed), _ACCEPTED
    kind = "Function.ResponseSizeTooLarge"
    message = f"Response payload size exceeded maximum allowed payload size ({PAYLOAD_LIMIT} bytes)."
    payload = json.dumps({"errorMessage": message, "errorType": kind}).encode()
    return RuntimeResponse(payload, True), _refusal(413, "RequestEntityTooLarge", message)


def _nothing_to_do(request: HttpRequest) -> HttpResponse:
    if request.path.startswith(_EXTENSIONS):
        return _refusal(403, "Extension.NotSupported", "there are no extensions here")
    match request.path.removeprefix(_RUNTIME).split("/"):
        case ["invocation", "next"] | ["invocation", _, "response" | "error"] | ["init", "error"]:
            return _refusal(405, "MethodNotAllowed", f"{request.method} {request.path}")
    return _refusal(404, "NotFound", f"{request.method} {request.path}")


def _refusal(status: int, kind: str, message: str) -> HttpResponse:
    return HttpResponse(status, json.dumps({"errorMessage": message, "errorType": kind}).encode())


def _headers(event: Event) -> list[tuple[str, bytes]]:
    headers: list[tuple[str, bytes]] = [
        ("Content-Type", b"application/json"),
        ("Lambda-Runtime-Aws-Request-Id", event.request_id.encode()),
        ("Lambda-Runtime-Deadline-Ms", str(int((time.time() + event.timeout) * 1000)).encode()),
        ("Lambda-Runtime-Invoked-Function-Arn", event.arn.encode()),
        ("Lambda-Runtime-Trace-Id", _trace().encode()),
    ]
    if event.client_context:
        # A header is one line, and JSON means the same with spaces for line breaks.
        headers.append(("Lambda-Runtime-Client-Context", " ".join(event.client_context.splitlines()).encode()))
    return headers


def _trace() -> str:
    root = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    return f"Root={root};Parent={secrets.token_hex(8)};Sampled=0"


async def _wait(request: HttpRequest) -> None:
    with contextlib.suppress(ConnectionError):
        await request.gone()
