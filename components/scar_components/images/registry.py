"""A repository in a registry over HTTP: manifests and blobs, tokens, retries.

The clients on PyPI (oras, python-dxf) hold whole blobs in memory or on disk, and cannot mount blobs from other
repositories.
"""

import json
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from urllib.parse import quote, urlencode, urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from scar_components.images.credentials import Credentials, ecr_access, ecr_region, stored_credentials
from scar_components.images.image import CHUNK, DOCKER_HUB, MANIFEST_TYPE, ImageError, is_on_loopback
from scar_components.images.manifests import INDEX_TYPES, MANIFEST_TYPES
from scar_foundation.aws_session import AwsSession
from scar_foundation.http import ONCE, PATIENT, HttpClient, NoAnswer

_SECONDS = 300.0
_ATTEMPTS = 5
_ACCEPT = {"Accept": ", ".join((*MANIFEST_TYPES, *INDEX_TYPES))}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_PAIR = re.compile(r'(\w+)="([^"]*)"')


class RegistryError(ImageError):
    """A registry answered with an unexpected status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Unreachable(ImageError):  # noqa: N818 - it is a state, not a mistake
    """A registry did not answer, or closed the connection."""


class RegistryHttp:
    """Requests for one repository of a registry. Safe to share between threads."""

    def __init__(self, registry: str, base: str, credentials: Credentials | None) -> None:
        self.registry = registry
        self.base = base
        self._credentials = credentials
        self._authorization: str | None = None
        self._http = HttpClient(seconds=_SECONDS)

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
        """Send a request to a path, or to a URL that the registry returned.

        Requests whose body can be sent again are repeated while the server is busy or does not answer.

        Raises:
            RegistryError: The status is not one of `expect`.
            Unreachable: There is no response.
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
        sent = dict(headers or {})
        # A registry may redirect uploads to another server, which must not get the password.
        if self._authorization and urlsplit(url).netloc == urlsplit(self.base).netloc:
            sent["Authorization"] = self._authorization
        retries = PATIENT if _is_repeatable(body) else ONCE
        try:
            return self._http.request(method, url, headers=sent, body=body, retries=retries, stream=stream)
        except NoAnswer as error:
            raise Unreachable(f"{self.registry}: cannot be reached ({error.reason}); check the network") from None

    def _authorize(self, challenge: str) -> bool:
        """Get the authorization that the registry asks for; return whether there is one.

        https://distribution.github.io/distribution/spec/auth/token/
        """
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
                response = self._http.request(
                    "POST", realm, headers=_FORM, body=urlencode(form).encode(), retries=PATIENT
                )
            else:
                headers = {"Authorization": credentials.basic()} if credentials else {}
                response = self._http.request("GET", f"{realm}?{urlencode(query)}", headers=headers, retries=PATIENT)
        except NoAnswer as error:
            raise Unreachable(
                f"{self.registry}: its token server does not answer ({error.reason}); check the network"
            ) from None
        if response.status != 200:
            raise RegistryError(f"{self.registry}: refuses the login; {self._login_advice()}", response.status)
        answer = response.json()
        return str(answer.get("token") or answer["access_token"])

    def _complaint(self, method: str, path: str, response: urllib3.BaseHTTPResponse) -> str:
        said = _said(response)
        if response.status in {401, 403}:
            return f"{self.registry}: refuses {_repository(path)} ({said or response.status}); {self._login_advice()}"
        if response.status == 429:
            return f"{self.registry}: limits its requests (429 {said}); wait, or log in: docker login {self.registry}"
        if response.status == 404:
            what = _manifest(path) or f"repository {_repository(path)}"
            return f"{self.registry}: has no {what} ({said or response.status}); check the name, and that it exists"
        if response.status >= 500:
            return f"{self.registry}: is out of order ({response.status} {said or response.reason}); try again later"
        place = f"{method} {urlsplit(path).path}"
        return (
            f"{self.registry}: refuses the request ({response.status} {said or response.reason} to {place}); try again"
        )

    def _login_advice(self) -> str:
        return f"check the name, or log in: docker login {self.registry}"


def _is_repeatable(body: object) -> bool:
    return body is None or isinstance(body, bytes)


def _repository(path: str) -> str:
    return re.sub(r"^/v2/|/(manifests|blobs)/.*$", "", urlsplit(path).path)


def _manifest(path: str) -> str:
    """Return the image that a path of a manifest names, with its tag or digest; empty for other paths."""
    name, found, reference = urlsplit(path).path.removeprefix("/v2/").partition("/manifests/")
    return f"image {name}{'@' if ':' in reference else ':'}{reference}" if found else ""


def _said(response: urllib3.BaseHTTPResponse) -> str:
    try:
        errors = json.loads(response.data)["errors"]
        return "; ".join(str(error.get("message") or error.get("code")) for error in errors)
    except (ValueError, KeyError, TypeError, AttributeError, HTTPError):
        return ""


