"""Signatures of requests, checked with the local cloud's one secret.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import calendar
import hashlib
import hmac
import re
import time
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote

from scar_pulumi.local.asgi import Request

_ACCESS_KEYS = re.compile(r"test|[0-9]{12}")
_SECRET = "test"  # noqa: S105 - what `scar-pulumi local env` hands out
_SERVICE = "execute-api"
_SKEW = 300.0
_IN_QUERY = ("Credential", "SignedHeaders", "Signature", "Date", "Expires")
_FORM = "%Y%m%dT%H%M%SZ"
_HEADER = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<credential>[^,\s]+),\s*SignedHeaders=(?P<headers>[^,\s]+),\s*"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True)
class _Claim:
    """What a request says of its signature; `valid` is for how many seconds."""

    credential: str
    headers: str
    signature: str
    date: str
    valid: float = _SKEW


def signer(request: Request, region: str, now: float) -> str | None:
    """The access key that signed a request for this region; None where nobody did who may."""
    claim = _in_header(request) or _in_query(request)
    if claim is None or claim.credential.count("/") != 4:
        return None
    key, day, *rest = claim.credential.split("/")
    if rest != [region, _SERVICE, "aws4_request"] or not _ACCESS_KEYS.fullmatch(key):
        return None
    if not claim.date.startswith(day) or not _is_fresh(claim, now) or "host" not in claim.headers.split(";"):
        return None
    own = _signature(request, claim, [day, *rest])
    # As bytes: of text, only ASCII can be compared.
    return key if hmac.compare_digest(own.encode(), claim.signature.encode()) else None


def _in_header(request: Request) -> _Claim | None:
    found = _HEADER.fullmatch(request.header("authorization").strip())
    date = request.header("x-amz-date")
    return _Claim(found["credential"], found["headers"], found["signature"], date) if found else None


def _in_query(request: Request) -> _Claim | None:
    found = dict(parse_qsl(request.query))
    credential, headers, signed, date, valid = (found.get(f"X-Amz-{name}", "") for name in _IN_QUERY)
    return _Claim(credential, headers, signed, date, float(valid)) if valid.isdigit() else None


def _is_fresh(claim: _Claim, now: float) -> bool:
    try:
        made = calendar.timegm(time.strptime(claim.date, _FORM))
    except ValueError:
        return False
    return -_SKEW <= now - made <= max(claim.valid, _SKEW)


def _signature(request: Request, claim: _Claim, scope: list[str]) -> str:
    canonical = hashlib.sha256(_canonical(request, claim).encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{claim.date}\n{'/'.join(scope)}\n{canonical}"
    key = f"AWS4{_SECRET}".encode()
    for part in scope:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _canonical(request: Request, claim: _Claim) -> str:
    names = claim.headers.split(";")
    headers = "".join(f"{name}:{_joined(request, name)}\n" for name in names)
    # Every service but S3 has the path, as it was sent, encoded once more.
    path = quote(request.path or "/", safe="/-_.~")
    body = hashlib.sha256(request.body).hexdigest()
    return "\n".join([request.method, path, _query(request.query), headers, claim.headers, body])


def _joined(request: Request, name: str) -> str:
    values = [value.decode("utf-8", "replace") for key, value in request.headers if key.decode().lower() == name]
    return ",".join(" ".join(value.split()) for value in values)


def _query(query: str) -> str:
    pairs = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "X-Amz-Signature"]
    encoded = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)
