"""The local cloud's daemon with a runner that runs nothing: it notes what it is asked and answers as it is told.

What a function does is in its variables: FAILURES (how often each request fails first), SECONDS, and ANSWER or
ANSWER_BYTES. The disk fails to flush from when the state directory has a file `broken-disk`.
"""

import asyncio
import errno
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scar_pulumi.cloud import database, server
from scar_pulumi.cloud.runner import InvocationResult, RunnerStoppedError


class FakeRunner:
    def __init__(
        self, images: Any, logs: Any, directory: Path, endpoint_environment: Mapping[str, str], executor: str = "auto"
    ) -> None:
        self._images = images
        self._logs = logs
        self._directory = directory
        self._attempts: Counter[str] = Counter()
        self._slots = asyncio.Semaphore(4)
        directory.mkdir(exist_ok=True)

    async def start(self) -> None:
        self._note({"start": sorted(os.environ)})

    async def invoke(
        self,
        function: Any,
        payload: bytes,
        request_id: str,
        *,
        client_context: str | None = None,
        background: bool = False,
    ) -> Any:
        self._images.manifest(function.image)
        if (self._directory / "stopping").exists():
            raise RunnerStoppedError
        if background:
            async with self._slots:
                return await self._run(function, payload, request_id, client_context, background)
        return await self._run(function, payload, request_id, client_context, background)

    async def _run(
        self, function: Any, payload: bytes, request_id: str, client_context: str | None, background: bool
    ) -> Any:
        event = {"name": function.name, "request": request_id, "background": background, "image": function.image}
        self._note({**event, "payload": json.loads(payload), "time": time.time(), "context": client_context})
        await asyncio.sleep(float(function.environment.get("SECONDS", "0")))
        self._logs.put(function.log_group, f"stream-{request_id}", [(int(time.time() * 1000), f"ran {request_id}")])
        self._attempts[request_id] += 1
        self._note({"done": request_id})
        if self._attempts[request_id] <= int(function.environment.get("FAILURES", "0")):
            return _result(b'{"errorMessage": "told to fail", "errorType": "Told"}', "Unhandled")
        answer = function.environment.get("ANSWER", '{"fine": true}')
        if size := function.environment.get("ANSWER_BYTES"):
            answer = '"' + "x" * (int(size) - 2) + '"'
        return _result(answer.encode(), None)

    def expect(self, image: str, architecture: str = "x86_64") -> None:
        self._note({"expect": image, "architecture": architecture})

    async def retire(self, name: str) -> None:
        self._note({"retire": name})

    async def close(self) -> None:
        self._note({"close": True})

    def describe(self) -> dict[str, object]:
        return {"executor": "fake"}

    def _note(self, document: dict[str, Any]) -> None:
        with (self._directory / "notes.jsonl").open("a") as file:
            file.write(json.dumps(document) + "\n")


def _result(payload: bytes, error: Any) -> Any:
    return InvocationResult(payload, error, b"the tail of the log", 1.0, 1, None, 10)


def _flush(descriptor: int) -> None:
    if (Path(sys.argv[-1]) / "broken-disk").exists():
        raise OSError(errno.EIO, "told to fail")
    os.fsync(descriptor)


if __name__ == "__main__":
    database.flush_file = _flush
    sys.exit(server.main(runner=FakeRunner))
