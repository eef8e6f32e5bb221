"""Processes: long commands watched, whole trees ended, and an end with the process that started us."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO


def kill_tree(root: int) -> None:
    """Kill a process and all of its descendants, which may be in process groups of their own."""
    for pid in [root, *descendants(root)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def descendants(root: int) -> list[int]:
    """Return the process ids of the children of `root`, their children and so on."""
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
    """Return whether a process with that id is alive and runs a program whose name starts with `name`."""
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


_TICK = 2.0


@dataclass
class Watched:
    """A command while it runs and after it has ended."""

    code: int = 0
    seconds: float = 0.0
    output: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def run_watched(
    command: list[str],
    environment: Mapping[str, str],
    directory: Path,
    tick: Callable[[Watched], None],
    silence_limit: float,
) -> Watched:
    """Run to the end, or kill the command and its children when it is silent for `silence_limit` seconds."""
    watched = Watched()
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command, cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe,
        text=True, errors="replace", process_group=0,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    readers = [_collect(process.stdout, watched.output), _collect(process.stderr, watched.errors)]
    try:
        _wait(process, watched, tick, silence_limit)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        watched.code = process.wait()
        for reader in readers:
            reader.join()
    return watched


def _wait(
    process: subprocess.Popen[str], watched: Watched, tick: Callable[[Watched], None], silence_limit: float
) -> None:
    started = heard = time.monotonic()
    count = 0
    while True:
        try:
            process.wait(_TICK)
        except subprocess.TimeoutExpired:
            now = time.monotonic()
            watched.seconds = now - started
            if len(watched.errors) + len(watched.output) != count:
                count, heard = len(watched.errors) + len(watched.output), now
            tick(watched)
            if now - heard > silence_limit:
                watched.errors.append(f"no sign of life for {silence_limit:.0f} s")
                return
        else:
            return


def _collect(stream: IO[str], lines: list[str]) -> threading.Thread:
    def read() -> None:
        with stream:
            lines.extend(line.rstrip("\n") for line in stream)

    # `extend` over a generator appends line by line, so ticks see what has arrived.
    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread
