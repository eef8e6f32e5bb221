"""Processes of others: whether one still runs, and long commands that are watched."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from scar_pulumi.engine.tether import processes


def is_running(pid: int, name: str) -> bool:
    """Return whether a process with that id is alive and runs a program whose name starts with `name`."""
    for found, _, state, program in processes():
        if found == pid:
            return state != "Z" and program.startswith(name)
    return False


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
