"""Manifests, indexes and configurations of base images, and what Lambda accepts.

https://github.com/opencontainers/image-spec, and Docker's equivalents.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from scar_components.images.image import ImageError, Layer
from scar_components.images.layers import ZSTD_ADVICE
from scar_foundation.limits import GIB, LAMBDA_IMAGE_BYTES

PLATFORMS = {"x86_64": "amd64", "arm64": "arm64"}
"""Lambda's architectures in image indexes: https://github.com/opencontainers/image-spec/blob/main/image-index.md"""

INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

Document = dict[str, Any]


@dataclass(frozen=True)
class Base:
    """The image that a function's image is made from."""

    where: str
    """The base as the user named it; error messages begin with it."""
    configuration: Document
    """The image configuration: https://github.com/opencontainers/image-spec/blob/main/config.md."""
    layers: tuple[Layer, ...]


EMPTY = "scratch"
"""The base with nothing in it. No registry has it; the name is reserved for it:
https://docs.docker.com/build/building/base-images/#create-a-minimal-base-image-using-scratch"""


def empty_base(architecture: str) -> Base:
    """Return the base with nothing in it: an image that runs the supervisor's own parts, or a static program."""
    rootfs: Document = {"type": "layers", "diff_ids": []}
    return Base(f"image {EMPTY}", {"architecture": PLATFORMS[architecture], "os": "linux", "rootfs": rootfs}, ())


def parse_document(where: str, name: str, data: bytes) -> Document:
    """Parse a JSON object of an image. Raises ImageError for anything else."""
    try:
        document = json.loads(data)
    except ValueError:
        raise ImageError(f"{where}: {name} is not JSON; save the image again") from None
    if not isinstance(document, dict):
        raise ImageError(f"{where}: {name} is not a JSON object; save the image again")
    return cast(Document, document)


def diff_ids(where: str, configuration: Document, architecture: str, layers: int) -> Sequence[str]:
    """Return the digests of an image's uncompressed layers, after checking that Lambda can run it on `architecture`."""
    check_platform(where, configuration.get("os"), configuration.get("architecture"), architecture)
    found = (configuration.get("rootfs") or {}).get("diff_ids")
    if not isinstance(found, list) or len(found) != layers or not all(_is_digest(digest) for digest in found):
        raise ImageError(f"{where}: its configuration does not match its {layers} layers; save the image again")
    return found


def check_platform(where: str, system: object, platform: object, architecture: str) -> None:
    """Raise ImageError unless an image for `system`/`platform` runs on a Linux function of `architecture`."""
    if system not in {None, "", "linux"}:
        raise ImageError(f"{where}: is an image for {system}, but Lambda runs Linux only; use a Linux image")
    if platform != PLATFORMS[architecture]:
        names = {value: key for key, value in PLATFORMS.items()}
        advice = f"set architecture to {names[platform]!r} or " if platform in names else ""
        raise ImageError(
            f"{where}: is for {platform or 'an unnamed architecture'}, but the function is for {architecture}; "
            f"{advice}use an {PLATFORMS[architecture]} image"
        )


def check_limits(base: Base) -> None:
    """Raise ImageError if the image is too large for Lambda, or already has a supervisor."""
    size = sum(max(layer.size, layer.unpacked) for layer in base.layers)
    if size > LAMBDA_IMAGE_BYTES:
        raise ImageError(f"{base.where}: has {size / GIB:.1f} GB; Lambda's maximum is 10 GB, make it smaller")
    entrypoint = (base.configuration.get("config") or {}).get("Entrypoint") or [""]
    if entrypoint[0].startswith("/opt/scar/"):
        raise ImageError(f"{base.where}: already contains the supervisor; use the image that it was made from")


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and value.startswith("sha256:") and len(value) == 71


def is_index(document: Document) -> bool:
    """Whether a document lists manifests rather than layers."""
    return "manifests" in document


def choose(where: str, index: Document, architecture: str) -> Document:
    """Return the descriptor of the only entry of an index for `architecture`.

    Build attestations are ignored. An entry without a platform is accepted; its configuration is checked later.
    """
    images: list[Document] = [entry for entry in index["manifests"] if not _is_attestation(entry)]
    wanted = ("linux", PLATFORMS[architecture])
    exact = [entry for entry in images if _platform(entry) == wanted]
    fitting = exact or [entry for entry in images if not entry.get("platform")]
    if not fitting:
        offered = ", ".join(sorted({"/".join(_platform(entry)) for entry in images})) or "nothing"
        raise ImageError(
            f"{where}: has no image for linux/{wanted[1]}, only {offered}; "
            "choose another image, or another architecture for the function"
        )
    if len({entry["digest"] for entry in fitting}) > 1:
        raise ImageError(f"{where}: has {len(fitting)} images; save only one")
    return fitting[0]


def check_manifest(where: str, manifest: Document) -> Sequence[Document]:
    """Return the layers of a manifest. Raises ImageError for layers that Lambda does not accept."""
    if manifest.get("schemaVersion") != 2 or not isinstance(manifest.get("layers"), list) or "config" not in manifest:
        raise ImageError(f"{where}: has a manifest of an unknown format; push or save the image with a current tool")
    layers: Sequence[Document] = manifest["layers"]
    for layer in layers:
        digest_of(where, layer)
        kind = str(layer.get("mediaType"))
        if "zstd" in kind:
            raise ImageError(f"{where}: has zstd layers, which Lambda does not accept; {ZSTD_ADVICE}")
        if layer.get("urls") or "foreign" in kind or "encrypted" in kind:
            raise ImageError(f"{where}: has a layer of type {kind}, which cannot be copied; use another image")
    return layers


def digest_of(where: str, descriptor: Document) -> str:
    """Return the digest of a descriptor, checked, so that it is safe as a file name."""
    digest = descriptor.get("digest")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise ImageError(f"{where}: has the digest {digest!r}, and only sha256 is supported; save the image again")
    return digest


def _platform(entry: Document) -> tuple[str, str]:
    platform = entry.get("platform") or {}
    return str(platform.get("os")), str(platform.get("architecture"))


def _is_attestation(entry: Document) -> bool:
    return _platform(entry) == ("unknown", "unknown")
