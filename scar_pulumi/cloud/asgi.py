"""Requests and responses as data, and the few ASGI steps between them and an application."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, unquote

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]


class ClientGoneError(Exception):
    """The client went away before its request was complete."""


class BodyTooLargeError(Exception):
    """The request's body is larger than the limit."""


@dataclass(frozen=True)
class Request:
    """One HTTP request; `path` is as it was sent, percent-encoded."""

    method: str
    path: str
    query: str = ""
    headers: Headers = ()
    body: bytes = b""

    def header(self, name: str) -> str:
        """A header's value, or the empty string."""
        return find_header(self.headers, name)

    def parameter(self, name: str) -> str:
        """A query parameter's value, or the empty string."""
        return dict(parse_qsl(self.query, keep_blank_values=True)).get(name, "")

    def parameters(self, name: str) -> list[str]:
        """All values of a query parameter, in their order."""
        return [value for key, value in parse_qsl(self.query, keep_blank_values=True) if key == name]


@dataclass
class Response:
    """One HTTP response."""

    status: int
    body: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)

    @property
    def succeeded(self) -> bool:
        """Whether the status says so."""
        return 200 <= self.status < 300

    def with_body(self, body: bytes) -> "Response":
        """The same response with another body."""
        kept = [(name, value) for name, value in self.headers if name.lower() != b"content-length"]
        return Response(self.status, body, [*kept, (b"content-length", b"%d" % len(body))])


def find_header(headers: Iterable[tuple[bytes, bytes]], name: str) -> str:
    """A header's value, or the empty string; ASGI has the names in lower case."""
    wanted = name.lower().encode()
    return next((value.decode("latin-1") for key, value in headers if key.lower() == wanted), "")


def raw_path(scope: Scope) -> str:
    """The path as the client sent it."""
    raw = scope.get("raw_path")
    return raw.decode("latin-1").partition("?")[0] if raw else str(scope["path"])


def request_of(scope: Scope, body: bytes = b"") -> Request:
    """The request that a scope describes."""
    query = scope.get("query_string", b"").decode("latin-1")
    return Request(scope["method"], raw_path(scope), query, tuple(scope["headers"]), body)


def scope_of(request: Request) -> Scope:
    """A scope for a request that is made inside this process."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": unquote(request.path),
        "raw_path": request.path.encode("latin-1"),
        "query_string": request.query.encode("latin-1"),
        "root_path": "",
        "headers": list(request.headers),
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
        "extensions": {},
    }


async def read_body(receive: Receive, limit: int | None = None) -> bytes:
    """The whole body; raises ClientGoneError, or BodyTooLargeError beyond `limit` bytes."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        size += len(message.get("body", b""))
        if limit is not None and size > limit:
            raise BodyTooLargeError
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)


def receive_body(body: bytes, receive: Receive | None = None) -> Receive:
    """A `receive` that hands out a body read before, then whatever comes."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        if messages:
            return messages.pop()
        if receive is None:
            await asyncio.Event().wait()
            raise AssertionError("nothing sets this event")
        return await receive()

    return replay


async def send_response(send: Send, response: Response) -> None:
    """Sends a response; its length is added when missing."""
    headers = response.headers
    if not find_header(headers, "content-length") and response.status != 204:
        headers = [*headers, (b"content-length", b"%d" % len(response.body))]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": False})


async def call(application: Application, request: Request, receive: Receive | None = None) -> Response:
    """Asks an application in this process and returns its whole response."""
    response = Response(500)
    parts: list[bytes] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            response.status = message["status"]
            response.headers = list(message.get("headers", []))
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    await application(scope_of(request), receive_body(request.body, receive), send)
    response.body = b"".join(parts)
    return response
