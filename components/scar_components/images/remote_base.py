"""Base images in registries: their documents are read, and their layers stay there until the push."""

import time

from scar_components.images.image import ImageError, Layer, RemoteBlob, parse_reference, sha256
from scar_components.images.manifests import (
    Base,
    Document,
    check_manifest,
    choose,
    diff_ids,
    digest_of,
    is_index,
    parse_document,
)
from scar_components.images.registry import RegistryError, Repository, Unreachable, open_repository
from scar_foundation.aws_session import AwsSession
from scar_foundation.directories import image_cache
from scar_foundation.files import mark_used, written

# Seconds for which a resolved tag is kept, so that all functions of a program get the same image.
FRESH = 30.0
_resolved: dict[tuple[str, str, AwsSession | None, str], tuple[float, str]] = {}


def read_remote(name: str, architecture: str, session: AwsSession | None) -> Base:
    """Read an image's documents from its registry.

    A tag is looked up in each run, so that a moved tag is a new image; with a digest and a warm cache nothing is asked.
    """
    where = f"image {name}"
    try:
        return _read(where, name, architecture, session)
    except Unreachable as error:
        raise ImageError(
            f"{where}: {error}, or save the image elsewhere (docker save -o FILE IMAGE) and give the file as image_file"
        ) from None


def _read(where: str, name: str, architecture: str, session: AwsSession | None) -> Base:
    reference = parse_reference(name)
    repository = _Documents(where, reference.registry, reference.repository, session)
    digest = reference.digest or repository.resolve(reference.version)
    document = repository.manifest(digest)
    if is_index(document):
        document = repository.manifest(digest_of(where, choose(where, document, architecture)))
    descriptors = check_manifest(where, document)
    configuration = repository.configuration(document["config"])
    identifiers = diff_ids(where, configuration, architecture, len(descriptors))
    source = RemoteBlob(reference.registry, reference.repository)
    layers = []
    for descriptor, identifier in zip(descriptors, identifiers, strict=True):
        if not str(descriptor.get("mediaType")).endswith("gzip"):
            raise ImageError(
                f"{where}: has uncompressed layers, which Lambda does not accept; save the image (docker save -o FILE "
                "IMAGE) and give the file as image_file"
            )
        layers.append(Layer(digest_of(where, descriptor), int(descriptor["size"]), identifier, source))
    return Base(where, configuration, tuple(layers))


class _Documents:
    """Manifests and configurations of a repository; each is fetched once and cached."""

    def __init__(self, where: str, registry: str, name: str, session: AwsSession | None) -> None:
        self._where = where
        self._address = registry, name, session
        self._opened: Repository | None = None

    @property
    def _repository(self) -> Repository:
        self._opened = self._opened or open_repository(*self._address)
        return self._opened

    def resolve(self, tag: str) -> str:
        key = (*self._address, tag)
        looked, digest = _resolved.get(key, (float("-inf"), ""))
        if time.monotonic() - looked > FRESH:
            digest = self._look_up(tag)
            _resolved[key] = time.monotonic(), digest
        return digest

    def _look_up(self, tag: str) -> str:
        digest = self._repository.manifest_digest(tag)
        if digest is None:
            raise ImageError(f"{self._where}: does not exist; check its name and tag")
        return digest if digest.startswith("sha256:") else sha256(self._manifest_bytes(tag))

    def manifest(self, digest: str) -> Document:
        return self._document(digest, "manifest")

    def configuration(self, descriptor: Document) -> Document:
        return self._document(digest_of(self._where, descriptor), "configuration", int(descriptor["size"]))

    def _manifest_bytes(self, version: str) -> bytes:
        try:
            return self._repository.manifest(version)
        except RegistryError as error:
            if error.status != 404:
                raise
        raise ImageError(f"{self._where}: does not exist; check its name, tag or digest")

    def _document(self, digest: str, kind: str, size: int = 0) -> Document:
        path = image_cache("documents") / digest.removeprefix("sha256:")
        if mark_used(path) and sha256(data := path.read_bytes()) == digest:
            return parse_document(self._where, kind, data)
        data = b"".join(self._repository.blob(digest, size)) if size else self._manifest_bytes(digest)
        if sha256(data) != digest:
            raise ImageError(f"{self._where}: its registry returned a damaged {kind}; try again")
        with written(path) as file:
            file.write(data)
        return parse_document(self._where, kind, data)
