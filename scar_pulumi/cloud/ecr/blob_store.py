"""Content-addressed blobs on disk, and the uploads that become blobs.

A blob appears under its digest in one rename after its bytes were verified. What a killed daemon left of uploads is
swept at start.
"""

import hashlib
import re
import shutil
import time
import uuid
from collections.abc import Collection
from pathlib import Path

from scar_pulumi.cloud.layout import write_fully

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LEASE_SECONDS = 3600.0


class DigestMismatchError(Exception):
    """The bytes that came are not those that the digest promises."""


class Upload:
    """Bytes on their way in; their digest is computed as they come."""

    def __init__(self, path: Path, destination: Path) -> None:
        self.identifier = path.name
        self.size = 0
        self._path = path
        self._destination = destination
        self._hash = hashlib.sha256()
        self._file = path.open("wb", buffering=0)

    def write(self, chunk: bytes) -> None:
        """Takes the next bytes."""
        write_fully(self._file, chunk)
        self._hash.update(chunk)
        self.size += len(chunk)

    def commit(self, digest: str | None = None) -> str:
        """Makes the blob visible and returns its digest; raises DigestMismatchError, after which the upload is gone."""
        self._file.close()
        actual = f"sha256:{self._hash.hexdigest()}"
        if digest is not None and actual != digest:
            self._path.unlink(missing_ok=True)
            raise DigestMismatchError(actual)
        self._path.replace(self._destination / actual.removeprefix("sha256:"))
        return actual

    def cancel(self) -> None:
        """Throws the bytes away."""
        self._file.close()
        self._path.unlink(missing_ok=True)


class BlobStore:
    """Blobs, running uploads, and leases: which repository's push counts on which blob.

    A push looks for a blob, or brings it, some time before its manifest refers to it. Until then a lease keeps the
    collection from removing the blob.
    """

    def __init__(self, directory: Path) -> None:
        self._blobs = directory / "blobs" / "sha256"
        self._uploads = directory / "uploads"
        shutil.rmtree(self._uploads, ignore_errors=True)
        self._blobs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._uploads.mkdir(mode=0o700)
        self._running: dict[str, Upload] = {}
        self._leases: dict[tuple[str, str], float] = {}

    def path(self, digest: str) -> Path:
        """A blob's file; raises KeyError."""
        path = self._blobs / digest.removeprefix("sha256:")
        if not DIGEST.fullmatch(digest) or not path.is_file():
            raise KeyError(digest)
        return path

    def __contains__(self, digest: str) -> bool:
        try:
            return bool(self.path(digest))
        except KeyError:
            return False

    def put(self, data: bytes) -> str:
        """Stores small data and returns its digest."""
        upload = self._begin()
        upload.write(data)
        return upload.commit()

    def begin(self) -> Upload:
        """Starts an upload that can be continued by its identifier."""
        upload = self._begin()
        self._running[upload.identifier] = upload
        return upload

    def running(self, identifier: str) -> Upload:
        """A running upload; raises KeyError."""
        return self._running[identifier]

    def finish(self, upload: Upload) -> None:
        """Forgets an upload that was committed or cancelled."""
        self._running.pop(upload.identifier, None)

    def lease(self, owner: str, digest: str) -> None:
        """Keeps a blob for `owner` until its manifest came, or for an hour."""
        self._leases[owner, digest] = time.monotonic() + _LEASE_SECONDS

    def release(self, owner: str, digests: Collection[str]) -> None:
        """Ends an owner's leases: from now on its manifest counts."""
        for digest in digests:
            self._leases.pop((owner, digest), None)

    def collect(self, wanted: Collection[str]) -> int:
        """Removes the blobs that nobody wants or has leased; returns how many bytes went."""
        now = time.monotonic()
        self._leases = {key: end for key, end in self._leases.items() if end > now}
        kept = {*wanted, *(digest for _, digest in self._leases)}
        freed = 0
        for path in list(self._blobs.iterdir()):
            if f"sha256:{path.name}" not in kept:
                freed += path.stat().st_size
                path.unlink(missing_ok=True)
        return freed

    def usage(self) -> tuple[int, int]:
        """How many blobs there are, and their bytes."""
        sizes = [path.stat().st_size for path in self._blobs.iterdir()]
        return len(sizes), sum(sizes)

    def _begin(self) -> Upload:
        return Upload(self._uploads / uuid.uuid4().hex, self._blobs)
