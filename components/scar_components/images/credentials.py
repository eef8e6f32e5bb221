"""Credentials for registries: from logins of Docker and Podman, credential helpers, and from AWS for Amazon ECR."""

import base64
import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scar_components.images.image import DOCKER_HUB, ImageError, is_on_loopback
from scar_foundation.aws_session import AwsSession

# Docker Hub's entry is named after its old API:
# https://docs.docker.com/reference/cli/docker/login/#credential-stores
_HUB_KEY = "https://index.docker.io/v1/"


@dataclass(frozen=True)
class Credentials:
    """A user name with a password, or a refresh token. The secret is never printed."""

    user: str
    secret: str = field(repr=False)

    @property
    def is_refresh_token(self) -> bool:
        """Whether the secret is an OAuth2 refresh token, as some credential helpers give."""
        return self.user == "<token>"

    def basic(self) -> str:
        """Return the value of an Authorization header."""
        return f"Basic {base64.b64encode(f'{self.user}:{self.secret}'.encode()).decode()}"


def stored_credentials(registry: str) -> Credentials | None:
    """Return the credentials that `docker login` or `podman login` has stored for a registry, or None."""
    return next((found for path in _files() if (found := _in_file(path, registry))), None)


def logins() -> list[str]:
    """Return the registries that Docker or Podman is signed in to, sorted, without those that only a helper knows."""
    found: set[str] = set()
    for path in _files():
        try:
            configuration = json.loads(path.read_text())
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:
            raise ImageError(f"{path}: cannot be read ({error}); correct or remove it") from None
        keys = [*(configuration.get("auths") or {}), *(configuration.get("credHelpers") or {})]
        found |= {DOCKER_HUB if key == _HUB_KEY else key.removeprefix("https://") for key in keys}
    return sorted(found)


def _files() -> Iterator[Path]:
    """Return the files that may hold logins, in the order of Docker, then of Podman.

    https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md
    """
    docker = os.environ.get("DOCKER_CONFIG")
    if docker:
        yield Path(docker) / "config.json"
    if named := os.environ.get("REGISTRY_AUTH_FILE"):
        yield Path(named)
    if not docker:
        yield Path.home() / ".docker" / "config.json"
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(runtime) / "containers" / "auth.json"
    yield Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "containers" / "auth.json"


def _in_file(path: Path, registry: str) -> Credentials | None:
    try:
        configuration = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise ImageError(f"{path}: cannot be read ({error}); correct or remove it") from None
    keys = [_HUB_KEY, DOCKER_HUB] if registry == DOCKER_HUB else [registry, f"https://{registry}"]
    helper = next(
        (configuration["credHelpers"][key] for key in keys if key in (configuration.get("credHelpers") or {})),
        configuration.get("credsStore"),
    )
    stored = configuration.get("auths") or {}
    found = next((_stored(stored[key]) for key in keys if stored.get(key)), None)
    return found or (_from_helper(helper, keys[0]) if helper else None)


def _stored(entry: dict[str, Any]) -> Credentials | None:
    if token := entry.get("identitytoken"):
        return Credentials("<token>", token)
    if not entry.get("auth"):
        return None
    user, _, secret = base64.b64decode(entry["auth"]).decode().partition(":")
    return Credentials(user, secret)


def _from_helper(helper: str, key: str) -> Credentials | None:
    """Ask a credential helper: https://github.com/docker/docker-credential-helpers#development."""
    program = shutil.which(f"docker-credential-{helper}")
    if program is None:
        return None
    done = subprocess.run(  # noqa: PLW1510 - it fails for registries that it does not know
        [program, "get"], input=key, capture_output=True, text=True
    )
    if done.returncode:
        return None
    answer = json.loads(done.stdout)
    return Credentials(answer["Username"], answer["Secret"])


# https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html, and the dual-stack and FIPS forms of it.
_HOST = re.compile(
    r"\d{12}\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\."
    r"(?:amazonaws\.com(?:\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn)"
)
_tokens: dict[tuple[str, AwsSession | None, str | None], tuple[float, str, Credentials]] = {}
_lock = threading.Lock()


def ecr_region(registry: str) -> str | None:
    """Return the region of an ECR registry host; None for other hosts."""
    found = _HOST.fullmatch(registry)
    return found["region"] if found else None


def is_in_ecr(image: str) -> bool:
    """Return whether an image's name is one of an ECR registry, which takes AWS credentials to read."""
    return ecr_region(image.strip().partition("/")[0]) is not None


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
    # The AWS SDK takes a while to import, and only ECR needs it.
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        client = (session or AwsSession()).client("ecr", region)
        answer: dict[str, Any] = client.get_authorization_token()["authorizationData"][0]
    except (BotoCoreError, ClientError) as error:
        raise ImageError(
            f"{registry}: access to this ECR registry failed ({error}); check the AWS credentials, and that they allow "
            "ecr:GetAuthorizationToken"
        ) from None
    user, _, secret = base64.b64decode(answer["authorizationToken"]).decode().partition(":")
    return answer["expiresAt"].timestamp(), _base_url(registry, answer["proxyEndpoint"]), Credentials(user, secret)


def _base_url(registry: str, endpoint: str) -> str:
    return endpoint.rstrip("/") if is_on_loopback(urlsplit(endpoint).netloc) else f"https://{registry}"
