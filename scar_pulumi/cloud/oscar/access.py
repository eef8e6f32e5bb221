"""Who may ask: the cluster's user with the generated password, or whoever has a service's token."""

import base64
import binascii
import hmac

from scar_pulumi.cloud.asgi import Request, Response
from scar_pulumi.cloud.oscar.address import USER
from scar_pulumi.cloud.oscar.services import Service


def is_user(request: Request, password: str) -> bool:
    """Whether the request comes from the cluster's user."""
    kind, _, text = request.header("authorization").partition(" ")
    try:
        given = base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
    return kind.lower() == "basic" and hmac.compare_digest(given, f"{USER}:{password}".encode())


def has_token(request: Request, service: Service) -> bool:
    """Whether the request brings the service's token."""
    kind, _, text = request.header("authorization").partition(" ")
    token = str(service.definition["token"])
    return kind.lower() == "bearer" and hmac.compare_digest(text.strip().encode(), token.encode())


def unauthorised() -> Response:
    """The answer to everybody else."""
    return Response(401, b"", [(b"www-authenticate", b'Basic realm="Authorization Required"')])
