"""Many transfers at once, stopped together."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

_Work = TypeVar("_Work")
_Result = TypeVar("_Result")

_AT_ONCE = 8


class Stopped(Exception):  # noqa: N818 - not an error: raised inside a transfer to end it
    """Another transfer failed, or the user has had enough."""


class Meter:
    """Counts moved bytes, and stops the transfers that report to it.

    boto3 aborts a transfer, multipart uploads included, when its callback raises.
    """

    def __init__(self, moved: Callable[[int], None]) -> None:
        self._moved = moved
        self._stop = threading.Event()

    def __call__(self, count: int) -> None:
        """Take note of more bytes."""
        if self._stop.is_set():
            raise Stopped
        self._moved(count)

    def stop(self) -> None:
        """End every transfer at its next report."""
        self._stop.set()


def in_parallel(work: Iterable[_Work], do: Callable[[_Work], _Result], meter: Meter) -> Iterator[_Result]:
    """Yield results as they come; the first error, or leaving early, stops the rest."""
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="transfer") as pool:
        futures = [pool.submit(do, item) for item in work]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            meter.stop()
            pool.shutdown(wait=False, cancel_futures=True)
