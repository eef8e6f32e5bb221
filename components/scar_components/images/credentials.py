"""Who to be at a registry: from Docker's own configuration file and credential helpers."""

import base64
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scar_components.images.errors import ImageError
from scar_components.images.reference import DOCKER_HUB

# Docker Hub's entry is named after its first interface:
# https://docs.docker.com/reference/cli/docker/login/#credential-stores
_HUB_KEY = "https://index.docker.io/v1/"


@dataclass(frozen=True)
class Credentials:
    """A user name with a password, or a token to get tokens with. Never printed."""

    user: str
    secret: str = field(repr=False)

    @property
    def is_refresh_token(self) -> bool:
        """Whether the secret is an OAuth2 refresh token, as some credential helpers give."""
        return self.user == "<token>"

    def basic(self) -> str:
        """Value of an Authorization header."""
        return f"Basic {base64.b64encode(f'{self.user}:{self.secret}'.encode()).decode()}"


def docker_credentials(registry: str) -> Credentials | None:
    """Return what `docker login` has stored for a registry, or None."""
    path = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    try:
        configuration = json.loads(path.read_text())
    except FileNotFoundError:
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
    done = subprocess.run(  # noqa: PLW1510 - a helper that knows nothing fails
        [program, "get"], input=key, capture_output=True, text=True
    )
    if done.returncode:
        return None
    answer = json.loads(done.stdout)
    return Credentials(answer["Username"], answer["Secret"])
