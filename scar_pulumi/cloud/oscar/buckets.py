"""MinIO's buckets among those of the local cloud's S3: in an account of their own, under names with a prefix.

Bucket names are unique across accounts, so `pictures` of MinIO cannot have the same name as `pictures` of AWS.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode
from xml.etree.ElementTree import ParseError
from xml.sax.saxutils import escape

from scar_pulumi.cloud.asgi import RawHeaders, Request, Response, Scope, raw_path
from scar_pulumi.cloud.layout import DEFAULT_ACCOUNT, DEFAULT_REGION
from scar_pulumi.cloud.ministack.upstream import Upstream, rest_request
from scar_pulumi.cloud.oscar.address import MINIO_PATH, REGION
from scar_pulumi.cloud.oscar.definitions import OWN_STORAGE, DefinitionError, buckets
from scar_pulumi.cloud.s3.documents import parsed, serialized, texts
from scar_pulumi.cloud.service import ServiceError
from scar_pulumi.cloud.signature import authorization

MINIO_ACCOUNT = "000000000900"
BUCKET_PREFIX = "minio--"
LONGEST_BUCKET_NAME = 63 - len(BUCKET_PREFIX)
_OF_SIGNATURES = ("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders")
_SIGNATURES = (*_OF_SIGNATURES, "x-amz-signature", "x-amz-security-token")
_NAMES = ("Name", "Bucket", "BucketName")
_PLACES = ("Location", "Resource")
_TAGGING = {"tagging": ""}


def path_in_minio(scope: Scope) -> str:
    """Return the path of a request as MinIO sees it, percent-encoded."""
    return raw_path(scope).removeprefix(MINIO_PATH) or "/"


def bucket_and_key(path: str) -> tuple[str, str]:
    """Return the bucket and key of a path; empty where it names none."""
    bucket, _, key = path.lstrip("/").partition("/")
    return bucket, key


def as_s3_request(scope: Scope, path: str, decoded: str) -> Scope:
    """Return the request for the local cloud's S3; `path` is as it was sent, `decoded` without percent-encoding."""
    query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    kept = [(name, value) for name, value in query if name.lower() not in _SIGNATURES]
    text = scope.get("query_string", b"") if len(kept) == len(query) else urlencode(kept).encode()
    return {
        **scope,
        "path": _renamed(decoded),
        "raw_path": _renamed(path).encode("latin-1"),
        "query_string": text,
        "headers": _headers(scope["headers"]),
    }


def _renamed(path: str) -> str:
    bucket = path.lstrip("/")
    return f"/{BUCKET_PREFIX}{bucket}" if bucket else "/"


def _headers(headers: RawHeaders) -> list[tuple[bytes, bytes]]:
    kept = [(name, _source(name, value)) for name, value in headers if name.lower() != b"authorization"]
    return [*kept, authorization(MINIO_ACCOUNT, REGION, "s3")]


def _source(name: bytes, value: bytes) -> bytes:
    if name.lower() != b"x-amz-copy-source":
        return value
    return BUCKET_PREFIX.encode() + value.lstrip(b"/")


def as_minio_document(document: bytes) -> bytes:
    """Return a document of the local cloud's S3 as MinIO would have written it."""
    try:
        root = parsed(document)
    except ParseError:
        return document
    for element in root.iter():
        name, text = element.tag.rpartition("}")[2], element.text or ""
        if name in _NAMES:
            element.text = text.removeprefix(BUCKET_PREFIX)
        elif name in _PLACES:
            element.text = text.replace(f"/{BUCKET_PREFIX}", "/", 1)
    return serialized(root)


def own_buckets(definition: Mapping[str, Any]) -> list[str]:
    """Return the buckets of the clusters' MinIO that a service reads or writes."""
    return list(dict.fromkeys(bucket for provider, bucket in buckets(definition, "minio") if provider == OWN_STORAGE))


