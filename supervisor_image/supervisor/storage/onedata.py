"""Onedata, over the CDMI of a Oneprovider: https://onedata.org/#/home/documentation/21.02/user-guide/cdmi.html."""

from typing import ClassVar
from urllib.parse import urlsplit

from supervisor.http_client import Credentials
from supervisor.storage import Settings
from supervisor.storage.webdav import WebDav

_FOLDER = {"X-CDMI-Specification-Version": "1.1.1", "Content-Type": "application/cdmi-container"}


def open_storage(settings: Settings) -> "Onedata":
    """Return the space of these settings: `oneprovider_host`, `token` and `space`."""
    host, token, space = settings.needed("oneprovider_host", "token", "space")
    return Onedata(settings.secret_address(host), token, space.strip("/"), verify=settings.verify)


class Onedata(WebDav):
    """Files of one space: read and written as on a WebDAV server, but folders are created over CDMI."""

    _upload_headers: ClassVar = {"Content-Type": "application/octet-stream"}

    def __init__(self, address: str, token: str, space: str, *, verify: bool) -> None:
        root = address if urlsplit(address).path.rstrip("/").endswith("/cdmi") else f"{address}/cdmi"
        super().__init__(root, Credentials(address, {"X-Auth-Token": token}), verify=verify)
        self._space = space

    def _make_folder(self, folder: str) -> bool:
        if folder.count("/") > 1 and self._call("GET", folder, _FOLDER).status != 200:  # the space itself exists
            self._call("PUT", folder, _FOLDER)
        return True

    def _name(self, container: str, key: str) -> str:
        return f"{container or self._space}/{key.lstrip('/')}"
