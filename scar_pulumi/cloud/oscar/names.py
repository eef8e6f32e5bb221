"""MinIO's buckets among those of the local cloud's S3: an account of their own, and names that say so.

Names of buckets are unique among all accounts, so `pictures` of MinIO cannot be called like `pictures` of AWS.
"""

import re
from urllib.parse import parse_qsl, urlencode

from scar_pulumi.cloud.asgi import Headers, Scope, raw_path
from scar_pulumi.cloud.oscar.address import MINIO_PATH, REGION
from scar_pulumi.cloud.signature import authorization

ACCOUNT = "000000000900"
PREFIX = "minio--"
LONGEST = 63 - len(PREFIX)
_OF_SIGNATURES = ("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders")
_SIGNATURES = (*_OF_SIGNATURES, "x-amz-signature", "x-amz-security-token")
_NAMES = re.compile(rb"(<(?:Name|Bucket|BucketName)>)" + PREFIX.encode())
_PATHS = re.compile(rb"(<(?:Location|Resource)>[^<]*?/)" + PREFIX.encode())


def path_in_minio(scope: Scope) -> str:
    """The path of a request as MinIO sees it, percent-encoded."""
    return raw_path(scope).removeprefix(MINIO_PATH) or "/"


def bucket_and_key(path: str) -> tuple[str, str]:
    """Bucket and key of a path; empty where it names none."""
    bucket, _, key = path.lstrip("/").partition("/")
    return bucket, key


def translated(scope: Scope, path: str, decoded: str) -> Scope:
    """The request as the local cloud's S3 has to see it; `path` is as it was sent, `decoded` without encoding."""
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
    return f"/{PREFIX}{bucket}" if bucket else "/"


def _headers(headers: Headers) -> list[tuple[bytes, bytes]]:
    kept = [(name, _source(name, value)) for name, value in headers if name.lower() != b"authorization"]
    return [*kept, authorization(ACCOUNT, REGION, "s3")]


def _source(name: bytes, value: bytes) -> bytes:
    if name.lower() != b"x-amz-copy-source":
        return value
    return PREFIX.encode() + value.lstrip(b"/")


def restored(document: bytes) -> bytes:
    """An answer of the local cloud's S3 as MinIO would have written it."""
    return _PATHS.sub(rb"\1", _NAMES.sub(rb"\1", document))
