"""Who signed a request to an HTTP API: anybody with the local cloud's one secret."""

import hashlib
import re
from urllib.parse import quote

from scar_pulumi.cloud.asgi import Request
from scar_pulumi.cloud.signature import signature_of

_ACCESS_KEYS = re.compile(r"test|[0-9]{12}")
_SECRET = "test"  # noqa: S105 - what `scar-pulumi local env` hands out


def signer(request: Request, region: str, now: float) -> str | None:
    """The access key that signed a request for this region; None where nobody did who may."""
    found = signature_of(request)
    if found is None or (found.region, found.service) != (region, "execute-api"):
        return None
    # Every service but S3 has the path, as it was sent, encoded once more.
    path = quote(request.path or "/", safe="/-_.~")
    body = hashlib.sha256(request.body).hexdigest()
    may = _ACCESS_KEYS.fullmatch(found.key) and found.is_fresh(now)
    return found.key if may and found.is_of(_SECRET, request, path=path, payload=body) else None
