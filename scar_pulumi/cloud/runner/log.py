"""What goes to CloudWatch Logs: a container's output, in order and in batches, and the lines that Lambda adds.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html
"""

import asyncio
import contextlib
import json
import math
import os
import signal
import time
import uuid
from collections import deque
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime

from scar_pulumi.cloud.runner.configuration import LogSink

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
_EVENT_BYTES = 256 * 1024 - 26
_BATCH_BYTES = 256 * 1024
_BATCH_EVENTS = 1000
_READ = 64 * 1024
_DRAIN = 4  # reads: more than a pipe holds, and still an end when a function never stops writing
_TAIL = 4096
_INTERVAL = 0.2
# MiniStack holds every log event in memory for good, with 600 bytes beside its text. So the output of an invocation is
# limited, a log event counts for at least _LOG_EVENT bytes, and lines after the first ones share log events.
_KEPT = 64 * 1024 * 1024
_LOG_EVENT = 256
_SINGLE_LINES = 10_000
_LINE_BREAK = b"\n"


def log_stream_name(version: str) -> str:
    """Return a new name for a log stream, as Lambda forms it."""
    return f"{datetime.now(UTC):%Y/%m/%d}/[{version}]{uuid.uuid4().hex}"


class ContainerLog:
    """Reads a container's output pipe and passes its lines to the sink.

    While the sink is busy nothing is read, so memory is bounded: a function that prints too fast has to wait. `write`
    adds lines of the runner; `flush` returns when the sink has everything that was written before.
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
        """Start to read from the non-blocking descriptor `pipe`, which `close` closes."""
        self._pipe = pipe
        self._reader = asyncio.create_task(self._follow())

    def begin(self) -> None:
        """Start a new tail and a new count, for the next invocation."""
        self._tail.clear()
        self._tail_size = self._taken = self._lines = 0

    def tail(self) -> bytes:
        """Return the last 4 KB since `begin`."""
        return "".join(self._tail).encode()[-_TAIL:]

    def write(self, text: str) -> None:
        """Add a line of the runner, after an unfinished line of the container."""
        self._finish_line()
        self._add(text)

    async def flush(self) -> None:
        """Read what is in the pipe, and pass everything to the sink."""
        async with self._lock:
            for _ in range(_DRAIN):
                if not self._read():
                    break
                if self._full():
                    await self._put()
            self._finish_line()
            await self._put()

    async def close(self) -> None:
        """Pass the rest to the sink and close the pipe."""
        if self._reader is not None:
            async with self._lock:  # not in the middle of a batch, which would be overtaken
                self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        await self.flush()
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1

    async def _follow(self) -> None:
        while await _readable(self._pipe):
            # Wait a moment for more lines, so that each call of the sink takes many.
            until = time.monotonic() + _INTERVAL
            while not self._full() and await _readable(self._pipe, until - time.monotonic()):
                async with self._lock:
                    if self._read() is None:
                        return
            async with self._lock:
                await self._put()

    def _read(self) -> int | None:
        """Read once from the pipe and return how much came; 0 when it is empty, None at its end."""
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
    """Wait until the descriptor can be read, at most so many seconds, and return whether it can."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[bool] = loop.create_future()
    loop.add_reader(descriptor, _set, ready)
    try:
        await asyncio.wait({ready}, timeout=seconds)
        return ready.done()
    finally:
        loop.remove_reader(descriptor)


@dataclass(frozen=True)
class RuntimeFailure:
    """A failure that Lambda reports, not the function itself."""

    kind: str
    text: str
    status: str = "error"

    def payload(self, request_id: str) -> bytes:
        """Return the payload that the caller receives."""
        message = f"RequestId: {request_id} Error: {self.text}"
        return json.dumps({"errorType": self.kind, "errorMessage": message}, separators=(",", ":")).encode()

    def line(self, request_id: str) -> str:
        """Return the line for the log."""
        if self.kind == TIMED_OUT:
            now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            return f"{now} {request_id} {self.text}\n"
        return f"RequestId: {request_id} Error: {self.text}\n{self.kind}\n"


@dataclass(frozen=True)
class Usage:
    """What an event used: milliseconds, those to start its container (None when warm), and the most megabytes."""

    duration_ms: float
    init_ms: float | None
    memory: int

    @property
    def billed_ms(self) -> int:
        """The billed milliseconds; the start of a container image is billed, too."""
        return math.ceil(self.duration_ms + (self.init_ms or 0))


TIMED_OUT = "Sandbox.Timedout"


def timed_out(seconds: float) -> RuntimeFailure:
    """Return the failure of a function that ran into its timeout."""
    return RuntimeFailure(TIMED_OUT, f"Task timed out after {seconds:.2f} seconds", "timeout")


def exited(code: int, output: bytes, out_of_memory: bool) -> RuntimeFailure:
    """Return the failure of a runtime that ended; `output` shows whether it started at all."""
    setup = setup_failure(output)
    if setup is not None and code == 1:
        return setup
    if code > 128:
        text = f"Runtime exited with error: signal: {_signal_name(code - 128)}"
        status = "error\tError Type: Runtime.OutOfMemory" if out_of_memory else "error\tError Type: Runtime.ExitError"
        return RuntimeFailure("Runtime.ExitError", text, status)
    reason = f"with error: exit status {code}" if code else "without providing a reason"
    return RuntimeFailure("Runtime.ExitError", f"Runtime exited {reason}", "error\tError Type: Runtime.ExitError")


def setup_failure(output: bytes) -> RuntimeFailure | None:
    """Return the failure that bubblewrap reports when the image lacks the command or the working directory."""
    for line in output.decode("utf-8", "replace").splitlines():
        if line.startswith("bwrap: execvp "):
            path, _, reason = line.removeprefix("bwrap: execvp ").rpartition(": ")
            return RuntimeFailure("Runtime.InvalidEntrypoint", f"fork/exec {path}: {reason.lower()}")
        if line.startswith("bwrap: Can't chdir to "):
            path, _, reason = line.removeprefix("bwrap: Can't chdir to ").rpartition(": ")
            return RuntimeFailure("Runtime.InvalidWorkingDir", f"chdir {path}: {reason.lower()}")
    return None


def _signal_name(number: int) -> str:
    return (signal.strsignal(number) or f"signal {number}").lower()


def start_line(request_id: str, version: str) -> str:
    """Return the line that stands before an event's output."""
    return f"START RequestId: {request_id} Version: {version}\n"


def end_line(request_id: str) -> str:
    """Return the line that stands after an event's output."""
    return f"END RequestId: {request_id}\n"


def report_line(request_id: str, spent: Usage, memory: int, status: str | None) -> str:
    """Return the last line of an event; `memory` is the configured megabytes."""
    parts = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {spent.duration_ms:.2f} ms",
        f"Billed Duration: {spent.billed_ms} ms",
        f"Memory Size: {memory} MB",
        f"Max Memory Used: {spent.memory} MB",
        *([] if spent.init_ms is None else [f"Init Duration: {spent.init_ms:.2f} ms"]),
        *([] if status is None else [f"Status: {status}"]),
    ]
    return "\t".join(parts) + "\t\n"