class Buckets:
    """Creates, lists and deletes buckets of the clusters' MinIO; creates those of S3."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def provide(self, cluster: str, definition: Mapping[str, Any]) -> None:
        """Create the buckets that are missing, tagged with their service; existing ones are used as they are.

        Raises DefinitionError.
        """
        for bucket in own_buckets(definition):
            if await self._make(f"{BUCKET_PREFIX}{bucket}", MINIO_ACCOUNT):
                await self._tag(bucket, {"from_service": definition["name"], "cluster": cluster})
        for provider, bucket in dict.fromkeys(buckets(definition, "s3")):
            if "endpoint" not in definition["storage_providers"]["s3"][provider.partition(".")[2]]:
                await self._make(bucket, DEFAULT_ACCOUNT)

    async def all(self) -> list[str]:
        """Return the names of MinIO's buckets."""
        answer = await self._ask("GET", "", MINIO_ACCOUNT)
        names = texts(answer.body, ".//{*}Bucket/{*}Name") if answer.succeeded else []
        return [name.removeprefix(BUCKET_PREFIX) for name in names if name.startswith(BUCKET_PREFIX)]

    async def owner(self, bucket: str) -> tuple[str, str] | None:
        """Return the cluster and service that a bucket was made for, empty if for none; None if there is no bucket."""
        if not (await self._ask("HEAD", f"{BUCKET_PREFIX}{bucket}", MINIO_ACCOUNT)).succeeded:
            return None
        answer = await self._ask("GET", f"{BUCKET_PREFIX}{bucket}", MINIO_ACCOUNT, query=_TAGGING)
        tags = _tags(answer.body) if answer.succeeded else {}
        return tags.get("cluster", ""), tags.get("from_service", "")

    async def wipe(self, bucket: str) -> None:
        """Delete a bucket of MinIO with everything in it. Raises ServiceError when something cannot be deleted."""
        path = f"{BUCKET_PREFIX}{bucket}"
        while found := await self._versions(path):
            answers = {
                key: await self._ask("DELETE", f"{path}/{quote(key)}", MINIO_ACCOUNT, query={"versionId": version})
                for key, version in found
            }
            # What is refused would be listed again, and again.
            if refused := [key for key, answer in answers.items() if not answer.succeeded]:
                raise _not_deleted(bucket, f"{len(refused)} of its files, such as {refused[0]!r}", answers[refused[0]])
        answer = await self._ask("DELETE", path, MINIO_ACCOUNT)
        if not answer.succeeded and answer.status_code != HTTPStatus.NOT_FOUND:
            raise _not_deleted(bucket, "it", answer)

    async def _versions(self, path: str) -> list[tuple[str, str]]:
        """Return keys and versions of the next objects, deleted ones too; without versions, there is one, `null`."""
        answer = await self._ask("GET", path, MINIO_ACCOUNT, query={"versions": ""})
        elements = parsed(answer.body) if answer.succeeded else ()
        kinds = ("Version", "DeleteMarker")
        listed = [element for element in elements if element.tag.rpartition("}")[2] in kinds]
        return [(one.findtext("{*}Key", ""), one.findtext("{*}VersionId", "null")) for one in listed]

    async def _make(self, bucket: str, account: str) -> bool:
        if (await self._ask("HEAD", bucket, account)).succeeded:
            return False
        answer = await self._ask("PUT", bucket, account)
        if not answer.succeeded and b"BucketAlreadyOwnedByYou" not in answer.body:
            name = bucket.removeprefix(BUCKET_PREFIX)
            raise DefinitionError(f"bucket {name}: could not be created: {answer.body[:300].decode(errors='replace')}")
        return True

    async def _tag(self, bucket: str, tags: Mapping[str, str]) -> None:
        entries = "".join(f"<Tag><Key>{key}</Key><Value>{escape(value)}</Value></Tag>" for key, value in tags.items())
        body = f"<Tagging><TagSet>{entries}</TagSet></Tagging>".encode()
        await self._ask("PUT", f"{BUCKET_PREFIX}{bucket}", MINIO_ACCOUNT, query=_TAGGING, body=body)

    async def _ask(
        self, method: str, bucket: str, account: str, *, query: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Response:
        request: Request = rest_request(
            "s3", method, f"/{bucket}", query=query, body=body, account=account, region=DEFAULT_REGION
        )
        return await self._upstream.request(request)


def _not_deleted(bucket: str, what: str, answer: Response) -> ServiceError:
    reason = answer.body[:300].decode(errors="replace")
    message = f"bucket {bucket}: {what} could not be deleted; delete it yourself. The reason: {reason}"
    return ServiceError(HTTPStatus.CONFLICT, "BucketNotEmpty", message)


def _tags(document: bytes) -> dict[str, str]:
    return {tag.findtext("{*}Key", ""): tag.findtext("{*}Value", "") for tag in parsed(document).iterfind(".//{*}Tag")}
