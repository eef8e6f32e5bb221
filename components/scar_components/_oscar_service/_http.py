"""Requests to one OSCAR cluster, on urllib3, which boto3 brings along.

The client on PyPI (oscar-python) brings an OpenID agent, boto3 and a WebDAV client with it.
"""

import json
import os
import ssl
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InsecureRequestWarning,
    MaxRetryError,
    NewConnectionError,
    SSLError,
)

from scar_components._oscar_service._errors import OscarError, Unreachable

# Creating a service restarts MinIO, which takes the server seven seconds, and more with many buckets.
_TIMEOUT = urllib3.Timeout(connect=10, read=180)
# The password must not follow a redirect, and what is repeated is decided where it is known to be safe.
_ONCE = urllib3.Retry(total=0, redirect=False, raise_on_status=False)
_SAID_LIMIT = 500


@dataclass(frozen=True)
class Answer:
    """A status and what came with it."""

    status: int
    text: str

    def document(self) -> Any:
        """The JSON in it."""
        return json.loads(self.text)

    def said(self) -> str:
        """What the server says, for people."""
        return " ".join(self.text.split())[:_SAID_LIMIT] or f"status {self.status}"


@dataclass(frozen=True)
class Cluster:
    """How a cluster is reached."""

    endpoint: str
    username: str
    password: str = field(repr=False)
    verify_certificate: bool = True

    def request(self, method: str, *path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """Send one request, once.

        Raises:
            Unreachable: No answer came.
            OscarError: The cluster does not accept the user and password.
        """
        url = "/".join((self.endpoint.rstrip("/"), *(quote(part, safe="") for part in path)))
        headers = urllib3.make_headers(basic_auth=f"{self.username}:{self.password}", user_agent="scar-pulumi")
        data = json.dumps(body).encode() if body is not None else None
        if data is not None:
            headers["Content-Type"] = "application/json"
        try:
            with _pool(self.endpoint, self.verify_certificate) as pool:
                response = pool.request(method, url, body=data, headers=headers, retries=_ONCE, timeout=_TIMEOUT)
        except (HTTPError, OSError, ValueError) as error:
            raise self._explained(error) from None
        if response.status in {401, 403}:
            raise OscarError(
                f"{self.endpoint}: refuses user {self.username!r}; check the user and the password", response.status
            )
        return Answer(response.status, response.data.decode("utf-8", "replace"))

    def _explained(self, error: Exception) -> OscarError:
        cause = error.reason if isinstance(error, MaxRetryError) and error.reason else error
        if isinstance(cause, SSLError):
            return OscarError(f"{self.endpoint}: its certificate is not accepted ({cause}); use one that is trusted")
        if isinstance(cause, ValueError):
            return OscarError(f"{self.endpoint}: is not an address of OSCAR ({cause}); write https://host")
        reason = str(cause).rpartition(": ")[2] or type(cause).__name__
        return Unreachable(
            f"{self.endpoint}: cannot be reached ({reason}); check the address, and that OSCAR runs there",
            sent=not isinstance(cause, (NewConnectionError, ConnectTimeoutError)),
        )


def _pool(endpoint: str, verify: bool) -> urllib3.PoolManager:
    """Connections, through the proxy and with the certificates that the environment names, as other tools do."""
    context = ssl.create_default_context(cafile=os.environ.get("REQUESTS_CA_BUNDLE") or None)
    if not verify:
        urllib3.disable_warnings(InsecureRequestWarning)  # it was asked for, and would be told with each request
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    target = urlsplit(endpoint)
    proxy = urllib.request.getproxies().get(target.scheme)
    if proxy and not urllib.request.proxy_bypass(target.netloc):
        return urllib3.ProxyManager(proxy, ssl_context=context)
    return urllib3.PoolManager(ssl_context=context)
