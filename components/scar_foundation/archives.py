"""Archives of images without their compression: unpacked once, into the cache, whoever reads them first."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from scar_foundation.directories import image_cache, lock_file
from scar_foundation.errors import ScarError
from scar_foundation.files import file_stamp, mark_used, remove_unused, written
from scar_foundation.locks import exclusive

_COMPRESSIONS = {"gzip": b"\x1f\x8b", "xz": b"\xfd7zXZ", "zstd": b"\x28\xb5\x2f\xfd", "bzip2": b"BZh"}
_MODULES = {"gzip": ("gzip", "GzipFile"), "xz": ("lzma", "LZMAFile"), "bzip2": ("bz2", "BZ2File")}
_BLOCK = 1 << 20


class ArchiveError(ScarError):
    """An archive cannot be decompressed."""


def compression_of(path: Path) -> str | None:
    """Return how a file is compressed: `gzip`, `xz`, `zstd` or `bzip2`; None where it is not. Raises OSError."""
    with path.open("rb") as file:
        magic = file.read(6)
    return next((name for name, start in _COMPRESSIONS.items() if magic.startswith(start)), None)


def uncompressed(path: Path, progress: Callable[[str], None] = lambda _: None) -> Path:
    """Return an archive without its compression: itself, or its content in the cache.

    Raises ArchiveError where it is damaged, or nothing here can decompress it.
    """
    name = compression_of(path)
    if name is None:
        return path
    identity = sha256(f"{path.absolute()}:{file_stamp(path)}".encode()).hexdigest()
    found = image_cache("archives") / f"{identity}.tar"
    with exclusive(lock_file(found)):
        if not mark_used(found):
            remove_unused(found.parent)
            progress(f"{path}: decompressing it")
            _decompress(path, name, found)
    return found


def _decompress(path: Path, name: str, found: Path) -> None:
    import lzma  # noqa: PLC0415 - most archives are not compressed
    import zlib  # noqa: PLC0415 - likewise

    try:
        with written(found) as target, _opened(path, name) as source:
            shutil.copyfileobj(source, target, _BLOCK)
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise ArchiveError(f"{path}: cannot be decompressed ({error}); write or download it again") from None


@contextmanager
def _opened(path: Path, compression: str) -> Iterator[IO[Any]]:
    if compression in _MODULES:
        from importlib import import_module  # noqa: PLC0415 - as above

        module, name = _MODULES[compression]
        with getattr(import_module(module), name)(path) as file:
            yield file
        return
    program = shutil.which("zstd")
    if program is None:
        raise ArchiveError(f"{path}: is compressed with zstd, which is not on PATH; install it, or compress with gzip")
    with subprocess.Popen([program, "-dcq", str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        yield process.stdout
    if process.returncode:
        raise EOFError("zstd refuses it")
