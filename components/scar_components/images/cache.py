"""Files in the cache that several processes and threads make, use and clean up at the same time."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scar_foundation.directories import cache_directory

UNUSED_DAYS = 30


def cache_folder(kind: str) -> Path:
    """Folder of one kind of cached files, created when missing."""
    folder = cache_directory() / kind
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one holder at a time work on `path`, across processes and threads; released when its process dies."""
    folder = cache_folder("locks")
    with (folder / f"{path.parent.name}-{path.name}").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def used(path: Path) -> bool:
    """Whether a cached file exists; if so, it counts as used now."""
    try:
        os.utime(path)
    except OSError:
        return False
    return True


def sweep(folder: Path) -> None:
    """Remove the files of a cache folder that nobody has used for a month."""
    oldest = time.time() - UNUSED_DAYS * 86400
    for path in folder.iterdir():
        with suppress(OSError):
            if path.is_file() and path.stat().st_mtime < oldest:
                path.unlink()
