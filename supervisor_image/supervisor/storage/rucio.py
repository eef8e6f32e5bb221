"""Rucio, for inputs: it says where the copies of a file are, and what the file is.

https://rucio.github.io/documentation/html/rest_api_doc.html
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from supervisor import http_client
from supervisor.errors import InputFailed, OutputFailed
from supervisor.http_client import NO_CREDENTIALS, Credentials
from supervisor.storage import Settings
from supervisor.storage.promises import Promise, known_checksums
from supervisor.storage.webdav import WebDav, quoted, refusal

_SCHEMES = {"https": "https", "davs": "https", "http": "http", "dav": "http"}


def open_storage(settings: Settings, servers: Callable[[], list[WebDav]]) -> "Rucio":
    """Return the server of these settings: `host`, `account` and `access_token`.

    `servers` returns those that the function has credentials of its own for.
    """
    host, account, token = settings.needed("host", "account", "access_token")
    headers = {"X-Rucio-Auth-Token": token, "X-Rucio-Account": account, "Authorization": f"Bearer {token}"}
    address = settings.secret_address(host)
    return Rucio(address, Credentials(address, headers), settings.get("rse"), servers, verify=settings.verify)


class _Copy(NamedTuple):
    """Where a copy is, and what the catalogue tells of the file."""

    url: str
    promise: Promise


class Rucio:
    """Files by scope and name.

    The token is for the catalogue. A copy is read without credentials, or with those that the function has for the
    copy's server, and only over https: whoever can write to the catalogue names that server.
    """

    has_containers = True

    def __init__(
        self, address: str, credentials: Credentials, rse: str, servers: Callable[[], list[WebDav]], *, verify: bool
    ) -> None:
        self._address = address
        self._credentials = credentials
        self._rse = rse
        self._servers = servers
        self._verify = verify

    def download(self, container: str, key: str, path: str) -> int:
        """Write the first copy that is as the catalogue says to a file, and return its size. Raises InputFailed."""
        reasons = []
        for copy in self._copies(container, key):
            if not self._may_be_read(copy.url):
                reasons.append(f"{copy.url}: is not read over plain http")
                continue
            try:
                self._server(copy.url).download_url(copy.url, copy.url, path)
            except InputFailed as error:
                reasons.append(str(error))
                continue
            size, differs = copy.promise.difference(path)
            if not differs:
                return size
            reasons.append(f"{copy.url}: is not what Rucio knows: {differs}")
        reason = "; ".join(reasons) or "Rucio knows none over HTTP"
        raise InputFailed(f"{container}:{key}: no copy can be downloaded: {reason}")

    def upload(self, _path: str, container: str, key: str) -> None:
        """Raise OutputFailed: a file has to be registered with rules, which are not a function's to make."""
        raise OutputFailed(f"{container}:{key}: outputs cannot go to Rucio; use the WebDAV address of its storage")

    def _may_be_read(self, url: str) -> bool:
        """Return whether a copy is behind TLS, or beside a catalogue on this machine itself."""
        return url.startswith("https:") or (http_client.is_loopback(url) and http_client.is_loopback(self._address))

    def _server(self, url: str) -> WebDav:
        own = next((server for server in self._servers() if server.serves(url)), None)
        return own or WebDav(url, NO_CREDENTIALS, verify=self._verify)

    def _copies(self, scope: str, name: str) -> Iterator[_Copy]:
        url = f"{self._address}/replicas/{quoted(scope)}/{quoted(name)}"
        headers = {"Accept": "application/x-json-stream"}
        try:
            answer = http_client.call("GET", url, headers=headers, credentials=self._credentials, verify=self._verify)
        except OSError as error:
            raise InputFailed(f"{scope}:{name}: {self._address} does not answer: {error}") from error
        if answer.status != 200:
            raise InputFailed(f"{scope}:{name}: Rucio answered {refusal(answer)}")
        for line in answer.body.splitlines():
            if line.strip():
                yield from self._listed(f"{scope}:{name}", line)

    def _listed(self, file: str, line: bytes) -> Iterator[_Copy]:
        try:
            entry = json.loads(line)
            promise, copies = _promise(entry), dict(entry.get("pfns") or {})
            ordered = sorted(copies, key=lambda found: copies[found].get("rse") != self._rse)
        except (ValueError, TypeError, AttributeError) as error:
            raise InputFailed(f"{file}: Rucio's answer cannot be understood: {error}") from error
        for address in ordered:
            scheme, _, rest = address.partition("://")
            if scheme in _SCHEMES:
                yield _Copy(f"{_SCHEMES[scheme]}://{rest}", promise)


def _promise(entry: dict[str, Any]) -> Promise:
    size = entry.get("bytes")
    return Promise(None if size is None else int(size), known_checksums((key, entry.get(key)) for key in entry))
