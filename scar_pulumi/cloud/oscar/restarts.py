"""What a cluster's MinIO does when a service is created or deleted: it restarts, and forgets the events that wait.

The local cloud's does not, unless `SCAR_LOCAL_OSCAR_RESTARTS` is true: events would be lost for nothing. With it one
can try how a workflow does with what a cluster loses. Seen on OSCAR 4.1.2 with its MinIO: it takes about two events a
second, the others wait in memory, and an upload during a restart is refused.
"""

import asyncio
import logging
import os
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable

from scar_pulumi.cloud.oscar.server import StorageError

VARIABLE = "SCAR_LOCAL_OSCAR_RESTARTS"
_SECONDS = 6.0
"""How long OSCAR waits for a restart."""
_BETWEEN_EVENTS = 0.5
_log = logging.getLogger(__name__)
_Delivery = Callable[[], Awaitable[None]]


def wanted_seconds() -> float:
    """Return how long restarts take, as the environment says; 0 where there are none."""
    return _SECONDS if os.environ.get(VARIABLE, "").lower() == "true" else 0.0


class Restarts:
    """The restarts of all clusters' MinIOs, `seconds` each; with 0 there are none, and no event waits in memory."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._up_at: dict[str, float] = {}
        self._waiting: defaultdict[str, deque[_Delivery]] = defaultdict(deque)
        self._workers: dict[str, asyncio.Task[None]] = {}

    def check(self, cluster: str) -> None:
        """Raise StorageError while a cluster's MinIO restarts."""
        if time.monotonic() < self._up_at.get(cluster, 0.0):
            raise StorageError("dial tcp 127.0.0.1:9000: connect: connection refused")

    async def restart(self, cluster: str) -> None:
        """Restart a cluster's MinIO and wait for it."""
        if not self._seconds:
            return
        if lost := len(self._waiting[cluster]):
            _log.warning("%s: %d events were lost in the restart of MinIO", cluster, lost)
        self._waiting[cluster].clear()
        self._up_at[cluster] = time.monotonic() + self._seconds
        await asyncio.sleep(self._seconds)

    async def deliver(self, cluster: str, delivery: _Delivery) -> None:
        """Hand an event over: at once, or from memory as fast as a cluster's OSCAR takes them."""
        if not self._seconds:
            await delivery()
            return
        self._waiting[cluster].append(delivery)
        if cluster not in self._workers:
            self._workers[cluster] = asyncio.create_task(self._work(cluster))

    async def close(self) -> None:
        """Stop; events that wait are lost."""
        for worker in self._workers.values():
            worker.cancel()
        await asyncio.gather(*self._workers.values(), return_exceptions=True)

    async def _work(self, cluster: str) -> None:
        while True:
            while self._waiting[cluster]:
                await self._waiting[cluster].popleft()()
                await asyncio.sleep(_BETWEEN_EVENTS)
            await asyncio.sleep(_BETWEEN_EVENTS)
