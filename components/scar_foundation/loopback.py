"""Which hosts are this machine."""

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether a host, without a port, is this machine: `localhost`, or an address of the loopback interface.

    Names that only begin like an address (`127.0.0.1.example.org`) are not.
    """
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_loopback_url(url: str) -> bool:
    """Whether a URL, or `//host:port`, leads to this machine."""
    return is_loopback(urlsplit(url).hostname or "")
