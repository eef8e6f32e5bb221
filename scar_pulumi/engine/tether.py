"""Runs a Python program that ends when the process that started it ends, however that ends, even by SIGKILL.

    python tether.py PARENT (PROGRAM | -m MODULE) [ARGUMENT…]

PARENT is the process id of the one that starts it, which may be gone before the program begins.
The program runs under the interpreter that its project chose, which may be any that Pulumi supports and need not have
this package. So this file imports the standard library only.
"""

import contextlib
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

_LOOK_SECONDS = 0.25
_GRACE_SECONDS = 2.0


def exit_with_parent(parent: int) -> None:
    """End this process, and all that it has started, soon after `parent`, which started it, has ended."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_SECONDS)
        end_descendants()
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()


def end_descendants(seconds: float = _GRACE_SECONDS) -> None:
    """Ask every process below this one to end, and kill those that still run after `seconds`."""
    signal_all(descendants(os.getpid()), signal.SIGTERM)
    until = time.monotonic() + seconds
    while time.monotonic() < until and descendants(os.getpid()):
        time.sleep(0.05)
    signal_all(descendants(os.getpid()), signal.SIGKILL)


def kill_tree(root: int) -> None:
    """Kill a process and all of its descendants, which may be in process groups of their own."""
    signal_all([root, *descendants(root)], signal.SIGKILL)


def signal_all(pids: list[int], number: signal.Signals) -> None:
    """Send a signal to those of the processes that still exist."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def descendants(root: int) -> list[int]:
    """Return the process ids of the running children of `root`, their children and so on."""
    children: dict[int, list[int]] = {}
    for pid, parent, state, _ in processes():
        if state != "Z":
            children.setdefault(parent, []).append(pid)
    found: list[int] = []
    queue = [root]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def processes() -> Iterator[tuple[int, int, str, str]]:
    """Yield the process id, parent, state letter and program name of every process."""
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


def main(arguments: list[str]) -> None:
    """Run the program as if it had been started directly."""
    parent, program, *rest = arguments
    exit_with_parent(int(parent))
    if program == "-m":
        sys.path[0] = str(Path.cwd())
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        return
    if Path(program).is_dir():
        del sys.path[0]  # running a folder puts it there
    else:
        sys.path[0] = str(Path(program).parent)
    sys.argv = [program, *rest]
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
