"""Which hosts are this machine itself."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether a host, without a port, is this machine: `localhost`, or an address of the loopback interface.

    Names that only begin like one (`127.0.0.1.example.org`) are not.
    """
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
