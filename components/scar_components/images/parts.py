"""What an image consists of, as plain data, and where the bytes of each layer are."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from scar_components.images.errors import ImageError

CHUNK = 1 << 20
MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def sha256(data: bytes) -> str:
    """Digest of some bytes as registries write it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def file_stamp(path: Path) -> str:
    """What changes when a file's content does, without reading it."""
    status = path.stat()
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}:{status.st_ino}"


@dataclass(frozen=True)
class FileRange:
    """Bytes in a file: a layer in the cache, or one inside a tar archive."""

    path: Path
    offset: int
    size: int
    stamp: str
    """`file_stamp` of the file when it was looked at; empty for files whose name says their content."""

    @classmethod
    def whole(cls, path: Path) -> "FileRange":
        """All of a file that may change."""
        return cls(path, 0, path.stat().st_size, file_stamp(path))

    @classmethod
    def cached(cls, path: Path, size: int | None = None) -> "FileRange":
        """All of a file in the cache."""
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
            raise ImageError(f"{self.path}: has changed since it was looked at; run again")


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
