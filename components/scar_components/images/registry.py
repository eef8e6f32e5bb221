"""A repository in a registry: https://github.com/opencontainers/distribution-spec/blob/main/spec.md."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from urllib.parse import quote

from urllib3.exceptions import HTTPError

from scar_components.images.credentials import docker_credentials
from scar_components.images.ecr import ecr_access, ecr_region
from scar_components.images.http import RegistryError, RegistryHttp, Unreachable
from scar_components.images.oci import INDEX_TYPES, MANIFEST_TYPES
from scar_components.images.parts import CHUNK, MANIFEST_TYPE
from scar_components.images.reference import DOCKER_HUB, is_on_loopback
from scar_foundation.aws_session import AwsSession

_ATTEMPTS = 5
_ACCEPT = {"Accept": ", ".join((*MANIFEST_TYPES, *INDEX_TYPES))}


class Repository:
    """What can be asked of and stored in one repository. Safe to share between threads."""

    def __init__(self, http: RegistryHttp, name: str) -> None:
        self._http = http
        self.name = name

    @property
    def registry(self) -> str:
        """The server that is really talked to: what blobs can be mounted within."""
        return self._http.base

    def manifest_digest(self, version: str) -> str | None:
        """Digest of the manifest with a tag or digest; None if there is no such manifest or repository."""
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
        """Yield the bytes of a blob, going on where a connection broke off."""
        position = 0
        for attempt in range(_ATTEMPTS):
            with suppress(HTTPError, OSError, Unreachable):
                for chunk in self._blob_from(digest, position):
                    position += len(chunk)
                    yield chunk
            if position >= size:
                return
            time.sleep(0.3 * 2**attempt)
        raise Unreachable(f"{self._http.registry}: breaks off again and again while sending {digest}; try again later")

    def mount(self, digest: str, origin: str) -> bool:
        """Take a blob over from another repository of the same registry, without its bytes. False if it cannot."""
        query = f"?mount={digest}&from={quote(origin, safe='')}"
        return self._http.request("POST", self._path("blobs", "uploads/") + query, expect={201, 202}).status == 201

    def upload(self, digest: str, size: int, chunks: Callable[[], Iterable[bytes]]) -> None:
        """Store a blob in one piece, from the start again after an interruption.

        Several PATCH requests would save some of that, but ECR drops all but the first:
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
    # 404 is an upload that the registry has forgotten, 401 a token that has run out in the middle of it.
    return isinstance(error, RegistryError) and error.status in {400, 403, 405, 413}


def open_repository(registry: str, name: str, session: AwsSession | None = None) -> Repository:
    """Open a repository with whatever access this machine has to its registry.

    ECR takes the AWS credentials (of `session`, or the default ones), all others what `docker login` has stored. Only
    registries on this machine are talked to without TLS.
    """
    if region := ecr_region(registry):
        base, credentials = ecr_access(registry, region, session)
        return Repository(RegistryHttp(registry, base, credentials), name)
    host = "registry-1.docker.io" if registry == DOCKER_HUB else registry
    scheme = "http" if is_on_loopback(registry) else "https"
    return Repository(RegistryHttp(registry, f"{scheme}://{host}", docker_credentials(registry)), name)
