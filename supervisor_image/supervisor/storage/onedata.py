"""Onedata, over the CDMI of a Oneprovider: https://onedata.org/#/home/documentation/21.02/user-guide/cdmi.html."""

from urllib.parse import urlsplit

from supervisor import http_client
from supervisor.errors import InputFailed, OutputFailed
from supervisor.storage import Settings
from supervisor.storage.webdav import difference, quoted, refusal

_CREATED = (200, 201, 202, 204)
_VERSION = {"X-CDMI-Specification-Version": "1.1.1"}


def open_storage(settings: Settings) -> "Onedata":
    """Return the space of these settings: `oneprovider_host`, `token` and `space`."""
    host, token, space = settings.needed("oneprovider_host", "token", "space")
    return Onedata(settings.address(host), token, space.strip("/"), verify=settings.verify)


class Onedata:
    """Files of one space."""

    has_containers = False

    def __init__(self, address: str, token: str, space: str, *, verify: bool) -> None:
        self._root = address if urlsplit(address).path.rstrip("/").endswith("/cdmi") else f"{address}/cdmi"
        self._headers = {"X-Auth-Token": token}
        self._space = space
        self._verify = verify
        self._folders: set[str] = set()

    def download(self, container: str, key: str, path: str) -> int:
        """Write the file to another one here, and return its size in bytes. Raises InputFailed."""
        name = f"{container or self._space}/{key}"
        try:
            answer = http_client.download(self._url(name), path, self._headers, verify=self._verify)
            if answer.status != 200:
                raise InputFailed(f"{name}: cannot be downloaded: {refusal(answer)}")
            size, differs = difference(path, answer)
        except OSError as error:
            raise InputFailed(f"{name}: cannot be downloaded: {error}") from error
        if differs:
            raise InputFailed(f"{name}: cannot be downloaded: {differs}; try again")
        return size

    def upload(self, path: str, container: str, key: str) -> None:
        """Store the file, and create the folders that are missing. Raises OutputFailed."""
        name = f"{container or self._space}/{key.lstrip('/')}"
        headers = {**self._headers, "Content-Type": "application/octet-stream"}
        try:
            self._make_folders(name)
            answer = http_client.upload(self._url(name), path, headers, verify=self._verify)
            if answer.status not in _CREATED:
                raise OutputFailed(refusal(answer))
            found = http_client.call("HEAD", self._url(name), headers=self._headers, verify=self._verify)
            if found.status == 200 and (differs := difference(path, found)[1]):
                raise OutputFailed(f"what was stored differs: {differs}")
        except OSError as error:
            raise OutputFailed(str(error) or type(error).__name__) from error

    def _make_folders(self, name: str) -> None:
        parts = name.split("/")[:-1]
        for end in range(2, len(parts) + 1):  # the space itself exists
            folder = "/".join(parts[:end]) + "/"
            if folder in self._folders:
                continue
            if http_client.call("GET", self._url(folder), headers=self._cdmi(), verify=self._verify).status != 200:
                http_client.call("PUT", self._url(folder), headers=self._cdmi(), verify=self._verify)
            self._folders.add(folder)

    def _cdmi(self) -> dict[str, str]:
        return {**self._headers, **_VERSION, "Content-Type": "application/cdmi-container"}

    def _url(self, name: str) -> str:
        return f"{self._root}/{quoted(name)}"
