"""Why a program failed, as far as that can be seen from outside: its memory, its disk, or itself."""

import os
import signal
from collections.abc import Mapping

from supervisor.errors import OutOfDisk, OutOfMemory, ScriptFailed

# Where kernels count the processes that they ended for want of memory.
_COUNTERS = ("/sys/fs/cgroup/memory.events", "/proc/vmstat", "/sys/fs/cgroup/memory/memory.oom_control")
_KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)  # itself, or as its shell tells of a child
_MEMORY = ("MemoryError", "Cannot allocate memory", "std::bad_alloc", "OutOfMemoryError", "out of memory")
_DISK = ("No space left on device", "Disk quota exceeded")
_FULL = 1 << 16  # bytes; less than a file system's own bookkeeping may want


def killed_for_memory() -> Mapping[str, int]:
    """How many processes were ended for want of memory so far, by who counts."""
    return {path: count for path in _COUNTERS if (count := _count(path)) is not None}


def failure(
    name: str, code: int, tail: str, before: Mapping[str, int], folder: str
) -> tuple[type[OutOfDisk | ScriptFailed], str]:
    """What kind of failure an exit code is, and the sentence that tells it.

    `before` are the counts at the start, `folder` is where the program was to write.
    """
    reason = _reason(name, code)
    if _memory_is_used_up(code, before) or any(word in tail for word in _MEMORY):
        return OutOfMemory, f"{reason}: out of memory; raise the function's memory"
    if _is_full(folder):
        return OutOfDisk, f"{reason}: out of disk space in {folder}; raise the function's ephemeral_storage"
    if any(word in tail for word in _DISK):  # by now, or in /dev/shm, for which that setting is none
        return (
            OutOfDisk,
            f"{reason}: out of disk space; if that was in {folder}, raise the function's ephemeral_storage",
        )
    if code == -signal.SIGKILL and not before:
        reason += ", probably because the memory is used up"
    return ScriptFailed, reason


def _reason(name: str, code: int) -> str:
    return f"{name} ended with exit code {code}" if code > 0 else f"{name} was ended by {signal.Signals(-code).name}"


def _memory_is_used_up(code: int, before: Mapping[str, int]) -> bool:
    return code in _KILLED and any(count > before.get(path, count) for path, count in killed_for_memory().items())


def _is_full(folder: str) -> bool:
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize < _FULL or (found.f_files > 0 and found.f_favail == 0)


def _count(path: str) -> int | None:
    try:
        with open(path, encoding="ascii") as file:  # noqa: PTH123
            return next((int(line.split()[1]) for line in file if line.startswith("oom_kill ")), None)
    except (OSError, ValueError):
        return None
