"""Run the user's program in a session of its own, end it and all that it started, and find out why it failed."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from typing import IO, NamedTuple, Protocol

from supervisor.configuration import Configuration
from supervisor.errors import OutOfDisk, OutOfMemory, ScriptFailed, ScriptTimedOut, SupervisorError
from supervisor.log import Lines, Log
from supervisor.program import Command

_BLOCK = 1 << 16
_TICK = 0.05  # seconds between looks at a process, where the kernel does not report its end
_LONGEST_GRACE = 2.0  # seconds between SIGTERM and SIGKILL
_DRAIN = 0.2  # seconds for the rest of the output, should a process that escaped keep the pipe open
_TAIL = 4096  # bytes
_KILL_ROUNDS = 3  # a process that is being killed may just have started another
# Where kernels count the processes that they killed because memory ran out.
_OOM_COUNTERS = ("/sys/fs/cgroup/memory.events", "/proc/vmstat", "/sys/fs/cgroup/memory/memory.oom_control")
_KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)  # the program itself, or a child whose shell reports it
_OUT_OF_MEMORY = ("MemoryError", "Cannot allocate memory", "std::bad_alloc", "OutOfMemoryError", "out of memory")
_OUT_OF_DISK = ("No space left on device", "Disk quota exceeded")
_FULL = 1 << 16  # bytes; a file system may keep more than this for itself
_PIPE = 1 << 20  # bytes; the most that pipe(7) gives to anybody


class Sink(Protocol):
    """Takes output as it comes, and is told its end."""

    def write(self, data: bytes, /) -> None:
        """Take output."""
        ...

    def close(self) -> None:
        """Take the end of the output."""
        ...


class Streams(NamedTuple):
    """What a program reads on standard input, and what takes all of its standard output instead of the log."""

    feed: Iterator[bytes] | None = None
    sink: Sink | None = None


class Output:
    """What the program printed: the beginning for the response, up to `limit` bytes, and the end for errors."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._head = bytearray()
        self._tail = bytearray()
        self._total = 0

    def add(self, data: bytes, *, responded: bool) -> None:
        """Take output; only what belongs to the response is kept beyond the last few kilobytes."""
        self._tail += data[-_TAIL:]
        del self._tail[:-_TAIL]
        if responded:
            self._total += len(data)
            self._head += data[: self._limit - len(self._head)]

    def value(self) -> bytes:
        """Return the output for the response, cut where it is too long, with a line that says so."""
        if self._total <= self._limit:
            return bytes(self._head)
        notice = f"\n[cut: {self._total} bytes were printed, a response holds {self._limit}; the log has all of them]\n"
        return bytes(self._head) + notice.encode()

    def tail(self) -> str:
        """Return the last kilobytes of everything that was printed."""
        return self._tail.decode("utf-8", "replace").strip()

    def forget_tail(self) -> None:
        """Start anew, so that an error shows only its own program's output."""
        self._tail.clear()


def reserve(configuration: Configuration, remaining: float) -> float:
    """Return the seconds of the remaining time that the supervisor keeps for itself, to report and to store.

    That is the threshold as configured, or a fifth of the time where the threshold would take most of it.
    """
    threshold = configuration.timeout_threshold
    return threshold if threshold <= 0.6 * remaining else 0.2 * max(remaining, 0.0)


def run_program(
    command: Command,
    variables: Mapping[str, str],
    *,
    limit: float,
    output: Output,
    request_id: str,
    passed_to: tuple[int, int],
    log: Log,
    folder: str,
    streams: Streams = Streams(),  # noqa: B008 a tuple
) -> None:
    """Run the program for at most `limit` seconds. Raises an error for a timeout, a signal or an exit code but 0."""
    if limit <= 0:
        raise ScriptTimedOut("no time is left to run the program; raise the function's timeout")
    output.forget_tail()
    kills_before = oom_kills()
    child = _start(command, variables, streams)
    try:
        in_time = _Watch(child, output, passed_to, streams).until_end(limit)
        if not in_time:
            log.warning(f"{command.arguments[0]} is still running after {limit:.1f} s and is stopped")
    finally:
        _end(child, request_id)
    if not in_time:
        raise ScriptTimedOut(_with_tail(f"{command.arguments[0]} was stopped after {limit:.1f} s: timeout", output))
    if child.returncode:
        raise _failure(command, child.returncode, output, kills_before, folder)


