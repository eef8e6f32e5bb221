"""HTTP for storages and services that obstore does not speak to: retried, redirected, streamed from and to files."""

import codecs
import os
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, NamedTuple, Protocol
from urllib.parse import urljoin, urlsplit

ATTEMPTS = 7
_BLOCK = 1 << 20  # bytes
_READ_TIMEOUT = 30.0  # seconds without a byte
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
_TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
_LONGEST_PAUSE = 5.0  # seconds
_LOOPBACK = re.compile(r"localhost|::1|127(\.\d{1,3}){3}", re.ASCII)
OWN_CERTIFICATES = "/opt/scar/lib/cacert.pem"
# Where images keep theirs; an image that has certificates may have some of its own authorities among them.
_OF_IMAGES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)

Headers = Mapping[str, str]

# Host names are encoded with this codec; the real one would load all of Unicode's tables.
codecs.register(lambda name: codecs.lookup("ascii") if name == "idna" else None)


class Credentials(NamedTuple):
    """Headers that one server is told, and no other: neither where it redirects to, nor what it names."""

    url: str = ""
    headers: Headers = MappingProxyType({})

    def of(self, url: str) -> Headers:
        """Return the headers for a request: none where the URL leads to another server."""
        return self.headers if origin(url) == origin(self.url) else {}


NO_CREDENTIALS = Credentials()


class Response(NamedTuple):
    """A server's response; the names of headers are in lower case."""

    status: int
    headers: Headers
    body: bytes


class _Answered(Protocol):
    status: int

    def getheader(self, name: str, /) -> str | None: ...


class DamagedError(OSError):
    """What arrived is not what the server has."""


class RedirectError(OSError):
    """A server redirects to where no request may go."""


