"""Layers of images on disk, as the gzip layers that Lambda accepts; each is read, checked and compressed once."""

import hashlib
import json
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import cramjam

from scar_components.images.image import FileRange, ImageError, Layer
from scar_foundation.directories import image_cache, lock_file
from scar_foundation.files import mark_used, remove_unused, written
from scar_foundation.locks import exclusive

# Level 1 of zlib is as fast; level 3 needs half as much time again for 6 % fewer bytes (122 MB of programs: 1.0 s and
# 40 MB against 1.6 s and 38 MB, on one core).
LEVEL = 2
_AT_ONCE = 4 << 20
_STORED = 0xFFFF  # bytes in a block
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"


def gzip_chunks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Compress a stream into one gzip member without a time stamp, with the same bytes on every machine.

    Python's own zlib is whatever it was linked with, and zlib, zlib-ng and their versions choose other bytes. cramjam
    brings its compressor along, in portable code: https://github.com/milesgranger/cramjam
    """
    compressor = cramjam.gzip.Compressor(level=LEVEL)
    for chunk in chunks:
        compressor.compress(chunk)
        yield bytes(compressor.flush())
    yield bytes(compressor.finish())


def stored_gzip(data: bytes) -> bytes:
    """Return a small layer as gzip without compression, whose bytes depend on no zlib: RFC 1951, section 3.2.4."""
    pieces = [data[start : start + _STORED] for start in range(0, len(data), _STORED)] or [b""]
    blocks = [struct.pack("<BHH", piece is pieces[-1], len(piece), len(piece) ^ 0xFFFF) + piece for piece in pieces]
    return b"".join([_HEADER, *blocks, struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)])


def gunzip_chunks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress a stream of gzip members. Raises zlib.error for what is not gzip, EOFError for a cut stream."""
    member = zlib.decompressobj(wbits=31)
    for chunk in chunks:
        rest = chunk
        while rest:
            if member.eof:
                member = zlib.decompressobj(wbits=31)
            yield member.decompress(rest, _AT_ONCE)
            rest = member.unused_data if member.eof else member.unconsumed_tail
    if not member.eof:
        raise EOFError


_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"

Progress = Callable[[str], None]


def gzip_layer(where: str, found: FileRange, diff_id: str, digest: str | None, progress: Progress) -> Layer:
    """Return a layer in a file as one that can be pushed, after checking its digests.

    `diff_id` is the digest of the uncompressed layer in the image's configuration, `digest` that of the file in its
    manifest, if there is one. Gzip layers stay where they are; uncompressed ones are compressed into the cache. A file
    that was examined before is not read again.
    """
    key = hashlib.sha256(f"{found.path.resolve()}:{found.offset}:{found.size}:{found.stamp}".encode()).hexdigest()
    record = image_cache("layers") / f"{key}.seen.json"
    layer = _remembered(record, found)
    if layer is None:
        if found.size > 64 << 20:
            progress(f"{where}: reading a layer of {found.size >> 20} MB (only once)")
        layer = _examined(where, found, diff_id)
        _save(record, layer)
    _check(where, diff_id, {layer.diff_id})
    if digest:
        _check(where, digest, {layer.digest, layer.diff_id})
    return layer


def _examined(where: str, found: FileRange, diff_id: str) -> Layer:
    magic = next(found.chunks(), b"")[:4]
    if magic.startswith(_ZSTD):
        raise ImageError(f"{where}: has zstd layers, which Lambda does not accept; {ZSTD_ADVICE}")
    return _of_gzip(where, found) if magic.startswith(_GZIP) else _of_tar(where, found, diff_id)


def _of_gzip(where: str, found: FileRange) -> Layer:
    """Read a gzip layer once, for the digests of the file and of the tar in it."""
    packed, unpacked = _Meter(), _Meter()
    try:
        for _ in unpacked.measure(gunzip_chunks(packed.measure(found.chunks()))):
            pass
    except (zlib.error, EOFError):
        raise ImageError(f"{where}: has a damaged gzip layer; save the image again") from None
    return Layer(packed.digest, packed.length, unpacked.digest, found, unpacked.length)


def _of_tar(where: str, found: FileRange, diff_id: str) -> Layer:
    """Compress an uncompressed layer into the cache, once for all images that have it."""
    path = _cached_path(diff_id)
    record = path.with_suffix(".json")
    tar = _Meter()
    with exclusive(lock_file(path)):
        if layer := _remembered(record, None):
            for _ in tar.measure(found.chunks()):
                pass
            _check(where, diff_id, {tar.digest})
            return layer
        remove_unused(path.parent)
        packed = _Meter()
        with written(path) as file:
            file.writelines(packed.measure(gzip_chunks(tar.measure(found.chunks()))))
            _check(where, diff_id, {tar.digest})
        layer = Layer(packed.digest, packed.length, diff_id, FileRange.cached(path), tar.length)
        _save(record, layer)
    return layer


def _check(where: str, expected: str, actual: set[str]) -> None:
    if expected not in actual:
        raise ImageError(f"{where}: layer {expected} is damaged: its content has another digest; save the image again")


def _cached_path(diff_id: str) -> Path:
    # Another compressor makes other bytes of the same layer.
    made_by = f"cramjam-{cramjam.__version__}-{LEVEL}"
    return image_cache("layers") / f"{diff_id.removeprefix('sha256:')}-{made_by}.tar.gz"


def _save(record: Path, layer: Layer) -> None:
    facts = {"digest": layer.digest, "size": layer.size, "diff_id": layer.diff_id, "unpacked": layer.unpacked}
    in_cache = layer.source == FileRange.cached(_cached_path(layer.diff_id), layer.size)
    with written(record) as file:
        file.write(json.dumps({"in_cache": in_cache, **facts}).encode())


def _remembered(record: Path, found: FileRange | None) -> Layer | None:
    """Return the layer of an earlier examination, if its bytes still exist, in `found` or in the cache."""
    if not mark_used(record):
        return None
    facts: dict[str, Any] = json.loads(record.read_text())
    if not facts.pop("in_cache"):
        assert found
        return Layer(**facts, source=found)
    path = _cached_path(facts["diff_id"])
    if not mark_used(path) or path.stat().st_size != facts["size"]:
        return None
    return Layer(**facts, source=FileRange.cached(path))


class _Meter:
    """Measures digest and length of a stream."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.length = 0

    def measure(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._hash.update(chunk)
            self.length += len(chunk)
            yield chunk

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


ZSTD_ADVICE = "convert it: skopeo copy --dest-compress-format gzip --dest-force-compress-format FROM oci:FOLDER"
