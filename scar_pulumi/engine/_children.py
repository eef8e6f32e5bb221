"""The child processes of the language host: ended with their request, their output passed on as it comes."""

import contextlib
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

_GRACE_SECONDS = 5.0


class Children:
    """All programs and plugins that run now."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()

    def start(
        self, command: list[str], directory: Path, environment: Mapping[str, str], *, piped: bool
    ) -> subprocess.Popen[bytes]:
        """Start a program in a process group of its own; its output goes to pipes, or where the host's goes."""
        output = subprocess.PIPE if piped else None
        child = subprocess.Popen(
            command, cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            process_group=0,
        )  # fmt: skip
        self._running.add(child)
        return child

    def wait(self, child: subprocess.Popen[bytes]) -> int:
        """Exit code of the child, once it has ended."""
        code = child.wait()
        self._running.discard(child)
        return code

    def stop(self, child: subprocess.Popen[bytes]) -> None:
        """Interrupt the child's process group, and kill it when it has not ended after five seconds."""
        if child.poll() is None:
            _signal(child, signal.SIGINT)
            threading.Timer(_GRACE_SECONDS, _signal, (child, signal.SIGKILL)).start()

    def kill_all(self) -> None:
        """End every child at once."""
        for child in list(self._running):
            _signal(child, signal.SIGKILL)


def output_of(child: subprocess.Popen[bytes]) -> Iterator[tuple[str, bytes]]:
    """Chunks of ("stdout" | "stderr", bytes) of a piped child as they come, until both ends are closed."""
    chunks: queue.Queue[tuple[str, bytes]] = queue.Queue()
    assert child.stdout is not None
    assert child.stderr is not None
    for name, stream in (("stdout", child.stdout), ("stderr", child.stderr)):
        threading.Thread(target=_pump, args=(name, stream, chunks), daemon=True).start()
    ended = 0
    while ended < 2:
        name, chunk = chunks.get()
        if chunk:
            yield name, chunk
        else:
            ended += 1


def _pump(name: str, stream: IO[bytes], chunks: "queue.Queue[tuple[str, bytes]]") -> None:
    with stream:
        while chunk := os.read(stream.fileno(), 65536):
            chunks.put((name, chunk))
    chunks.put((name, b""))


def _signal(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
