"""Names of images: `debian:12`, `ghcr.io/owner/name@sha256:…`, `000000000000.dkr.ecr.us-east-1.amazonaws.com/name`."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from scar_components.images.errors import ImageError
from scar_foundation.loopback import is_loopback

DOCKER_HUB = "docker.io"

# The grammar of https://github.com/distribution/reference/blob/main/reference.go
_PATH = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<repository>{_PATH}(?:/{_PATH})*)(?::(?P<tag>\w[\w.-]{{0,127}}))?(?:@(?P<digest>sha256:[0-9a-f]{{64}}))?",
    re.ASCII,
)


@dataclass(frozen=True)
class Reference:
    """An image in a registry."""

    registry: str
    """Host, with port where it has one; `docker.io` for Docker Hub."""
    repository: str
    tag: str | None
    digest: str | None

    @property
    def version(self) -> str:
        """What to ask the registry for: the digest, else the tag."""
        return self.digest or self.tag or "latest"

    def __str__(self) -> str:
        """Return the full name, registry included."""
        return f"{self.registry}/{self.repository}" + (f"@{self.digest}" if self.digest else f":{self.version}")


def parse_reference(text: str) -> Reference:
    """Read an image name as `docker pull` does. Raises ImageError where Docker would refuse it too."""
    registry, rest = _split_registry(text.strip())
    found = _REFERENCE.fullmatch(rest)
    if not found:
        raise ImageError(
            f"image {text!r}: is not an image name; write it like debian:12, ghcr.io/owner/name:1.0 or name@sha256:…"
        )
    repository = found["repository"]
    if registry == DOCKER_HUB and "/" not in repository:
        repository = f"library/{repository}"
    return Reference(registry, repository, found["tag"], found["digest"])


def parse_repository_url(url: str) -> tuple[str, str]:
    """Split `host/name` into registry and repository."""
    registry, _, repository = url.partition("/")
    if not repository or "@" in url or not re.fullmatch(rf"{_PATH}(?:/{_PATH})*", repository):
        raise ImageError(f"repository_url {url!r}: is not a repository; give host/name as aws.ecr.Repository has it")
    return registry, repository


def is_on_loopback(registry: str) -> bool:
    """Whether a registry, `host:port`, is on this machine, the only place where plain HTTP is fine."""
    return is_loopback(urlsplit(f"//{registry}").hostname or "")


def _split_registry(text: str) -> tuple[str, str]:
    first, slash, rest = text.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first):
        return (DOCKER_HUB if first in {"index.docker.io", "registry-1.docker.io"} else first), rest
    return DOCKER_HUB, text
