"""MinIO of the local clusters: the local cloud's S3 under its own names and credentials, and events for services.

An upload is acknowledged after the jobs that it starts are on the disk, so that none is lost.
"""

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeGuard
from urllib.parse import quote_plus, unquote

from scar_pulumi.cloud.asgi import ASGIApp, Message, Receive, Request, Response, Scope, Send, find_header, receive_body
from scar_pulumi.cloud.ministack.upstream import Upstream, is_bucket_path, rest_request
from scar_pulumi.cloud.oscar.address import MINIO_PATH, REGION, USER
from scar_pulumi.cloud.oscar.buckets import (
    BUCKET_PREFIX,
    LONGEST_BUCKET_NAME,
    MINIO_ACCOUNT,
    as_minio_document,
    as_s3_request,
    bucket_and_key,
    path_in_minio,
)
from scar_pulumi.cloud.oscar.containers import moment
from scar_pulumi.cloud.s3.ranged_reads import RangedReads
from scar_pulumi.cloud.s3.upload_events import upload_event
from scar_pulumi.cloud.service import Service, ServiceError, ServiceRequest, s3_error
from scar_pulumi.cloud.signature import Signature, signature_of

Arrived = Callable[[str, str, bytes], Awaitable[None]]


@dataclass(frozen=True)
class NewObject:
    """A new object in a bucket, and the event that it is for MinIO; `size` is in bytes."""

    event: str
    bucket: str
    key: str
    size: int = 0
    etag: str = ""
    content_type: str = ""


def minio_event(found: NewObject, endpoint: str) -> dict[str, Any]:
    """Return what MinIO posts to the webhook of a bucket."""
    now = time.time()
    identity = {"principalId": USER}
    record = {
        "eventVersion": "2.0",
        "eventSource": "minio:s3",
        "awsRegion": REGION,
        "eventTime": moment(now),
        "eventName": found.event,
        "userIdentity": identity,
        "requestParameters": {**identity, "region": REGION, "sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-minio-origin-endpoint": endpoint},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "Config",
            "bucket": {"name": found.bucket, "ownerIdentity": identity, "arn": f"arn:aws:s3:::{found.bucket}"},
            "object": {
                "key": quote_plus(found.key),
                "size": found.size,
                "eTag": found.etag,
                "contentType": found.content_type,
                "sequencer": f"{time.time_ns():016X}",
            },
        },
        "source": {"host": "127.0.0.1", "port": "", "userAgent": ""},
    }
    return {"EventName": found.event, "Key": f"{found.bucket}/{found.key}", "Records": [record]}


class Minio(Service):
    """Serves the clusters' storage; `arrived` gets the bucket, the key and MinIO's event of each new object."""

    refusal = staticmethod(s3_error)
    name = "oscar"
    stores_data = True

    def __init__(self, upstream: Upstream, parts: RangedReads, *, endpoint: str, secret: str, arrived: Arrived) -> None:
        self._upstream = upstream
        self._parts = parts
        self._endpoint = endpoint
        self._secret = secret
        self._arrived = arrived

    def takes(self, request: ServiceRequest) -> bool:
        """Return whether a request is MinIO's: by its path, or signed by its user, as tools without paths do."""
        path = request.path
        return path == MINIO_PATH or path.startswith(f"{MINIO_PATH}/") or self._is_users(signature_of(request.plain))

    async def __call__(self, request: ServiceRequest) -> ASGIApp:
        """Answer one request."""
        self._check_signature(request.plain)
        path = path_in_minio(request.scope)
        bucket, _ = bucket_and_key(path)
        if len(bucket) > LONGEST_BUCKET_NAME:
            text = f"The local cloud's MinIO takes names of up to {LONGEST_BUCKET_NAME} characters."
            raise ServiceError(400, "InvalidBucketName", text)
        inner = ServiceRequest(as_s3_request(request.scope, path, unquote(path)), request.receive)
        return partial(self._serve, inner, unquote(path))

    def _is_users(self, signature: Signature | None) -> TypeGuard[Signature]:
        return signature is not None and signature.key == USER

    def _check_signature(self, request: Request) -> None:
        signature = signature_of(request)
        if not self._is_users(signature):
            raise ServiceError(403, "AccessDenied", "Access Denied.")
        if signature.service != "s3" or not signature.is_valid(self._secret, request, time.time()):
            text = "The request signature we calculated does not match the signature you provided."
            raise ServiceError(403, "SignatureDoesNotMatch", text)

    async def _serve(self, request: ServiceRequest, path: str, _scope: Scope, receive: Receive, send: Send) -> None:
        inner = request.scope
        application = await self._parts(request) if self._parts.takes(request) else self._upstream
        await application(inner, receive, self._as_minio(inner, self._telling(inner, path, send)))

    def _telling(self, inner: Scope, path: str, send: Send) -> Send:
        event = upload_event(inner)
        if not event:
            return send
        bucket, key = bucket_and_key(path)

        async def tell_then_send(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                found = await self._described(inner, NewObject(event, bucket, key))
                await self._arrived(bucket, key, json.dumps(minio_event(found, self._endpoint)).encode())
            await send(message)

        return tell_then_send

    async def _described(self, inner: Scope, found: NewObject) -> NewObject:
        request = rest_request("s3", "HEAD", inner["raw_path"].decode("latin-1"), account=MINIO_ACCOUNT)
        answer = await self._upstream.request(request)
        size = int(find_header(answer.raw_headers, "content-length") or 0)
        etag = find_header(answer.raw_headers, "etag").strip('"')
        kind = find_header(answer.raw_headers, "content-type")
        return NewObject(found.event, found.bucket, found.key, size, etag, kind)

    def _as_minio(self, inner: Scope, send: Send) -> Send:
        """Replace the names of buckets in documents by MinIO's; objects pass unchanged."""
        start: list[Message] = []
        parts: list[bytes] = []

        async def restore_then_send(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_document(inner, message):
                start.append(message)
                return
            if not start:
                await send(message)
                return
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                response = Response(status_code=start[0]["status"])
                response.raw_headers = [(name, _own_place(value)) for name, value in start[0]["headers"]]
                document = response.with_body(as_minio_document(b"".join(parts)))
                await document(inner, receive_body(b""), send)

        return restore_then_send


def _is_document(inner: Scope, message: Message) -> bool:
    has_key = not is_bucket_path(inner["path"]) and inner["path"] != "/"
    reads_object = inner["method"] == "GET" and has_key and b"uploadId" not in inner["query_string"]
    kind = find_header(message["headers"], "content-type")
    return "xml" in kind and inner["method"] != "HEAD" and (not reads_object or message["status"] >= 300)


def _own_place(value: bytes) -> bytes:
    return value.replace(b"/" + BUCKET_PREFIX.encode(), b"/", 1)
