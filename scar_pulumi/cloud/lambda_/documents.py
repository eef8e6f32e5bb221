"""What Lambda's documents look like to clients, and what of them MiniStack gets to see instead. No state: both ways.

MiniStack writes log lines of its own for each event that it delivers, and throttles its own deliveries. Both would mix
with what the runner and the event queue do, so a log group is stored under a prefix, and a reserved concurrency beyond
anything that MiniStack could reach. An image is stored with the digest that its tag had, as Lambda pins it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

LOG_SINK = "/_scar"
_CONCURRENCY_OFFSET = 1_000_000

_ECR_IMAGE = re.compile(
    r"(?P<account>[0-9]{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(?P<name>[^:@]+)"
    r"(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


@dataclass(frozen=True)
class ImageReference:
    """An image URI taken apart."""

    account: str
    region: str
    name: str
    tag: str
    digest: str

    @property
    def reference(self) -> str:
        """What to look up: the digest, else the tag."""
        return self.digest or self.tag or "latest"


def parse_image_uri(uri: str) -> ImageReference | None:
    """Takes an ECR image URI apart; None when it is something else, which Lambda refuses."""
    found = _ECR_IMAGE.fullmatch(uri)
    return ImageReference(**{name: value or "" for name, value in found.groupdict().items()}) if found else None


def pin_image(uri: str, digest: str) -> str:
    """The URI with the digest that was deployed."""
    return uri if "@" in uri else f"{uri}@{digest}"


def sink_log_group(document: dict[str, Any], name: str) -> dict[str, Any]:
    """A request with its log group (by default the function's) moved to where MiniStack may write."""
    logging = document.get("LoggingConfig") or {}
    group = logging.get("LogGroup") or f"/aws/lambda/{name}"
    return document | {"LoggingConfig": {"LogFormat": "Text", **logging, "LogGroup": LOG_SINK + group}}


def hide_concurrency(document: dict[str, Any]) -> dict[str, Any]:
    """A PutFunctionConcurrency request that MiniStack will never throttle on."""
    reserved = document.get("ReservedConcurrentExecutions")
    return (
        document | {"ReservedConcurrentExecutions": reserved + _CONCURRENCY_OFFSET}
        if type(reserved) is int
        else document
    )


def restore(document: Any) -> Any:
    """A response as Lambda gives it: undoes the above wherever it occurs."""
    if isinstance(document, list):
        return [restore(item) for item in document]
    if not isinstance(document, dict):
        return document
    restored = {key: _RESTORERS.get(key, restore)(value) for key, value in document.items()}
    if "CodeSha256" in restored and "@sha256:" in str(document.get("ImageUri", "")):
        restored["CodeSha256"] = document["ImageUri"].rpartition("@sha256:")[2]
    return restored


def _log_group(value: Any) -> Any:
    return value.removeprefix(LOG_SINK) if isinstance(value, str) else value


def _concurrency(value: Any) -> Any:
    return value - _CONCURRENCY_OFFSET if type(value) is int and value >= _CONCURRENCY_OFFSET else value


def _image_uri(value: Any) -> Any:
    image = parse_image_uri(value) if isinstance(value, str) else None
    return value.partition("@")[0] if image and image.tag else value


def _resolved_image_uri(value: Any) -> Any:
    image = parse_image_uri(value) if isinstance(value, str) else None
    return value.replace(f":{image.tag}@", "@") if image and image.tag and image.digest else value


_RESTORERS: dict[str, Callable[[Any], Any]] = {
    "ImageUri": _image_uri,
    "LogGroup": _log_group,
    "ReservedConcurrentExecutions": _concurrency,
    "ResolvedImageUri": _resolved_image_uri,
    # A function's variables are the user's, whatever their names.
    "Variables": lambda value: value,
}
