"""The rule of every stand-in: it talks to this machine only."""

from urllib.parse import urlsplit

from scar_foundation.loopback import is_loopback
from scar_pulumi.stand_ins.plugin.errors import UnservedError


def require_loopback(url: str, refusal: str) -> None:
    """Raise UnservedError, with `refusal` to say what to do, for a URL that leads off this machine."""
    if not is_loopback(urlsplit(url).hostname or ""):
        raise UnservedError(f"endpoint {url}: {refusal}")
