"""Reading an image from the local store: its manifest and configuration as plain data."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scar_foundation.errors import LocalCloudError
from scar_pulumi.cloud.runner.configuration import Images

# https://github.com/opencontainers/image-spec/blob/main/image-index.md
_INDEXES = {
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
}
_ARCHITECTURES = {"x86_64": "amd64", "arm64": "arm64"}


class ImageError(LocalCloudError):
    """An image is missing, damaged or cannot be run."""


@dataclass(frozen=True)
class Layer:
    """One layer: the digest of its compressed bytes and the file that holds them."""

    digest: str
    path: Path
    media_type: str


@dataclass(frozen=True)
class Image:
    """An image as it lies in the store, lowest layer first."""

    digest: str
    config_path: Path
    layers: tuple[Layer, ...]
    entry_point: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    working_directory: str = "/"
    user: str = ""


def read_image(images: Images, digest: str, architecture: str = "x86_64") -> Image:
    """Read the image `digest`; of a multi-platform one the given architecture's. Raises ImageError."""
    manifest = _manifest(images, digest)
    if manifest.get("mediaType") in _INDEXES or "manifests" in manifest:
        return read_image(images, _platform(manifest, digest, architecture), architecture)
    descriptor = manifest["config"]["digest"]
    config_path = _blob(images, descriptor, digest)
    content = config_path.read_bytes()
    if "sha256:" + hashlib.sha256(content).hexdigest() != descriptor:
        raise ImageError(
            f"image {digest}: its configuration {descriptor} is damaged; destroy its stacks and deploy them again"
        )
    layers = tuple(_layer(images, entry, digest) for entry in manifest["layers"])
    return Image(digest, config_path, layers, **_settings(json.loads(content).get("config") or {}))


def _manifest(images: Images, digest: str) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(images.manifest(digest))
    except KeyError:
        raise ImageError(f"image {digest}: not in the local store; deploy the stack again to push it") from None
    return manifest


def _blob(images: Images, digest: str, image: str) -> Path:
    try:
        return images.blob_path(digest)
    except KeyError:
        raise ImageError(
            f"image {image}: its blob {digest} is missing; destroy its stacks and deploy them again"
        ) from None


def _platform(index: Mapping[str, Any], digest: str, architecture: str) -> str:
    wanted = _ARCHITECTURES.get(architecture, architecture)
    for entry in index["manifests"]:
        platform = entry.get("platform", {})
        if platform.get("os", "linux") == "linux" and platform.get("architecture") == wanted:
            return str(entry["digest"])
    raise ImageError(f"image {digest}: holds no linux/{wanted} image; build it for that platform")


def _layer(images: Images, entry: Mapping[str, Any], image: str) -> Layer:
    media_type = str(entry.get("mediaType", ""))
    if "zstd" in media_type:
        raise ImageError(f"image {image}: layer {entry['digest']} is zstd; Lambda takes gzip layers only")
    return Layer(entry["digest"], _blob(images, entry["digest"], image), media_type)


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    variables = (entry.partition("=") for entry in config.get("Env") or ())
    return {
        "entry_point": tuple(config.get("Entrypoint") or ()),
        "command": tuple(config.get("Cmd") or ()),
        "environment": tuple((name, value) for name, _, value in variables if name),
        "working_directory": config.get("WorkingDir") or "/",
        "user": config.get("User") or "",
    }


def command_line(image: Image, entry_point: tuple[str, ...] | None, command: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return what the container executes. As with Docker, another entry point drops the image's command."""
    inherited = image.command if entry_point is None else ()
    entry_point = image.entry_point if entry_point is None else entry_point
    arguments = (*entry_point, *(inherited if command is None else command))
    if not arguments:
        raise ImageError(f"image {image.digest}: has neither Entrypoint nor Cmd; set one in the image")
    return arguments
