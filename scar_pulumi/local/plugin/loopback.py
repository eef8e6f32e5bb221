"""The rule of every stand-in: it talks to this machine only."""

import ipaddress
from urllib.parse import urlsplit

from scar_pulumi.local.plugin.errors import UnservedError


def require_loopback(url: str, refusal: str) -> None:
    """Raise UnservedError, with `refusal` to say what to do, for a URL that leads off this machine."""
    host = urlsplit(url).hostname or ""
    if host != "localhost" and not _is_loopback_address(host):
        raise UnservedError(f"endpoint {url}: {refusal}")


def _is_loopback_address(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
