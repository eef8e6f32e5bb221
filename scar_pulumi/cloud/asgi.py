"""HTTP inside the local cloud: Starlette's responses, and requests that were read whole.

A request that is journaled, changed or made inside this process is a `Request`: plain data. What streams from and to
clients stays with ASGI's `receive` and `send`.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, unquote

import starlette.requests
import starlette.responses
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = [
    "ASGIApp",
    "BodyTooLargeError",
    "ClientDisconnect",
    "Message",
    "RawHeaders",
    "Receive",
    "Request",
    "Response",
    "Scope",
    "Send",
    "call",
    "find_header",
    "json_response",
    "raw_path",
    "read_body",
    "receive_body",
    "replaying",
    "request_of",
    "scope_of",
]

RawHeaders: TypeAlias = tuple[tuple[bytes, bytes], ...]


class BodyTooLargeError(Exception):
    """The request's body is larger than the limit."""


@dataclass(frozen=True)
class Request:
    """One HTTP request with its whole body; `path` is as it was sent, percent-encoded."""

    method: str
    path: str
    query: str = ""
    headers: RawHeaders = ()
    body: bytes = b""

    def header(self, name: str) -> str:
        """Return a header's value, or the empty string."""
        return find_header(self.headers, name)

    def parameter(self, name: str) -> str:
        """Return a query parameter's value, or the empty string."""
        return dict(parse_qsl(self.query, keep_blank_values=True)).get(name, "")

    def parameters(self, name: str) -> list[str]:
        """Return all values of a query parameter, in their order."""
        return [value for key, value in parse_qsl(self.query, keep_blank_values=True) if key == name]


class Response(starlette.responses.Response):
    """Starlette's response with its whole body as bytes: an answer to a client, or MiniStack's to this process."""

    body: bytes

    def __init__(
        self,
        content: bytes | str = b"",
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
    ) -> None:
        super().__init__(content, status_code, headers, media_type)

    @property
    def succeeded(self) -> bool:
        """Whether the status says so."""
        return 200 <= self.status_code < 300

    def with_body(self, body: bytes) -> "Response":
        """Return the same response with another body."""
        response = Response(body, self.status_code)
        response.raw_headers += [header for header in self.raw_headers if header[0].lower() != b"content-length"]
        return response


def json_response(document: Any, status_code: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON document as a response."""
    return Response(json.dumps(document), status_code, headers, "application/json")


def find_header(headers: Iterable[tuple[bytes, bytes]], name: str) -> str:
    """Return a header's value, or the empty string; MiniStack does not write all names in lower case."""
    wanted = name.lower().encode()
    return next((value.decode("latin-1") for key, value in headers if key.lower() == wanted), "")


def raw_path(scope: Scope) -> str:
    """Return the path as the client sent it."""
    raw = scope.get("raw_path")
    return raw.decode("latin-1").partition("?")[0] if raw else str(scope["path"])


def request_of(scope: Scope, body: bytes = b"") -> Request:
    """Return the request that a scope describes."""
    query = scope.get("query_string", b"").decode("latin-1")
    return Request(scope["method"], raw_path(scope), query, tuple(scope["headers"]), body)


def scope_of(request: Request) -> Scope:
    """Return a scope for a request that is made inside this process."""
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
    """Return the whole body; raise ClientDisconnect, or BodyTooLargeError beyond `limit` bytes."""
    chunks: list[bytes] = []
    size = 0
    async with aclosing(starlette.requests.Request({"type": "http"}, receive).stream()) as stream:
        async for chunk in stream:
            size += len(chunk)
            if limit is not None and size > limit:
                raise BodyTooLargeError
            chunks.append(chunk)
    return b"".join(chunks)


def receive_body(body: bytes, receive: Receive | None = None) -> Receive:
    """Return a `receive` that hands out a body that was read before, then whatever comes."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        if messages:
            return messages.pop()
        if receive is None:
            await asyncio.Event().wait()
            raise AssertionError("nothing sets this event")
        return await receive()

    return replay


def replaying(application: ASGIApp, body: bytes) -> ASGIApp:
    """Return an application that answers a request whose body was read before."""

    async def replay(scope: Scope, receive: Receive, send: Send) -> None:
        await application(scope, receive_body(body, receive), send)

    return replay


async def call(application: ASGIApp, request: Request, receive: Receive | None = None) -> Response:
    """Ask an application in this process and return its whole response."""
    start: Message = {"status": 500}
    parts: list[bytes] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    await application(scope_of(request), receive_body(request.body, receive), send)
    response = Response(b"".join(parts), start["status"])
    response.raw_headers = [(name.lower(), value) for name, value in start.get("headers", ())]
    return response
