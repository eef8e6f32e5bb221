"""The MinIO of each local cluster: the local cloud's S3 under its own names and credentials, and events for services.

An upload is acknowledged after the jobs that it starts are on the disk, so that none is lost.
"""

import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import unquote

from scar_foundation.minio_event import EventObject, minio_event
from scar_foundation.oscar_limits import BUCKET_NAME_PATTERN
from scar_pulumi.cloud.asgi import ASGIApp, Message, Receive, Request, Response, Scope, Send, find_header, receive_body
from scar_pulumi.cloud.ministack.upstream import Upstream, is_bucket_path, rest_request
from scar_pulumi.cloud.oscar.address import MINIO_PATH, REGION, USER, access_key, cluster_of, minio_endpoint, secret_key
from scar_pulumi.cloud.oscar.buckets import MINIO_ACCOUNT, Buckets
from scar_pulumi.cloud.oscar.minio_names import (
    as_minio_document,
    as_s3_request,
    bucket_and_key,
    copy_source,
    path_in_minio,
)
from scar_pulumi.cloud.oscar.notifications import read_rules, rules_document
from scar_pulumi.cloud.oscar.restarts import Restarts
from scar_pulumi.cloud.oscar.server import StorageError
from scar_pulumi.cloud.oscar.store import Services, StoredBucket
from scar_pulumi.cloud.s3.ranged_reads import RangedReads
from scar_pulumi.cloud.s3.upload_events import upload_event
from scar_pulumi.cloud.service import Service, ServiceError, ServiceRequest, s3_error
from scar_pulumi.cloud.signature import signature_of

Arrived = Callable[[str, list[str], bytes], Awaitable[None]]
_NAME = re.compile(BUCKET_NAME_PATTERN)
_FORMER_KEY = USER
"""The access key of the one MinIO that all clusters once shared."""


@dataclass(frozen=True)
class NewObject:
    """A new object in a bucket of a cluster, and the event that it is for MinIO; `size` is in bytes."""

    event: str
    cluster: str
    bucket: str
    key: str
    size: int = 0
    etag: str = ""
    content_type: str = ""


