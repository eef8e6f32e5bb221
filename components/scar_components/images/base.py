"""A base image: its configuration and its layers, wherever it comes from; and what Lambda accepts as one."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from scar_components.images.errors import ImageError
from scar_components.images.parts import Layer

# "The maximum uncompressed image size, including all layers":
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LAMBDA_IMAGE_LIMIT = 10 << 30

# https://github.com/opencontainers/image-spec/blob/main/image-index.md: architectures are Go's names.
PLATFORMS = {"x86_64": "amd64", "arm64": "arm64"}

Document = dict[str, Any]


@dataclass(frozen=True)
class Base:
    """The image that a function's image is made from."""

    where: str
    """How the user named it; errors begin with it."""
    configuration: Document
    """The image configuration: https://github.com/opencontainers/image-spec/blob/main/config.md."""
    layers: tuple[Layer, ...]


def parse_document(where: str, name: str, data: bytes) -> Document:
    """Read a JSON object of an image. Raises ImageError for anything else."""
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
        raise ImageError(f"{where}: its configuration does not fit its {layers} layers; save the image again")
    return found


def check_platform(where: str, system: object, platform: object, architecture: str) -> None:
    """Raise ImageError unless an image for `system`/`platform` runs on a Linux function of `architecture`."""
    if system not in {None, "", "linux"}:
        raise ImageError(f"{where}: is an image for {system}; Lambda runs linux only, give a linux image")
    if platform != PLATFORMS[architecture]:
        names = {value: key for key, value in PLATFORMS.items()}
        advice = f"set architecture to {names[platform]!r} or " if platform in names else ""
        raise ImageError(
            f"{where}: is for {platform or 'an unnamed architecture'}, the function for {architecture}; "
            f"{advice}give an {PLATFORMS[architecture]} image"
        )


def check_limits(base: Base) -> None:
    """Raise ImageError for what Lambda would refuse after the push: too big, or supervised already."""
    size = sum(max(layer.size, layer.unpacked) for layer in base.layers)
    if size > LAMBDA_IMAGE_LIMIT:
        raise ImageError(f"{base.where}: has {size / (1 << 30):.1f} GB; Lambda takes 10 GB at most, make it smaller")
    entrypoint = (base.configuration.get("config") or {}).get("Entrypoint") or [""]
    if entrypoint[0].startswith("/opt/scar/"):
        raise ImageError(f"{base.where}: has the supervisor in it already; give the image that it was made from")


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and value.startswith("sha256:") and len(value) == 71
