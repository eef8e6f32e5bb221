"""HTTP as registries want it: tokens on demand, patience with busy servers, plain words for what goes wrong.

On urllib3, which boto3 brings along. The clients on PyPI (oras, python-dxf) wrap requests, hold whole blobs in memory
or on disk, and know neither mounts of blobs between repositories nor images as a base to add to.
"""

import json
import os
import re
import ssl
import urllib.request
from collections.abc import Collection, Iterable, Mapping
from urllib.parse import urlencode, urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError

from scar_components.images.credentials import Credentials
from scar_components.images.errors import ImageError

_BUSY = (429, 500, 502, 503, 504)
_PATIENT = urllib3.Retry(
    total=6, connect=3, redirect=5, backoff_factor=0.3, backoff_jitter=0.2, status_forcelist=_BUSY,
    allowed_methods=None, raise_on_status=False,
)  # fmt: skip
_ONCE = urllib3.Retry(total=False, redirect=False, raise_on_status=False)
_TIMEOUT = urllib3.Timeout(connect=10, read=300)


class RegistryError(ImageError):
    """A registry answered with something else than was asked for."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Unreachable(ImageError):  # noqa: N818 - it is a state, not a mistake
    """A registry did not answer, or broke off."""


class RegistryHttp:
    """Requests for one repository of a registry. Safe to share between threads."""

    def __init__(self, registry: str, base: str, credentials: Credentials | None) -> None:
        self.registry = registry
        self.base = base
        self._credentials = credentials
        self._authorization: str | None = None
        self._pool = _pool(base)

    def request(
        self,
        method: str,
        path: str,
        *,
        expect: Collection[int],
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
        stream: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        """Send a request, `path` being a path or a URL that the registry gave.

        Requests whose body can be sent again are repeated with back-off where the server is busy or gone. Raises
        RegistryError for a status that is not expected, Unreachable for none at all.
        """
        response = self._send(method, path, headers, body, stream)
        challenge = response.headers.get("WWW-Authenticate", "")
        if response.status == 401 and _is_repeatable(body) and self._authorize(challenge):
            response.drain_conn()
            response = self._send(method, path, headers, body, stream)
        if response.status not in expect:
            raise RegistryError(self._complaint(method, path, response), response.status)
        return response

    def _send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None,
        body: bytes | Iterable[bytes] | None,
        stream: bool,
    ) -> urllib3.BaseHTTPResponse:
        url = urljoin(f"{self.base}/", path)
        sent = {"User-Agent": "scar-pulumi", **(headers or {})}
        # A registry may send uploads elsewhere, but the password stays with the registry.
        if self._authorization and urlsplit(url).netloc == urlsplit(self.base).netloc:
            sent["Authorization"] = self._authorization
        try:
            return self._pool.request(
                method, url, headers=sent, body=body, preload_content=not stream, decode_content=False,
                retries=_PATIENT if _is_repeatable(body) else _ONCE, timeout=_TIMEOUT,
            )  # fmt: skip
        except (HTTPError, OSError) as error:
            raise Unreachable(f"{self.registry}: cannot be reached ({_reason(error)}); check the network") from None

    def _authorize(self, challenge: str) -> bool:
        """Get what the registry asks for: https://distribution.github.io/distribution/spec/auth/token/."""
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic" and self._credentials:
            self._authorization = self._credentials.basic()
        elif scheme.lower() == "bearer":
            self._authorization = f"Bearer {self._token(dict(_PAIR.findall(rest)))}"
        else:
            return False
        return True

    def _token(self, challenge: Mapping[str, str]) -> str:
        query = {key: challenge[key] for key in ("service", "scope") if key in challenge}
        realm, credentials = challenge.get("realm", ""), self._credentials
        try:
            if credentials and credentials.is_refresh_token:
                form = query | {"grant_type": "refresh_token", "refresh_token": credentials.secret, "client_id": "scar"}
                response = self._pool.request("POST", realm, fields=form, encode_multipart=False, retries=_PATIENT)
            else:
                headers = {"Authorization": credentials.basic()} if credentials else {}
                response = self._pool.request("GET", f"{realm}?{urlencode(query)}", headers=headers, retries=_PATIENT)
        except (HTTPError, OSError) as error:
            raise Unreachable(f"{self.registry}: gives no token ({_reason(error)}); check the network") from None
        if response.status != 200:
            raise RegistryError(f"{self.registry}: refuses to log in; {self._login_advice()}", response.status)
        answer = response.json()
        return str(answer.get("token") or answer["access_token"])

    def _complaint(self, method: str, path: str, response: urllib3.BaseHTTPResponse) -> str:
        said = _said(response)
        if response.status in {401, 403}:
            return f"{self.registry}: refuses {_repository(path)} ({said or response.status}); {self._login_advice()}"
        if response.status == 429:
            return f"{self.registry}: asks for patience (429 {said}); wait, or log in: docker login {self.registry}"
        name = urlsplit(path).path
        advice = "check that the repository exists" if response.status == 404 else "try again"
        return f"{self.registry}: answers {response.status} to {method} {name} ({said or response.reason}); {advice}"

    def _login_advice(self) -> str:
        return f"check the name, or log in: docker login {self.registry}"


_PAIR = re.compile(r'(\w+)="([^"]*)"')


def _pool(base: str) -> urllib3.PoolManager:
    """Connections, through the proxy and with the certificates that the environment names, as other tools do."""
    target = urlsplit(base)
    context = ssl.create_default_context(cafile=os.environ.get("REQUESTS_CA_BUNDLE") or None)
    proxy = urllib.request.getproxies().get(target.scheme)
    if proxy and not urllib.request.proxy_bypass(target.netloc):
        return urllib3.ProxyManager(proxy, maxsize=8, ssl_context=context)
    return urllib3.PoolManager(maxsize=8, ssl_context=context)


def _is_repeatable(body: object) -> bool:
    return body is None or isinstance(body, bytes)


def _repository(path: str) -> str:
    return re.sub(r"^/v2/|/(manifests|blobs)/.*$", "", urlsplit(path).path)


def _said(response: urllib3.BaseHTTPResponse) -> str:
    try:
        errors = json.loads(response.data)["errors"]
        return "; ".join(str(error.get("message") or error.get("code")) for error in errors)
    except (ValueError, KeyError, TypeError, AttributeError, HTTPError):
        return ""


def _reason(error: Exception) -> str:
    inner = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    return str(inner).rpartition(": ")[2] or type(inner).__name__