class Repository:
    """One repository of a registry. Safe to share between threads."""

    def __init__(self, http: RegistryHttp, name: str) -> None:
        self._http = http
        self.name = name

    @property
    def registry(self) -> str:
        """URL of the server; blobs can be mounted between repositories of the same server."""
        return self._http.base

    def manifest_digest(self, version: str) -> str | None:
        """Return the digest of the manifest with a tag or digest; None if it or the repository does not exist."""
        response = self._http.request("HEAD", self._path("manifests", version), expect={200, 404}, headers=_ACCEPT)
        if response.status == 404:
            return None
        return response.headers.get("Docker-Content-Digest", "") or version

    def manifest(self, version: str) -> bytes:
        """Return the manifest with a tag or digest."""
        return self._http.request("GET", self._path("manifests", version), expect={200}, headers=_ACCEPT).data

    def put_manifest(self, manifest: bytes, tag: str) -> None:
        """Store a manifest under a tag."""
        headers = {"Content-Type": MANIFEST_TYPE}
        self._http.request("PUT", self._path("manifests", tag), expect={200, 201}, headers=headers, body=manifest)

    def has_blob(self, digest: str) -> bool:
        """Whether the repository has a blob."""
        return self._http.request("HEAD", self._path("blobs", digest), expect={200, 404}).status == 200

    def blob(self, digest: str, size: int) -> Iterator[bytes]:
        """Yield the bytes of a blob; resume when the connection is closed."""
        position = 0
        for attempt in range(_ATTEMPTS):
            with suppress(HTTPError, OSError, Unreachable):
                for chunk in self._blob_from(digest, position):
                    position += len(chunk)
                    yield chunk
            if position >= size:
                return
            time.sleep(0.3 * 2**attempt)
        raise Unreachable(f"{self._http.registry}: closes the connection while sending {digest}; try again later")

    def mount(self, digest: str, origin: str) -> bool:
        """Mount a blob from another repository of the same registry; return whether the registry does that."""
        query = f"?mount={digest}&from={quote(origin, safe='')}"
        return self._http.request("POST", self._path("blobs", "uploads/") + query, expect={201, 202}).status == 201

    def upload(self, digest: str, size: int, chunks: Callable[[], Iterable[bytes]]) -> None:
        """Upload a blob in one request; start over after an interruption.

        Several PATCH requests could be resumed, but ECR drops all but the first:
        https://github.com/aws/containers-roadmap/issues/2831.
        """
        for attempt in range(_ATTEMPTS):
            started = self._http.request("POST", self._path("blobs", "uploads/"), expect={202})
            try:
                self._send(started.headers["Location"], digest, size, chunks())
            except (Unreachable, RegistryError) as error:
                if _is_final(error) or attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(0.3 * 2**attempt)
                if self.has_blob(digest):
                    return
            else:
                return

    def _send(self, location: str, digest: str, size: int, chunks: Iterable[bytes]) -> None:
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        sent = self._http.request("PATCH", location, expect={201, 202, 204}, headers=headers, body=chunks)
        location = sent.headers.get("Location", location)
        mark = "&" if "?" in location else "?"
        self._http.request("PUT", f"{location}{mark}digest={quote(digest)}", expect={201, 204}, body=b"")

    def _blob_from(self, digest: str, position: int) -> Iterator[bytes]:
        headers = {"Range": f"bytes={position}-"} if position else {}
        response = self._http.request(
            "GET", self._path("blobs", digest), expect={200, 206}, headers=headers, stream=True
        )
        skip = position if response.status == 200 else 0
        with response:
            for chunk in response.stream(CHUNK):
                yield chunk[skip:]
                skip = max(0, skip - len(chunk))

    def _path(self, kind: str, name: str) -> str:
        return f"/v2/{self.name}/{kind}/{name}"


def _is_final(error: Unreachable | RegistryError) -> bool:
    # 404: the registry has forgotten the upload. 401: the token has expired during it.
    return isinstance(error, RegistryError) and error.status in {400, 403, 405, 413}


def open_repository(registry: str, name: str, session: AwsSession | None = None) -> Repository:
    """Open a repository with the credentials that this machine has for its registry.

    ECR uses the AWS credentials (of `session`, or the default ones), other registries what `docker login` has stored.
    Only registries on this machine are used without TLS.
    """
    if region := ecr_region(registry):
        base, credentials = ecr_access(registry, region, session)
        return Repository(RegistryHttp(registry, base, credentials), name)
    host = "registry-1.docker.io" if registry == DOCKER_HUB else registry
    scheme = "http" if is_on_loopback(registry) else "https"
    return Repository(RegistryHttp(registry, f"{scheme}://{host}", stored_credentials(registry)), name)
