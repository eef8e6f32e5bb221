"""Rucio, for inputs: it says where the copies of a file are.

https://rucio.github.io/documentation/html/rest_api_doc.html
"""

import json
from collections.abc import Iterator

from supervisor import http_client
from supervisor.errors import InputFailed, OutputFailed
from supervisor.storage import Settings
from supervisor.storage.webdav import WebDav, quoted, refusal

_SCHEMES = {"https": "https", "davs": "https", "http": "http", "dav": "http"}


def open_storage(settings: Settings) -> "Rucio":
    """Return the server of these settings: `host`, `account` and `access_token`."""
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
        """Write the first copy that can be read to a file, and return its size in bytes. Raises InputFailed."""
        reasons = []
        for copy in self._copies(container, key):
            storage = WebDav(copy, {"Authorization": self._headers["Authorization"]}, verify=self._verify)
            try:
                return storage.download("", "", path)
            except InputFailed as error:
                reasons.append(f"{copy}{error}")
        reason = "; ".join(reasons) or "Rucio knows none over HTTP"
        raise InputFailed(f"{container}:{key}: no copy can be downloaded: {reason}")

    def upload(self, _path: str, container: str, key: str) -> None:
        """Raise OutputFailed: a file has to be registered with rules, which are not a function's to make."""
        raise OutputFailed(f"{container}:{key}: outputs cannot go to Rucio; use the WebDAV address of its storage")

    def _copies(self, scope: str, name: str) -> Iterator[str]:
        url = f"{self._address}/replicas/{quoted(scope)}/{quoted(name)}"
        headers = {**self._headers, "Accept": "application/x-json-stream"}
        try:
            answer = http_client.call("GET", url, headers=headers, verify=self._verify)
        except OSError as error:
            raise InputFailed(f"{scope}:{name}: {self._address} does not answer: {error}") from error
        if answer.status != 200:
            raise InputFailed(f"{scope}:{name}: Rucio answered {refusal(answer)}")
        for line in answer.body.splitlines():
            copies = json.loads(line).get("pfns", {}) if line.strip() else {}
            for address in sorted(copies, key=lambda found: copies[found].get("rse") != self._rse):
                scheme, _, rest = address.partition("://")
                if scheme in _SCHEMES:
                    yield f"{_SCHEMES[scheme]}://{rest}"
