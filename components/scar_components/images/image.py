"""An image as plain data: its name, its layers with where their bytes are, and its plan."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from scar_foundation.errors import ScarError
from scar_foundation.files import file_stamp
from scar_foundation.loopback import is_loopback_url


class ImageError(ScarError):
    """An image cannot be read, made or pushed."""


CHUNK = 1 << 20
MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def sha256(data: bytes) -> str:
    """Return the digest of some bytes as registries write it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass(frozen=True)
class FileRange:
    """Bytes in a file: a layer in the cache, or one inside a tar archive."""

    path: Path
    offset: int
    size: int
    stamp: str
    """`file_stamp` of the file when it was examined; empty for cached files, whose content never changes."""

    @classmethod
    def whole(cls, path: Path) -> "FileRange":
        """Return all of a file that may change."""
        return cls(path, 0, path.stat().st_size, file_stamp(path))

    @classmethod
    def cached(cls, path: Path, size: int | None = None) -> "FileRange":
        """Return all of a cached file."""
        return cls(path, 0, path.stat().st_size if size is None else size, "")

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes. Raises ImageError if the file has changed, is too short or is gone."""
        try:
            with self.path.open("rb") as file:
                self._check_unchanged()
                yield from self._read(file)
        except OSError as error:
            raise ImageError(
                f"{self.path}: cannot be read ({error.strerror}); put the file back and run again"
            ) from None

    def read(self) -> bytes:
        """Return all bytes; for documents, not for layers."""
        return b"".join(self.chunks())

    def _read(self, file: BinaryIO) -> Iterator[bytes]:
        file.seek(self.offset)
        left = self.size
        while left:
            chunk = file.read(min(CHUNK, left))
            if not chunk:
                raise ImageError(f"{self.path}: is truncated; write or download it again")
            left -= len(chunk)
            yield chunk

    def _check_unchanged(self) -> None:
        if self.stamp and file_stamp(self.path) != self.stamp:
            raise ImageError(f"{self.path}: has changed since it was examined; run again")


@dataclass(frozen=True)
class RemoteBlob:
    """Where a layer is that only a registry has."""

    registry: str
    repository: str


@dataclass(frozen=True)
class Layer:
    """One gzip layer of an image."""

    digest: str
    size: int
    """Bytes, compressed."""
    diff_id: str
    """Digest of the uncompressed tar."""
    source: FileRange | RemoteBlob
    unpacked: int = 0
    """Bytes, uncompressed; 0 where only a registry knows."""


@dataclass(frozen=True)
class ImagePlan:
    """An image that is fully known and not necessarily pushed anywhere yet."""

    manifest: bytes
    config: bytes
    layers: tuple[Layer, ...]

    @property
    def digest(self) -> str:
        """Digest of the manifest: what `repository@sha256:…` names."""
        return sha256(self.manifest)


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
    """Host, with a port if it is not the default; `docker.io` for Docker Hub."""
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
    """Parse an image name as `docker pull` does. Raises ImageError if it is not one."""
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
        raise ImageError(f"repository_url {url!r}: is not a repository; use host/name, as aws.ecr.Repository has it")
    return registry, repository


def is_on_loopback(registry: str) -> bool:
    """Whether a registry, `host:port`, is on this machine; only there plain HTTP is used."""
    return is_loopback_url(f"//{registry}")


def _split_registry(text: str) -> tuple[str, str]:
    first, slash, rest = text.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first):
        return (DOCKER_HUB if first in {"index.docker.io", "registry-1.docker.io"} else first), rest
    return DOCKER_HUB, text
