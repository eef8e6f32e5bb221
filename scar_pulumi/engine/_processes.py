"""Processes and their descendants: ending them, and not outliving the one that started us."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path


def kill_tree(root: int) -> None:
    """SIGKILL a process and all of its descendants, which may be in process groups of their own."""
    for pid in [root, *descendants(root)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def descendants(root: int) -> list[int]:
    """Process ids of the children of `root`, their children and so on."""
    children: dict[int, list[int]] = {}
    for pid, parent, _, _ in _processes():
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    queue = [root]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def is_running(pid: int, name: str) -> bool:
    """Whether a process with that id is alive and runs a program whose name starts with `name`."""
    for found, _, state, program in _processes():
        if found == pid:
            return state != "Z" and program.startswith(name)
    return False


def exit_with_parent() -> None:
    """End this process soon after the one that started it has ended, even by SIGKILL."""
    parent = os.getppid()

    def watch() -> None:
        pause = threading.Event()
        while os.getppid() == parent:
            pause.wait(0.5)
        for pid in descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()


def _processes() -> Iterator[tuple[int, int, str, str]]:
    """Process id, parent, state letter and program name of every process."""
    if not Path("/proc/self/stat").exists():
        yield from _listed_by_ps()
        return
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # The name in parentheses may hold spaces and parentheses: proc_pid_stat(5).
                head, _, tail = (entry / "stat").read_text().rpartition(")")
                state, parent = tail.split()[:2]
                yield int(entry.name), int(parent), state, head.partition("(")[2]


def _listed_by_ps() -> Iterator[tuple[int, int, str, str]]:
    command = ["ps", "-axo", "pid=,ppid=,state=,comm="]
    for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
        pid, parent, state, program = line.split(maxsplit=3)
        yield int(pid), int(parent), state[0], Path(program).name
