"""The files of an image on disk, whether it is a tar archive or a directory."""

import posixpath
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from scar_components.images.errors import ImageError
from scar_components.images.parts import FileRange, file_stamp

# What an image's documents may have at most; registries' own limit for manifests is 4 MB.
DOCUMENT_LIMIT = 4 << 20


class Tree(Protocol):
    """Named files of an image."""

    @property
    def path(self) -> Path:
        """Where the image is on disk."""

    def find(self, name: str) -> FileRange | None:
        """Where the file called `name` is, or None."""


def read_document(tree: Tree, name: str) -> bytes:
    """Read a JSON document of an image. Raises ImageError if it is missing or absurdly big."""
    found = tree.find(name)
    if found is None:
        raise ImageError(f"{tree.path}: {name} is missing in it; save the image again")
    if found.size > DOCUMENT_LIMIT:
        raise ImageError(
            f"{tree.path}: {name} has {found.size} bytes, which is no image document; save the image again"
        )
    return found.read()


@dataclass(frozen=True)
class DirectoryTree:
    """A directory: an OCI image layout, or an unpacked archive."""

    path: Path

    def find(self, name: str) -> FileRange | None:
        """Where the file is; names that lead out of the directory are nowhere."""
        path = self.path / name
        if not path.is_file() or not path.resolve().is_relative_to(self.path.resolve()):
            return None
        return FileRange.whole(path)


class TarTree:
    """An uncompressed tar archive, read once for its table of contents."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp = file_stamp(path)
        self.members = _members(path)

    def find(self, name: str) -> FileRange | None:
        """Where the member is; old `docker save` archives hold links between layers, which are followed."""
        member = self.members.get(posixpath.normpath(name))
        for _ in range(8):
            if member is None or not (member.issym() or member.islnk()):
                break
            base = posixpath.dirname(member.name) if member.issym() else ""
            member = self.members.get(posixpath.normpath(posixpath.join(base, member.linkname)))
        if member is None or not member.isreg():
            return None
        return FileRange(self.path, member.offset_data, member.size, self._stamp)


def _members(path: Path) -> dict[str, tarfile.TarInfo]:
    with path.open("rb") as file:
        magic = file.read(6)
    for name, start, tool in _COMPRESSIONS:
        if magic.startswith(start):
            raise ImageError(f"{path}: is compressed with {name}; unpack it first: {tool} {path.name}")
    try:
        with tarfile.open(path, "r:") as archive:
            return {posixpath.normpath(member.name): member for member in archive}
    except tarfile.TarError as error:
        if "unexpected end" in str(error):
            raise ImageError(f"{path}: is truncated; write or download it again") from None
        raise ImageError(f"{path}: is not a tar archive; make one with docker save -o FILE IMAGE") from None


_COMPRESSIONS = (
    ("gzip", b"\x1f\x8b", "gunzip --keep"),
    ("xz", b"\xfd7zXZ", "unxz --keep"),
    ("zstd", b"\x28\xb5\x2f\xfd", "unzstd --keep"),
    ("bzip2", b"BZh", "bunzip2 --keep"),
)
