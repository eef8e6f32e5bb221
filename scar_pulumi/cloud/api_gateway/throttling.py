"""How many calls a route takes: a bucket of tokens that fills at the rate and holds the burst.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html
"""

import time
from collections.abc import Callable, Hashable


class Throttle:
    """One bucket for each key."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[Hashable, tuple[float, float]] = {}

    def admits(self, key: Hashable, rate: float, burst: int) -> bool:
        """Whether one more call may pass now; `rate` is calls per second."""
        now = self._clock()
        tokens, since = self._buckets.get(key, (float(burst), now))
        tokens = min(float(burst), tokens + (now - since) * rate)
        admitted = tokens >= 1
        self._buckets[key] = (tokens - admitted, now)
        return admitted
