"""How long the phases of an operation take."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Phases(dict[str, float]):
    """Seconds by phase."""

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Note how long the block takes, however it ends."""
        started = time.monotonic()
        try:
            yield
        finally:
            self[phase] = time.monotonic() - started
