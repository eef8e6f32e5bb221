"""A container's output on its way to CloudWatch Logs: lines, in order, in batches, with bounded memory."""

import asyncio
import contextlib
import os
import time
import uuid
from collections import deque
from concurrent.futures import Executor
from datetime import UTC, datetime

from scar_pulumi.cloud.runner.configuration import LogSink

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
_EVENT_BYTES = 256 * 1024 - 26
_BATCH_BYTES = 256 * 1024
_BATCH_EVENTS = 1000
_READ = 64 * 1024
_DRAIN = 4  # pieces: more than a pipe holds, yet an end even for a function that never stops writing
_TAIL = 4096
_INTERVAL = 0.2
# Per invocation: the emulator of CloudWatch Logs holds every log event in memory, for good, and each takes 600 bytes
# beside its text. So one counts for at least so many, and what is printed after the first lines is taken as it comes,
# many lines to a log event.
_KEPT = 64 * 1024 * 1024
_LOG_EVENT = 256
_SINGLE_LINES = 10_000
_LINE_BREAK = b"\n"


def log_stream_name(version: str) -> str:
    """Return a new stream name in Lambda's form."""
    return f"{datetime.now(UTC):%Y/%m/%d}/[{version}]{uuid.uuid4().hex}"


class ContainerLog:
    """Reads a container's output pipe and hands lines to the sink.

    While the sink is slow nothing is read, so a runaway function waits for its own output. `write` adds lines of the
    runner's own; `flush` returns when everything that was written before is with the sink.
    """

    def __init__(self, sink: LogSink, group: str, stream: str, threads: Executor) -> None:
        self._sink = sink
        self._group = group
        self._stream = stream
        self._threads = threads
        self._partial = b""
        self._pending: list[tuple[int, str]] = []
        self._size = 0
        self._tail: deque[str] = deque()
        self._tail_size = 0
        self._taken = self._lines = 0
        self._lock = asyncio.Lock()
        self._reader: asyncio.Task[None] | None = None
        self._pipe = -1

    def follow(self, pipe: int) -> None:
        """Start to read from the non-blocking descriptor `pipe`, which is closed at the end."""
        self._pipe = pipe
        self._reader = asyncio.create_task(self._follow())

    def begin(self) -> None:
        """Start a new tail and a new count: those of the next invocation."""
        self._tail.clear()
        self._tail_size = self._taken = self._lines = 0

    def tail(self) -> bytes:
        """Return the last 4 KB since `begin`."""
        return "".join(self._tail).encode()[-_TAIL:]

    def write(self, text: str) -> None:
        """Add a line of the runner's own; what the container has left unfinished comes before it."""
        self._finish_line()
        self._add(text)

    async def flush(self) -> None:
        """Read what is in the pipe, then hand everything over."""
        async with self._lock:
            for _ in range(_DRAIN):
                if not self._read():
                    break
                if self._full():
                    await self._put()
            self._finish_line()
            await self._put()

    async def close(self) -> None:
        """Hand over the rest and let go of the pipe."""
        if self._reader is not None:
            async with self._lock:  # not in the middle of a batch: the next one must come after it
                self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        await self.flush()
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1

    async def _follow(self) -> None:
        while await _readable(self._pipe):
            # A few lines at a time would be a call each: let some gather, but not for long.
            until = time.monotonic() + _INTERVAL
            while not self._full() and await _readable(self._pipe, until - time.monotonic()):
                async with self._lock:
                    if self._read() is None:
                        return
            async with self._lock:
                await self._put()

    def _read(self) -> int | None:
        """Take one piece from the pipe and return its length; 0 when there is none now, None at the end."""
        if self._pipe < 0:
            return None
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._pipe, _READ)
            self._split(data)
            return len(data) or None
        return 0

    def _split(self, data: bytes) -> None:
        *lines, self._partial = (self._partial + data).split(_LINE_BREAK)
        if self._lines > _SINGLE_LINES and lines:
            lines = [_LINE_BREAK.join(lines)]
        self._lines += len(lines)
        for line in lines:
            self._add_bytes(line + _LINE_BREAK)
        while len(self._partial) > _EVENT_BYTES:
            self._add_bytes(self._partial[:_EVENT_BYTES])
            self._partial = self._partial[_EVENT_BYTES:]

    def _finish_line(self) -> None:
        if self._partial:
            self._add_bytes(self._partial + _LINE_BREAK)
            self._partial = b""

    def _add_bytes(self, line: bytes) -> None:
        kept, self._taken = self._taken < _KEPT, self._taken + max(len(line), _LOG_EVENT)
        if not kept:
            return
        if self._taken >= _KEPT:
            line = b"[output beyond %d MB or %d log events is not kept]\n" % (_KEPT // 1024**2, _KEPT // _LOG_EVENT)
        text = line.decode("utf-8", "replace")
        step = _EVENT_BYTES if len(text) * 3 <= _EVENT_BYTES or len(line) <= _EVENT_BYTES else _EVENT_BYTES // 3
        for start in range(0, len(text), step):
            self._add(text[start : start + step])

    def _add(self, text: str) -> None:
        self._pending.append((time.time_ns() // 1_000_000, text))
        self._size += len(text)
        self._tail.append(text)
        self._tail_size += len(text)
        while self._tail_size - len(self._tail[0]) > _TAIL:
            self._tail_size -= len(self._tail.popleft())

    def _full(self) -> bool:
        return self._size >= _BATCH_BYTES or len(self._pending) >= _BATCH_EVENTS

    async def _put(self) -> None:
        while self._pending:
            batch, self._pending = _first_batch(self._pending)
            self._size = sum(len(text) for _, text in self._pending)
            put = asyncio.get_running_loop().run_in_executor(
                self._threads, self._sink.put, self._group, self._stream, batch
            )
            await asyncio.shield(put)


def _first_batch(events: list[tuple[int, str]]) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    size = 0
    for number, (_, text) in enumerate(events):
        size += len(text)
        if number and (size > _BATCH_BYTES or number >= _BATCH_EVENTS):
            return events[:number], events[number:]
    return events, []


def _set(ready: asyncio.Future[bool]) -> None:
    if not ready.done():
        ready.set_result(True)


async def _readable(descriptor: int, seconds: float | None = None) -> bool:
    """Wait until the descriptor can be read, or for so long."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[bool] = loop.create_future()
    loop.add_reader(descriptor, _set, ready)
    try:
        await asyncio.wait({ready}, timeout=seconds)
        return ready.done()
    finally:
        loop.remove_reader(descriptor)
