"""Whom a request names in its signature, and whether the signature is right: botocore signs, the local cloud checks."""

import time
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from scar_pulumi.cloud.asgi import Request
from scar_pulumi.cloud.signature import Caller, authorization, caller_of, signature_of


def test_the_caller_is_read_from_the_header_and_from_a_presigned_query() -> None:
    assert caller_of([authorization("123456789012", "eu-west-1", "ecr")]) == Caller("123456789012", "eu-west-1", "ecr")
    query = "X-Amz-Credential=test%2F20260101%2Fus-west-2%2Fs3%2Faws4_request&X-Amz-Expires=60"
    assert caller_of([], query) == Caller("000000000000", "us-west-2", "s3")
    assert caller_of([(b"authorization", b"Basic abc")]) is None


SECRET = "a secret"
URL = "http://127.0.0.1:4566/a%20b/c?x=1&y=%2F&empty="


def signed(kind: type[SigV4Auth], service: str, body: bytes = b"body") -> Request:
    request = AWSRequest("PUT", URL, headers={"host": "127.0.0.1:4566", "x-amz-meta-a": "two  spaces"}, data=body)
    kind(Credentials("key", SECRET), service, "eu-west-1").add_auth(request)
    parts = urlsplit(request.url)
    headers = tuple((name.lower().encode(), str(value).encode()) for name, value in request.headers.items())
    return Request("PUT", parts.path, parts.query, headers, body)


def is_valid(request: Request, secret: str = SECRET, seconds: float = 0) -> bool:
    signature = signature_of(request)
    return signature is not None and signature.is_valid(secret, request, time.time() + seconds)


@pytest.mark.parametrize(
    ("kind", "service"), [(SigV4Auth, "execute-api"), (S3SigV4Auth, "s3"), (S3SigV4QueryAuth, "s3")]
)
def test_what_botocore_signed_is_valid_until_it_is_old_or_changed(kind: type[SigV4Auth], service: str) -> None:
    request = signed(kind, service, b"" if kind is S3SigV4QueryAuth else b"body")
    assert is_valid(request)
    assert not is_valid(request, secret="another")
    assert not is_valid(request, seconds=7 * 24 * 3600.0)
    assert not is_valid(request, seconds=-600.0)
    assert not is_valid(replace(request, method="DELETE"))
    assert not is_valid(replace(request, path="/a%20b/d"))
    assert not is_valid(replace(request, query=request.query.replace("x=1", "x=2")))
    headers = tuple((name, value.replace(b"127.0.0.1", b"localhost")) for name, value in request.headers)
    assert not is_valid(replace(request, headers=headers))


def test_the_body_is_signed_by_its_hash() -> None:
    assert not is_valid(replace(signed(SigV4Auth, "execute-api"), body=b"another"))
    named = signed(S3SigV4Auth, "s3")
    headers = tuple((name, b"0" * 64 if name == b"x-amz-content-sha256" else value) for name, value in named.headers)
    assert not is_valid(replace(named, headers=headers))


@pytest.mark.parametrize(
    "value", ["", "Basic YTpi", "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=0"]
)
def test_a_request_without_a_readable_signature_has_none(value: str) -> None:
    assert signature_of(Request("GET", "/", headers=((b"authorization", value.encode()),))) is None
