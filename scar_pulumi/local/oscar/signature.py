"""Whether a request is signed with the secret of MinIO's user.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, and the same in a query.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, quote

from scar_pulumi.local.asgi import Scope, find_header, raw_path

_ALGORITHM = "AWS4-HMAC-SHA256"
_HEADER = re.compile(
    rf"{_ALGORITHM} +Credential=(?P<credential>[^, ]+), *SignedHeaders=(?P<headers>[^, ]+), *"
    r"Signature=(?P<signature>\w+)"
)


class _Signed(NamedTuple):
    credential: str
    headers: str
    signature: str
    date: str
    payload: str


def access_key(scope: Scope) -> str:
    """The key that a request is signed with; empty for one that is not signed."""
    signed = _signed(scope)
    return signed.credential.partition("/")[0] if signed else ""


def is_valid(scope: Scope, secret: str) -> bool:
    """Whether the signature is that of the secret."""
    signed = _signed(scope)
    if signed is None or signed.credential.count("/") != 4:
        return False
    _, day, region, service, _ = signed.credential.split("/")
    request = hashlib.sha256(_canonical(scope, signed).encode()).hexdigest()
    text = "\n".join((_ALGORITHM, signed.date, f"{day}/{region}/{service}/aws4_request", request))
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request", text):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.compare_digest(key.hex(), signed.signature)


def _signed(scope: Scope) -> _Signed | None:
    headers, query = scope["headers"], _query(scope)
    if found := _HEADER.match(find_header(headers, "authorization")):
        given = found["credential"], found["headers"], found["signature"]
        return _Signed(*given, find_header(headers, "x-amz-date"), find_header(headers, "x-amz-content-sha256"))
    if query.get("X-Amz-Algorithm") != _ALGORITHM:
        return None
    credential, names = query.get("X-Amz-Credential", ""), query.get("X-Amz-SignedHeaders", "")
    return _Signed(credential, names, query.get("X-Amz-Signature", ""), query.get("X-Amz-Date", ""), "UNSIGNED-PAYLOAD")


def _canonical(scope: Scope, signed: _Signed) -> str:
    query = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in _query(scope).items()
        if name != "X-Amz-Signature"
    )
    headers = ((name, find_header(scope["headers"], name)) for name in signed.headers.split(";"))
    return "\n".join(
        (
            scope["method"],
            raw_path(scope),
            "&".join(f"{name}={value}" for name, value in query),
            *(f"{name}:{' '.join(value.split())}" for name, value in headers),
            "",
            signed.headers,
            signed.payload,
        )
    )


def _query(scope: Scope) -> Mapping[str, str]:
    return dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True))
