"""One container under Docker: its output, end and memory, each followed in a thread, because the SDK blocks."""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from typing import Any

import requests
from docker.errors import APIError, DockerException, NotFound

from scar_pulumi.cloud.runner.configuration import MEGABYTE

_KILLED = 137


class DockerProcess:
    """A created container; `start` starts it."""

    def __init__(self, container: Any) -> None:
        self._container = container
        self._loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[int] = self._loop.create_future()
        self._peak = 0
        self._was_killed = False
        self.output, self._input = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.output, False)

    async def start(self) -> None:
        """Start it; whatever it prints is caught from its first byte on. Raises DockerException."""
        stream = await asyncio.to_thread(self._container.attach, stdout=True, stderr=True, stream=True, logs=True)
        try:
            await asyncio.to_thread(self._container.start)
        except DockerException:
            os.close(self.output)
            os.close(self._input)
            raise
        for target, arguments in ((self._copy, (stream,)), (self._wait, ()), (self._watch, ())):
            threading.Thread(target=target, args=arguments, daemon=True).start()

    def memory(self) -> int:
        """Return the most megabytes that Docker reported."""
        return self._peak

    def out_of_memory(self) -> bool:
        """Tell whether it was killed, and not by `kill`: Docker forgets a removed container's reason."""
        return not self._was_killed and self.exited.done() and self.exited.result() == _KILLED

    def terminate(self) -> bool:
        """Ask it to end, without waiting for Docker."""
        if not self.exited.done():
            self._was_killed = True
            threading.Thread(target=self._send, args=("SIGTERM",), daemon=True).start()
        return True

    async def kill(self) -> None:
        """Kill it and wait until it is gone."""
        if not self.exited.done():
            self._was_killed = True
            with contextlib.suppress(APIError, NotFound):
                await asyncio.to_thread(self._container.kill)
        await asyncio.shield(self.exited)

    def _send(self, signal: str) -> None:
        with contextlib.suppress(DockerException, requests.RequestException):
            self._container.kill(signal=signal)

    def _copy(self, stream: Any) -> None:
        try:
            for part in stream:
                os.write(self._input, part)
        except (OSError, DockerException, requests.RequestException):
            pass  # the container or its reader is gone
        finally:
            os.close(self._input)

    def _wait(self) -> None:
        try:
            code = int(self._container.wait()["StatusCode"])
        except (DockerException, requests.RequestException):
            code = 255  # removed before it could be asked
        self._tell(self.exited.set_result, code)

    def _watch(self) -> None:
        with contextlib.suppress(DockerException, requests.RequestException):
            for report in self._container.stats(stream=True, decode=True):
                used = int(report.get("memory_stats", {}).get("usage", 0))
                self._peak = max(self._peak, -(-used // MEGABYTE))

    def _tell(self, call: Callable[..., object], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(call, *arguments)
