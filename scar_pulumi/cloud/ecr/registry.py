"""The registry: the OCI distribution protocol over the image store.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

import base64
import binascii
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from scar_pulumi.cloud.asgi import (
    BodyTooLargeError,
    ClientGoneError,
    Receive,
    Request,
    Response,
    Scope,
    Send,
    read_body,
    request_of,
)
from scar_pulumi.cloud.asgi import send_response as respond
from scar_pulumi.cloud.ecr.image_store import (
    DIGEST,
    DigestMismatchError,
    ImageStore,
    MissingBlobError,
    Repository,
    Upload,
)

_NAME = r"(?P<name>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
_ROUTE = re.compile(
    rf"/v2(?:/?|/_catalog|/{_NAME}/(?:(?P<tags>tags/list)|manifests/(?P<manifest>[^/]+)"
    r"|blobs/uploads/(?P<upload>[^/]*)|(?P<start>blobs/uploads)|blobs/(?P<blob>sha256:[0-9a-f]{64})))"
)
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_TOKEN = re.compile(r"AWS:scar-(?P<account>[0-9]{12})-(?P<region>[a-z0-9-]+)")
_MANIFEST_LIMIT = 4 * 1024 * 1024

Exists = Callable[[Repository], Awaitable[bool]]
Announce = Callable[[Repository, str, bytes, str, str | None], Awaitable[Response]]


def is_registry_path(path: str) -> bool:
    """Whether a path is the registry's; API Gateway and SES share the prefix."""
    return _ROUTE.fullmatch(path) is not None


def token(account: str, region: str) -> str:
    """The authorization token that tells the registry which account and region a client means."""
    return base64.b64encode(f"AWS:scar-{account}-{region}".encode()).decode()


class Registry:
    """Serves `/v2/`.

    `exists` tells whether ECR knows a repository; `announce` tells ECR of a pushed manifest, whose refusal (immutable
    tags) is the client's answer.
    """

    def __init__(self, images: ImageStore, exists: Exists, announce: Announce) -> None:
        self._images = images
        self._exists = exists
        self._announce = announce

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        try:
            await self._serve(request_of(scope), scope["path"], receive, send)
        except DigestMismatchError as error:
            await respond(send, _error(400, "DIGEST_INVALID", f"the uploaded bytes are {error}"))
        except BodyTooLargeError:
            await respond(send, _error(413, "SIZE_INVALID", f"a manifest has at most {_MANIFEST_LIMIT} bytes"))
        except OSError as error:
            await respond(send, _error(507, "UNKNOWN", f"the local cloud cannot write it: {error}"))
        except ClientGoneError:
            return

    async def _serve(self, request: Request, path: str, receive: Receive, send: Send) -> None:
        route = _ROUTE.fullmatch(path)
        assert route, path
        if not route["name"]:
            await respond(send, self._catalog() if path.endswith("_catalog") else Response(200, b"{}", _headers()))
            return
        repository = self._repository(route["name"], request)
        if not await self._exists(repository):
            await respond(send, _error(404, "NAME_UNKNOWN", f"the repository {repository} does not exist"))
        elif route["blob"]:
            await self._blob(request, repository, route["blob"], send)
        elif route["manifest"]:
            await respond(send, await self._manifest(request, repository, route["manifest"], receive))
        elif route["tags"]:
            document = {"name": repository.name, "tags": self._images.tags(repository)}
            await respond(send, _json(200, document))
        else:
            await respond(send, await self._upload(request, repository, route["upload"] or "", receive))

    def _repository(self, name: str, request: Request) -> Repository:
        try:
            basic = base64.b64decode(request.header("authorization").removeprefix("Basic ")).decode()
        except (binascii.Error, ValueError):
            basic = ""
        scope = _TOKEN.fullmatch(basic)
        return Repository(scope["account"], scope["region"], name) if scope else self._images.find(name)

    def _catalog(self) -> Response:
        return _json(200, {"repositories": sorted({item.name for item in self._images.repositories()})})

    async def _blob(self, request: Request, repository: Repository, digest: str, send: Send) -> None:
        if digest not in self._images.blobs:
            await respond(send, _error(404, "BLOB_UNKNOWN", f"there is no blob {digest}"))
        elif request.method == "DELETE":
            await respond(send, _error(405, "UNSUPPORTED", "blobs go when no manifest refers to them"))
        else:
            self._images.blobs.lease(str(repository), digest)
            await send_file(
                request, self._images.blobs.path(digest), _headers(digest, "application/octet-stream"), send
            )

    async def _manifest(self, request: Request, repository: Repository, reference: str, receive: Receive) -> Response:
        if request.method == "PUT":
            data = await read_body(receive, _MANIFEST_LIMIT)
            return await self._put_manifest(request, repository, reference, data)
        digest = self._images.resolve(repository, reference)
        if digest is None:
            return _error(404, "MANIFEST_UNKNOWN", f"{repository} has no image {reference}")
        if request.method == "DELETE":
            return await self._delete_manifest(repository, digest)
        data = self._images.manifest(digest)
        headers = _headers(digest, self._images.media_type(repository, digest))
        length = (b"content-length", b"%d" % len(data))
        return Response(200, b"" if request.method == "HEAD" else data, [*headers, length])

    async def _put_manifest(self, request: Request, repository: Repository, reference: str, data: bytes) -> Response:
        tag = None if DIGEST.fullmatch(reference) else reference
        if tag and not _TAG.fullmatch(tag):
            return _error(400, "TAG_INVALID", f"{tag!r} is not a tag")
        try:
            media_type = request.header("content-type") or json.loads(data)["mediaType"]
            digest = self._images.put_manifest(repository, data, media_type)
        except MissingBlobError as error:
            return _error(400, "MANIFEST_BLOB_UNKNOWN", f"the manifest refers to what is not here: {error}")
        except (ValueError, KeyError) as error:
            return _error(400, "MANIFEST_INVALID", f"not a manifest: {error}")
        if tag is None and digest != reference:
            return _error(400, "DIGEST_INVALID", f"the manifest's digest is {digest}")
        answer = await self._announce(repository, digest, data, media_type, tag)
        if not answer.succeeded and b"ImageAlreadyExists" not in answer.body:
            return _error(400, "TAG_INVALID", answer.body.decode(errors="replace"))
        self._images.put_manifest(repository, data, media_type, tag)
        return Response(201, b"", [*_headers(digest), _location(repository, f"manifests/{digest}")])

    async def _delete_manifest(self, repository: Repository, digest: str) -> Response:
        await self._announce(repository, digest, b"", "", None)
        return Response(202, b"", _headers(digest))

    async def _upload(self, request: Request, repository: Repository, identifier: str, receive: Receive) -> Response:
        blobs = self._images.blobs
        digest = request.parameter("digest")
        if request.method == "POST":
            if (mount := request.parameter("mount")) and mount in blobs:
                return self._stored(repository, mount)
            upload = blobs.begin()
        else:
            try:
                upload = blobs.running(identifier)
            except KeyError:
                return _error(404, "BLOB_UPLOAD_UNKNOWN", "no such upload; start again")
        if request.method == "DELETE":
            upload.cancel()
            blobs.finish(upload)
            return Response(204, b"", _headers())
        if _first_byte(request) not in (None, upload.size):
            return Response(416, b"", _progress(repository, upload))
        await self._receive(upload, receive, resumable=request.method == "PATCH")
        if not digest:
            return Response(202 if request.method != "GET" else 204, b"", _progress(repository, upload))
        blobs.finish(upload)
        return self._stored(repository, upload.commit(digest))

    async def _receive(self, upload: Upload, receive: Receive, *, resumable: bool) -> None:
        try:
            async for chunk in _chunks(receive):
                upload.write(chunk)
        except (ClientGoneError, OSError) as error:
            if not resumable or isinstance(error, OSError):
                upload.cancel()
                self._images.blobs.finish(upload)
            raise

    def _stored(self, repository: Repository, digest: str) -> Response:
        self._images.blobs.lease(str(repository), digest)
        return Response(201, b"", [*_headers(digest), _location(repository, f"blobs/{digest}")])


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        more = message.get("more_body", False)
        if chunk := message.get("body", b""):
            yield chunk


