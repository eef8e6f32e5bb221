"""Read an image from the local store, and tell whether this machine can run it."""

import hashlib
import json
import os
import posixpath
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
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


class UnusableImageError(LocalCloudError):
    """An image is missing, damaged or cannot be run."""


@dataclass(frozen=True)
class StoredLayer:
    """A layer: the digest of its compressed bytes, and the file that holds them."""

    digest: str
    path: Path
    media_type: str


@dataclass(frozen=True)
class StoredImage:
    """An image in the local store, lowest layer first."""

    digest: str
    config_path: Path
    layers: tuple[StoredLayer, ...]
    entry_point: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    working_directory: str = "/"
    user: str = ""


def read_image(images: Images, digest: str, architecture: str = "x86_64") -> StoredImage:
    """Read the image `digest`, for the given architecture where it has several. Raises UnusableImageError."""
    manifest = _manifest(images, digest)
    if manifest.get("mediaType") in _INDEXES or "manifests" in manifest:
        return read_image(images, _platform(manifest, digest, architecture), architecture)
    descriptor = manifest["config"]["digest"]
    config_path = _blob(images, descriptor, digest)
    content = config_path.read_bytes()
    if "sha256:" + hashlib.sha256(content).hexdigest() != descriptor:
        raise UnusableImageError(
            f"image {digest}: its configuration {descriptor} is damaged; destroy its stacks and deploy them again"
        )
    layers = tuple(_layer(images, entry, digest) for entry in manifest["layers"])
    return StoredImage(digest, config_path, layers, **_settings(json.loads(content).get("config") or {}))


def _manifest(images: Images, digest: str) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(images.manifest(digest))
    except KeyError:
        raise UnusableImageError(
            f"image {digest}: it is not in the local store; deploy the stack again to push it"
        ) from None
    return manifest


def _blob(images: Images, digest: str, image: str) -> Path:
    try:
        return images.blob_path(digest)
    except KeyError:
        raise UnusableImageError(
            f"image {image}: its blob {digest} is missing; destroy its stacks and deploy them again"
        ) from None


def _platform(index: Mapping[str, Any], digest: str, architecture: str) -> str:
    wanted = _ARCHITECTURES.get(architecture, architecture)
    for entry in index["manifests"]:
        platform = entry.get("platform", {})
        if platform.get("os", "linux") == "linux" and platform.get("architecture") == wanted:
            return str(entry["digest"])
    raise UnusableImageError(f"image {digest}: has no linux/{wanted} variant; build it for that platform")


def _layer(images: Images, entry: Mapping[str, Any], image: str) -> StoredLayer:
    media_type = str(entry.get("mediaType", ""))
    if "zstd" in media_type:
        raise UnusableImageError(
            f"image {image}: layer {entry['digest']} is zstd, and Lambda takes gzip only; build it with gzip"
        )
    return StoredLayer(entry["digest"], _blob(images, entry["digest"], image), media_type)


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    variables = (entry.partition("=") for entry in config.get("Env") or ())
    return {
        "entry_point": tuple(config.get("Entrypoint") or ()),
        "command": tuple(config.get("Cmd") or ()),
        "environment": tuple((name, value) for name, _, value in variables if name),
        "working_directory": config.get("WorkingDir") or "/",
        "user": config.get("User") or "",
    }


def command_line(
    image: StoredImage, entry_point: tuple[str, ...] | None, command: tuple[str, ...] | None
) -> tuple[str, ...]:
    """Return the command line of the container. As with Docker, another entry point drops the image's command."""
    inherited = image.command if entry_point is None else ()
    entry_point = image.entry_point if entry_point is None else entry_point
    arguments = (*entry_point, *(inherited if command is None else command))
    if not arguments:
        raise UnusableImageError(f"image {image.digest}: has neither Entrypoint nor Cmd; set one in the image")
    return arguments


_LARGEST_TEXT = 1 << 20
"""Bytes of a file that is read from an image."""


@lru_cache(maxsize=64)
def text_file(layers: tuple[StoredLayer, ...], name: str) -> str:
    """Return a small file of an image as text, "" where no layer has it; the topmost layer with it counts."""
    for layer in reversed(layers):
        with tarfile.open(layer.path, "r:*") as archive:
            for member in archive:
                if member.isreg() and posixpath.normpath(member.name).lstrip("/") == name:
                    found = archive.extractfile(member)
                    return found.read(_LARGEST_TEXT).decode(errors="replace") if found else ""
    return ""


_MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
_REGISTERED = Path("/proc/sys/fs/binfmt_misc")


def check_architecture(function: str, architecture: str, registered: Path = _REGISTERED) -> None:
    """Raise UnusableImageError for an architecture that this machine cannot run, and say how it could.

    Its kernel runs its own architecture and those with a registered emulator:
    https://docs.kernel.org/admin-guide/binfmt-misc.html
    """
    machine, here = _MACHINES[architecture], os.uname().machine
    if machine == here or any(_runs(entry, machine) for entry in registered.glob("*")):
        return
    raise UnusableImageError(
        f"{function}: its image is for {architecture}, and this machine is {here}; install qemu-user-static, which "
        "runs such programs (slowly), or set lambda.architectures for local stacks"
    )


def _runs(entry: Path, machine: str) -> bool:
    """Whether an entry emulates a machine with an interpreter that need not be in the container (flag F)."""
    try:
        lines = entry.read_text().splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags:")), "")
    return lines[:1] == ["enabled"] and "F" in flags.removeprefix("flags:") and f"qemu-{machine}" in "".join(lines)
