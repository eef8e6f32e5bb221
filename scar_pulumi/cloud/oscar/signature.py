"""Whether a request is signed with the secret of MinIO's user."""

import time

from scar_pulumi.cloud.asgi import Scope, request_of
from scar_pulumi.cloud.signature import signature_of


def access_key(scope: Scope) -> str:
    """The key that a request is signed with; empty for one that is not signed."""
    signature = signature_of(request_of(scope))
    return signature.key if signature else ""


def is_valid(scope: Scope, secret: str) -> bool:
    """Whether the signature is that of the secret, and counts now."""
    request = request_of(scope)
    signature = signature_of(request)
    if signature is None or not signature.is_fresh(time.time()):
        return False
    # https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
    payload = "UNSIGNED-PAYLOAD" if signature.in_query else request.header("x-amz-content-sha256")
    return signature.is_of(secret, request, path=request.path, payload=payload)