def _first_byte(request: Request) -> int | None:
    found = re.match(r"(?:bytes )?(\d+)-", request.header("content-range"))
    return int(found[1]) if found else None


def _progress(repository: Repository, upload: Upload) -> list[tuple[bytes, bytes]]:
    return [
        *_headers(),
        _location(repository, f"blobs/uploads/{upload.identifier}"),
        (b"range", f"0-{max(upload.size - 1, 0)}".encode()),
        (b"docker-upload-uuid", upload.identifier.encode()),
    ]


def _location(repository: Repository, path: str) -> tuple[bytes, bytes]:
    return b"location", f"/v2/{repository.name}/{path}".encode()


def _headers(digest: str = "", media_type: str = "application/json") -> list[tuple[bytes, bytes]]:
    headers = [(b"docker-distribution-api-version", b"registry/2.0"), (b"content-type", media_type.encode())]
    return [*headers, (b"docker-content-digest", digest.encode())] if digest else headers


def _json(status: int, document: Any) -> Response:
    return Response(status, json.dumps(document).encode(), _headers())


def _error(status: int, code: str, message: str) -> Response:
    return _json(status, {"errors": [{"code": code, "message": message, "detail": None}]})


_CHUNK = 1024 * 1024


async def send_file(request: Request, path: Path, headers: Sequence[tuple[bytes, bytes]], send: Send) -> None:
    """Sends a file, or the range of it that is asked for; of a HEAD request the headers only."""
    size = path.stat().st_size
    first, last = _byte_range(request.header("range"), size)
    headers = [*headers, (b"accept-ranges", b"bytes")]
    partial = (first, last) != (0, size - 1)
    if partial:
        headers.append((b"content-range", f"bytes {first}-{last}/{size}".encode()))
    headers.append((b"content-length", b"%d" % (last - first + 1)))
    await send({"type": "http.response.start", "status": 206 if partial else 200, "headers": headers})
    left = last - first + 1 if request.method != "HEAD" else 0
    with path.open("rb") as file:
        file.seek(first)
        while left > 0 and (chunk := file.read(min(_CHUNK, left))):
            left -= len(chunk)
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _byte_range(value: str, size: int) -> tuple[int, int]:
    found = re.fullmatch(r"bytes=(\d+)-(\d*)", value)
    if not found or int(found[1]) >= size:
        return 0, size - 1
    return int(found[1]), min(int(found[2] or size - 1), size - 1)
