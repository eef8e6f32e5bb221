"""MiniStack as a part of this process: passes requests to its ASGI application and journals those that must last."""

import asyncio
import contextlib
import contextvars
import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from scar_pulumi.cloud import asgi
from scar_pulumi.cloud.asgi import Application, Message, Receive, Request, Response, Scope, Send
from scar_pulumi.cloud.ministack.journal import Journal
from scar_pulumi.cloud.ministack.mutations import action_of, is_data_plane, is_journaled
from scar_pulumi.cloud.signature import DEFAULT_ACCOUNT, DEFAULT_REGION, Caller, authorization, caller_of

_log = logging.getLogger(__name__)


class Upstream:
    """MiniStack's ASGI application behind the journal.

    `changed` is called after every request that may have changed something; `data` tells masses from configuration.
    """

    def __init__(self, application: Application, journal: Journal, changed: Callable[[bool], None]) -> None:
        self._application = application
        self._journal = journal
        self._changed = changed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request from outside; objects stream through untouched."""
        caller = caller_of(scope.get("headers", ()), scope.get("query_string", b"").decode("latin-1"))
        service = caller.service if caller else ""
        if scope["type"] != "http" or is_data_plane(service, scope["method"], scope["path"], scope["headers"]):
            await self._application(scope, receive, send)
            return
        with contextlib.suppress(asgi.ClientGoneError):
            request = asgi.request_of(scope, await asgi.read_body(receive))
            await self._forward(service, request, scope, asgi.receive_body(request.body, receive), send)

    async def request(self, request: Request, *, lasting: bool = True) -> Response:
        """Asks MiniStack from inside, journaled like any other request unless it need not be `lasting`."""
        caller = caller_of(request.headers, request.query) or Caller()
        if not lasting:
            return await asyncio.create_task(asgi.call(self._application, request), context=contextvars.copy_context())

        async def forward(scope: Scope, receive: Receive, send: Send) -> None:
            await self._forward(caller.service, request, scope, receive, send)

        # In a context of its own: MiniStack keeps account and region in context variables.
        task = asyncio.create_task(asgi.call(forward, request), context=contextvars.copy_context())
        return await task

    async def replay(self, start: int) -> int:
        """Repeats the journal from a segment on; what exists already is no error. Returns how many were repeated."""
        count = 0
        started = time.monotonic()
        for request in self._journal.requests(start):
            task = asyncio.create_task(asgi.call(self._application, request), context=contextvars.copy_context())
            response = await task
            count += 1
            if not response.succeeded:
                _log.info("replay: %s %s: %d", request.method, action_of(request) or request.path, response.status)
        if count:
            _log.info("repeated %d journaled requests in %.2f s", count, time.monotonic() - started)
        return count

    async def _forward(self, service: str, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        async def journal_then_send(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 300:
                self._record(service, request)
            await send(message)

        await self._application(scope, receive, journal_then_send)

    def _record(self, service: str, request: Request) -> None:
        if is_journaled(service, request):
            self._journal.append(request)
            self._changed(action_of(request) in ("PutLogEvents", "CreateLogStream"))
        elif request.method not in ("GET", "HEAD") and service != "sts":
            self._changed(True)


def json_request(
    service: str,
    target: str,
    document: Mapping[str, Any],
    *,
    account: str = DEFAULT_ACCOUNT,
    region: str = DEFAULT_REGION,
    version: str = "1.1",
) -> Request:
    """A request in AWS's JSON protocol: `target` is the X-Amz-Target."""
    body = json.dumps(document).encode()
    headers = (
        authorization(account, region, service),
        (b"host", b"127.0.0.1"),
        (b"content-type", f"application/x-amz-json-{version}".encode()),
        (b"x-amz-target", target.encode()),
        (b"content-length", b"%d" % len(body)),
    )
    return Request("POST", "/", headers=headers, body=body)


def rest_request(
    service: str,
    method: str,
    path: str,
    *,
    query: Mapping[str, str] | None = None,
    body: bytes = b"",
    account: str = DEFAULT_ACCOUNT,
    region: str = DEFAULT_REGION,
) -> Request:
    """A request in AWS's REST protocols; `path` is percent-encoded."""
    headers = (
        authorization(account, region, service),
        (b"host", b"127.0.0.1"),
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
    )
    return Request(method, path, urlencode(query or {}), headers, body)


def query_request(
    service: str, parameters: Mapping[str, str], *, account: str = DEFAULT_ACCOUNT, region: str = DEFAULT_REGION
) -> Request:
    """A request in AWS's query protocol."""
    body = urlencode(parameters).encode()
    headers = (
        authorization(account, region, service),
        (b"host", b"127.0.0.1"),
        (b"content-type", b"application/x-www-form-urlencoded"),
        (b"content-length", b"%d" % len(body)),
    )
    return Request("POST", "/", headers=headers, body=body)
