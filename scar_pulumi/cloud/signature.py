"""AWS signatures, version 4: which account, region and service a request names, and whether a secret signed it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import calendar
import hashlib
import hmac
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote

from scar_pulumi.cloud.asgi import Request, find_header
from scar_pulumi.cloud.layout import DEFAULT_ACCOUNT, DEFAULT_REGION

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


_ALGORITHM = "AWS4-HMAC-SHA256"
_HEADER = re.compile(
    rf"{_ALGORITHM}\s+Credential=(?P<credential>[^,\s]+),\s*SignedHeaders=(?P<headers>[^,\s]+),\s*"
    r"Signature=(?P<value>[0-9a-f]{64})"
)
_SKEW = 300.0
_FORM = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class Signature:
    """What a request says of its signature, checked or not; it counts for `seconds` from its `date`."""

    key: str
    """The access key."""
    day: str
    region: str
    service: str
    headers: str
    value: str
    date: str
    seconds: float = _SKEW
    in_query: bool = False

    def is_fresh(self, now: float) -> bool:
        """Whether it counts now, in seconds since the epoch."""
        try:
            made = calendar.timegm(time.strptime(self.date, _FORM))
        except ValueError:
            return False
        return self.date.startswith(self.day) and -_SKEW <= now - made <= self.seconds

    def is_of(self, secret: str, request: Request, *, path: str, payload: str) -> bool:
        """Whether the secret has signed the request; `path` and `payload` are as the service has them signed."""
        names = self.headers.split(";")
        if "host" not in names:
            return False
        headers = "".join(f"{name}:{_joined(request, name)}\n" for name in names)
        canonical = "\n".join([request.method, path, _query(request.query), headers, self.headers, payload])
        scope = [self.day, self.region, self.service, "aws4_request"]
        text = "\n".join([_ALGORITHM, self.date, "/".join(scope), hashlib.sha256(canonical.encode()).hexdigest()])
        key = f"AWS4{secret}".encode()
        for part in (*scope, text):
            key = hmac.digest(key, part.encode(), "sha256")
        # As bytes: of text, only ASCII can be compared.
        return hmac.compare_digest(key.hex().encode(), self.value.encode())


def signature_of(request: Request) -> Signature | None:
    """The signature of a request; None where it has none that can be read."""
    if found := _HEADER.fullmatch(request.header("authorization").strip()):
        return _signature(found["credential"], found["headers"], found["value"], request.header("x-amz-date"))
    query = dict(parse_qsl(request.query))
    seconds = query.get("X-Amz-Expires", "")
    if query.get("X-Amz-Algorithm") != _ALGORITHM or not re.fullmatch("[0-9]{1,6}", seconds):
        return None
    credential, headers, value, date = (
        query.get(f"X-Amz-{name}", "") for name in ("Credential", "SignedHeaders", "Signature", "Date")
    )
    return _signature(credential, headers, value, date, seconds=float(seconds), in_query=True)


def _signature(
    credential: str, headers: str, value: str, date: str, *, seconds: float = _SKEW, in_query: bool = False
) -> Signature | None:
    parts = credential.split("/")
    if len(parts) != 5 or parts[4] != "aws4_request":
        return None
    key, day, region, service, _ = parts
    return Signature(key, day, region, service, headers, value, date, seconds, in_query)


def _joined(request: Request, name: str) -> str:
    values = [value.decode("utf-8", "replace") for key, value in request.headers if key.decode().lower() == name]
    return ",".join(" ".join(value.split()) for value in values)


def _query(query: str) -> str:
    pairs = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "X-Amz-Signature"]
    encoded = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)
