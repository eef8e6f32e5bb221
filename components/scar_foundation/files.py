"""Files that several processes write and read at the same time, and that stay complete if a process is killed."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

UNFINISHED = ".new-"
"""Prefix of the names of incomplete files."""


@contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """Open a new file, for its owner only, that replaces `path` at the end; after an error `path` is unchanged."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=UNFINISHED)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: bytes | str) -> None:
    """Replace a file with a new one for its owner only; text is UTF-8."""
    with written(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def write_first(path: Path, content: str) -> None:
    """Create a file for its owner only unless it exists; of several processes the first one wins."""
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=UNFINISHED) as folder:
        made = Path(folder) / path.name
        write_whole(made, content)
        with suppress(FileExistsError):
            path.hardlink_to(made)  # fails, rather than replaces, when another process was first


def file_stamp(path: Path) -> str:
    """Return a text that changes with a file's content, without reading the file."""
    status = path.stat()
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}:{status.st_ino}"


def mark_used(path: Path) -> bool:
    """Return whether a cached file exists; if so, it counts as used now."""
    try:
        os.utime(path)
    except OSError:
        return False
    return True


def remove_unused(folder: Path, days: int = 30) -> None:
    """Remove the files of a cache folder that were not used for some days."""
    oldest = time.time() - days * 86400
    for path in folder.iterdir():
        with suppress(OSError):
            if path.is_file() and path.stat().st_mtime < oldest:
                path.unlink()
