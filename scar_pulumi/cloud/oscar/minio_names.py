"""Requests and documents between a MinIO and the local cloud's S3, where its buckets have other names."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlencode
from xml.etree.ElementTree import Element, ParseError

from scar_pulumi.cloud.asgi import RawHeaders, Scope, find_header, raw_path
from scar_pulumi.cloud.oscar.address import MINIO_PATH, REGION
from scar_pulumi.cloud.oscar.buckets import MINIO_ACCOUNT
from scar_pulumi.cloud.oscar.store import StoredBucket
from scar_pulumi.cloud.s3.documents import parsed, serialized
from scar_pulumi.cloud.signature import authorization

_OF_SIGNATURES = ("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders")
_SIGNATURES = (*_OF_SIGNATURES, "x-amz-signature", "x-amz-security-token")
_NAMES = ("Name", "Bucket", "BucketName")
_PLACES = ("Location", "Resource")
_COPY_SOURCE = "x-amz-copy-source"


def path_in_minio(scope: Scope, cluster: str) -> str:
    """Return the path of a request as a cluster's MinIO sees it, percent-encoded."""
    path = raw_path(scope)
    first, _, rest = path.removeprefix(f"{MINIO_PATH}/").partition("/")
    is_below = path.startswith(f"{MINIO_PATH}/") and unquote(first) == cluster
    return f"/{rest}" if is_below else path


def bucket_and_key(path: str) -> tuple[str, str]:
    """Return the bucket and key of a path; empty where it names none."""
    bucket, _, key = path.lstrip("/").partition("/")
    return bucket, key


def copy_source(headers: RawHeaders) -> str:
    """Return the bucket that an object is copied from, or the empty string."""
    return bucket_and_key(unquote(find_header(headers, _COPY_SOURCE)))[0]


def as_s3_request(scope: Scope, path: str, bucket: StoredBucket | None, source: StoredBucket | None) -> Scope:
    """Return the request for the local cloud's S3; `path` is as it was sent, `source` the bucket it copies from."""
    query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    kept = [(name, value) for name, value in query if name.lower() not in _SIGNATURES]
    text = scope.get("query_string", b"") if len(kept) == len(query) else urlencode(kept).encode()
    inner = _renamed(path, bucket)
    return {
        **scope,
        "path": unquote(inner),
        "raw_path": inner.encode("latin-1"),
        "query_string": text,
        "headers": _headers(scope["headers"], source),
    }


def _renamed(path: str, bucket: StoredBucket | None) -> str:
    if bucket is None:
        return "/"
    _, separator, key = path.lstrip("/").partition("/")
    return f"/{bucket.place}{separator}{key}"


def _headers(headers: RawHeaders, source: StoredBucket | None) -> list[tuple[bytes, bytes]]:
    kept = [(name, _source(name, value, source)) for name, value in headers if name.lower() != b"authorization"]
    return [*kept, authorization(MINIO_ACCOUNT, REGION, "s3")]


def _source(name: bytes, value: bytes, source: StoredBucket | None) -> bytes:
    if source is None or name.lower() != _COPY_SOURCE.encode():
        return value
    text = value.decode("latin-1").lstrip("/").removeprefix("%2F")
    return f"{source.place}{text[len(source.name) :]}".encode("latin-1")


def as_minio_document(document: bytes, names: Mapping[str, str]) -> bytes:
    """Return a document of the local cloud's S3 as MinIO would have written it: `names` are its buckets by place."""
    try:
        root = parsed(document)
    except ParseError:
        return document
    for listed in root.iterfind("{*}Buckets"):
        for bucket in [one for one in listed if one.findtext("{*}Name", "") not in names]:
            listed.remove(bucket)
    for element in root.iter():
        _restore(element, names)
    return serialized(root)


def _restore(element: Element, names: Mapping[str, str]) -> None:
    tag, text = element.tag.rpartition("}")[2], element.text or ""
    if tag in _NAMES:
        element.text = names.get(text, text)
    elif tag in _PLACES:
        for place, name in names.items():
            text = text.replace(f"/{place}", f"/{name}", 1)
        element.text = text
