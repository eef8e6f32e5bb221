"""Events of buckets that tell EventBridge of their objects: on disk before the request is answered.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventBridge.html
"""

import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from scar_pulumi.cloud.asgi import ASGIApp, Message, Receive, Response, Scope, Send
from scar_pulumi.cloud.events.timer import written
from scar_pulumi.cloud.ministack.upstream import Upstream, is_bucket_path, rest_request
from scar_pulumi.cloud.signature import Caller

Put = Callable[[Caller, str, list[dict[str, Any]]], Awaitable[None]]
_REASONS = {"Put": "PutObject", "Copy": "CopyObject", "CompleteMultipartUpload": "CompleteMultipartUpload"}


class BusEvents:
    """Tells a bus of the objects that a request has made or deleted."""

    def __init__(self, upstream: Upstream, put: Put) -> None:
        self._upstream = upstream
        self._put = put

    def telling(self, caller: Caller, bucket: str, key: str, event: str) -> ASGIApp:
        """Return what answers a request and tells of its object; without an `event`, that is deleted."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            async def send_once_told(message: Message) -> None:
                if message["type"] == "http.response.start" and message["status"] in (200, 204):
                    await self._tell(caller, bucket, key, event)
                await send(message)

            await self._upstream(scope, receive, send_once_told)

        return answer

    async def _tell(self, caller: Caller, bucket: str, key: str, event: str) -> None:
        is_made = bool(event)
        described = await self._object(caller, bucket, key) if is_made else {"key": key}
        reason = _REASONS[event.rpartition(":")[2]] if is_made else "DeleteObject"
        detail = {
            "version": "0",
            "bucket": {"name": bucket},
            "object": {**described, "sequencer": f"{time.time_ns():016X}"},
            "request-id": uuid.uuid4().hex[:16].upper(),
            "requester": caller.account,
            "source-ip-address": "127.0.0.1",
            "reason": reason,
            **({} if is_made else {"deletion-type": "Permanently Deleted"}),
        }
        made = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Object Created" if is_made else "Object Deleted",
            "source": "aws.s3",
            "account": caller.account,
            "time": written(time.time()),
            "region": caller.region,
            "resources": [f"arn:aws:s3:::{bucket}"],
            "detail": detail,
        }
        await self._put(caller, "default", [made])

    async def _object(self, caller: Caller, bucket: str, key: str) -> dict[str, Any]:
        place: Any = {"account": caller.account, "region": caller.region}
        answer: Response = await self._upstream.request(
            rest_request("s3", "HEAD", f"/{quote(bucket)}/{quote(key)}", **place)
        )
        found: dict[str, Any] = {"key": key, "size": int(answer.headers.get("content-length", 0))}
        found["etag"] = answer.headers.get("etag", "").strip('"')
        if version := answer.headers.get("x-amz-version-id"):
            found["version-id"] = version
        return found


def is_removal(scope: Scope) -> bool:
    """Return whether a request deletes one object."""
    is_object = scope["method"] == "DELETE" and not is_bucket_path(scope["path"])
    return is_object and b"uploadId" not in scope["query_string"] and b"tagging" not in scope["query_string"]
