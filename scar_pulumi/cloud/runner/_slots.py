"""A bound on how much runs at once, given out fairly: the functions that wait take turns, each in order of arrival."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


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
