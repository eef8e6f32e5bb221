"""Amazon ECR: where its registries are and who to be there."""

import base64
import os
import re
import threading
import time
from typing import Any
from urllib.parse import urlsplit

from scar_components.images.credentials import Credentials
from scar_components.images.errors import ImageError
from scar_components.images.reference import is_on_loopback
from scar_foundation.aws_session import AwsSession

# https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html, and the dual-stack and FIPS forms of it.
_HOST = re.compile(
    r"\d{12}\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\."
    r"(?:amazonaws\.com(?:\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn)"
)
_tokens: dict[tuple[str, AwsSession | None, str | None], tuple[float, str, Credentials]] = {}
_lock = threading.Lock()


def ecr_region(registry: str) -> str | None:
    """Region of a registry host that is ECR's, else None."""
    found = _HOST.fullmatch(registry)
    return found["region"] if found else None


def ecr_access(registry: str, region: str, session: AwsSession | None) -> tuple[str, Credentials]:
    """Return base URL and credentials for an ECR registry, from the usual AWS credentials.

    The endpoint that ECR names is the caller's own registry, so it is followed only where it is on this machine: that
    is how a local cloud leads pushes to itself. Tokens last for hours and are asked for once.
    """
    key = (registry, session, os.environ.get("AWS_ENDPOINT_URL"))
    with _lock:
        expires, base, credentials = _tokens.get(key, (0.0, "", None))
        if credentials is None or expires - time.time() < 600:
            expires, base, credentials = _authorize(registry, region, session)
            _tokens[key] = expires, base, credentials
    return base, credentials


def _authorize(registry: str, region: str, session: AwsSession | None) -> tuple[float, str, Credentials]:
    # Only who talks to ECR needs the AWS SDK, which takes a while to import.
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        client = (session or AwsSession()).client("ecr", region)
        answer: dict[str, Any] = client.get_authorization_token()["authorizationData"][0]
    except (BotoCoreError, ClientError) as error:
        raise ImageError(
            f"{registry}: no access to this ECR registry ({error}); check the AWS credentials and that they allow "
            "ecr:GetAuthorizationToken"
        ) from None
    user, _, secret = base64.b64decode(answer["authorizationToken"]).decode().partition(":")
    return answer["expiresAt"].timestamp(), _base_url(registry, answer["proxyEndpoint"]), Credentials(user, secret)


def _base_url(registry: str, endpoint: str) -> str:
    return endpoint.rstrip("/") if is_on_loopback(urlsplit(endpoint).netloc) else f"https://{registry}"
