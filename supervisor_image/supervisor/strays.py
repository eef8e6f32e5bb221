"""Processes that the user's program left behind: none of them lives on into the next event."""

import os
import signal
import subprocess
from collections.abc import Iterator

_ROUNDS = 3  # a process that is being ended may just have started another


def signal_group(pid: int, number: signal.Signals) -> None:
    """Send a signal to the group that the process leads, if anything is left of it."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def end(child: subprocess.Popen[bytes], request_id: str) -> None:
    """End the process, its group, its session, and those that left the session but not the event's environment."""
    signal_group(child.pid, signal.SIGKILL)
    child.wait()
    for _ in range(_ROUNDS):
        found = list(_left_behind(child.pid, request_id))
        for pid in found:
            _kill(pid)
        if not found:
            break
    _bury()


def _left_behind(session: int, request_id: str) -> Iterator[int]:
    mark = b"AWS_LAMBDA_REQUEST_ID=" + os.fsencode(request_id) + b"\0"
    for name in os.listdir("/proc") if os.path.isdir("/proc") else []:  # noqa: PTH112, PTH208
        pid = int(name) if name.isdigit() else 0
        if pid and pid != os.getpid() and (_session(pid) == session or mark in _read(pid, "environ")):
            yield pid


def _session(pid: int) -> int:
    # The name in parentheses may hold spaces: proc(5), /proc/pid/stat. A zombie is no longer anybody's.
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return int(fields[3]) if len(fields) > 3 and fields[0] != b"Z" else -1


def _read(pid: int, name: str) -> bytes:
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return b""


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _bury() -> None:
    """Collect the orphans that became ours, where this process is the first one of its container."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return
