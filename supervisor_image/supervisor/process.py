"""Run the user's program: in a session of its own, for so long and no longer, its output passed on line by line."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping
from typing import IO

from supervisor import causes, strays
from supervisor.answer import Output
from supervisor.command import Command
from supervisor.configuration import Configuration
from supervisor.errors import ScriptFailed, ScriptTimedOut, SupervisorError
from supervisor.lines import Lines
from supervisor.log import Log

_BLOCK = 1 << 16
_TICK = 0.05  # seconds between looks at a process, where the kernel cannot tell of its end
_LONGEST_GRACE = 2.0  # seconds between the request to end and the order
_DRAIN = 0.2  # seconds for the rest of the output, should a process that got away keep the pipe open


def reserve(configuration: Configuration, remaining: float) -> float:
    """Seconds of the remaining time that the user's program does not get, so that the supervisor can report.

    The threshold as configured; where it would take most of the time, a fifth of that instead.
    """
    threshold = configuration.timeout_threshold
    return threshold if threshold <= 0.6 * remaining else 0.2 * max(remaining, 0.0)


def run(
    command: Command,
    variables: Mapping[str, str],
    *,
    limit: float,
    output: Output,
    request_id: str,
    passed_to: tuple[int, int],
    log: Log,
    folder: str,
) -> None:
    """Run the program for at most `limit` seconds; an exit code other than 0 is a failure, as is every signal."""
    if limit <= 0:
        raise ScriptTimedOut("no time is left to run the program; raise the function's timeout")
    output.forget_tail()
    killed_before = causes.killed_for_memory()
    child = _start(command, variables)
    try:
        in_time = _Watch(child, output, passed_to).until_end(limit)
        if not in_time:
            log.warning(f"{command.arguments[0]} is still running after {limit:.1f} s, ending it")
    finally:
        strays.end(child, request_id)
    if not in_time:
        raise ScriptTimedOut(_told(f"{command.arguments[0]} was ended after {limit:.1f} s: timeout", output))
    if child.returncode:
        raise _failure(command, child.returncode, output, killed_before, folder)


class _Watch:
    """Reads both pipes of a process until it ends."""

    def __init__(self, child: subprocess.Popen[bytes], output: Output, passed_to: tuple[int, int]) -> None:
        self._child = child
        self._output = output
        self._selector = selectors.DefaultSelector()
        for pipe, descriptor in ((child.stdout, passed_to[0]), (child.stderr, passed_to[1])):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, selectors.EVENT_READ, Lines(descriptor))
        self._end = _end_descriptor(child.pid)
        if self._end is not None:
            self._selector.register(self._end, selectors.EVENT_READ, None)

    def until_end(self, limit: float) -> bool:
        """Whether the process ended by itself in time."""
        try:
            in_time = self._read(time.monotonic() + limit)
            if not in_time:
                strays.signal_group(self._child.pid, signal.SIGTERM)
                self._read(time.monotonic() + min(_LONGEST_GRACE, max(0.1, limit / 5)))
            strays.signal_group(self._child.pid, signal.SIGKILL)
            self._drain()
        finally:
            self._close()
        return in_time

    def _read(self, until: float) -> bool:
        while self._child.poll() is None:
            left = until - time.monotonic()
            if left <= 0:
                return False
            self._take(left if self._end is not None else min(left, _TICK))
        return True

    def _drain(self) -> None:
        until = time.monotonic() + _DRAIN
        while any(key.data for key in self._selector.get_map().values()) and time.monotonic() < until:
            self._take(_TICK)

    def _take(self, patience: float) -> None:
        for key, _ in self._selector.select(patience):
            if isinstance(key.data, Lines) and not isinstance(key.fileobj, int):
                self._block(key.fileobj, key.data)  # type: ignore[arg-type]

    def _block(self, pipe: IO[bytes], lines: Lines) -> None:
        try:
            data = os.read(pipe.fileno(), _BLOCK)
        except BlockingIOError:
            return
        if not data:
            self._selector.unregister(pipe)
            lines.close()
            return
        lines.write(data)
        self._output.add(data, answer=pipe is self._child.stdout)

    def _close(self) -> None:
        for key in list(self._selector.get_map().values()):
            if isinstance(key.data, Lines):
                key.data.close()
        self._selector.close()
        if self._end is not None:
            os.close(self._end)
        for pipe in (self._child.stdout, self._child.stderr):
            assert pipe is not None
            pipe.close()


def _start(command: Command, variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
    try:
        child = subprocess.Popen(
            command.arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=variables,
            cwd=command.directory,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise ScriptFailed(f"{command.arguments[0]} cannot be started: {error}") from error
    _preferred_by_oom_killer(child.pid)
    return child


def _preferred_by_oom_killer(pid: int) -> None:
    # Out of memory is then an error of the program, which can be told, and not the end of the supervisor.
    try:
        with open(f"/proc/{pid}/oom_score_adj", "w", encoding="ascii") as file:  # noqa: PTH123
            file.write("900")
    except OSError:
        return


def _end_descriptor(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError:  # not every sandbox knows this call
        return None


def _failure(
    command: Command, code: int, output: Output, killed_before: Mapping[str, int], folder: str
) -> SupervisorError:
    kind, reason = causes.failure(command.arguments[0], code, output.tail(), killed_before, folder)
    message = _told("; ".join([reason, *command.remarks]), output)
    return kind(message, code if code > 0 else 128 - code)


def _told(reason: str, output: Output) -> str:
    tail = output.tail()
    return f"{reason}; its outputs were not stored" + (f"\n{tail}" if tail else "")
