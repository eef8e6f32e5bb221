"""Images on disk: repositories with their manifests and tags over one store of blobs. The runner reads from it.

A blob appears under its digest in one rename, after its bytes were verified. What a killed daemon left of uploads is
removed at the next start.
"""

import hashlib
import json
import re
import shutil
import time
import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from scar_foundation.files import write_whole
from scar_pulumi.cloud.layout import DEFAULT_ACCOUNT, DEFAULT_REGION, write_fully

_ECR_IMAGE = re.compile(
    r"(?P<account>[0-9]{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(?P<name>[^:@]+)"
    r"(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


class MissingBlobError(Exception):
    """A manifest refers to a blob or another manifest that is not here."""


@dataclass(frozen=True)
class Repository:
    """The full name of a repository."""

    account: str
    region: str
    name: str

    def __str__(self) -> str:
        return f"{self.account}.dkr.ecr.{self.region}.amazonaws.com/{self.name}"


@dataclass(frozen=True)
class ImageReference:
    """The parts of an image URI."""

    account: str
    region: str
    name: str
    tag: str
    digest: str

    @property
    def reference(self) -> str:
        """What to look for: the digest, else the tag."""
        return self.digest or self.tag or "latest"


def parse_image_uri(uri: str) -> ImageReference | None:
    """Take an ECR image URI apart; return None when it is something else, which Lambda refuses."""
    found = _ECR_IMAGE.fullmatch(uri)
    return ImageReference(**{name: value or "" for name, value in found.groupdict().items()}) if found else None


class ImageStore:
    """Manifests by digest and tag, in a directory for each repository that ECR has."""

    def __init__(self, directory: Path) -> None:
        self.blobs = BlobStore(directory)
        self._repositories = directory / "repositories"
        self._repositories.mkdir(mode=0o700, exist_ok=True)
        self.collect()

    def manifest(self, digest: str) -> bytes:
        """Return a manifest's bytes; raise KeyError when it is not here."""
        return self.blobs.path(digest).read_bytes()

    def blob_path(self, digest: str) -> Path:
        """Return a blob's file; raise KeyError when it is not here."""
        return self.blobs.path(digest)

    def create(self, repository: Repository) -> None:
        """Create a repository, unless it exists."""
        for folder in ("manifests", "tags"):
            (self._directory(repository) / folder).mkdir(mode=0o700, parents=True, exist_ok=True)

    def find(self, name: str) -> Repository:
        """Return the repository that a push without credentials means: the only one of that name, or the default."""
        default = Repository(DEFAULT_ACCOUNT, DEFAULT_REGION, name)
        named = [repository for repository in self.repositories() if repository.name == name]
        return named[0] if len(named) == 1 else default

    def repositories(self) -> Iterator[Repository]:
        """List all repositories."""
        for path in self._repositories.glob("*/*/*"):
            account, region, name = path.relative_to(self._repositories).parts
            yield Repository(account, region, unquote(name))

    def put_manifest(self, repository: Repository, data: bytes, media_type: str, tag: str | None = None) -> str:
        """Store a manifest; raise MissingBlobError without its blobs, or ValueError when it is not a manifest."""
        wanted = references(data)
        if missing := [digest for digest in wanted if digest not in self.blobs]:
            raise MissingBlobError(", ".join(missing))
        digest = self.blobs.put(data)
        self.create(repository)
        write_whole(self._directory(repository) / "manifests" / digest, media_type.encode())
        if tag:
            write_whole(self._directory(repository) / "tags" / tag, digest.encode())
        self.blobs.release(str(repository), wanted)
        return digest

    def resolve(self, repository: Repository, reference: str) -> str | None:
        """Return the manifest's digest for a tag or digest; None when the repository has no such image."""
        directory = self._directory(repository)
        digest = reference
        if not DIGEST.fullmatch(reference):
            path = directory / "tags" / quote(reference, safe="")
            digest = path.read_text() if path.is_file() else ""
        return digest if digest and (directory / "manifests" / digest).is_file() else None

    def media_type(self, repository: Repository, digest: str) -> str:
        """Return the media type that a manifest was pushed with."""
        return (self._directory(repository) / "manifests" / digest).read_text()

    def tags(self, repository: Repository) -> list[str]:
        """Return the tags of a repository, sorted."""
        return sorted(unquote(path.name) for path in (self._directory(repository) / "tags").glob("[!.]*"))

    def size(self, digest: str) -> int:
        """Return the compressed size of an image in bytes: config and layers, as ECR counts."""
        document = json.loads(self.manifest(digest))
        return sum(int(part.get("size", 0)) for part in (document.get("config", {}), *document.get("layers", ())))

    def keep(self, repository: Repository, digests: Collection[str], tags: Collection[str]) -> None:
        """Remove all other manifests and tags, then the blobs that nothing refers to any more."""
        directory = self._directory(repository)
        for folder, kept in (("manifests", set(digests)), ("tags", {quote(tag, safe="") for tag in tags})):
            for path in (directory / folder).glob("*"):
                if path.name not in kept:
                    path.unlink(missing_ok=True)
        self.collect()

    def drop(self, repository: Repository) -> None:
        """Remove a repository and the blobs that nothing refers to any more."""
        shutil.rmtree(self._directory(repository), ignore_errors=True)
        self.collect()

    def collect(self) -> int:
        """Remove blobs that no manifest and no running push needs; return how many bytes that freed."""
        wanted: set[str] = set()
        pending = [path.name for path in self._repositories.glob("*/*/*/manifests/sha256:*")]
        while pending:
            digest = pending.pop()
            if digest not in wanted and digest in self.blobs:
                wanted.add(digest)
                pending.extend(_manifests(self.manifest(digest), wanted))
        return self.blobs.collect(wanted)

    def describe(self) -> dict[str, Any]:
        """Return how many repositories, images and bytes there are."""
        count, size = self.blobs.usage()
        images = sum(1 for _ in self._repositories.glob("*/*/*/manifests/sha256:*"))
        return {"repositories": sum(1 for _ in self.repositories()), "images": images, "blobs": count, "bytes": size}

    def _directory(self, repository: Repository) -> Path:
        return self._repositories / repository.account / repository.region / quote(repository.name, safe="")


def references(data: bytes) -> list[str]:
    """Return the digests that a manifest or an index refers to; raise ValueError when it is neither."""
    document = json.loads(data)
    if not isinstance(document, dict):
        raise ValueError("not an object")  # noqa: TRY004 - one error for one wrong document
    parts = [document.get("config"), *document.get("layers", ()), *document.get("manifests", ())]
    digests = [part["digest"] for part in parts if isinstance(part, dict) and "digest" in part and "urls" not in part]
    if not digests or not all(DIGEST.fullmatch(digest) for digest in digests):
        raise ValueError("it names no config, layers or manifests by sha256 digest")
    return digests


def _manifests(data: bytes, wanted: set[str]) -> list[str]:
    """Add a manifest's blobs to `wanted`; return the manifests of an index, whose blobs are wanted, too."""
    document = json.loads(data)
    wanted.update(part["digest"] for part in (document.get("config"), *document.get("layers", ())) if part)
    return [part["digest"] for part in document.get("manifests", ())]


DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LEASE_SECONDS = 3600.0


class DigestMismatchError(Exception):
    """The uploaded bytes do not have the digest that was announced."""


class Upload:
    """An upload: its bytes so far, and their digest."""

    def __init__(self, path: Path, destination: Path) -> None:
        self.identifier = path.name
        self.size = 0
        self._path = path
        self._destination = destination
        self._hash = hashlib.sha256()
        self._file = path.open("wb", buffering=0)

    def write(self, chunk: bytes) -> None:
        """Append the next bytes."""
        write_fully(self._file, chunk)
        self._hash.update(chunk)
        self.size += len(chunk)

    def commit(self, digest: str | None = None) -> str:
        """Store the blob and return its digest; raise DigestMismatchError and drop the bytes if it is another one."""
        self._file.close()
        actual = f"sha256:{self._hash.hexdigest()}"
        if digest is not None and actual != digest:
            self._path.unlink(missing_ok=True)
            raise DigestMismatchError(actual)
        self._path.replace(self._destination / actual.removeprefix("sha256:"))
        return actual

    def cancel(self) -> None:
        """Drop the bytes."""
        self._file.close()
        self._path.unlink(missing_ok=True)


class BlobStore:
    """Blobs, running uploads, and leases: which repository's push needs which blob.

    A push finds or uploads a blob some time before it uploads the manifest that refers to it. Until then a lease keeps
    the blob from being collected.
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
        """Return a blob's file; raise KeyError when it is not here."""
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
        """Store small data and return its digest."""
        upload = self._begin()
        upload.write(data)
        return upload.commit()

    def begin(self) -> Upload:
        """Start an upload that can be continued by its identifier."""
        upload = self._begin()
        self._running[upload.identifier] = upload
        return upload

    def running(self, identifier: str) -> Upload:
        """Return a running upload; raise KeyError when there is none."""
        return self._running[identifier]

    def finish(self, upload: Upload) -> None:
        """Forget an upload that was committed or cancelled."""
        self._running.pop(upload.identifier, None)

    def lease(self, owner: str, digest: str) -> None:
        """Keep a blob until the owner's manifest arrives, for an hour at most."""
        self._leases[owner, digest] = time.monotonic() + _LEASE_SECONDS

    def release(self, owner: str, digests: Collection[str]) -> None:
        """End an owner's leases: its manifest has arrived, and refers to the blobs."""
        for digest in digests:
            self._leases.pop((owner, digest), None)

    def collect(self, wanted: Collection[str]) -> int:
        """Remove the blobs that are neither wanted nor leased; return how many bytes that freed."""
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
        """Return how many blobs there are, and their bytes."""
        sizes = [path.stat().st_size for path in self._blobs.iterdir()]
        return len(sizes), sum(sizes)

    def _begin(self) -> Upload:
        return Upload(self._uploads / uuid.uuid4().hex, self._blobs)
