"""What a file tells of the image in it: whether it is whole, and for which architectures. Layers are not read."""

import json
import posixpath
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

from scar_foundation.archives import uncompressed
from scar_foundation.limits import MANIFEST_BYTES

_Read = Callable[[str], Any]
"""Returns a JSON document of an image by its name; raises LookupError where there is none."""
_DEEPEST = 4
"""Indexes within indexes that anybody makes."""


def is_truncated(file: Path) -> bool:
    """Return whether the last file in an archive ends before its end; only headers are read."""
    try:
        with tarfile.open(file, "r:") as archive:
            return any(False for _ in archive)
    except tarfile.ReadError as error:  # of a compressed one, too, which is told when it is decompressed
        return "unexpected end" in str(error)


def architectures(path: Path) -> set[str]:
    """Return the architectures that a `docker save` archive or an OCI layout has, in OCI's words such as `amd64`.

    An archive may be compressed; then it is decompressed into the cache, where deployments look for it. Nothing is
    returned of what cannot be understood: whatever it is, it is told when it is deployed.

    Raises:
        ArchiveError: It cannot be decompressed.
    """
    try:
        if path.is_dir():
            return _architectures(lambda name: json.loads(_of_directory(path, name)))
        with tarfile.open(uncompressed(path), "r:") as archive:
            members = {posixpath.normpath(member.name): member for member in archive}
            return _architectures(lambda name: json.loads(_of_archive(archive, members[posixpath.normpath(name)])))
    except (tarfile.TarError, ValueError, LookupError, TypeError, AttributeError, OSError):
        return set()


def _of_directory(folder: Path, name: str) -> bytes:
    if not (folder / name).is_file():
        raise LookupError(name)
    with (folder / name).open("rb") as file:
        return file.read(MANIFEST_BYTES)


def _of_archive(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    return cast(IO[bytes], archive.extractfile(member)).read(MANIFEST_BYTES)


def _architectures(read: _Read) -> set[str]:
    try:
        (image,) = read("manifest.json")
    except LookupError:
        return set(_of_manifest(read, read("index.json")))
    return {str(read(image["Config"])["architecture"])}


def _of_manifest(read: _Read, document: Any, depth: int = 0) -> Iterator[str]:
    """Yield the architectures of an OCI index or manifest.

    https://github.com/opencontainers/image-spec/blob/main/image-index.md
    """
    if "manifests" not in document:
        yield str(read(_blob(document["config"]))["architecture"])
        return
    for descriptor in document["manifests"]:
        platform = descriptor.get("platform") or {}
        if "architecture" in platform:
            yield str(platform["architecture"])
        elif depth < _DEEPEST:
            yield from _of_manifest(read, read(_blob(descriptor)), depth + 1)


def _blob(descriptor: Any) -> str:
    return "blobs/" + str(descriptor["digest"]).replace(":", "/")
