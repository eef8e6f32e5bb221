"""The registry: the OCI distribution protocol over the image store.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

import base64
import binascii
import json
import re
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from starlette.responses import FileResponse

from scar_foundation.limits import MANIFEST_BYTES, MIB
from scar_pulumi.cloud.asgi import ASGIApp, BodyTooLargeError, ClientDisconnect, Response, json_response, read_body
from scar_pulumi.cloud.ecr.image_store import (
    DIGEST,
    DigestMismatchError,
    ImageStore,
    MissingBlobError,
    Repository,
    Upload,
)
from scar_pulumi.cloud.service import Service, ServiceError, ServiceRequest

_NAME = r"(?P<name>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
_ROUTE = re.compile(
    rf"/v2(?:/?|/_catalog|/{_NAME}/(?:(?P<tags>tags/list)|manifests/(?P<manifest>[^/]+)"
    r"|blobs/uploads/(?P<upload>[^/]*)|(?P<start>blobs/uploads)|blobs/(?P<blob>sha256:[0-9a-f]{64})))"
)
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_TOKEN = re.compile(r"AWS:scar-(?P<account>[0-9]{12})-(?P<region>[a-z0-9-]+)")
_VERSION = {"docker-distribution-api-version": "registry/2.0"}

Exists = Callable[[Repository], Awaitable[bool]]
Announce = Callable[[Repository, str, bytes, str, str | None], Awaitable[Response]]


def is_registry_path(path: str) -> bool:
    """Return whether a path is the registry's; API Gateway and SES share the prefix."""
    return _ROUTE.fullmatch(path) is not None


def token(account: str, region: str) -> str:
    """Return the authorization token that tells the registry which account and region a client means."""
    return base64.b64encode(f"AWS:scar-{account}-{region}".encode()).decode()


def registry_error(error: ServiceError) -> Response:
    """Return an error as registries word it."""
    document = {"errors": [{"code": error.code, "message": error.message, "detail": None}]}
    return json_response(document, error.status, _VERSION)


