"""Holds the answer to an object's upload until the events that it causes are on disk, so that no kill loses them.

MiniStack answers an upload first and posts its events to functions a moment later, from memory only.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_NotificationConfiguration.html
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import Any
from urllib.parse import quote, unquote_plus

from scar_foundation.limits import S3_KEY_BYTES
from scar_foundation.notification_filters import Filter
from scar_pulumi.cloud.asgi import ASGIApp, Message, Receive, Scope, Send, find_header
from scar_pulumi.cloud.ministack.upstream import Upstream, is_bucket_path, rest_request
from scar_pulumi.cloud.s3.bus_events import BusEvents, is_removal
from scar_pulumi.cloud.s3.documents import parsed
from scar_pulumi.cloud.service import Service, ServiceError, ServiceRequest, s3_error
from scar_pulumi.cloud.signature import Caller

_log = logging.getLogger(__name__)

# In case MiniStack delivers fewer events than a bucket's configuration says.
_PATIENCE = 1.0


@dataclass(frozen=True)
class NotificationRule:
    """One entry of a bucket's notification configuration that calls a function."""

    function: str
    events: tuple[str, ...]
    keys: Filter

    def covers(self, event: str, key: str) -> bool:
        """Return whether the function gets an event of this kind for this key."""
        is_told = any(fnmatchcase(event, pattern) for pattern in self.events)
        return is_told and self.keys.passes(key)


@dataclass(frozen=True)
class BucketRules:
    """Whom a bucket tells of its objects."""

    functions: tuple[NotificationRule, ...] = ()
    tells_bus: bool = False


class _Expected:
    def __init__(self, count: int) -> None:
        self.count = count
        self.spooled = asyncio.Event()


class UploadEvents(Service):
    """Serves S3's requests.

    `is_ours` tells whether a function's events come to our queue; `bus` tells EventBridge where a bucket wants it.
    """

    refusal = staticmethod(s3_error)
    stores_data = True

    def __init__(self, upstream: Upstream, is_ours: Callable[[str], bool], bus: BusEvents) -> None:
        self._upstream = upstream
        self._is_ours = is_ours
        self._bus = bus
        self._rules: dict[tuple[str, str], BucketRules] = {}
        self._expected: dict[tuple[str, str], list[_Expected]] = {}

    def takes(self, request: ServiceRequest) -> bool:
        """Return whether a request is signed for S3, or not at all."""
        return request.service == "s3" or request.caller is None

    async def __call__(self, request: ServiceRequest) -> ASGIApp:
        """Let MiniStack answer, and hold the answer back where functions wait for the object."""
        bucket, _, key = request.path.lstrip("/").partition("/")
        event = upload_event(request.scope)
        if event and len(key.encode()) > S3_KEY_BYTES:
            raise ServiceError(400, "KeyTooLongError", f"Your key is too long; {S3_KEY_BYTES} bytes are allowed")
        if event or is_removal(request.scope):
            return await self._answer(request.caller or Caller(), bucket, key, event)
        if request.method != "GET" and is_bucket_path(request.path):
            return partial(self._change, bucket)
        return self._upstream

    async def _answer(self, caller: Caller, bucket: str, key: str, event: str) -> ASGIApp:
        """Return what answers a request that brings an object, or, without an event, deletes one."""
        rules = await self._rules_of(caller, bucket)
        application = self._bus.telling(caller, bucket, key, event) if rules.tells_bus else self._upstream
        count = sum(rule.covers(event, key) and self._is_ours(rule.function) for rule in rules.functions)
        return self._held(count, (bucket, key), application) if event and count else application

    async def _change(self, bucket: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Let MiniStack change a bucket, and forget its rules."""
        await self._upstream(scope, receive, send)
        self.forget(bucket)

    def forget(self, bucket: str) -> None:
        """Ask for a bucket's rules again next time."""
        self._rules = {place: rules for place, rules in self._rules.items() if place[1] != bucket}

    def spooled(self, event: Any) -> None:
        """Note that an event of a bucket is on disk."""
        for record in event.get("Records", ()) if isinstance(event, dict) else ():
            document = record.get("s3") or {}
            if document:
                place = document["bucket"]["name"], unquote_plus(document["object"]["key"])
                self._arrived(self._expected.get(place, ()))

    def _arrived(self, waiting: Any) -> None:
        for expected in waiting:
            if expected.count:
                expected.count -= 1
                if not expected.count:
                    expected.spooled.set()
                return

    def _held(self, count: int, place: tuple[str, str], application: ASGIApp) -> ASGIApp:
        """Return an application that answers once so many events are on disk."""

        async def hold(scope: Scope, receive: Receive, send: Send) -> None:
            expected = _Expected(count)
            self._expected.setdefault(place, []).append(expected)

            async def send_once_spooled(message: Message) -> None:
                if message["type"] == "http.response.start" and message["status"] == 200:
                    try:
                        await asyncio.wait_for(expected.spooled.wait(), _PATIENCE)
                    except TimeoutError:
                        _log.warning("%s/%s: %d events did not come", *place, expected.count)
                await send(message)

            try:
                await application(scope, receive, send_once_spooled)
            finally:
                self._expected[place].remove(expected)
                if not self._expected[place]:
                    del self._expected[place]

        return hold

    async def _rules_of(self, caller: Caller, bucket: str) -> BucketRules:
        place = caller.account, bucket
        if place not in self._rules:
            at: dict[str, Any] = {"account": caller.account, "region": caller.region}
            request = rest_request("s3", "GET", f"/{quote(bucket)}", query={"notification": ""}, **at)
            answer = await self._upstream.request(request)
            self._rules[place] = bucket_rules(answer.body) if answer.succeeded else BucketRules()
        return self._rules[place]


def upload_event(scope: Scope) -> str:
    """Return the event that a request causes when it brings an object; the empty string for all others."""
    if is_bucket_path(scope["path"]):
        return ""
    names = {part.partition("=")[0] for part in scope["query_string"].decode("latin-1").split("&")} - {"", "x-id"}
    names = {name for name in names if not name.lower().startswith("x-amz-")}
    if scope["method"] == "PUT" and not names:
        kind = "Copy" if find_header(scope["headers"], "x-amz-copy-source") else "Put"
        return f"s3:ObjectCreated:{kind}"
    return "s3:ObjectCreated:CompleteMultipartUpload" if scope["method"] == "POST" and names == {"uploadId"} else ""


def bucket_rules(document: bytes) -> BucketRules:
    """Return whom a bucket tells, by its NotificationConfiguration as MiniStack has it."""
    tells_bus = parsed(document).find("{*}EventBridgeConfiguration") is not None
    return BucketRules(tuple(notification_rules(document)), tells_bus)


def notification_rules(document: bytes) -> Iterator[NotificationRule]:
    """Return the rules of a NotificationConfiguration, as MiniStack has it, that call functions."""
    for entry in parsed(document).findall("{*}CloudFunctionConfiguration"):
        names = (item.findtext("{*}Name", "").lower() for item in entry.iterfind(".//{*}FilterRule"))
        values = (item.findtext("{*}Value", "") for item in entry.iterfind(".//{*}FilterRule"))
        wanted = dict(zip(names, values, strict=True))
        events = tuple(item.text or "" for item in entry.findall("{*}Event"))
        name = entry.findtext("{*}CloudFunction", "").partition(":function:")[2].partition(":")[0]
        yield NotificationRule(name, events, Filter(wanted.get("prefix", ""), wanted.get("suffix", "")))
