"""A time after which work of our own is given up, with an error that is raised in the middle of it."""

import contextlib
import signal
import time
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def at(moment: float, error: Exception) -> Iterator[None]:
    """Raise the error within, once the moment has come (seconds since the epoch); only for the main thread."""

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise error

    seconds = moment - time.time()
    if seconds <= 0:
        raise error
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
