"""Answers in time: a gateway that gives up on a function tells its caller nothing, so the supervisor answers before.

Lambda passes an answer on when the runtime gives it, and lets the runtime go on until it asks for the next event.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-build
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from threading import Event, Lock, Thread


class Once:
    """The right to answer an event: whoever takes it first has it."""

    def __init__(self) -> None:
        self._lock = Lock()

    def take(self) -> bool:
        """Whether nobody has answered yet; from now on somebody has."""
        return self._lock.acquire(blocking=False)


@contextlib.contextmanager
def at(moment: float, answer: Callable[[], None]) -> Iterator[None]:
    """Answer at that moment (seconds since the epoch), unless what is within has ended by then."""
    ended = Event()

    def wait() -> None:
        if not ended.wait(max(0.0, moment - time.time())):
            answer()

    thread = Thread(target=wait)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
