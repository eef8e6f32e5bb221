"""CloudWatch Logs: the lines of containers on their way in, in order and in batches, and its log groups."""

import asyncio
import json
import logging
import re
import threading
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from scar_foundation.limits import LOG_BATCH_EVENTS
from scar_pulumi.cloud.asgi import Response
from scar_pulumi.cloud.layout import DEFAULT_ACCOUNT, DEFAULT_REGION
from scar_pulumi.cloud.ministack.upstream import Upstream, action_of, json_request
from scar_pulumi.cloud.service import Service, ServiceRequest
from scar_pulumi.cloud.signature import Caller

_log = logging.getLogger(__name__)
_TARGET = "Logs_20140328"
_GROUPS = re.compile(rf"{_TARGET}\.(?:Create|Delete|Describe)LogGroups?")
LOG_SINK = "/_scar"
"""Prefix of the groups that stand in for those of functions: MiniStack writes lines of its own there."""

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
_BATCH_BYTES = 1_000_000
_EVENT_OVERHEAD = 26

LogLine = tuple[str, str, int, str]


class CloudLogSink:
    """Writes log lines of containers. A group that its owner deleted is not made again by lines that come late."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._lock = threading.Lock()
        self._entries: list[LogLine] = []
        self._deleted: set[str] = set()
        self._streams: set[tuple[str, str]] = set()
        self._scopes: dict[str, tuple[str, str]] = {}
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._run())

    def put(self, log_group: str, log_stream: str, events: Sequence[tuple[int, str]]) -> None:
        """Take lines (milliseconds since the epoch, text); may be called from any thread and never raises."""
        with self._lock:
            self._entries.extend((log_group, log_stream, time, message) for time, message in events)
        try:
            self._loop.call_soon_threadsafe(self._wake.set)
        except RuntimeError:
            _log.warning("%s: %d log lines came after the end", log_group, len(events))

    def forget(self, log_group: str) -> None:
        """Drop later lines of a group that its owner deleted."""
        self._deleted.add(log_group)
        self._streams = {key for key in self._streams if key[0] != log_group}

    def expect(self, log_group: str, account: str, region: str) -> None:
        """Take lines of a group in this account and region, because it was made or something logs there."""
        group = log_group.removeprefix(LOG_SINK)
        self._deleted.discard(group)
        self._scopes[group] = account, region

    async def trim(self) -> None:
        """Delete what MiniStack wrote into the groups that stand in for those of functions."""
        for account, region in set(self._scopes.values()):
            answer = await self._ask("DescribeLogGroups", {"logGroupNamePrefix": LOG_SINK}, account, region)
            for group in json.loads(answer.body).get("logGroups", ()) if answer.succeeded else ():
                await self._ask("DeleteLogGroup", {"logGroupName": group["logGroupName"]}, account, region)

    async def close(self) -> None:
        """Deliver what is left."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._flush()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await asyncio.shield(self._flush())
            except Exception:  # noqa: BLE001 - the next lines may fare better
                _log.exception("log lines were lost")

    async def _flush(self) -> None:
        with self._lock:
            entries, self._entries = self._entries, []
        for (group, stream), lines in groupby(
            sorted(entries, key=lambda entry: entry[:2]), key=lambda entry: entry[:2]
        ):
            for batch in _batches(lines):
                await self._deliver(group, stream, batch)

    async def _deliver(self, group: str, stream: str, batch: list[dict[str, Any]]) -> None:
        if group in self._deleted:
            return
        if (group, stream) not in self._streams:
            await self._create(group, stream)
        document = {"logGroupName": group, "logStreamName": stream, "logEvents": batch}
        answer = await self._write("PutLogEvents", document)
        if not answer.succeeded and b"ResourceNotFound" in answer.body:
            await self._create(group, stream)
            answer = await self._write("PutLogEvents", document)
        if not answer.succeeded:
            _log.error("%s: %d log lines were refused: %s", group, len(batch), answer.body[:300].decode())

    async def _create(self, group: str, stream: str) -> None:
        # Creating a stream that exists is refused, and does no harm.
        await self._write("CreateLogGroup", {"logGroupName": group})
        await self._write("CreateLogStream", {"logGroupName": group, "logStreamName": stream})
        self._streams.add((group, stream))

    async def _write(self, action: str, document: dict[str, Any]) -> Response:
        account, region = self._scopes.get(document["logGroupName"], (DEFAULT_ACCOUNT, DEFAULT_REGION))
        request = json_request("logs", f"{_TARGET}.{action}", document, account=account, region=region)
        return await self._upstream.request(request)

    async def _ask(self, action: str, document: dict[str, Any], account: str, region: str) -> Response:
        request = json_request("logs", f"{_TARGET}.{action}", document, account=account, region=region)
        return await self._upstream.request(request, lasting=False)


class LogGroups(Service):
    """Serves the requests that make, delete and list log groups; MiniStack answers them."""

    def __init__(self, upstream: Upstream, sink: CloudLogSink) -> None:
        self._upstream = upstream
        self._sink = sink

    def takes(self, request: ServiceRequest) -> bool:
        """Return whether a request is about log groups."""
        return _GROUPS.fullmatch(request.header("x-amz-target")) is not None

    async def __call__(self, incoming: ServiceRequest) -> Response:
        """Answer one request."""
        request = await incoming.read()
        answer = await self._upstream.request(request)
        if not answer.succeeded:
            return answer
        action = action_of(request)
        if action == "DescribeLogGroups":
            return answer.with_body(without_sinks(answer.body))
        group = json.loads(request.body)["logGroupName"]
        if action == "DeleteLogGroup":
            self._sink.forget(group)
        else:
            caller = incoming.caller or Caller()
            self._sink.expect(group, caller.account, caller.region)
        return answer


def without_sinks(body: bytes) -> bytes:
    """Return a DescribeLogGroups answer without the groups that only MiniStack writes to."""
    document = json.loads(body)
    groups = document.get("logGroups", [])
    document["logGroups"] = [group for group in groups if not group["logGroupName"].startswith(LOG_SINK)]
    return json.dumps(document).encode()


def _batches(lines: Any) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    size = 0
    for _, _, time, message in lines:
        cost = len(message.encode()) + _EVENT_OVERHEAD
        if batch and (size + cost > _BATCH_BYTES or len(batch) == LOG_BATCH_EVENTS):
            yield batch
            batch, size = [], 0
        batch.append({"timestamp": time, "message": message})
        size += cost
    if batch:
        yield batch