class Registry(Service):
    """Serves `/v2/`.

    `exists` tells whether ECR knows a repository; `announce` tells ECR of a pushed manifest, whose refusal (immutable
    tags) is the client's answer.
    """

    name = "registry"
    refusal = staticmethod(registry_error)
    stores_data = True

    def __init__(self, images: ImageStore, exists: Exists, announce: Announce) -> None:
        self._images = images
        self._exists = exists
        self._announce = announce

    def takes(self, request: ServiceRequest) -> bool:
        """Return whether a path is the registry's."""
        return is_registry_path(request.path)

    async def __call__(self, request: ServiceRequest) -> ASGIApp:
        """Answer one request."""
        try:
            return await self._answer(request)
        except DigestMismatchError as error:
            raise ServiceError(400, "DIGEST_INVALID", f"the uploaded bytes are {error}") from error
        except BodyTooLargeError as error:
            raise ServiceError(413, "SIZE_INVALID", f"a manifest has at most {MANIFEST_BYTES} bytes") from error
        except OSError as error:
            raise ServiceError(507, "UNKNOWN", f"the local cloud cannot write it: {error}") from error

    async def _answer(self, request: ServiceRequest) -> ASGIApp:
        route = _ROUTE.fullmatch(request.path)
        assert route, request.path
        if not route["name"]:
            return self._catalog() if request.path.endswith("_catalog") else json_response({}, headers=_VERSION)
        repository = self._repository(route["name"], request)
        if not await self._exists(repository):
            raise ServiceError(404, "NAME_UNKNOWN", f"the repository {repository} does not exist")
        if route["blob"]:
            return self._blob(request, repository, route["blob"])
        if route["manifest"]:
            return await self._manifest(request, repository, route["manifest"])
        if route["tags"]:
            document = {"name": repository.name, "tags": self._images.tags(repository)}
            return json_response(document, headers=_VERSION)
        return await self._upload(request, repository, route["upload"] or "")

    def _repository(self, name: str, request: ServiceRequest) -> Repository:
        try:
            basic = base64.b64decode(request.header("authorization").removeprefix("Basic ")).decode()
        except (binascii.Error, ValueError):
            basic = ""
        scope = _TOKEN.fullmatch(basic)
        return Repository(scope["account"], scope["region"], name) if scope else self._images.find(name)

    def _catalog(self) -> Response:
        names = sorted({item.name for item in self._images.repositories()})
        return json_response({"repositories": names}, headers=_VERSION)

    def _blob(self, request: ServiceRequest, repository: Repository, digest: str) -> ASGIApp:
        if digest not in self._images.blobs:
            raise ServiceError(404, "BLOB_UNKNOWN", f"there is no blob {digest}")
        if request.method == "DELETE":
            raise ServiceError(405, "UNSUPPORTED", "blobs go when no manifest refers to them")
        self._images.blobs.lease(str(repository), digest)
        return _BlobResponse(
            self._images.blobs.path(digest), headers=_headers(digest), media_type="application/octet-stream"
        )

    async def _manifest(self, request: ServiceRequest, repository: Repository, reference: str) -> Response:
        if request.method == "PUT":
            data = await read_body(request.receive, MANIFEST_BYTES)
            return await self._put_manifest(request, repository, reference, data)
        digest = self._images.resolve(repository, reference)
        if digest is None:
            raise ServiceError(404, "MANIFEST_UNKNOWN", f"{repository} has no image {reference}")
        if request.method == "DELETE":
            await self._announce(repository, digest, b"", "", None)
            return Response(status_code=202, headers=_headers(digest))
        data = self._images.manifest(digest)
        headers = {**_headers(digest), "content-length": str(len(data))}
        media_type = self._images.media_type(repository, digest)
        return Response(b"" if request.method == "HEAD" else data, 200, headers, media_type)

    async def _put_manifest(
        self, request: ServiceRequest, repository: Repository, reference: str, data: bytes
    ) -> Response:
        tag = None if DIGEST.fullmatch(reference) else reference
        if tag and not _TAG.fullmatch(tag):
            raise ServiceError(400, "TAG_INVALID", f"{tag!r} is not a tag")
        media_type, digest = self._stored_manifest(request, repository, data)
        if tag is None and digest != reference:
            raise ServiceError(400, "DIGEST_INVALID", f"the manifest's digest is {digest}")
        answer = await self._announce(repository, digest, data, media_type, tag)
        if not answer.succeeded and b"ImageAlreadyExists" not in answer.body:
            raise ServiceError(400, "TAG_INVALID", answer.body.decode(errors="replace"))
        self._images.put_manifest(repository, data, media_type, tag)
        headers = {**_headers(digest), "location": _location(repository, f"manifests/{digest}")}
        return Response(status_code=201, headers=headers)

    def _stored_manifest(self, request: ServiceRequest, repository: Repository, data: bytes) -> tuple[str, str]:
        try:
            media_type = request.header("content-type") or json.loads(data)["mediaType"]
            return media_type, self._images.put_manifest(repository, data, media_type)
        except MissingBlobError as error:
            message = f"the manifest refers to what is not here: {error}"
            raise ServiceError(400, "MANIFEST_BLOB_UNKNOWN", message) from error
        except (ValueError, KeyError) as error:
            raise ServiceError(400, "MANIFEST_INVALID", f"not a manifest: {error}") from error

    async def _upload(self, request: ServiceRequest, repository: Repository, identifier: str) -> Response:
        blobs = self._images.blobs
        if request.method == "POST":
            if (mount := request.query_params.get("mount", "")) and mount in blobs:
                return self._stored(repository, mount)
            upload = blobs.begin()
        else:
            upload = self._running(identifier)
        if request.method == "DELETE":
            upload.cancel()
            blobs.finish(upload)
            return Response(status_code=204, headers=_VERSION)
        if _first_byte(request) not in (None, upload.size):
            return Response(status_code=416, headers=_progress(repository, upload))
        await self._receive(upload, request, resumable=request.method == "PATCH")
        digest = request.query_params.get("digest", "")
        if not digest:
            status = 202 if request.method != "GET" else 204
            return Response(status_code=status, headers=_progress(repository, upload))
        blobs.finish(upload)
        return self._stored(repository, upload.commit(digest))

    def _running(self, identifier: str) -> Upload:
        try:
            return self._images.blobs.running(identifier)
        except KeyError:
            raise ServiceError(404, "BLOB_UPLOAD_UNKNOWN", "no such upload; start again") from None

    async def _receive(self, upload: Upload, request: ServiceRequest, *, resumable: bool) -> None:
        try:
            async with aclosing(request.stream()) as chunks:
                async for chunk in chunks:
                    upload.write(chunk)
        except (ClientDisconnect, OSError) as error:
            if not resumable or isinstance(error, OSError):
                upload.cancel()
                self._images.blobs.finish(upload)
            raise

    def _stored(self, repository: Repository, digest: str) -> Response:
        self._images.blobs.lease(str(repository), digest)
        headers = {**_headers(digest), "location": _location(repository, f"blobs/{digest}")}
        return Response(status_code=201, headers=headers)


class _BlobResponse(FileResponse):
    chunk_size = MIB


def _first_byte(request: ServiceRequest) -> int | None:
    found = re.match(r"(?:bytes )?(\d+)-", request.header("content-range"))
    return int(found[1]) if found else None


def _progress(repository: Repository, upload: Upload) -> dict[str, str]:
    return {
        **_VERSION,
        "location": _location(repository, f"blobs/uploads/{upload.identifier}"),
        "range": f"0-{max(upload.size - 1, 0)}",
        "docker-upload-uuid": upload.identifier,
    }


def _location(repository: Repository, path: str) -> str:
    return f"/v2/{repository.name}/{path}"


def _headers(digest: str) -> dict[str, str]:
    return {**_VERSION, "docker-content-digest": digest}
