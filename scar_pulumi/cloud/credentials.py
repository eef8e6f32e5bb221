"""Whom and what a request is for: account, region and service, read from its signature's credential scope.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-elements.html
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from scar_pulumi.cloud.asgi import find_header

DEFAULT_ACCOUNT = "000000000000"
DEFAULT_REGION = "us-east-1"

_SCOPE = re.compile(r"(?P<key>[^/\s=]+)/[0-9]{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")
_ACCOUNT = re.compile(r"[0-9]{12}")


@dataclass(frozen=True)
class Caller:
    """An account in a region, asking a service."""

    account: str = DEFAULT_ACCOUNT
    region: str = DEFAULT_REGION
    service: str = ""


def caller_of(headers: Iterable[tuple[bytes, bytes]], query: str = "") -> Caller | None:
    """Who signed a request, in its header or its query; None when nobody did."""
    found = _SCOPE.search(find_header(headers, "authorization"))
    if not found and "X-Amz-Credential" in query:
        found = _SCOPE.search(dict(parse_qsl(query)).get("X-Amz-Credential", ""))
    if not found:
        return None
    key = found["key"]
    # An access key of twelve digits is an account id to MiniStack; any other belongs to the default account.
    return Caller(key if _ACCOUNT.fullmatch(key) else DEFAULT_ACCOUNT, found["region"], found["service"])


def authorization(account: str, region: str, service: str) -> tuple[bytes, bytes]:
    """The header that makes MiniStack take a request for this account, region and service; signatures go unchecked."""
    scope = f"{account}/20240101/{region}/{service}/aws4_request"
    value = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'0' * 64}"
    return b"authorization", value.encode()
