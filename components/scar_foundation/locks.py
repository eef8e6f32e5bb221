"""One process at a time: file locks, which a killed process cannot leave behind."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def exclusive(path: Path, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lock on the file `path`, across processes and threads; create the file when it is missing.

    `waiting` is called with the holder's process id every two seconds until the lock is free.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _acquire(descriptor, waiting)
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def try_lock(file: int | IO[str] | IO[bytes]) -> bool:
    """Lock an open file or directory until it is closed; return False when another process holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _acquire(descriptor: int, waiting: Callable[[str], None] | None) -> None:
    if waiting is None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return
    told = 0.0
    while not try_lock(descriptor):
        if time.monotonic() - told >= 2:
            told = time.monotonic()
            waiting(os.pread(descriptor, 32, 0).decode(errors="replace"))
        time.sleep(0.1)
