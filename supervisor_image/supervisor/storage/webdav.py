"""WebDAV servers, such as dCache's doors: https://www.rfc-editor.org/rfc/rfc4918."""

import base64
from typing import ClassVar
from urllib.parse import quote

from supervisor import http_client
from supervisor.errors import InputFailed, OutputFailed
from supervisor.http_client import Credentials
from supervisor.storage import Settings, promises
from supervisor.storage.promises import WANT_DIGEST

_ATTEMPTS = 3


def open_storage(settings: Settings) -> "WebDav":
    """Return the server of these settings: `hostname`, and `login` with `password`, or a `token`."""
    (host,) = settings.needed("hostname")
    if token := settings.get("token"):
        authorization = f"Bearer {token}"
    else:
        login, password = settings.needed("login", "password")
        authorization = "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()
    address = settings.secret_address(host)
    return WebDav(address, Credentials(address, {"Authorization": authorization}), verify=settings.verify)


class WebDav:
    """Files of one server, which alone gets the credentials."""

    has_containers = False
    _upload_headers: ClassVar[http_client.Headers] = {}

    def __init__(self, address: str, credentials: Credentials, *, verify: bool) -> None:
        self._address = address
        self._credentials = credentials
        self._verify = verify
        self._folders: set[str] = set()

    def download(self, container: str, key: str, path: str) -> int:
        """Write the file to a local path, and return its size in bytes. Raises InputFailed."""
        name = self._name(container, key)
        return self.download_url(self._url(name), name, path)

    def download_url(self, url: str, name: str, path: str) -> int:
        """Write what a URL holds to a local path, and return its size in bytes. Raises InputFailed."""
        try:
            for attempts_left in reversed(range(_ATTEMPTS)):
                answer = http_client.download(
                    url, path, WANT_DIGEST, credentials=self._credentials, verify=self._verify
                )
                if answer.status != 200:
                    raise InputFailed(f"{name}: cannot be downloaded: {refusal(answer)}")
                size, differs = promises.of_response(answer).difference(path)
                if not differs:
                    return size
                if not attempts_left:
                    raise InputFailed(f"{name}: cannot be downloaded: {differs}; try again")
        except OSError as error:
            raise InputFailed(f"{name}: cannot be downloaded: {error}") from error
        raise AssertionError

    def serves(self, url: str) -> bool:
        """Return whether a URL leads to this server."""
        return http_client.origin(url) == http_client.origin(self._address)

    def upload(self, path: str, container: str, key: str) -> None:
        """Store the file, and create the folders that are missing. Raises OutputFailed."""
        name = self._name(container, key)
        try:
            self._make_folders(name)
            answer = http_client.upload(
                self._url(name), path, self._upload_headers, credentials=self._credentials, verify=self._verify
            )
            if answer.status not in (200, 201, 202, 204):
                raise OutputFailed(refusal(answer))
            self._check_stored(name, path)
        except OSError as error:
            raise OutputFailed(str(error) or type(error).__name__) from error

    def _check_stored(self, name: str, path: str) -> None:
        """Raise OutputFailed unless the server has the file as it is here, as far as the server tells."""
        found = self._call("HEAD", name, WANT_DIGEST)
        if found.status in (404, 410):
            raise OutputFailed("the server took it but does not have it; try again")
        if found.status == 200 and (differs := promises.of_response(found).difference(path)[1]):
            raise OutputFailed(f"what was stored differs: {differs}")

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
        url = self._url(name)
        return http_client.call(method, url, headers=headers, credentials=self._credentials, verify=self._verify)

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
