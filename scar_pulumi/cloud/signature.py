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
    """Return who signed a request, in its header or its query; None when nobody did. Signatures are not checked."""
    found = _SCOPE.search(find_header(headers, "authorization"))
    if not found and "X-Amz-Credential" in query:
        found = _SCOPE.search(dict(parse_qsl(query)).get("X-Amz-Credential", ""))
    if not found:
        return None
    key = found["key"]
    # An access key of twelve digits is an account id to MiniStack; any other belongs to the default account.
    return Caller(key if _ACCOUNT.fullmatch(key) else DEFAULT_ACCOUNT, found["region"], found["service"])


def authorization(account: str, region: str, service: str) -> tuple[bytes, bytes]:
    """Return the header that tells MiniStack account, region and service; it checks no signatures."""
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
    """What a request says of its signature, which may be wrong; it is valid for `seconds` from its `date`."""

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

    def is_valid(self, secret: str, request: Request, now: float) -> bool:
        """Return whether the secret signed the request, and the signature is neither too old nor from the future."""
        return self._is_fresh(now) and self._is_of(secret, request)

    def _is_fresh(self, now: float) -> bool:
        try:
            made = calendar.timegm(time.strptime(self.date, _FORM))
        except ValueError:
            return False
        return self.date.startswith(self.day) and -_SKEW <= now - made <= self.seconds

    def _is_of(self, secret: str, request: Request) -> bool:
        if "host" not in self.headers.split(";"):
            return False
        scope = [self.day, self.region, self.service, "aws4_request"]
        digest = hashlib.sha256(self._canonical(request).encode()).hexdigest()
        key = f"AWS4{secret}".encode()
        for part in (*scope, "\n".join([_ALGORITHM, self.date, "/".join(scope), digest])):
            key = hmac.digest(key, part.encode(), "sha256")
        # As bytes: of text, only ASCII can be compared.
        return hmac.compare_digest(key.hex().encode(), self.value.encode())

    def _canonical(self, request: Request) -> str:
        headers = "".join(f"{name}:{_joined(request, name)}\n" for name in self.headers.split(";"))
        path, payload = self._path(request), self._payload(request)
        return "\n".join([request.method, path, _query(request.query), headers, self.headers, payload])

    def _path(self, request: Request) -> str:
        """Every service but S3 has the path, as it was sent, encoded once more."""
        return request.path if self.service == "s3" else quote(request.path or "/", safe="/-_.~")

    def _payload(self, request: Request) -> str:
        """S3's requests name the hash of their body, or say that it is not signed.

        https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
        """
        if self.service != "s3":
            return hashlib.sha256(request.body).hexdigest()
        return "UNSIGNED-PAYLOAD" if self.in_query else request.header("x-amz-content-sha256")


def signature_of(request: Request) -> Signature | None:
    """Return the signature of a request; None where it has none that can be read."""
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
