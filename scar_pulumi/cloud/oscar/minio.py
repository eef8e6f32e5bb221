"""MinIO of the local clusters: the local cloud's S3 under names and credentials of its own, and events for services.

The answer to an upload leaves when the jobs that it causes are on disk, so that no kill loses them.
"""

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote
from xml.sax.saxutils import escape

from scar_pulumi.cloud.asgi import Application, Message, Receive, Response, Scope, Send, find_header
from scar_pulumi.cloud.asgi import send_response as respond
from scar_pulumi.cloud.disk_space import refuse
from scar_pulumi.cloud.ministack.mutations import is_bucket_path
from scar_pulumi.cloud.ministack.upstream import Upstream, rest_request
from scar_pulumi.cloud.oscar import names
from scar_pulumi.cloud.oscar.address import MINIO_PATH, USER
from scar_pulumi.cloud.oscar.records import NewObject, event_of
from scar_pulumi.cloud.oscar.signature import access_key, is_valid
from scar_pulumi.cloud.s3.ranged_reads import RangedReads
from scar_pulumi.cloud.s3.upload_events import upload_event

Arrived = Callable[[str, str, bytes], None]


class Minio:
    """Serves what `takes` says; `arrived` is told of each new object, with its bucket, its key and MinIO's event."""

    def __init__(
        self, upstream: Upstream, parts: RangedReads, *, directory: Path, endpoint: str, secret: str, arrived: Arrived
    ) -> None:
        self._upstream = upstream
        self._parts = parts
        self._directory = directory
        self._endpoint = endpoint
        self._secret = secret
        self._arrived = arrived

    def takes(self, scope: Scope) -> bool:
        """Whether a request is MinIO's: by its path, or signed by its user, as tools without paths in addresses do."""
        path = scope["path"]
        return path == MINIO_PATH or path.startswith(f"{MINIO_PATH}/") or access_key(scope) == USER

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        path = names.path_in_minio(scope)
        if access_key(scope) != USER:
            await respond(send, _error(403, "AccessDenied", "Access Denied."))
            return
        if not is_valid(scope, self._secret):
            text = "The request signature we calculated does not match the signature you provided."
            await respond(send, _error(403, "SignatureDoesNotMatch", text))
            return
        bucket, _ = names.bucket_and_key(path)
        if len(bucket) > names.LONGEST:
            text = f"The local cloud's MinIO takes names of up to {names.LONGEST} characters."
            await respond(send, _error(400, "InvalidBucketName", text))
            return
        if refusal := refuse(self._directory, scope):
            await respond(send, refusal)
            return
        inner = names.translated(scope, path, unquote(path))
        application: Application = self._parts if self._parts.takes(inner) else self._upstream
        outgoing = self._as_minio(inner, self._telling(inner, unquote(path), send))
        await application(inner, receive, outgoing)

    def _telling(self, inner: Scope, path: str, send: Send) -> Send:
        event = upload_event(inner)
        if not event:
            return send
        bucket, key = names.bucket_and_key(path)

        async def tell_then_send(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                found = await self._described(inner, NewObject(event, bucket, key))
                self._arrived(bucket, key, json.dumps(event_of(found, self._endpoint)).encode())
            await send(message)

        return tell_then_send

    async def _described(self, inner: Scope, found: NewObject) -> NewObject:
        request = rest_request("s3", "HEAD", inner["raw_path"].decode("latin-1"), account=names.ACCOUNT)
        answer = await self._upstream.request(request)
        size = int(find_header(answer.headers, "content-length") or 0)
        etag = find_header(answer.headers, "etag").strip('"')
        kind = find_header(answer.headers, "content-type")
        return NewObject(found.event, found.bucket, found.key, size, etag, kind)

    def _as_minio(self, inner: Scope, send: Send) -> Send:
        """Give the buckets in documents their own names again; objects pass as they are."""
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
                headers = [(name, _own_place(value)) for name, value in start[0]["headers"]]
                response = Response(start[0]["status"], headers=headers)
                await respond(send, response.with_body(names.restored(b"".join(parts))))

        return restore_then_send


def _is_document(inner: Scope, message: Message) -> bool:
    has_key = not is_bucket_path(inner["path"]) and inner["path"] != "/"
    reads_object = inner["method"] == "GET" and has_key and b"uploadId" not in inner["query_string"]
    kind = find_header(message["headers"], "content-type")
    return "xml" in kind and inner["method"] != "HEAD" and (not reads_object or message["status"] >= 300)


def _own_place(value: bytes) -> bytes:
    return value.replace(b"/" + names.PREFIX.encode(), b"/", 1)


def _error(status: int, code: str, message: str) -> Response:
    body = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    return Response(status, body.encode(), [(b"content-type", b"application/xml")])