def origin(url: str) -> tuple[str, str, int | None]:
    """Return what tells servers apart: scheme, host and port."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def is_loopback(url: str) -> bool:
    """Return whether a URL leads to this machine itself."""
    return bool(_LOOPBACK.fullmatch(urlsplit(url).hostname or ""))


def keeps_secrets(url: str) -> bool:
    """Return whether secrets can be sent there unseen: over TLS, or within this machine."""
    return urlsplit(url).scheme == "https" or is_loopback(url)


def call(
    method: str,
    url: str,
    body: bytes = b"",
    *,
    headers: Headers | None = None,
    credentials: Credentials = NO_CREDENTIALS,
    verify: bool = True,
    attempts: int = ATTEMPTS,
) -> Response:
    """Send a small request, and return the response, whatever its status. Raises OSError without a response."""
    request = _Request(method, headers or {}, credentials, verify)
    return _retried(lambda: _small(request, url, body), attempts)


def call_signed(
    method: str, url: str, body: bytes, signer: Callable[[], Headers], attempts: int = ATTEMPTS
) -> Response:
    """Send a request whose signature, which is for this URL alone, is made anew for each attempt; follow no redirect.

    Raises OSError without a response.
    """
    return _retried(lambda: _small(_Request(method, signer(), follow=False), url, body), attempts)


def upload(
    url: str, path: str, headers: Headers, *, credentials: Credentials = NO_CREDENTIALS, verify: bool = True
) -> Response:
    """Put a file to the URL, and return the response. Raises OSError without a response."""

    def put() -> Response:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            request = _Request("PUT", {**headers, "Content-Length": str(size)}, credentials, verify)
            return _small(request, url, file)

    return _retried(put, ATTEMPTS)


def download(
    url: str, path: str, headers: Headers, *, credentials: Credentials = NO_CREDENTIALS, verify: bool = True
) -> Response:
    """Write what the URL holds to a file, resuming where a connection broke; return the response without its body.

    Raises OSError without a response, or when what arrived is damaged.
    """
    with open(path, "wb") as file:
        return _retried(_Download(url, file, _Request("GET", headers, credentials, verify)).resume, ATTEMPTS)


class _Request(NamedTuple):
    """What is the same for every server that a request is redirected to, but for the credentials."""

    method: str
    headers: Headers
    credentials: Credentials = NO_CREDENTIALS
    verify: bool = True
    follow: bool = True


class _Download:
    def __init__(self, url: str, file: IO[bytes], request: _Request) -> None:
        self._url, self._file, self._request = url, file, request
        self._tag = ""

    def resume(self) -> Response:
        done = self._file.tell()
        headers = {**self._request.headers, "Accept-Encoding": "identity"}
        if done and self._tag:
            headers |= {"Range": f"bytes={done}-", "If-Range": self._tag}
        with _response(self._request._replace(headers=headers), self._url, b"") as response:
            found = Response(response.status, _headers(response), b"")
            if response.status == 206:
                self._check_range(found.headers, done)
            elif response.status == 200:
                self._file.seek(0)
                self._file.truncate()
                tag = found.headers.get("etag", "")
                self._tag = "" if tag.startswith("W/") else tag
            else:
                return found._replace(body=response.read(4096))
            self._copy(response)
        return found._replace(status=200)

    def _check_range(self, headers: Headers, done: int) -> None:
        if not headers.get("content-range", "").startswith(f"bytes {done}-"):
            self._file.seek(0)
            self._tag = ""
            raise DamagedError("the server sent another range than requested")

    def _copy(self, response: HTTPResponse) -> None:
        while block := response.read(_BLOCK):
            self._file.write(block)
        # http.client takes a broken connection for the end of the body.
        if response.length:
            raise DamagedError(f"{response.length} bytes are missing")


def _small(request: _Request, url: str, body: bytes | IO[bytes]) -> Response:
    with _response(request, url, body) as response:
        return Response(response.status, _headers(response), response.read())


@contextmanager
def _response(request: _Request, url: str, body: bytes | IO[bytes]) -> Iterator[HTTPResponse]:
    for _ in range(_MOST_REDIRECTS):
        connection = _connection(url, request.verify)
        try:
            response = _exchange(connection, request, url, body)
            target = redirection(response, url)
            if target is None or not request.follow:
                yield response
                return
            url = target
            if not isinstance(body, bytes):
                body.seek(0)
        finally:
            connection.close()
    raise OSError(f"more than {_MOST_REDIRECTS} redirects")


def redirection(response: _Answered, url: str) -> str | None:
    """Return the URL that the response redirects to, if it does."""
    target = response.getheader("Location")
    if response.status not in _REDIRECTS or not target:
        return None
    found = urljoin(url, target)
    # Behind loopback are the interfaces of this function's own runtime.
    if urlsplit(found).scheme not in ("http", "https") or (is_loopback(found) and not is_loopback(url)):
        raise RedirectError(f"the server redirects to {found}, which is not a server of files")
    return found


def _exchange(connection: HTTPConnection, request: _Request, url: str, body: bytes | IO[bytes]) -> HTTPResponse:
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(request.method, target, body or None, {**request.headers, **request.credentials.of(url)})
    except (BrokenPipeError, ConnectionResetError):
        # A server that refuses the body says so and hangs up; its response can still be read.
        try:
            return connection.getresponse()
        except (HTTPException, OSError) as error:
            raise ConnectionResetError(str(error) or "the connection was closed") from error
    return connection.getresponse()


def _connection(url: str, verify: bool) -> HTTPConnection:
    parts = urlsplit(url)
    options: dict[str, Any] = {"timeout": _READ_TIMEOUT, "blocksize": _BLOCK}
    if parts.scheme != "https":
        return HTTPConnection(parts.hostname or "", parts.port, **options)
    return HTTPSConnection(parts.hostname or "", parts.port, context=_trust(verify), **options)


def _trust(verify: bool) -> Any:
    os.environ["OPENSSL_CONF"] = "/dev/null"  # the image's may name modules that only the image's OpenSSL can load
    import ssl

    context = ssl.create_default_context(cafile=certificate_file())
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _headers(response: HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


def _retried(attempt: Callable[[], Response], attempts: int) -> Response:
    for number in range(1, attempts + 1):
        try:
            response = attempt()
        except HTTPException as error:
            if number == attempts:
                raise OSError(f"the response cannot be understood: {error!r}") from error
        except OSError as error:
            if number == attempts or _is_final(error):
                raise
        else:
            if response.status not in _TRANSIENT or number == attempts:
                return response
        time.sleep(min(_LONGEST_PAUSE, 0.1 * 2**number) * random.uniform(0.5, 1))  # noqa: S311 not a secret
    raise AssertionError


def _is_final(error: OSError) -> bool:
    # By name, as the module ssl may not be loaded. A full disk stays full.
    final = isinstance(error, RedirectError) or type(error).__name__ == "SSLCertVerificationError"
    return final or error.errno in (28, 2, 13)


def certificate_file() -> str:
    """Return the file of the authorities to trust: the image's where it has one, else the supervisor's own."""
    places = (os.environ.get("SSL_CERT_FILE"), *_OF_IMAGES)
    return next((path for path in places if path and Path(path).is_file()), OWN_CERTIFICATES)


def provide_certificates() -> None:
    """Point obstore at the supervisor's own authorities where the image has none: it wants some even for plain http."""
    places = (os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"), *_OF_IMAGES)
    if not any(path and Path(path).exists() for path in places):
        os.environ["SSL_CERT_FILE"] = OWN_CERTIFICATES
