"""WebDAV servers, such as dCache's doors: https://www.rfc-editor.org/rfc/rfc4918."""

import base64
import zlib
from hashlib import md5, sha256
from typing import Any, ClassVar
from urllib.parse import quote

from supervisor import http_client
from supervisor.errors import InputFailed, OutputFailed
from supervisor.storage import Settings

_BLOCK = 1 << 20
# Digests that dCache and others send if asked: https://www.rfc-editor.org/rfc/rfc3230
_WANT_DIGEST = {"Want-Digest": "adler32;q=0.5, md5;q=0.8, sha-256"}
_ATTEMPTS = 3


def open_storage(settings: Settings) -> "WebDav":
    """Return the server of these settings: `hostname`, and `login` with `password`, or a `token`."""
    (host,) = settings.needed("hostname")
    if token := settings.get("token"):
        authorization = f"Bearer {token}"
    else:
        login, password = settings.needed("login", "password")
        authorization = "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()
    return WebDav(settings.address(host), {"Authorization": authorization}, verify=settings.verify)


class WebDav:
    """Files of one server."""

    has_containers = False
    _upload_headers: ClassVar[http_client.Headers] = {}

    def __init__(self, address: str, headers: http_client.Headers, *, verify: bool) -> None:
        self._address = address
        self._headers = headers
        self._verify = verify
        self._folders: set[str] = set()

    def download(self, container: str, key: str, path: str) -> int:
        """Write the file to a local path, and return its size in bytes. Raises InputFailed."""
        name = self._name(container, key)
        try:
            for attempts_left in reversed(range(_ATTEMPTS)):
                answer = http_client.download(
                    self._url(name), path, {**self._headers, **_WANT_DIGEST}, verify=self._verify
                )
                if answer.status != 200:
                    raise InputFailed(f"{name}: cannot be downloaded: {refusal(answer)}")
                size, differs = difference(path, answer)
                if not differs:
                    return size
                if not attempts_left:
                    raise InputFailed(f"{name}: cannot be downloaded: {differs}; try again")
        except OSError as error:
            raise InputFailed(f"{name}: cannot be downloaded: {error}") from error
        raise AssertionError

    def upload(self, path: str, container: str, key: str) -> None:
        """Store the file, and create the folders that are missing. Raises OutputFailed."""
        name = self._name(container, key)
        headers = {**self._headers, **self._upload_headers}
        try:
            self._make_folders(name)
            answer = http_client.upload(self._url(name), path, headers, verify=self._verify)
            if answer.status not in (200, 201, 202, 204):
                raise OutputFailed(refusal(answer))
            found = self._call("HEAD", name, _WANT_DIGEST)
            if found.status == 200 and (differs := difference(path, found)[1]):
                raise OutputFailed(f"what was stored differs: {differs}")
        except OSError as error:
            raise OutputFailed(str(error) or type(error).__name__) from error

    def _make_folders(self, name: str) -> None:
        parts = name.split("/")[:-1]
        for end in range(1, len(parts) + 1):
            folder = "/".join(parts[:end]) + "/"
            if folder not in self._folders and self._make_folder(folder):
                self._folders.add(folder)

    def _make_folder(self, folder: str) -> bool:
        """Make a folder whose parent exists; return whether it is known to exist now."""
        # 405 means that the folder exists. Some servers answer otherwise where only folders further down may be
        # written; whether that matters, the upload shows.
        return self._call("MKCOL", folder).status in (200, 201, 405)

    def _call(self, method: str, name: str, headers: http_client.Headers | None = None) -> http_client.Response:
        whole = {**self._headers, **(headers or {})}
        return http_client.call(method, self._url(name), headers=whole, verify=self._verify)

    def _name(self, container: str, key: str) -> str:
        return f"{container}/{key}".strip("/")

    def _url(self, name: str) -> str:
        return f"{self._address}/{quoted(name)}" if name else self._address


def quoted(path: str) -> str:
    """Return a path as it is written in a URL, with its slashes."""
    return quote(path.encode("utf-8", "surrogateescape"), safe="/~")


def refusal(answer: http_client.Response) -> str:
    """Return what a server's refusal says, in a few words."""
    from http.client import responses

    text = answer.body[:200].decode("utf-8", "replace").strip()
    reason = f"{answer.status} {responses.get(answer.status, '')}".strip()
    return f"{reason}: {text}" if text and not text.startswith("<") else reason


def difference(path: str, answer: http_client.Response) -> tuple[int, str]:
    """Return the file's size, and how it differs from what the server has; "" where it does not."""
    digests = {name.strip().lower(): value for name, _, value in _pairs(answer.headers.get("digest", ""))}
    wanted = next((name for name in ("sha-256", "md5", "adler32") if name in digests), "")
    size, found = _digest(path, wanted)
    if answer.headers.get("content-length", "").isdecimal() and "content-range" not in answer.headers:
        length = int(answer.headers["content-length"])
        if length != size:
            return size, f"{size} bytes instead of {length}"
    if wanted and found.lower() != _normal(wanted, digests[wanted]):
        return size, f"its {wanted} checksum is {found} instead of {digests[wanted]}"
    return size, ""


def _pairs(header: str) -> list[tuple[str, str, str]]:
    return [part.strip().partition("=") for part in header.split(",")]


def _normal(algorithm: str, value: str) -> str:
    """Return the digest in hexadecimal digits: all but adler32 are sent in base64."""
    if algorithm == "adler32":
        return value.lower().rjust(8, "0")
    try:
        return base64.b64decode(value, validate=True).hex()
    except ValueError:
        return value.lower()


def _digest(path: str, algorithm: str) -> tuple[int, str]:
    size, sum_, hashed = 0, 1, _hash(algorithm)
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            size += len(block)
            if hashed is not None:
                hashed.update(block)
            elif algorithm:
                sum_ = zlib.adler32(block, sum_)
    return size, hashed.hexdigest() if hashed is not None else f"{sum_:08x}"


def _hash(algorithm: str) -> Any:
    if algorithm == "sha-256":
        return sha256()
    return md5(usedforsecurity=False) if algorithm == "md5" else None
