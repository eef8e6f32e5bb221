"""Rucio, to read from: it is asked where a file's copies are: https://rucio.github.io/documentation/html/rest_api_doc.html."""

import json
from collections.abc import Iterator

from supervisor import http_client
from supervisor.errors import InputFailed, OutputFailed
from supervisor.storage.settings import Settings
from supervisor.storage.webdav import WebDav, quoted, told

_SPOKEN = {"https": "https", "davs": "https", "http": "http", "dav": "http"}


def open_storage(settings: Settings) -> "Rucio":
    """The server of these settings: `host`, `account` and `access_token`."""
    host, account, token = settings.needed("host", "account", "access_token")
    headers = {"X-Rucio-Auth-Token": token, "X-Rucio-Account": account, "Authorization": f"Bearer {token}"}
    return Rucio(settings.address(host), headers, settings.get("rse"), verify=settings.verify)


class Rucio:
    """Files by scope and name."""

    has_containers = True

    def __init__(self, address: str, headers: http_client.Headers, rse: str, *, verify: bool) -> None:
        self._address = address
        self._headers = headers
        self._rse = rse
        self._verify = verify

    def download(self, container: str, key: str, path: str) -> int:
        """Write the first copy that can be had to a file; its size in bytes. Raises InputFailed."""
        reasons = []
        for copy in self._copies(container, key):
            storage = WebDav(copy, {"Authorization": self._headers["Authorization"]}, verify=self._verify)
            try:
                return storage.download("", "", path)
            except InputFailed as error:
                reasons.append(f"{copy}{error}")
        raise InputFailed(f"{container}:{key}: no copy can be had: {'; '.join(reasons) or 'none over HTTP is known'}")

    def upload(self, _path: str, container: str, key: str) -> None:
        """Refuse: a file has to be registered with rules, which is not a function's to make. Raises OutputFailed."""
        raise OutputFailed(f"{container}:{key}: outputs cannot go to Rucio; use the WebDAV address of its storage")

    def _copies(self, scope: str, name: str) -> Iterator[str]:
        url = f"{self._address}/replicas/{quoted(scope)}/{quoted(name)}"
        headers = {**self._headers, "Accept": "application/x-json-stream"}
        try:
            answer = http_client.call("GET", url, headers=headers, verify=self._verify)
        except OSError as error:
            raise InputFailed(f"{scope}:{name}: {self._address} does not answer: {error}") from error
        if answer.status != 200:
            raise InputFailed(f"{scope}:{name}: Rucio says {told(answer)}")
        for line in answer.body.splitlines():
            copies = json.loads(line).get("pfns", {}) if line.strip() else {}
            for address in sorted(copies, key=lambda found: copies[found].get("rse") != self._rse):
                scheme, _, rest = address.partition("://")
                if scheme in _SPOKEN:
                    yield f"{_SPOKEN[scheme]}://{rest}"