class Minio(Service):
    """Serves the clusters' storage; `arrived` gets the cluster, the services to start, and MinIO's event."""

    refusal = staticmethod(s3_error)
    name = "oscar"
    stores_data = True

    def __init__(
        self,
        upstream: Upstream,
        parts: RangedReads,
        *,
        endpoint: str,
        password: str,
        buckets: Buckets,
        services: Services,
        restarts: Restarts,
        arrived: Arrived,
    ) -> None:
        self._upstream = upstream
        self._parts = parts
        self._endpoint = endpoint
        self._password = password
        self._buckets = buckets
        self._services = services
        self._restarts = restarts
        self._arrived = arrived

    def takes(self, request: ServiceRequest) -> bool:
        """Return whether a request is a MinIO's: by its path, or signed with its key, as tools without paths do."""
        path = request.path
        is_below = path == MINIO_PATH or path.startswith(f"{MINIO_PATH}/")
        signature = signature_of(request.plain)
        return is_below or (signature is not None and _is_key(signature.key))

    async def __call__(self, request: ServiceRequest) -> ASGIApp:
        """Answer one request."""
        cluster = self._signer(request.plain)
        try:
            self._restarts.check(cluster)
        except StorageError:
            raise ServiceError(
                503, "XMinioServerNotInitialized", "Server not initialized yet, please try again."
            ) from None
        path = path_in_minio(request.scope, cluster)
        name, key = bucket_and_key(unquote(path))
        if not name:
            return partial(self._list, request, cluster)
        bucket = await self._buckets.find(cluster, name)
        if not key and "notification" in request.query_params and request.method in ("GET", "PUT"):
            return await self._notification(request, bucket)
        if not key and request.method == "PUT" and not set(request.query_params) - {"x-id"}:
            await self._note(bucket)
        source = await self._source(request, cluster)
        inner = ServiceRequest(as_s3_request(request.scope, path, bucket, source), request.receive)
        return partial(self._serve, inner, bucket, key)

    def _signer(self, request: Request) -> str:
        """Return the cluster whose key has signed a request; its path may name no other. Raises ServiceError."""
        signature = signature_of(request)
        cluster = cluster_of(signature.key) if signature else None
        if signature and signature.key == _FORMER_KEY:
            text = "Each local cluster has a MinIO of its own now: scar-pulumi up gives its keys to the stack."
            raise ServiceError(403, "InvalidAccessKeyId", text)
        if signature is None or cluster is None or not _is_path_of(request.path, cluster):
            raise ServiceError(403, "AccessDenied", "Access Denied.")
        secret = secret_key(self._password, cluster)
        if signature.service != "s3" or not signature.is_valid(secret, request, time.time()):
            text = "The request signature we calculated does not match the signature you provided."
            raise ServiceError(403, "SignatureDoesNotMatch", text)
        return cluster

    async def _note(self, bucket: StoredBucket) -> None:
        if not _NAME.fullmatch(bucket.name):
            raise ServiceError(400, "InvalidBucketName", "The specified bucket is not valid.")
        await self._buckets.keep(bucket)

    async def _source(self, request: ServiceRequest, cluster: str) -> StoredBucket | None:
        name = copy_source(request.scope["headers"])
        return await self._buckets.find(cluster, name) if name else None

    async def _notification(self, request: ServiceRequest, bucket: StoredBucket) -> Response:
        if await self._buckets.tags(bucket) is None:
            raise ServiceError(404, "NoSuchBucket", "The specified bucket does not exist")
        known = {service.name for service in self._services.of(bucket.cluster)}
        if request.method == "PUT":
            rules = read_rules((await request.read()).body, known)
            await self._buckets.keep(replace(bucket, rules=rules))
            return Response()
        return Response(rules_document(bucket.rules, known), media_type="application/xml")

    async def _list(self, request: ServiceRequest, cluster: str, _scope: Scope, receive: Receive, send: Send) -> None:
        names = await self._buckets.of(cluster)
        scope = as_s3_request(request.scope, "/", None, None)
        await self._upstream(scope, receive, self._as_minio(scope, names, send))

    async def _serve(
        self, request: ServiceRequest, bucket: StoredBucket, key: str, _scope: Scope, receive: Receive, send: Send
    ) -> None:
        inner = request.scope
        application = await self._parts(request) if self._parts.takes(request) else self._upstream
        names = {bucket.place: bucket.name}
        await application(inner, receive, self._as_minio(inner, names, self._telling(inner, bucket, key, send)))

    def _telling(self, inner: Scope, bucket: StoredBucket, key: str, send: Send) -> Send:
        event = upload_event(inner)
        is_deletion = inner["method"] == "DELETE" and not key and not inner["query_string"]

        async def tell_then_send(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 300:
                if event:
                    await self._tell(inner, NewObject(event, bucket.cluster, bucket.name, key))
                if is_deletion:
                    await self._buckets.forget(bucket)
            await send(message)

        return tell_then_send if event or is_deletion else send

    async def _tell(self, inner: Scope, found: NewObject) -> None:
        """Hand the event of a new object to the services that the bucket reports it to."""
        rules = (await self._buckets.find(found.cluster, found.bucket)).rules
        told = list(dict.fromkeys(rule.service for rule in rules if rule.covers(found.event, found.key)))
        if told:
            described = await self._described(inner, found)
            event = json.dumps(_event(described, minio_endpoint(self._endpoint, found.cluster))).encode()
            await self._restarts.deliver(found.cluster, partial(self._arrived, found.cluster, told, event))

    async def _described(self, inner: Scope, found: NewObject) -> NewObject:
        request = rest_request("s3", "HEAD", inner["raw_path"].decode("latin-1"), account=MINIO_ACCOUNT)
        answer = await self._upstream.request(request)
        size = int(find_header(answer.raw_headers, "content-length") or 0)
        etag = find_header(answer.raw_headers, "etag").strip('"')
        kind = find_header(answer.raw_headers, "content-type")
        return replace(found, size=size, etag=etag, content_type=kind)

    def _as_minio(self, inner: Scope, names: Mapping[str, str], send: Send) -> Send:
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
                response.raw_headers = [(name, _own_place(value, names)) for name, value in start[0]["headers"]]
                document = response.with_body(as_minio_document(b"".join(parts), names))
                await document(inner, receive_body(b""), send)

        return restore_then_send


def _event(found: NewObject, endpoint: str) -> dict[str, Any]:
    """Return what MinIO posts to the webhook of a bucket."""
    stored = EventObject(found.bucket, found.key, int(time.time() * 1000), found.size, found.etag, found.content_type)
    return minio_event(stored, access_key(found.cluster), region=REGION, name=found.event, endpoint=endpoint)


def _is_key(key: str) -> bool:
    return key == _FORMER_KEY or cluster_of(key) is not None


def _is_path_of(path: str, cluster: str) -> bool:
    """Return whether a path is that of a cluster's MinIO, or of none."""
    if path != MINIO_PATH and not path.startswith(f"{MINIO_PATH}/"):
        return True
    return unquote(path.removeprefix(MINIO_PATH).lstrip("/").partition("/")[0]) == cluster


def _is_document(inner: Scope, message: Message) -> bool:
    has_key = not is_bucket_path(inner["path"]) and inner["path"] != "/"
    reads_object = inner["method"] == "GET" and has_key and b"uploadId" not in inner["query_string"]
    kind = find_header(message["headers"], "content-type")
    return "xml" in kind and inner["method"] != "HEAD" and (not reads_object or message["status"] >= 300)


def _own_place(value: bytes, names: Mapping[str, str]) -> bytes:
    for place, name in names.items():
        value = value.replace(f"/{place}".encode(), f"/{name}".encode(), 1)
    return value