class _Watch:
    """Reads both pipes of a process, and feeds it, until it ends."""

    def __init__(
        self, child: subprocess.Popen[bytes], output: Output, passed_to: tuple[int, int], streams: Streams
    ) -> None:
        self._child = child
        self._output = output
        self._sink = streams.sink
        self._feed = streams.feed
        self._fed = memoryview(b"")
        self._selector = selectors.DefaultSelector()
        sinks: tuple[Sink, Sink] = (streams.sink or Lines(passed_to[0]), Lines(passed_to[1]))
        for pipe, sink in zip((child.stdout, child.stderr), sinks, strict=True):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, selectors.EVENT_READ, sink)
        if child.stdin is not None:
            os.set_blocking(child.stdin.fileno(), False)
            self._selector.register(child.stdin, selectors.EVENT_WRITE, None)
        self._end = _end_descriptor(child.pid)
        if self._end is not None:
            self._selector.register(self._end, selectors.EVENT_READ, None)

    def until_end(self, limit: float) -> bool:
        """Wait for the process to end, and stop it after the limit; return whether it ended by itself."""
        try:
            until = time.monotonic() + limit
            in_time = self._read(until)
            if not in_time:
                _signal_group(self._child.pid, signal.SIGTERM)
                self._read(time.monotonic() + min(_LONGEST_GRACE, max(0.1, limit / 5)))
            _signal_group(self._child.pid, signal.SIGKILL)
            self._drain(until)
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

    def _drain(self, latest: float) -> None:
        """Read what is left in the pipes; all of it where a sink waits for it, however long the sink takes."""
        self._stop_feeding()
        until = time.monotonic() + _DRAIN
        while any(key.data for key in self._selector.get_map().values()) and time.monotonic() < until:
            if self._take(_TICK) and self._sink is not None and until < latest:
                until = time.monotonic() + _DRAIN

    def _take(self, patience: float) -> bool:
        """Wait for something to do, and do it; return whether there was output."""
        took = False
        for key, _ in self._selector.select(patience):
            if key.data is not None:
                took = self._block(key.fileobj, key.data) or took  # type: ignore[arg-type]
            elif key.fileobj is self._child.stdin:
                self._write()
        return took

    def _block(self, pipe: IO[bytes], sink: Sink) -> bool:
        taken = pipe is self._child.stdout and self._sink is not None
        try:
            data = os.read(pipe.fileno(), _PIPE if taken else _BLOCK)
        except BlockingIOError:
            return False
        if not data:
            self._selector.unregister(pipe)
            sink.close()
            return False
        sink.write(data)
        if not taken:
            self._output.add(data, responded=pipe is self._child.stdout)
        return True

    def _write(self) -> None:
        """Feed the process what its pipe takes at once, so that its output and the time are looked at in between."""
        assert self._child.stdin is not None
        assert self._feed is not None
        if not self._fed:
            following = next(self._feed, None)
            if following is None:
                self._stop_feeding()
                return
            self._fed = memoryview(following)
        try:
            self._fed = self._fed[os.write(self._child.stdin.fileno(), self._fed) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # it needs no more
            self._stop_feeding()

    def _stop_feeding(self) -> None:
        if self._child.stdin is not None and not self._child.stdin.closed:
            self._selector.unregister(self._child.stdin)
            self._child.stdin.close()

    def _close(self) -> None:
        for key in list(self._selector.get_map().values()):
            if isinstance(key.data, Lines):
                key.data.close()
        self._selector.close()
        if self._end is not None:
            os.close(self._end)
        for pipe in (self._child.stdin, self._child.stdout, self._child.stderr):
            if pipe is not None:
                pipe.close()


def _start(command: Command, variables: Mapping[str, str], streams: Streams) -> subprocess.Popen[bytes]:
    try:
        child = subprocess.Popen(
            command.arguments,
            stdin=subprocess.DEVNULL if streams.feed is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=variables,
            cwd=command.directory,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise ScriptFailed(f"{command.arguments[0]} cannot be started: {error}") from error
    _prefer_for_oom_killer(child.pid)
    for pipe, is_streamed in ((child.stdin, streams.feed), (child.stdout, streams.sink)):
        if pipe is not None and is_streamed is not None:
            _widen(pipe)
    return child


def _widen(pipe: IO[bytes]) -> None:
    import fcntl

    try:
        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
    except OSError:  # the user's pipes hold as much as they may already
        return


def _prefer_for_oom_killer(pid: int) -> None:
    # When memory runs out the program is killed, which can be reported, and not the supervisor.
    try:
        with open(f"/proc/{pid}/oom_score_adj", "w", encoding="ascii") as file:
            file.write("900")
    except OSError:
        return


def _end_descriptor(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError:  # some sandboxes do not have this call
        return None


def _signal_group(pid: int, number: signal.Signals) -> None:
    """Send a signal to the group that the process leads, if any of it is left."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _end(child: subprocess.Popen[bytes], request_id: str) -> None:
    """Kill the process, its group, its session, and those that left the session but have the event's environment."""
    _signal_group(child.pid, signal.SIGKILL)
    child.wait()
    for _ in range(_KILL_ROUNDS):
        found = list(_left_behind(child.pid, request_id))
        for pid in found:
            _kill(pid)
        if not found:
            break
    _reap_orphans()


def _left_behind(session: int, request_id: str) -> Iterator[int]:
    mark = b"AWS_LAMBDA_REQUEST_ID=" + os.fsencode(request_id) + b"\0"
    for name in os.listdir("/proc") if os.path.isdir("/proc") else []:
        pid = int(name) if name.isdigit() else 0
        if pid and pid != os.getpid() and (_session(pid) == session or mark in _read_proc(pid, "environ")):
            yield pid


def _session(pid: int) -> int:
    # The name in parentheses may hold spaces: proc(5), /proc/pid/stat. A zombie has nothing left to kill.
    fields = _read_proc(pid, "stat").rpartition(b")")[2].split()
    return int(fields[3]) if len(fields) > 3 and fields[0] != b"Z" else -1


def _read_proc(pid: int, name: str) -> bytes:
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _reap_orphans() -> None:
    """Reap the orphans that became children of this process, where it is the first one of its container."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _failure(
    command: Command, code: int, output: Output, kills_before: Mapping[str, int], folder: str
) -> SupervisorError:
    kind, reason = failure_cause(command.arguments[0], code, output.tail(), kills_before, folder)
    message = _with_tail("; ".join([reason, *command.warnings]), output)
    return kind(message, code if code > 0 else 128 - code)


def _with_tail(reason: str, output: Output) -> str:
    tail = output.tail()
    return f"{reason}; its outputs were not stored" + (f"\n{tail}" if tail else "")


def oom_kills() -> Mapping[str, int]:
    """Return how many processes the kernel has killed so far because memory ran out, by the file that counts them."""
    return {path: count for path in _OOM_COUNTERS if (count := _oom_kill_count(path)) is not None}


def failure_cause(
    name: str, code: int, tail: str, kills_before: Mapping[str, int], folder: str
) -> tuple[type[OutOfDisk | ScriptFailed], str]:
    """Return the kind of failure that an exit code stands for, and a sentence about it.

    `kills_before` are the counts before the program started, `folder` is where it was to write.
    """
    reason = _reason(name, code)
    if _was_killed_for_memory(code, kills_before) or any(word in tail for word in _OUT_OF_MEMORY):
        return OutOfMemory, f"{reason}: out of memory; raise the function's memory"
    if _is_full(folder):
        return OutOfDisk, f"{reason}: out of disk space in {folder}; raise the function's ephemeral_storage"
    if any(word in tail for word in _OUT_OF_DISK):  # freed since, or in /dev/shm, where that setting does not help
        return (
            OutOfDisk,
            f"{reason}: out of disk space; if that was in {folder}, raise the function's ephemeral_storage",
        )
    if code == -signal.SIGKILL and not kills_before:
        reason += ", probably because it ran out of memory"
    return ScriptFailed, reason


def _reason(name: str, code: int) -> str:
    return f"{name} ended with exit code {code}" if code > 0 else f"{name} was ended by {signal.Signals(-code).name}"


def _was_killed_for_memory(code: int, kills_before: Mapping[str, int]) -> bool:
    return code in _KILLED and any(count > kills_before.get(path, count) for path, count in oom_kills().items())


def _is_full(folder: str) -> bool:
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize < _FULL or (found.f_files > 0 and found.f_favail == 0)


def _oom_kill_count(path: str) -> int | None:
    try:
        with open(path, encoding="ascii") as file:
            return next((int(line.split()[1]) for line in file if line.startswith("oom_kill ")), None)
    except (OSError, ValueError):
        return None
