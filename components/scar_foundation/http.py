"""HTTP for everything here that calls a server: one client, one error, the same proxies and certificates for all."""

import os
import re
import ssl
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    ProxyError,
    SSLError,
)

from scar_foundation.errors import ScarError
from scar_foundation.loopback import is_loopback_url

CONNECT_SECONDS = 10.0
USER_AGENT = "scar-pulumi"

ONCE = urllib3.Retry(total=False, redirect=False, raise_on_status=False)
"""Send a request once and follow no redirect: the credentials in it stay with the server they are meant for."""
PATIENT = urllib3.Retry(
    total=6, connect=3, redirect=5, backoff_factor=0.3, backoff_jitter=0.2, status_forcelist=(429, 500, 502, 503, 504),
    allowed_methods=None, raise_on_status=False,
)  # fmt: skip
"""Repeat a request while the server is busy or gone, and follow redirects. Only for requests that may arrive twice."""


class NoAnswer(ScarError):  # noqa: N818 - it is a state of the network, not a mistake
    """A server did not answer. The message is a whole sentence; `reason` is its cause in a few words.

    `cause` tells how far the request came: the `address` is not a URL, the `certificate` is not trusted, there is no
    `connection`, or the request was sent and the `answer` is missing.
    """

    def __init__(self, url: str, reason: str, cause: Literal["address", "certificate", "connection", "answer"]) -> None:
        self.reason = reason
        self.cause = cause
        super().__init__(f"{_origin(url)}: cannot be reached ({reason}); check the address and the network")

    @property
    def may_have_arrived(self) -> bool:
        """Whether the server may have received the request and acted on it."""
        return self.cause == "answer"


@dataclass(frozen=True)
class Tls:
    """How a client checks a server's certificate, and which one it shows itself."""

    verify: bool = True
    """Whether the certificate is checked at all."""
    authority_file: str | None = None
    """PEM file of the trusted authorities. Default: `$REQUESTS_CA_BUNDLE`, else the system's."""
    authority: str | None = None
    """The trusted authorities themselves, as PEM text."""
    server_name: str | None = None
    """Name that the certificate must have. Default: the host of the URL."""
    certificate: str | None = None
    """Certificate and private key of the client, as PEM text."""


class HttpClient:
    """Sends requests over a few connections per server. Safe to share between threads.

    Proxies and authorities come from the environment, as for other tools; servers on this machine are always reached
    directly. `seconds` is how long a server may take to answer. Close the client, or use it as a context manager, where
    it does not last as long as the process.
    """

    def __init__(self, *, seconds: float = 60.0, tls: Tls = Tls(), connections: int = 8) -> None:
        self._seconds = seconds
        self._tls = tls
        self._connections = connections
        self._pools: dict[tuple[str, str | None], urllib3.PoolManager] = {}

    def __enter__(self) -> "HttpClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            pool.clear()

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
        json: object = None,
        retries: urllib3.Retry = ONCE,
        seconds: float | None = None,
        stream: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        """Send a request and return the response, whatever its status.

        Args:
            method: The HTTP method.
            url: The whole address.
            headers: Headers beside `User-Agent`.
            body: What is sent, as it is.
            json: What is sent instead, as a JSON document.
            retries: `ONCE`, `PATIENT`, or a policy of the caller's own.
            seconds: How long the server may take to answer. Default: the client's.
            stream: Leave the body unread, for `response.stream()`; its reader meets urllib3's own errors.

        Raises:
            NoAnswer: There is no response.
        """
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=self._seconds if seconds is None else seconds)
        try:
            return self._pool(url).request(
                method, url, headers={"User-Agent": USER_AGENT, **(headers or {})}, body=body, json=json,
                retries=retries, timeout=timeout, preload_content=not stream, decode_content=not stream,
            )  # fmt: skip
        except (HTTPError, OSError, ValueError) as error:
            raise _no_answer(url, error) from None

    def _pool(self, url: str) -> urllib3.PoolManager:
        key = urlsplit(url).scheme.lower(), _proxy(url)
        if key not in self._pools:
            self._pools.setdefault(key, self._new_pool(*key))
        return self._pools[key]

    def _new_pool(self, scheme: str, proxy: str | None) -> urllib3.PoolManager:
        options: dict[str, Any] = {"maxsize": self._connections}
        if scheme == "https":
            options["ssl_context"] = _context(self._tls)
            if self._tls.server_name:
                options |= {"server_hostname": self._tls.server_name, "assert_hostname": self._tls.server_name}
            if not self._tls.verify:
                accept_unverified()
        return urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)


def trusted_authorities() -> str | None:
    """Return the PEM file of the authorities for an OSCAR cluster and its MinIO; None for the system's.

    It is `$AWS_CA_BUNDLE`, else `$REQUESTS_CA_BUNDLE`: what botocore takes.
    """
    return os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE") or None


def accept_unverified() -> None:
    """Keep urllib3 from warning of every request where it was asked for that certificates are not checked."""
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)


def basic_authorization(user: str, password: str) -> dict[str, str]:
    """Return the header that carries a user and a password."""
    return dict(urllib3.make_headers(basic_auth=f"{user}:{password}"))


def reason_of(error: Exception) -> str:
    """Return the cause of one of urllib3's errors in a few words."""
    inner = _cause(error)
    return re.sub(r"^\[Errno -?\d+\] ", "", str(inner).rpartition(": ")[2]) or type(inner).__name__


def _cause(error: Exception) -> Exception:
    inner = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    return inner.original_error if isinstance(inner, ProxyError) else inner


def _no_answer(url: str, error: Exception) -> NoAnswer:
    cause = _cause(error)
    if isinstance(cause, SSLError | ssl.SSLError):
        return NoAnswer(url, str(cause), "certificate")
    if isinstance(cause, ValueError):
        return NoAnswer(url, str(cause), "address")
    never_sent = isinstance(cause, NewConnectionError | ConnectTimeoutError)
    return NoAnswer(url, reason_of(error), "connection" if never_sent else "answer")


def _origin(url: str) -> str:
    """Return scheme and host of a URL: a path, a query or a user in it may be secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else url


def _proxy(url: str) -> str | None:
    if is_loopback_url(url):
        return None
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    return None if proxy is None or urllib.request.proxy_bypass(parts.netloc) else proxy


def _context(tls: Tls) -> ssl.SSLContext:
    bundle = tls.authority_file or (None if tls.authority else os.environ.get("REQUESTS_CA_BUNDLE") or None)
    try:
        context = ssl.create_default_context(cafile=bundle, cadata=tls.authority)
    except OSError as error:
        raise ssl.SSLError(f"{bundle or 'the authority'}: {error.strerror or error}") from None
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.certificate:
        _load_certificate(context, tls.certificate)
    return context


def _load_certificate(context: ssl.SSLContext, pem: str) -> None:
    # The interface takes files only; this one is never on a disk.
    descriptor = os.memfd_create("client-certificate")
    try:
        os.write(descriptor, pem.encode())
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
