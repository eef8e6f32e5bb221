"""HTTP for storages and services that obstore does not speak to: retried, redirected, streamed from and to files."""

import codecs
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import IO, Any, NamedTuple
from urllib.parse import urljoin, urlsplit

ATTEMPTS = 7
_BLOCK = 1 << 20  # bytes
_READ_TIMEOUT = 30.0  # seconds without a byte
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
_TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
_LONGEST_PAUSE = 5.0  # seconds
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


class Response(NamedTuple):
    """A server's response; the names of headers are in lower case."""

    status: int
    headers: Headers
    body: bytes


class DamagedError(OSError):
    """What arrived is not what the server has."""


def call(
    method: str,
    url: str,
    body: bytes = b"",
    *,
    headers: Headers | None = None,
    signer: Callable[[], Headers] | None = None,
    verify: bool = True,
    attempts: int = ATTEMPTS,
) -> Response:
    """Send a small request, and return the response, whatever its status. Raises OSError without a response."""
    return _retried(lambda: _small(method, url, body, signer() if signer else headers or {}, verify), attempts)


def upload(url: str, path: str, headers: Headers, *, verify: bool = True) -> Response:
    """Put a file to the URL, and return the response. Raises OSError without a response."""

    def put() -> Response:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            return _small("PUT", url, file, {**headers, "Content-Length": str(size)}, verify)

    return _retried(put, ATTEMPTS)


def download(url: str, path: str, headers: Headers, *, verify: bool = True) -> Response:
    """Write what the URL holds to a file, resuming where a connection broke; return the response without its body.

    Raises OSError without a response, or when what arrived is damaged.
    """
    with open(path, "wb") as file:
        return _retried(_Download(url, file, headers, verify).resume, ATTEMPTS)


class _Download:
    def __init__(self, url: str, file: IO[bytes], headers: Headers, verify: bool) -> None:
        self._url, self._file, self._headers, self._verify = url, file, headers, verify
        self._tag = ""

    def resume(self) -> Response:
        done = self._file.tell()
        headers = {**self._headers, "Accept-Encoding": "identity"}
        if done and self._tag:
            headers |= {"Range": f"bytes={done}-", "If-Range": self._tag}
        with _response("GET", self._url, b"", headers, self._verify) as response:
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


def _small(method: str, url: str, body: bytes | IO[bytes], headers: Headers, verify: bool) -> Response:
    with _response(method, url, body, headers, verify) as response:
        return Response(response.status, _headers(response), response.read())


@contextmanager
def _response(method: str, url: str, body: bytes | IO[bytes], headers: Headers, verify: bool) -> Iterator[HTTPResponse]:
    for _ in range(_MOST_REDIRECTS):
        connection = _connection(url, verify)
        try:
            response = _exchange(connection, method, url, body, headers)
            target = response.getheader("Location")
            if response.status not in _REDIRECTS or not target:
                yield response
                return
            headers, url = _without_secrets(headers, url, urljoin(url, target)), urljoin(url, target)
            if not isinstance(body, bytes):
                body.seek(0)
        finally:
            connection.close()
    raise OSError(f"more than {_MOST_REDIRECTS} redirects")


def _exchange(
    connection: HTTPConnection, method: str, url: str, body: bytes | IO[bytes], headers: Headers
) -> HTTPResponse:
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(method, target, body or None, dict(headers))
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


def _without_secrets(headers: Headers, url: str, target: str) -> Headers:
    """Remove credentials for another server: those it needs are in the URL of the redirection."""
    before, after = urlsplit(url), urlsplit(target)
    if (before.scheme, before.netloc) == (after.scheme, after.netloc):
        return headers
    return {name: value for name, value in headers.items() if name.lower() not in ("authorization", "x-auth-token")}


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
    return type(error).__name__ == "SSLCertVerificationError" or error.errno in (28, 2, 13)


def certificate_file() -> str:
    """Return the file of the authorities to trust: the image's where it has one, else the supervisor's own."""
    places = (os.environ.get("SSL_CERT_FILE"), *_OF_IMAGES)
    return next((path for path in places if path and Path(path).is_file()), OWN_CERTIFICATES)


def provide_certificates() -> None:
    """Point obstore at the supervisor's own authorities where the image has none: it wants some even for plain http."""
    places = (os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"), *_OF_IMAGES)
    if not any(path and Path(path).exists() for path in places):
        os.environ["SSL_CERT_FILE"] = OWN_CERTIFICATES
