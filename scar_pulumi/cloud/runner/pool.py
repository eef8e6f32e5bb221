"""How much runs at once: warm containers and when they go, and the slots that functions share."""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from scar_pulumi.cloud.runner.configuration import FunctionConfiguration, Limits
from scar_pulumi.cloud.runner.container import Container


class Slots:
    """`count` slots for any number of functions; used from one event loop."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.used = 0
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiting.values()))

    @asynccontextmanager
    async def slot(self, function: str) -> AsyncIterator[None]:
        """Wait for a slot and hold it."""
        await self._take(function)
        try:
            yield
        finally:
            self._give()

    async def _take(self, function: str) -> None:
        if self.used < self.count:
            self.used += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(function, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give()  # it was given in the same moment
            raise

    def _give(self) -> None:
        while self._waiting:
            function, queue = self._waiting.popitem(last=False)
            turn = queue.popleft()
            if queue:
                self._waiting[function] = queue  # to the end: the others come first
            if not turn.done():
                turn.set_result(None)
                return
        self.used -= 1


class Pool:
    """The containers of all functions. Evicted ones close in the background; `settle` waits for that."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._idle: list[Container] = []  # the longest idle first
        self._busy: set[Container] = set()
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def idle(self) -> tuple[Container, ...]:
        """Those that wait for an event."""
        return tuple(self._idle)

    @property
    def busy(self) -> tuple[Container, ...]:
        """Those that have one."""
        return tuple(self._busy)

    def images(self) -> set[str]:
        """Return the digests of the images in use."""
        return {container.function.image for container in (*self._idle, *self._busy)}

    def take(self, function: FunctionConfiguration) -> Container | None:
        """Return a warm container for a function, the one used last: the others may go cold."""
        for container in reversed(self._idle):
            if container.function == function:
                self._idle.remove(container)
                if container.alive:
                    self._busy.add(container)
                    return container
                self.discard(container)
        return None

    def add_busy(self, container: Container) -> None:
        """Count a new container, and make room for it."""
        self._busy.add(container)
        self._evict(self._beyond_memory())

    def give_back(self, container: Container) -> None:
        """Keep a container for the next event."""
        self._busy.discard(container)
        container.idle_since = time.monotonic()
        self._idle.append(container)
        self._evict(self._idle[: max(0, len(self._idle) - self._limits.idle_containers)])
        self._evict(self._beyond_memory())

    def discard(self, container: Container) -> None:
        """Close a container."""
        self._busy.discard(container)
        task = asyncio.create_task(container.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def evict_stale(self) -> None:
        """Close what died by itself or was idle too long."""
        oldest = time.monotonic() - self._limits.idle_seconds
        self._evict([container for container in self._idle if container.idle_since < oldest or not container.alive])

    def retire(self, name: str) -> None:
        """Close the idle containers of a function."""
        self._evict([container for container in self._idle if container.function.name == name])

    async def settle(self) -> None:
        """Wait until every container that was let go is gone."""
        while self._closing:
            await asyncio.gather(*self._closing, return_exceptions=True)

    async def close(self) -> None:
        """Close every container, busy ones, too."""
        self._evict(self.idle)
        for container in self.busy:
            self.discard(container)
        await self.settle()

    def _beyond_memory(self) -> list[Container]:
        """Return the longest idle containers without which the memory of all would be within its bound."""
        excess = (
            sum(container.function.memory for container in (*self._idle, *self._busy)) - self._limits.container_memory
        )
        chosen = []
        for container in self._idle:
            if excess <= 0:
                break
            chosen.append(container)
            excess -= container.function.memory
        return chosen

    def _evict(self, containers: Iterable[Container]) -> None:
        for container in tuple(containers):
            self._idle.remove(container)
            self.discard(container)
