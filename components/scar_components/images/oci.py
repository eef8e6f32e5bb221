"""Manifests and indexes: https://github.com/opencontainers/image-spec, and Docker's equal ones."""

import re
from collections.abc import Sequence

from scar_components.images.base import PLATFORMS, Document
from scar_components.images.errors import ImageError
from scar_components.images.layers import ZSTD_ADVICE

INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def is_index(document: Document) -> bool:
    """Whether a document lists manifests rather than layers."""
    return "manifests" in document


def choose(where: str, index: Document, architecture: str) -> Document:
    """Return the descriptor of the one entry of an index that is for `architecture`.

    Build attestations are no images and don't count. An entry without a platform counts as fitting: its
    configuration will tell.
    """
    images: list[Document] = [entry for entry in index["manifests"] if not _is_attestation(entry)]
    wanted = ("linux", PLATFORMS[architecture])
    exact = [entry for entry in images if _platform(entry) == wanted]
    fitting = exact or [entry for entry in images if not entry.get("platform")]
    if not fitting:
        offered = ", ".join(sorted({"/".join(_platform(entry)) for entry in images})) or "nothing"
        raise ImageError(
            f"{where}: has no image for linux/{wanted[1]}, only {offered}; "
            "choose another image or the function's architecture"
        )
    if len({entry["digest"] for entry in fitting}) > 1:
        raise ImageError(f"{where}: holds {len(fitting)} images; save only the one that is meant")
    return fitting[0]


def check_manifest(where: str, manifest: Document) -> Sequence[Document]:
    """Return the layers of a manifest. Raises ImageError for layers that Lambda cannot have."""
    if manifest.get("schemaVersion") != 2 or not isinstance(manifest.get("layers"), list) or "config" not in manifest:
        raise ImageError(f"{where}: has a manifest of an unknown kind; push or save the image with a current tool")
    layers: Sequence[Document] = manifest["layers"]
    for layer in layers:
        digest_of(where, layer)
        kind = str(layer.get("mediaType"))
        if "zstd" in kind:
            raise ImageError(f"{where}: has zstd layers, which Lambda does not take; {ZSTD_ADVICE}")
        if layer.get("urls") or "foreign" in kind or "encrypted" in kind:
            raise ImageError(f"{where}: has a layer of kind {kind}, which cannot be copied; give an image without it")
    return layers


def digest_of(where: str, descriptor: Document) -> str:
    """Return a descriptor's digest, which is sure to be usable as a file name."""
    digest = descriptor.get("digest")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise ImageError(f"{where}: has {digest!r} for a digest, only sha256 is understood; save the image again")
    return digest


def _platform(entry: Document) -> tuple[str, str]:
    platform = entry.get("platform") or {}
    return str(platform.get("os")), str(platform.get("architecture"))


def _is_attestation(entry: Document) -> bool:
    return _platform(entry) == ("unknown", "unknown")
