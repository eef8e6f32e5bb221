"""How much runs at once: the warm containers and how long they live, and the slots that functions share."""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from scar_pulumi.cloud.runner.configuration import FunctionConfiguration, Limits
from scar_pulumi.cloud.runner.container import Container


class Slots:
    """A fair limit: `count` slots for any number of functions, used from one event loop.

    Functions that wait take turns; the events of one function go in order of arrival.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.used = 0
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """How many events wait."""
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
                self._give()  # it got the slot while it was being cancelled
            raise

    def _give(self) -> None:
        while self._waiting:
            function, queue = self._waiting.popitem(last=False)
            turn = queue.popleft()
            if queue:
                self._waiting[function] = queue  # at the end: the other functions come first
            if not turn.done():
                turn.set_result(None)
                return
        self.used -= 1


class Pool:
    """The containers of all functions, busy and idle. A container serves events of an equal configuration.

    Evicted containers close in the background; `settle` waits for them.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._idle: list[Container] = []  # the longest idle first
        self._busy: set[Container] = set()
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def idle(self) -> tuple[Container, ...]:
        """The containers that wait for an event."""
        return tuple(self._idle)

    @property
    def busy(self) -> tuple[Container, ...]:
        """The containers that run an event."""
        return tuple(self._busy)

    def images(self) -> set[str]:
        """Return the digests of the images in use."""
        return {container.function.image for container in (*self._idle, *self._busy)}

    def take(self, function: FunctionConfiguration) -> Container | None:
        """Return the warm container of a function that was used last, so that the others can go cold."""
        for container in reversed(self._idle):
            if container.function == function:
                self._idle.remove(container)
                if container.alive:
                    self._busy.add(container)
                    return container
                self.discard(container)
        return None

    def add_busy(self, container: Container) -> None:
        """Add a new container, and evict idle ones to make room for it."""
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
        """Close idle containers that have died or were idle for too long."""
        oldest = time.monotonic() - self._limits.idle_seconds
        self._evict([container for container in self._idle if container.idle_since < oldest or not container.alive])

    def retire(self, name: str) -> None:
        """Close the idle containers of a function."""
        self._evict([container for container in self._idle if container.function.name == name])

    async def settle(self) -> None:
        """Wait until every evicted container is closed."""
        while self._closing:
            await asyncio.gather(*self._closing, return_exceptions=True)

    async def close(self) -> None:
        """Close every container, including busy ones."""
        self._evict(self.idle)
        for container in self.busy:
            self.discard(container)
        await self.settle()

    def _beyond_memory(self) -> list[Container]:
        """Return the containers to evict, longest idle first, to get the memory of all below its limit."""
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
