"""Write files as an image layer: a gzipped tar archive, with the same bytes for the same files."""

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple


class File(NamedTuple):
    """One file of the layer."""

    data: bytes
    executable: bool = False


class Layer(NamedTuple):
    """What an image's manifest and configuration say about a layer."""

    digest: str
    diff_id: str
    size: int


def write(tree: Mapping[str, File], output: Path) -> Layer:
    """Write the tree as a gzipped tar archive, or not at all: owned by root, without times, sorted by name."""
    archive = _archive(tree)
    packed = _gzipped(archive)
    partial = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        partial.write_bytes(packed)
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
    return Layer(_digest(packed), _digest(archive), len(packed))


def _archive(tree: Mapping[str, File]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name in sorted(_folders(tree) | set(tree)):
            entry = tarfile.TarInfo(name)
            file = tree.get(name)
            if file is None:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
            else:
                entry.size, entry.mode = len(file.data), 0o755 if file.executable else 0o644
                archive.addfile(entry, io.BytesIO(file.data))
    return buffer.getvalue()


def _folders(tree: Mapping[str, File]) -> set[str]:
    # The first folder (opt) stays the base image's own: it may be a link there.
    return {str(parent) for name in tree for parent in PurePosixPath(name).parents if len(parent.parts) > 1}


def _gzipped(archive: bytes) -> bytes:
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=buffer, mode="wb", compresslevel=9, mtime=0) as packed:
        packed.write(archive)
    return buffer.getvalue()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
