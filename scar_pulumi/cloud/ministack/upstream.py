"""MiniStack in this process: requests go to its application, and those that change configuration to the journal."""

import asyncio
import contextlib
import contextvars
import json
import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode

from scar_pulumi.cloud import asgi
from scar_pulumi.cloud.asgi import ASGIApp, Message, Receive, Request, Response, Scope, Send, find_header
from scar_pulumi.cloud.layout import DEFAULT_ACCOUNT, DEFAULT_REGION
from scar_pulumi.cloud.ministack import quotas
from scar_pulumi.cloud.ministack.journal import Journal
from scar_pulumi.cloud.signature import Caller, authorization, caller_of

_log = logging.getLogger(__name__)


class Upstream:
    """MiniStack's application behind the journal.

    `changed` is called after each request that may have changed something, with True for data and False for
    configuration.
    """

    def __init__(self, application: ASGIApp, journal: Journal, changed: Callable[[bool], None]) -> None:
        self._application = application
        self._journal = journal
        self._changed = changed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request from outside. Objects are streamed, not read."""
        caller = caller_of(scope.get("headers", ()), scope.get("query_string", b"").decode("latin-1"))
        service = caller.service if caller else ""
        if scope["type"] != "http" or is_data_plane(service, scope["method"], scope["path"], scope["headers"]):
            await self._application(scope, receive, send)
            return
        with contextlib.suppress(asgi.ClientDisconnect):
            request = asgi.request_of(scope, await asgi.read_body(receive))
            await self._forward(service, request, scope, asgi.receive_body(request.body, receive), send)

    async def request(self, request: Request, *, lasting: bool = True) -> Response:
        """Send a request from inside; without `lasting` it is not journaled."""
        caller = caller_of(request.headers, request.query) or Caller()
        if not lasting:
            return await asyncio.create_task(asgi.call(self._application, request), context=contextvars.copy_context())

        async def forward(scope: Scope, receive: Receive, send: Send) -> None:
            await self._forward(caller.service, request, scope, receive, send)

        # In a context of its own, as MiniStack keeps account and region in context variables.
        task = asyncio.create_task(asgi.call(forward, request), context=contextvars.copy_context())
        return await task

    async def replay(self, start: int) -> int:
        """Repeat the journal from a number on; what exists already is no error. Return how many were repeated."""
        count = 0
        started = time.monotonic()
        for request in self._journal.requests(start):
            task = asyncio.create_task(asgi.call(self._application, request), context=contextvars.copy_context())
            response = await task
            count += 1
            if not response.succeeded:
                _log.info("replay: %s %s: %d", request.method, action_of(request) or request.path, response.status_code)
        if count:
            _log.info("repeated %d journaled requests in %.2f s", count, time.monotonic() - started)
        return count

    async def _forward(self, service: str, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        if refused := await quotas.refusal(service, action_of(request), request, self._ask):
            await refused(scope, receive, send)
            return

        async def journal_then_send(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 300:
                await self._record(service, request)
            await send(message)

        await self._application(scope, receive, journal_then_send)

    async def _ask(self, request: Request) -> Response:
        return await self.request(request, lasting=False)

    async def _record(self, service: str, request: Request) -> None:
        if is_journaled(service, request):
            self._journal.append(request)
            self._changed(action_of(request) in ("PutLogEvents", "CreateLogStream"))
            await self._journal.flushed()
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
    """Return a request in AWS's JSON protocol; `target` is its X-Amz-Target."""
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
    """Return a request in AWS's REST protocols; `path` is percent-encoded."""
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
    """Return a request in AWS's query protocol."""
    body = urlencode(parameters).encode()
    headers = (
        authorization(account, region, service),
        (b"host", b"127.0.0.1"),
        (b"content-type", b"application/x-www-form-urlencoded"),
        (b"content-length", b"%d" % len(body)),
    )
    return Request("POST", "/", headers=headers, body=body)


READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# Configuration is journaled. Data and actions are not: to repeat `SendMessage` or `StartExecution` after a kill would
# do things twice, and objects are on the disk already. These are the first words of the actions that change
# configuration, in the JSON and query protocols; no other action is repeated.
_VERBS = frozenset(
    {
        *("Add", "Allocate", "Associate", "Attach", "Authorize", "Change", "Create", "Delete", "Deregister", "Detach"),
        *("Disable", "Disassociate", "Enable", "Import", "Modify", "Put", "Register", "Release", "Remove", "Replace"),
        *("Reset", "Revoke", "Set", "Subscribe", "Tag", "Transact", "Unsubscribe", "Untag", "Update"),
    }
)
_ACTIONS = frozenset({"BatchDeleteImage", "BatchWriteItem"})
_NOT_ACTIONS = frozenset(
    {
        *("DeleteMessage", "DeleteMessageBatch", "ChangeMessageVisibility", "ChangeMessageVisibilityBatch"),
        *("PutEvents", "PutPartnerEvents", "PutMetricData", "PutRecord", "PutRecordBatch", "PutRecords"),
    }
)
_FIRST_WORD = re.compile(r"[A-Z][a-z]+")

# REST services: paths that run something instead of changing configuration.
_NOT_PATHS = re.compile(
    r"/(?:invocations|invoke-async|response-streaming-invocations|outbound-emails|outbound-bulk-emails)/?$"
    r"|^/v1/(?:submitjob|canceljob|terminatejob)$"
    r"|^/(?:model|async-invoke|_aws|_ministack|_scar|restapis/[^/]+/[^/]+/_user_request_)(?:/|$)"
)
_NOT_SERVICES = frozenset({"", "execute-api", "sts", "bedrock-runtime", "iotdata", "rds-data"})
_QUERY_FORM = "application/x-www-form-urlencoded"


def action_of(request: Request) -> str:
    """Return the action that a request names in the JSON or query protocol, else the empty string."""
    if target := request.header("x-amz-target"):
        return target.rpartition(".")[2]
    if request.header("content-type").startswith(_QUERY_FORM):
        return parse_qs(request.body.decode("latin-1")).get("Action", [""])[0]
    return parse_qs(request.query).get("Action", [""])[0]


def is_data_plane(service: str, method: str, path: str, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Return whether a request can be passed on unread: it only reads, is unsigned, or is about an object."""
    if service in _NOT_SERVICES or (method in READ_METHODS and not find_header(headers, "x-amz-target")):
        return True
    if service not in ("s3", "s3express"):
        return False
    return method == "POST" or not is_bucket_path(path)


def is_bucket_path(path: str) -> bool:
    """Return whether an S3 path names a bucket and no object."""
    bucket, _, key = path.strip("/").partition("/")
    return bool(bucket) and not key


def is_journaled(service: str, request: Request) -> bool:
    """Return whether a request has to be repeated after a kill, when it has succeeded."""
    if service in ("s3", "s3express"):
        return request.method in ("PUT", "DELETE") and is_bucket_path(request.path)
    if action := action_of(request):
        word = _FIRST_WORD.match(action)
        allowed = action in _ACTIONS or (word is not None and word[0] in _VERBS)
        return allowed and action not in _NOT_ACTIONS
    return request.method not in READ_METHODS and not _NOT_PATHS.search(request.path)
